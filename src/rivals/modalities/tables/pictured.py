"""What a page draws of columns and pairs, as plain values: counts, shares and associations, no rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .association import associations
from .fidelity import coded
from .rows import Codes, Numbers, Rows

MOST_COLUMNS = 200
MOST_IN_MAP = 40
MOST_BARS = 12
MOST_PAIRS = 10
BARS = 36  # of a histogram
SPIKE = 0.4  # the share from which on a single value is told instead of drawn


def column_pictures(real: Rows, fake: Rows, shapes: dict[str, float]) -> dict[str, dict[str, Any]]:
    """For each column its score and shares to draw; the least alike first where there are more than 200."""
    names = sorted(shapes, key=lambda name: (np.isnan(shapes[name]), shapes[name]))[:MOST_COLUMNS]
    found = {}
    for name in (name for name in real.names if name in set(names)):
        if name in real.numbers:
            drawn = histogram(real.numbers[name], fake.numbers[name])
        else:
            drawn = bars(real.codes[name], fake.codes[name], real.levels[name])
        score = {} if np.isnan(shapes[name]) else {"shape": shapes[name]}
        found[name] = {**score, **drawn}
    return found


def histogram(real: Numbers, fake: Numbers) -> dict[str, Any]:
    """Shares of both sides between common edges.

    The edges hold the inner 99 % of the real values; what lies beyond counts to the outermost bars. A value that holds
    more than 40 % of the real cells is told apart.
    """
    missing = [share(np.isnan(side)) for side in (real, fake)]
    known = [side[~np.isnan(side)] for side in (real, fake)]
    found: dict[str, Any] = {"kind": "number", "missing": missing}
    if not len(known[0]):
        return found
    values, counts = np.unique(known[0], return_counts=True)
    if counts.max() > SPIKE * len(known[0]):
        spike = float(values[counts.argmax()])
        found["spike"] = [spike, *(share(side == spike) for side in known)]
        known = [side[side != spike] for side in known]
    if len(known[0]) < 2:
        return found
    low, high = np.quantile(known[0], [0.005, 0.995])
    whole = bool((known[0] == np.round(known[0])).all())
    if whole and high - low < 2 * BARS:  # a bar for each whole number, or for each two
        edges = np.arange(np.floor(low) - 0.5, high + 2, 1.0 if high - low < BARS else 2.0)
    else:
        edges = np.linspace(low, high if high > low else low + 1, BARS + 1)
    inside = [np.clip(side, edges[0], np.nextafter(edges[-1], -np.inf)) for side in known]
    drawn = [np.histogram(side, edges)[0] / max(len(side), 1) for side in inside]
    return found | {"edges": rounded(edges), "real": rounded(drawn[0]), "fake": rounded(drawn[1])}


def bars(real: Codes, fake: Codes, levels: tuple[str, ...]) -> dict[str, Any]:
    """Shares of the most frequent categories and of all others; how many are lost and how many are new."""
    counts = [np.bincount(side + 1, minlength=len(levels) + 1)[1:] for side in (real, fake)]
    shares = [count / max(count.sum(), 1) for count in counts]
    order = np.argsort(-shares[0], kind="stable")
    shown, rest = order[:MOST_BARS], order[MOST_BARS:]
    found: dict[str, Any] = {
        "kind": "category",
        "missing": [share(side < 0) for side in (real, fake)],
        "bars": [
            [levels[k], *(float(f"{side[k]:.4g}") for side in shares)] for k in shown if shares[0][k] + shares[1][k] > 0
        ],
        "lost": int(((counts[0] > 0) & (counts[1] == 0)).sum()),
        "new": int(((counts[0] == 0) & (counts[1] > 0)).sum()),
        "categories": int((counts[0] > 0).sum()),
    }
    if len(rest):
        found["others"] = [len(rest), *(float(f"{side[rest].sum():.4g}") for side in shares)]
    return found


def pair_pictures(real: Rows, fake: Rows, trends: list[tuple[str, str, float]]) -> dict[str, Any]:
    """Matrices of associations on both sides, of at most 40 columns, and the pairs that are least alike."""
    left_out = [*real.names[MOST_IN_MAP:]]
    sides = coded(real.without(left_out), fake.without(left_out))
    a, b = (associations(side) for side in sides)
    worst = sorted((pair for pair in trends if not np.isnan(pair[2])), key=lambda pair: pair[2])[:MOST_PAIRS]
    return {
        "names": list(sides[0].names),
        "real": [[blank(value) for value in row] for row in a.tolist()],
        "fake": [[blank(value) for value in row] for row in b.tolist()],
        "worst": [[first, second, value] for first, second, value in worst],
    }


def blank(value: float) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if np.isnan(value) else round(value, 4)


def share(which: NDArray[np.bool_]) -> float:
    """How many, as a share."""
    return float(which.mean()) if len(which) else 0.0


def rounded(values: NDArray[np.float64]) -> list[float]:
    """Numbers of six digits."""
    return [float(f"{value:.6g}") for value in values]
