"""Mixtures of normal distributions for one column, fitted to a histogram of it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BINS = 1024
"""The most bins of a histogram that a mixture is fitted to."""

LIGHTEST = 0.005
"""The least share of the weight that a mode may have."""

_ROUNDS = 100
_ENOUGH = 1e-5  # gain of mean log-likelihood in a round below which a fit is done


@dataclass(frozen=True)
class Mixture:
    """Normal modes, by mean. Weights sum to 1."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    weights: tuple[float, ...]


class Histogram(NamedTuple):
    """Bins by rising centre: the mean, the variance and the weight of the values in each."""

    centres: np.ndarray
    variances: np.ndarray
    weights: np.ndarray


def histogram(values: np.ndarray, weights: np.ndarray | None = None, bins: int = BINS) -> Histogram:
    """At most `bins` bins: one a value if there are few, else edges at quantiles and at equal distances in turn.

    Quantiles resolve where most values are, equal distances resolve the tails.

    Args:
        values: (n,) finite.
        weights: (n,) at least 0; None for 1 each.
        bins: an even number.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order].astype(np.float64)
    mass = np.ones(len(ordered)) if weights is None else weights[order].astype(np.float64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1])
    if len(starts) > bins:
        levels = np.linspace(0, 1, bins // 2 + 1)[1:-1]
        ranks = np.searchsorted(np.cumsum(mass), levels * mass.sum())
        edges = np.concatenate([ordered[ranks], np.interp(levels, [0, 1], ordered[[0, -1]])])
        starts = np.unique(np.concatenate([[0], np.searchsorted(ordered, np.unique(edges))]))
    total = np.add.reduceat(mass, starts)
    held = total > 0
    safe = np.where(held, total, 1)
    centres = np.add.reduceat(mass * ordered, starts) / safe
    counts = np.diff(np.append(starts, len(ordered)))
    spread = np.add.reduceat(mass * (ordered - np.repeat(centres, counts)) ** 2, starts) / safe
    return Histogram(centres[held], spread[held], total[held])


class _Fit(NamedTuple):
    """Modes on values of unit scale, and the mean log-likelihood of a value."""

    means: np.ndarray
    deviations: np.ndarray
    portions: np.ndarray
    likelihood: float = -np.inf


def fit_mixture(
    values: np.ndarray, weights: np.ndarray | None = None, *, most: int = 10, narrowest: float = 0.0
) -> Mixture:
    """Fit normal modes by expectation maximisation on a histogram; the same values give the same modes.

    The modes start at quantiles, equal parts of the weight apart. The two that are most alike are merged (Runnalls,
    2007) and all fitted again, as long as Schwarz's criterion (BIC) gains by it or a mode has less than `LIGHTEST` of
    the weight. Of `most` or fewer different values each is a mode.

    Args:
        values: (n,) finite, at least one; in any order.
        weights: (n,) how often each was seen, some above 0; None for once.
        most: the most modes.
        narrowest: the least deviation of a mode; a 10,000th of the values' own deviation where that is more.
    """
    unit = max(float(np.abs(values).max()), narrowest, np.finfo(float).tiny)
    bins = histogram(values / unit, weights)
    count = bins.weights.sum()
    share = bins.weights / count
    middle = float(share @ bins.centres)
    scale = float(np.sqrt(share @ (bins.variances + (bins.centres - middle) ** 2)))
    floor = max(narrowest / unit, 1e-4 * scale) or 1.0  # of one value any width will do
    if len(share) <= most and not bins.variances.any():
        return _mixture(_Fit(bins.centres, np.full(len(share), floor), share), 0.0, unit)
    scale = scale or floor
    points = Histogram((bins.centres - middle) / scale, bins.variances / scale**2, share)
    means = points.centres[_spread(share, most)]
    start = _Fit(means, np.full(len(means), 1 / most), np.full(len(means), 1 / len(means)))
    fit = _maximised(points, start, floor / scale)
    while len(fit.means) > 1:
        fewer = _maximised(points, _merged(fit), floor / scale)
        gain = 1.5 * np.log(count) - count * (fit.likelihood - fewer.likelihood)  # a mode takes three numbers
        if gain < 0 and fit.portions.min() >= LIGHTEST:
            break
        fit = fewer
    return _mixture(fit._replace(means=fit.means * scale, deviations=fit.deviations * scale), middle, unit)


def _mixture(fit: _Fit, middle: float, unit: float) -> Mixture:
    order = np.argsort(fit.means)
    return Mixture(
        tuple((unit * (middle + fit.means[order])).tolist()),
        tuple((unit * fit.deviations[order]).tolist()),
        tuple((fit.portions[order] / fit.portions.sum()).tolist()),
    )


def _spread(share: np.ndarray, most: int) -> np.ndarray:
    """At most `most` different bins, equal parts of the weight apart; heavy bins count once, and others fill up."""
    chosen = np.zeros(len(share), bool)
    while (wanted := most - int(chosen.sum())) > 0 and not chosen.all():
        free = np.cumsum(np.where(chosen, 0, share))
        places = np.searchsorted(free, (np.arange(wanted) + 0.5) / wanted * free[-1])
        chosen[np.minimum(places, len(share) - 1)] = True
    return np.flatnonzero(chosen)


def _merged(fit: _Fit) -> _Fit:
    """One mode fewer: the pair whose union by moments costs the least likelihood; a mode that is too light is in it."""
    weights, variances = np.maximum(fit.portions, np.finfo(float).tiny), fit.deviations**2
    both = weights[:, None] + weights
    part = weights[:, None] / both
    apart = fit.means[:, None] - fit.means
    union = part * variances[:, None] + (1 - part) * variances + part * (1 - part) * apart**2
    cost = both * np.log(union) - weights[:, None] * np.log(variances)[:, None] - weights * np.log(variances)
    np.fill_diagonal(cost, np.inf)
    if weights.min() < LIGHTEST:
        cost[np.arange(len(weights)) != weights.argmin()] = np.inf
    one, other = np.unravel_index(np.argmin(cost), cost.shape)
    means, deviations, portions = fit.means.copy(), fit.deviations.copy(), fit.portions.copy()
    means[one] = part[one, other] * means[one] + part[other, one] * means[other]
    deviations[one] = np.sqrt(union[one, other])
    portions[one] += portions[other]
    return _Fit(np.delete(means, other), np.delete(deviations, other), np.delete(portions, other))


def _maximised(points: Histogram, fit: _Fit, floor: float) -> _Fit:
    """Modes after expectation maximisation; the likelihood is of the modes one round before."""
    means, deviations, portions, before = fit.means, fit.deviations, fit.portions, -np.inf
    for _ in range(_ROUNDS):
        apart = (points.centres - means[:, None]) ** 2
        spread = deviations[:, None]
        with np.errstate(under="ignore", divide="ignore"):
            logs = np.log(portions / deviations)[:, None] - 0.5 * (apart + points.variances) / spread**2
            top = logs.max(0)
            shares = np.exp(logs - top)
        total = shares.sum(0)
        now = float(points.weights @ (np.log(total) + top))
        shares *= points.weights / total
        portions = shares.sum(1)
        safe = np.maximum(portions, np.finfo(float).tiny)
        means = shares @ points.centres / safe
        apart = (points.centres - means[:, None]) ** 2
        deviations = np.maximum(np.sqrt((shares * (apart + points.variances)).sum(1) / safe), floor)
        if now - before < _ENOUGH:
            break
        before = now
    return _Fit(means, deviations, portions, now)
