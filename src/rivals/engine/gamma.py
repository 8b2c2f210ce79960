"""The weight (gamma) of the zero-centred penalties R1 and R2, measured on the data."""

from collections.abc import Collection
from dataclasses import replace

from .recipe import Recipe
from .schedule import Weight
from .types import Sample, leaves

PENALTIES = ("r1", "r2")

SHARE = 2.2e-4
"""Of the data's total variance: near the best of five fixed weights, each four times the one before, on digits and on
clothes (1,500 steps, one seed; the fixed ones did not fall as this one does). benchmarks/gamma_rule.py is the test of
the rule; seeds differ by a fifth there, so it takes several."""


def gamma_for(sample: Sample) -> float:
    """The gamma that suits data like this: `SHARE` of its total variance.

    A penalty on squared gradients is a number with a unit, that of a sample squared: data twice as large, or pictures
    of twice the height and width, need four times the weight to hold the same critic back as much. The total variance
    has the same unit and grows alike, so their ratio is a pure number that need not be found anew for every set.

    Args:
        sample: some real samples, (batch, ...), at least two.
    """
    spread = sum(float(part.float().flatten(1).var(0).sum()) for part in leaves(sample) if part.is_floating_point())
    return float(f"{SHARE * spread:.3g}")


def weighed(recipe: Recipe, gamma: float, names: Collection[str] = PENALTIES) -> Recipe:
    """The recipe with the weights of these penalties, which are in units of gamma, times `gamma`."""

    def times(weight: Weight) -> Weight:
        stop = None if weight.stop is None else float(f"{weight.stop * gamma:.3g}")
        return replace(weight, start=float(f"{weight.start * gamma:.3g}"), stop=stop)

    terms = {name: times(weight) if name in names else weight for name, weight in recipe.critic_terms.items()}
    return replace(recipe, critic_terms=terms)
