"""Private looks at one column: counts with normal noise, and names of what is frequent enough.

One row is in one bin of a histogram, so adding or removing it changes one count by one: noise of one size on every
count hides it, however many bins there are. Several histograms of the same rows are one Gaussian mechanism, whose size
is that of all changes together, the root of the sum of their squares in units of each one's noise (`Look`). Noise is
rounded to whole numbers, as counts are, which leaves none of the holes of floating point (Mironov, 2012). The numbers
come from a generator that must be drawn from a secret (`secret.random_of`).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from .errors import RequestError


def noisy_counts(counts: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Counts with noise, some below 0. The bins must not have been chosen from the rows.

    Args:
        counts: how many rows are in each bin, (bins,) whole numbers; each row in one bin at most.
        sigma: standard deviation of the noise, in rows.
        random: from a secret.

    Returns:
        (bins,) int64.

    Raises:
        RequestError: sigma is not a finite number above 0.
    """
    if not (sigma > 0 and math.isfinite(sigma)):
        raise RequestError(f"a private look at the data needs noise above 0, not {sigma}")
    noise = np.rint(sigma * random.standard_normal(len(counts))).astype(np.int64)
    return np.asarray(counts, dtype=np.int64) + noise


def named_counts(
    counts: np.ndarray, sigma: float, delta: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which values that were found in the data may be named, and their noisy counts (Korolova et al., 2009).

    That a value is there at all tells of its rows, so only those are named whose noisy count reaches a threshold that a
    value of a single row reaches with probability `delta` at most.

    Args:
        counts: how many rows have each value, (values,) whole numbers above 0, in an order that says nothing.
        sigma: standard deviation of the noise, in rows.
        delta: with which probability it may name a value of a single row.
        random: from a secret.

    Returns:
        Places of the values that are named, (named,), and their counts, (named,) int64.
    """
    noisy = noisy_counts(counts, sigma, random)
    named = np.flatnonzero(noisy >= name_threshold(sigma, delta))
    return named, noisy[named]


def name_threshold(sigma: float, delta: float) -> int:
    """The least count from which a value may be named: P(1 + noise >= threshold) <= delta.

    >>> name_threshold(20.0, 1e-7)
    106
    """
    if not 0 < delta < 1:
        raise RequestError(f"naming values needs a delta between 0 and 1, not {delta}")
    return 2 + math.ceil(max(-NormalDist().inv_cdf(delta), 0.0) * sigma)


def look_size(sigmas: Sequence[float]) -> float:
    """The noise of several histograms of the same rows in units of what one row may change of all together.

    >>> look_size([2.0, 2.0, 2.0, 2.0])
    1.0
    """
    return 1 / math.sqrt(math.fsum(1 / sigma**2 for sigma in sigmas))
