"""Student's t: the interval of a mean of a few values."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the mean of normal values, by Student's t; None of fewer than two.

    >>> mean_interval([1.0])
    >>> [round(edge, 3) for edge in mean_interval([1.0, 2.0, 3.0])]
    [-0.484, 4.484]
    """
    if len(values) < 2:
        return None
    half = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def t_quantile(freedom: int, inside: float = 0.95) -> float:
    """The t within which a share `inside` of Student's t distribution lies, both tails left out; by bisection.

    >>> round(t_quantile(2), 3)
    4.303
    """
    low, high = 0.0, 1.0
    while t_inside(high, freedom) < inside:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_inside(middle, freedom) < inside else (low, middle)
    return (low + high) / 2


def t_inside(t: float, freedom: int) -> float:
    """The share of Student's t distribution within ±t (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= (k - 1) / k * math.cos(angle) ** 2
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
