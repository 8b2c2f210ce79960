"""Private looks at one column: noisy histograms, categories, ranges and quantiles, each with its charge.

One row holds one value, so adding or removing a row changes one count by one: with noise of scale 1/epsilon on every
count a whole histogram costs epsilon once, however many bins it has. Noise on counts is a whole number, the two-sided
geometric distribution P(k) = (1 - a) / (1 + a) * a^|k| with a = exp(-epsilon) (Ghosh et al., 2009), which has none of
the holes of a Laplace distribution in floating point (Mironov, 2012). The numbers come from a generator that must be
drawn from a secret (`secret.random_of`).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .errors import RequestError
from .ledger import Charge

EXPONENTS = 64  # ranges are sought between 2^-64 and 2^64
FALSE_ALARM = 0.01  # with which probability an empty place widens a range


def geometric_noise(count: int, epsilon: float, random: np.random.Generator) -> np.ndarray:
    """Two-sided geometric noise for counts that one row changes by one, (count,) int64; of variance about 2/epsilon^2.

    Raises:
        RequestError: epsilon is not above 0.
    """
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise RequestError(f"a private look at the data needs an epsilon above 0, not {epsilon}")
    chance = -math.expm1(-epsilon)
    return random.geometric(chance, count) - random.geometric(chance, count)


def noisy_histogram(
    counts: np.ndarray, epsilon: float, random: np.random.Generator, *, what: str
) -> tuple[np.ndarray, Charge]:
    """Counts with noise, none below 0. The bins must not have been chosen from the data.

    Args:
        counts: how many rows are in each bin, (bins,) whole numbers; each row in one bin at most.
        epsilon: what it may cost.
        random: from a secret.
        what: for the ledger.

    Returns:
        Noisy counts, (bins,) int64, and the charge.
    """
    noisy = np.asarray(counts, dtype=np.int64) + geometric_noise(len(counts), epsilon, random)
    return np.maximum(noisy, 0), Charge(what, f"noisy histogram of {len(counts)} bins", epsilon)


def noisy_categories(
    counts: Mapping[str, int], epsilon: float, delta: float, random: np.random.Generator, *, what: str
) -> tuple[dict[str, int], Charge]:
    """Categories that were found in the data, with noisy counts; the rare ones are left out (Korolova et al., 2009).

    That a category is there at all tells of its rows, so only those are named whose noisy count reaches a threshold
    that a category of a single row reaches with probability `delta` at most. Where the names are public, take
    `noisy_histogram` instead, which leaves none out and needs no delta.

    Args:
        counts: how many rows have each category.
        epsilon: what it may cost.
        delta: with which probability it may name a category of a single row.
        random: from a secret.
        what: for the ledger.

    Returns:
        The categories that are named with their noisy counts, most frequent first, and the charge.
    """
    threshold = category_threshold(epsilon, delta)
    noise = geometric_noise(len(counts), epsilon, random)
    noisy = {name: count + int(extra) for (name, count), extra in zip(sorted(counts.items()), noise, strict=True)}
    named = {name: count for name, count in noisy.items() if count >= threshold}
    ordered = dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))
    return ordered, Charge(what, f"noisy categories from {threshold} rows on", epsilon, delta)


def category_threshold(epsilon: float, delta: float) -> int:
    """The least count from which a category may be named: P(1 + noise >= threshold) <= delta.

    >>> category_threshold(1.0, 1e-5)
    13
    """
    if not 0 < delta < 1:
        raise RequestError(f"naming categories needs a delta between 0 and 1, not {delta}")
    return 1 + max(math.ceil(tail(delta, epsilon)), 1)


def tail(chance: float, epsilon: float) -> float:
    """The least number that the noise reaches with this probability at most: a^k / (1 + a) <= chance for k >= 1."""
    return -math.log(chance * (1 + math.exp(-epsilon))) / epsilon


def noisy_range(
    values: np.ndarray, epsilon: float, random: np.random.Generator, *, what: str
) -> tuple[tuple[float, float], Charge]:
    """A range that holds nearly all values, to powers of two: for values of which nothing is known.

    A noisy histogram over signs and powers of two (2^-64 to 2^64) says where the values lie; places with fewer rows
    than noise may make up are passed over, about 10 / epsilon rows in a power of two. `noisy_quantiles` within it finds
    closer limits.

    Args:
        values: finite numbers, (rows,).
        epsilon: what it may cost.
        random: from a secret.
        what: for the ledger.

    Returns:
        Lowest and highest value, and the charge.

    Raises:
        RequestError: a value is not finite, or there are too few rows for this epsilon.
    """
    values = finite(values, what)
    edges = np.ldexp(1.0, np.arange(-EXPONENTS, EXPONENTS + 1))
    below = np.concatenate([-edges[::-1], edges])  # -2^64 ... -2^-64, 2^-64 ... 2^64
    inside = np.clip(values, -edges[-1], np.nextafter(edges[-1], 0))
    counts = np.bincount(np.searchsorted(below, inside, side="right") - 1, minlength=len(below) - 1)
    noise = geometric_noise(len(counts), epsilon, random)
    full = np.flatnonzero(counts + noise >= max(tail(FALSE_ALARM / len(counts), epsilon), 1))
    if len(full) == 0:
        raise RequestError(f"{what}: {len(values)} rows are too few for a range at epsilon {epsilon:.3g}; give it")
    zero = len(counts) // 2  # the place between both signs
    low, high = (0.0 if place == zero else float(below[place + more]) for place, more in ((full[0], 0), (full[-1], 1)))
    return (low, high), Charge(what, f"noisy histogram of {len(counts)} powers of two", epsilon)


def noisy_quantiles(
    values: np.ndarray,
    shares: Sequence[float],
    limits: tuple[float, float],
    epsilon: float,
    random: np.random.Generator,
    *,
    what: str,
) -> tuple[np.ndarray, Charge]:
    """Quantiles by the exponential mechanism (Smith, 2011): each drawn near its place among the sorted values.

    Args:
        values: finite numbers, (rows,); those outside the limits count as lying on them.
        shares: of rows below each quantile, from 0 to 1.
        limits: lowest and highest value, known beforehand or from `noisy_range`.
        epsilon: what all together may cost, in equal parts.
        random: from a secret.
        what: for the ledger.

    Returns:
        The quantiles, (shares,) float64, each at least the one before where the shares are in order, and the charge.

    Raises:
        RequestError: a value is not finite, the limits are no range, or a share is none.
    """
    low, high = limits
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RequestError(f"{what}: quantiles lie within a range, not between {low} and {high}")
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise RequestError(f"{what}: quantiles have shares between 0 and 1, not {list(shares)}")
    points = np.concatenate([[low], np.sort(np.clip(finite(values, what), low, high)), [high]])
    found = np.array([_quantile(points, share, epsilon / len(shares), random) for share in shares])
    order = np.argsort(shares, kind="stable")
    found[order] = np.maximum.accumulate(found[order])
    return found, Charge(what, f"{len(shares)} noisy quantiles", epsilon)


def _quantile(points: np.ndarray, share: float, epsilon: float, random: np.random.Generator) -> float:
    """One quantile of the sorted values between the first and the last point."""
    geometric_noise(0, epsilon, random)  # refuses an epsilon that is none
    gaps = np.diff(points)
    rows = len(points) - 2
    off = np.abs(np.arange(rows + 1) - share * rows)  # how many rows each gap lies from where it should be
    sensitivity = max(share, 1 - share)
    with np.errstate(divide="ignore"):
        odds = np.log(gaps) - epsilon * off / (2 * sensitivity)
    at = int(np.argmax(odds + random.gumbel(size=len(gaps))))
    return float(points[at] + gaps[at] * random.random())


def finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values as float64.

    Raises:
        RequestError: one is infinite or not a number.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise RequestError(f"{what}: take out missing and infinite values first, and count them as bins of their own")
    return values
