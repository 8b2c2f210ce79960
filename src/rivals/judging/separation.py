"""How well scores tell two groups apart: the area under the curve, and an attack's advantage, with intervals."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .copies import wilson
from .interval import Interval

Scores = NDArray[np.float64]


def auc(positive: ArrayLike, negative: ArrayLike, *, level: float = 0.95) -> Interval:
    """The chance that a positive's score is above a negative's, ties counted half, with DeLong's interval.

    The variance is that of DeLong, DeLong and Clarke-Pearson 1988, in the fast form of Sun and Xu 2014. Where the
    groups are told apart without any error the variance is 0, and the interval has no width.

    Args:
        positive: scores (n,), n >= 2, without NaN.
        negative: scores (m,), m >= 2, likewise.
        level: of the interval.

    Raises a ValueError for fewer than two scores of either, and for NaN.

    >>> auc([2.0, 3.0], [1.0, 2.0]).value
    0.875
    """
    a, b = checked(positive, negative)
    above, below = placements(a, b)
    value = float(above.mean())
    reach = (
        NormalDist().inv_cdf((1 + level) / 2) * float(above.var(ddof=1) / len(a) + below.var(ddof=1) / len(b)) ** 0.5
    )
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach), level)


def placements(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    """For each of `a` the share of `b` below it, and for each of `b` the share of `a` above it; ties count half."""
    ordered_a, ordered_b = np.sort(a), np.sort(b)
    under = (np.searchsorted(ordered_b, a, "left") + np.searchsorted(ordered_b, a, "right")) / (2 * len(b))
    over = (np.searchsorted(ordered_a, b, "left") + np.searchsorted(ordered_a, b, "right")) / (2 * len(a))
    return under, 1 - over


@dataclass(frozen=True)
class Advantage:
    """What scores tell about who belongs to the first of two groups.

    Args:
        advantage: true positive rate less false positive rate (Yeom et al. 2018), 0 for guessing, 1 for certainty. The
            threshold is chosen on one half of the scores and applied to the other, both ways: the best threshold of
            all scores would flatter the attack.
        auc: the area under the curve, 0.5 for guessing.
        caught: the share of members found where 1 in 100 others is taken for one (Carlini et al. 2022): what happens
            to the few whom the averages don't show.
    """

    advantage: Interval
    auc: Interval
    caught: Interval


def advantage(member: ArrayLike, other: ArrayLike, *, level: float = 0.95, seed: int = 0) -> Advantage:
    """How well scores, high for members, tell members from others.

    Args:
        member: scores (n,), n >= 4, without NaN.
        other: scores (m,), likewise.
        level: of the intervals; of `caught` always 0.95.
        seed: of the halves.
    """
    a, b = checked(member, other, least=4)
    rng = np.random.default_rng(seed)
    halves = [[part[order[::2]], part[order[1::2]]] for part in (a, b) for order in [rng.permutation(len(part))]]
    z = NormalDist().inv_cdf((1 + level) / 2)
    values, variances = [], []
    for choosing in (0, 1):
        limit = best_threshold(halves[0][choosing], halves[1][choosing])
        hits, alarms = (part[1 - choosing] >= limit for part in halves)
        values.append(float(hits.mean() - alarms.mean()))
        variances.append(share_variance(hits) + share_variance(alarms))
    value, reach = sum(values) / 2, z * sum(variances) ** 0.5 / 2
    strict = np.sort(b)[-1 - len(b) // 100]
    caught = wilson(int((a > strict).sum()), len(a))
    return Advantage(
        Interval(value, max(-1.0, value - reach), min(1.0, value + reach), level), auc(a, b, level=level), caught
    )


def best_threshold(a: Scores, b: Scores) -> float:
    """The score from which on most more of `a` than of `b` lie."""
    limits = np.unique(np.concatenate([a, b]))
    gain = np.searchsorted(np.sort(b), limits, "left") / len(b) - np.searchsorted(np.sort(a), limits, "left") / len(a)
    return float(limits[gain.argmax()])


def share_variance(hits: NDArray[np.bool_]) -> float:
    """The variance of a share, never 0 (Agresti and Coull 1998: two more of either)."""
    share = (hits.sum() + 2) / (len(hits) + 4)
    return float(share * (1 - share) / (len(hits) + 4))


def checked(first: ArrayLike, second: ArrayLike, least: int = 2) -> tuple[Scores, Scores]:
    """Both groups of scores as float64."""
    groups = tuple(np.asarray(group, dtype=np.float64).ravel() for group in (first, second))
    if min(map(len, groups)) < least:
        raise ValueError(
            f"{least} scores or more of either group are needed, got {len(groups[0])} and {len(groups[1])}"
        )
    if any(np.isnan(group).any() for group in groups):
        raise ValueError("scores must not be NaN")
    return groups[0], groups[1]
