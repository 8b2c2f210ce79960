"""Gradient boosting on rows of a table: the judge of the two-sample test and of usefulness."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import Rows

MOST_LEVELS = 250  # categories with a code of their own; scikit-learn takes 255
ROUNDS = 100
DECAY = 10.0  # without it a class of a dozen rows can make scikit-learn's trees diverge

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Features for a tree: numbers as they are, categories as codes.

    Args:
        matrix: (n, columns), NaN for missing.
        categorical: which columns are codes.
    """

    matrix: Matrix
    categorical: tuple[bool, ...]


def design(rows: Rows) -> Design:
    """All columns of rows; of a column's categories the less frequent ones beyond 250 are one."""
    columns = list(rows.numbers.values())
    for codes in rows.codes.values():
        columns.append(np.where(codes < 0, np.nan, np.minimum(codes, MOST_LEVELS)))
    kinds = (False,) * len(rows.numbers) + (True,) * len(rows.codes)
    return Design(np.stack(columns, 1) if columns else np.empty((len(rows), 0)), kinds)


def chances(taught: Design, labels: NDArray[np.integer], asked: Matrix, classes: int, seed: int) -> Matrix:
    """What a classifier taught by some rows says of others: (m, classes), 0 for classes that it was not shown.

    Gradient boosted trees by scikit-learn's usual settings (100 rounds of 31 leaves), without its early stopping
    and with a little decay.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    found = np.zeros((len(asked), classes))
    shown = np.unique(labels)
    if len(shown) == 1:
        found[:, shown] = 1.0
        return found
    model = HistGradientBoostingClassifier(**settings(taught, seed))
    found[:, shown] = answered(model, taught, labels, asked, "predict_proba")
    return found


def guesses(taught: Design, values: Matrix, asked: Matrix, seed: int) -> Matrix:
    """The same for a number: (m,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return answered(HistGradientBoostingRegressor(**settings(taught, seed)), taught, values, asked, "predict")


def settings(taught: Design, seed: int) -> dict[str, Any]:
    """What both kinds of trees are made with."""
    return {
        "categorical_features": list(taught.categorical),
        "max_iter": ROUNDS,
        "l2_regularization": DECAY,
        "early_stopping": False,
        "random_state": seed,
    }


def answered(model: Any, taught: Design, told: NDArray[Any], asked: Matrix, how: str) -> Matrix:
    """Teach a model and ask it. By one thread: several wait for each other more than they work on tables like these."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(getattr(model.fit(taught.matrix, told), how)(asked))
