"""How much noise a private training needs: the accountant, and a plan made before the first step.

The accountant is Opacus': Renyi differential privacy of the Gaussian mechanism on a Poisson sample (Mironov et al.,
2019), which is a proven bound for rows added as well as removed. Its numerical one (Gopi et al., 2021) asks for about
5 to 8 % less noise.
"""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

from .errors import RequestError
from .ledger import Charge, Ledger
from .recipe import Recipe

ALPHAS = [1 + tenth / 10 for tenth in range(1, 100)] + list(range(12, 64)) + [2**power for power in range(6, 12)]
MOST = 2000.0  # sigma: nothing is learned under such noise


@dataclass(frozen=True)
class Plan:
    """All that a private training has settled before its first step.

    Args:
        rows: of the table that is trained on.
        batch: rows expected in a sample; each row is in it with probability `rate`.
        rounds, critic_steps: how many rounds, and critic steps in each: all of them are charged.
        clip: largest norm of one pair's gradient.
        sigma: standard deviation of the noise in units of `clip`.
        ledger: with training charged in full, however early it stops.
    """

    rows: int
    batch: int
    rounds: int
    critic_steps: int
    clip: float
    sigma: float
    ledger: Ledger

    @property
    def rate(self) -> float:
        """The probability with which a row is in a sample."""
        return self.batch / self.rows


def plan(recipe: Recipe, ledger: Ledger) -> Plan:
    """The plan for a recipe with `privacy`, with what earlier charges leave of the budget.

    Raises:
        RequestError: there is no fixed number of steps, the batch is larger than the table, nothing is left of the
            budget, or the wanted noise is too little for it.
    """
    privacy, steps = recipe.privacy, recipe.steps
    if privacy is None:
        raise RequestError("the recipe asks for no privacy, so there is nothing to plan: set privacy to an epsilon")
    if steps is None:
        raise RequestError("private training needs --steps: how much noise there must be follows from their number")
    if recipe.batch > ledger.rows:
        raise RequestError(f"a batch of {recipe.batch} of {ledger.rows} rows: private training needs a smaller one")
    epsilon, delta = ledger.left
    if not (epsilon > 0 and delta > 0):
        raise RequestError(f"nothing is left of the privacy budget for training: {ledger.lines()[-1]}")
    rate, turns = recipe.batch / ledger.rows, steps * recipe.critic_steps
    sigma = privacy.sigma or noise_multiplier(epsilon, delta, rate, turns)
    taken = epsilon_spent(sigma, rate, turns, delta)
    if taken > epsilon:
        enough = noise_multiplier(epsilon, delta, rate, turns)
        raise RequestError(
            f"privacy.sigma {sigma:g} takes epsilon {taken:.4g} in {turns} critic steps, and {epsilon:.4g} is left: "
            f"leave it out, or take at least {enough:.4g}"
        )
    how = f"{turns} noised critic steps, sigma {sigma:.4g}, sampling rate {rate:.4g}, clip {privacy.clip:g}"
    charged = ledger.charge(Charge("training", how, taken, delta))
    return Plan(ledger.rows, recipe.batch, steps, recipe.critic_steps, privacy.clip, sigma, charged)


def in_steps(recipe: Recipe, rounds_a_second: float) -> Recipe:
    """The recipe with its minutes as steps, which must be known before the first one; the fewer where it has both."""
    if recipe.minutes is None:
        return recipe
    steps = max(math.floor(60 * recipe.minutes * rounds_a_second), 1)
    return replace(recipe, minutes=None, steps=min(steps, recipe.steps or steps))


def epsilon_spent(sigma: float, rate: float, steps: int, delta: float) -> float:
    """The epsilon, at this delta, of `steps` Gaussian mechanisms on Poisson samples.

    Args:
        sigma: standard deviation of the noise in units of the largest contribution of a row.
        rate: probability of a row to be in a sample, above 0 and at most 1.
        steps: how many.
        delta: between 0 and 1.
    """
    if steps == 0:
        return 0.0
    accountant = opacus().RDPAccountant()
    accountant.history = [(sigma, rate, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another alpha could do better; any gives a bound
        return float(accountant.get_epsilon(delta, alphas=ALPHAS))


def noise_multiplier(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least sigma, within a hundredth of epsilon, with which `steps` stay within epsilon and delta.

    Raises:
        RequestError: the budget is too small for any up to `MOST`.
    """
    if epsilon_spent(MOST, rate, steps, delta) > epsilon:  # Opacus would seek on for very long
        raise RequestError(
            f"no sensible amount of noise keeps {steps} critic steps within epsilon {epsilon:.3g} and delta "
            f"{delta:.3g}: ask for a larger epsilon or fewer steps"
        )
    find = opacus().utils.get_noise_multiplier
    settings = {"target_epsilon": epsilon, "target_delta": delta, "sample_rate": rate, "steps": steps}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(find(**settings, epsilon_tolerance=epsilon / 100, alphas=ALPHAS))


def opacus() -> Any:
    """Opacus' accountants; its import takes seconds.

    Raises:
        RequestError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import opacus.accountants
            import opacus.accountants.utils
    except ImportError as error:
        raise RequestError(
            f"differential privacy needs Opacus' accountant ({error}): pip install 'rivals[privacy]'"
        ) from None
    return opacus.accountants
