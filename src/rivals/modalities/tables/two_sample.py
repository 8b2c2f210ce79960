"""The two-sample test: can gradient boosting tell synthetic rows from real ones that it has not seen?"""

import numpy as np

from rivals.judging.interval import Interval
from rivals.judging.separation import auc

from .learners import Design, chances, design
from .rows import Rows

MOST = 10_000  # rows of either side


def two_sample(real: Rows, fake: Rows, *, folds: int = 5, most: int = MOST, seed: int = 0) -> Interval:
    """The area under the curve of a classifier that tells fakes from real rows; 0.5: it can't, 1: it always can.

    Lopez-Paz and Oquab 2017, with gradient boosting and cross-validation: the mean over the folds, with DeLong's
    interval. As many rows of either side, at most `most`; with more rows the classifier learns more, so areas compare
    at equal counts only.

    Args:
        real: at least `2 * folds` rows.
        fake: as many or more.
        folds: of the cross-validation.
        most: rows of either side.
        seed: of the drawn rows, the folds and the classifier.

    Raises a ValueError for too few rows.
    """
    count = min(len(real), len(fake), most)
    if count < 2 * folds:
        raise ValueError(f"a two-sample test in {folds} folds needs {2 * folds} rows of either side, got {count}")
    sides = [design(rows.drawn(count, seed)) for rows in (fake, real)]
    rows = np.concatenate([side.matrix for side in sides])
    labels = np.repeat([1, 0], count)
    part = np.random.default_rng(seed).permutation(count) % folds  # the rows may be in an order
    part = np.tile(part, 2)
    found = []
    for fold in range(folds):
        inside, outside = part != fold, part == fold
        scores = chances(Design(rows[inside], sides[0].categorical), labels[inside], rows[outside], 2, seed)[:, 1]
        found.append(auc(scores[labels[outside] == 1], scores[labels[outside] == 0]))
    value = float(np.mean([each.value for each in found]))
    reach = float(np.sqrt(sum(max(each.high - each.value, each.value - each.low) ** 2 for each in found))) / folds
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach))
