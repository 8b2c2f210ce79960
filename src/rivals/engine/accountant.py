"""How much noise a private training needs: the accountant, and a plan made before the first step.

The accountant is Opacus': Renyi differential privacy of the Gaussian mechanism on a Poisson sample (Mironov et al.,
2019), which is a proven bound for rows added as well as removed. Its numerical one (Gopi et al., 2021) asks for about
5 to 8 % less noise.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import RequestError
from .ledger import Charge, Ledger
from .recipe import Recipe

ALPHAS = [1 + tenth / 10 for tenth in range(1, 100)] + list(range(12, 64)) + [2**power for power in range(6, 12)]
MOST = 2000.0  # sigma: nothing is learned under such noise


class Look(NamedTuple):
    """A look at all rows before training, of a Gaussian mechanism: what at, how, and how much noise.

    `noise` is the standard deviation in units of the most that one row may change the answers (their Euclidean norm).
    """

    what: str
    how: str
    noise: float


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


def plan(recipe: Recipe, ledger: Ledger, looks: Sequence[Look] = ()) -> Plan:
    """The plan for a recipe with `privacy`, with what earlier charges leave of the budget.

    Looks and critic steps are all Gaussian, so they are counted together, which takes far less noise than a budget for
    each: their Renyi divergences add up. A look is charged its part of that sum at the order which gives the bound, and
    training the rest.

    Args:
        recipe: with `privacy` and a number of steps.
        ledger: what has been charged before.
        looks: at the rows, beside training; to be charged here and taken afterwards.

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
    noises = [look.noise for look in looks]
    sigma = privacy.sigma or noise_multiplier(epsilon, delta, rate, turns, noises)
    taken, order = spent_at(sigma, rate, turns, delta, noises)
    if taken > epsilon:
        enough = noise_multiplier(epsilon, delta, rate, turns, noises)
        raise RequestError(
            f"privacy.sigma {sigma:g} takes epsilon {taken:.4g} in {turns} critic steps, and {epsilon:.4g} is left: "
            f"leave it out, or take at least {enough:.4g}"
        )
    shares = [order / (2 * noise**2) for noise in noises]
    how = f"{turns} noised critic steps, sigma {sigma:.4g}, sampling rate {rate:.4g}, clip {privacy.clip:g}"
    charged = ledger.charge(
        *(Charge(look.what, look.how, share) for look, share in zip(looks, shares, strict=True)),
        Charge("training", how, taken - math.fsum(shares), delta),
    )
    return Plan(ledger.rows, recipe.batch, steps, recipe.critic_steps, privacy.clip, sigma, charged)


def look_noise(epsilon: float, delta: float, share: float) -> float:
    """The noise of looks that take about a share of a budget, in units of the most that a row may change.

    The budget is taken as one of zero-concentrated privacy, rho = (sqrt(epsilon + ln 1/delta) - sqrt(ln 1/delta))^2, of
    which Gaussian noise takes 1 / (2 noise^2) (Bun and Steinke, 2016, propositions 1.3 and 1.6).

    >>> round(look_noise(3.0, 1e-5, 0.1), 2)
    5.37
    """
    logs = math.log(1 / delta)
    rho = (math.sqrt(epsilon + logs) - math.sqrt(logs)) ** 2
    return 1 / math.sqrt(2 * share * rho)


def epsilon_spent(sigma: float, rate: float, steps: int, delta: float, looks: Sequence[float] = ()) -> float:
    """The epsilon, at this delta, of `steps` Gaussian mechanisms on Poisson samples and of looks at all rows.

    Args:
        sigma: standard deviation of the noise in units of the largest contribution of a row.
        rate: probability of a row to be in a sample, above 0 and at most 1.
        steps: how many.
        delta: between 0 and 1.
        looks: the noise of each look in the same units.
    """
    return spent_at(sigma, rate, steps, delta, looks)[0]


def spent_at(sigma: float, rate: float, steps: int, delta: float, looks: Sequence[float] = ()) -> tuple[float, float]:
    """The same, and the order of the Renyi divergence that gives it."""
    history = [(sigma, rate, steps)] * (steps > 0) + [(noise, 1.0, 1) for noise in looks]
    if not history:
        return 0.0, math.inf
    accountant = opacus().RDPAccountant()
    accountant.history = history
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another alpha could do better; any gives a bound
        epsilon, order = accountant.get_privacy_spent(delta=delta, alphas=ALPHAS)
    return float(epsilon), float(order)


def noise_multiplier(epsilon: float, delta: float, rate: float, steps: int, looks: Sequence[float] = ()) -> float:
    """The least sigma, within a thousandth of itself, with which `steps` and looks stay within epsilon and delta.

    Raises:
        RequestError: the budget is too small for any up to `MOST`.
    """
    if epsilon_spent(MOST, rate, steps, delta, looks) > epsilon:
        raise RequestError(
            f"no sensible amount of noise keeps {steps} critic steps within epsilon {epsilon:.3g} and delta "
            f"{delta:.3g}: ask for a larger epsilon or fewer steps"
        )
    low, high = 0.1, MOST
    while high > 1.001 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if epsilon_spent(middle, rate, steps, delta, looks) <= epsilon else (middle, high)
    return high


def opacus() -> Any:
    """Opacus' accountants; its import takes seconds.

    Raises:
        RequestError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import opacus.accountants
    except ImportError as error:
        raise RequestError(
            f"differential privacy needs Opacus' accountant ({error}): pip install 'rivals[privacy]'"
        ) from None
    return opacus.accountants
