"""Values of a numeric column that mean something of their own: 0 in capital-gain, -1 for an unknown age, 99999."""

import numpy as np

_SHARE = 0.05
_ABOVE_NEIGHBOURS = 5
_MOST = 10
_FEWEST_ROWS = 3


def special_values(values: np.ndarray, counts: np.ndarray) -> tuple[float, ...]:
    """Values that are frequent and stand out from their neighbours, or that lie far from all others and come again.

    Frequent are values in at least 5 % of the rows that are five times as frequent as the next smaller and the next
    larger one. Far out is the smallest or largest value, if at least three rows have it, it is farther from the next
    one than all others lie apart, or it is the only negative one.

    Args:
        values: (k,) different values, any order.
        counts: (k,) rows of each.

    Returns:
        At most ten, the most frequent first.
    """
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    if len(values) < 4:
        return ()
    around = np.maximum(np.append(counts[1:], 0), np.append(0, counts[:-1]))
    stands_out = (counts >= _SHARE * counts.sum()) & (counts >= _ABOVE_NEIGHBOURS * around)
    stands_out |= _far_out(values, counts, stands_out)
    found = np.flatnonzero(stands_out)
    found = found[np.argsort(-counts[found], kind="stable")][:_MOST]
    return tuple(values[found].tolist()) if len(found) < len(values) else ()


def _far_out(values: np.ndarray, counts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Smallest and largest values that are no part of the others' range."""
    out = np.zeros(len(values), bool)
    rest = np.flatnonzero(~known)
    for _ in range(_MOST):
        if len(rest) < 4:
            break
        low, high = rest[0], rest[-1]
        if counts[high] >= _FEWEST_ROWS and values[high] - values[rest[-2]] > values[rest[-2]] - values[low]:
            out[high], rest = True, rest[:-1]
        elif counts[low] >= _FEWEST_ROWS and (
            values[rest[1]] - values[low] > values[high] - values[rest[1]] or values[low] < 0 <= values[rest[1]]
        ):
            out[low], rest = True, rest[1:]
        else:
            break
    return out
