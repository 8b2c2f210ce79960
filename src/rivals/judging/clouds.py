"""Two sets of features drawn as clouds of points: the two directions in which the real set varies most."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .charts import Axis
from .page import number, text
from .record import usable

SIDE, EDGE = 520, 14
MOST = 500  # points of each set

Points = Sequence[Sequence[float]]


def flattened(fake: Tensor, real: Tensor, most: int = MOST) -> dict[str, list[list[float]]]:
    """The first rows of both sets (n, d) and (m, d) in the plane of the real set's two leading principal components.

    Returns:
        {"fake": [[x, y], ...], "real": ..., "share": [of the real variance in x, in y]}, rounded to three digits.
    """
    rows = real.double()
    mean = rows.mean(0)
    centred = rows - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / max(len(rows) - 1, 1))
    plane = vectors[:, -2:].flip(1)  # (d, 2); of one feature a single column
    plane = plane * torch.where(plane.sum(0) < 0, -1.0, 1.0)  # a direction has no sign of its own
    places = {name: (evenly(some, most).double() - mean) @ plane for name, some in (("fake", fake), ("real", real))}
    if plane.shape[1] == 1:
        places = {name: torch.cat([some, torch.zeros_like(some)], 1) for name, some in places.items()}
    told = {name: [[float(f"{x:.4g}"), float(f"{y:.4g}")] for x, y in some.tolist()] for name, some in places.items()}
    shares = (values.flip(0)[:2].clamp_min(0) / values.clamp_min(0).sum().clamp_min(1e-300)).tolist()
    return {**told, "share": [round(share, 4) for share in shares]}


def evenly(rows: Tensor, most: int) -> Tensor:
    """At most `most` of the rows, evenly from first to last."""
    return rows if len(rows) <= most else rows[torch.arange(most) * len(rows) // most]


def clouds_figure(fake: Points, real: Points, names: tuple[str, str], caption: str) -> str:
    """Both clouds as one SVG: real pictures as rings, fakes as dots; the outermost 1 % may be cut off."""
    drawn = [[(x, y) for x, y in points if usable(x) and usable(y)] for points in (real, fake)]
    if not all(drawn):
        return '<p class="missing">There are no clouds to draw.</p>'
    every = [point for points in drawn for point in points]
    across, down = (span([point[place] for point in every], place == 1) for place in (0, 1))
    parts = []
    for place, points in ((1, drawn[0]), (0, drawn[1])):
        dots = "".join(
            f'<circle cx="{across.place(x):.1f}" cy="{down.place(y):.1f}" r="{2.6 if place else 2}"/>'
            for x, y in points
            if across.low <= x <= across.high and down.low <= y <= down.high
        )
        parts.append(f'<g class="s{place} {"rings" if place else "dots"}">{dots}</g>')
    label = f"Two clouds of points: {len(drawn[0])} of {names[1]} and {len(drawn[1])} of {names[0]}."
    keys = "".join(
        f'<li><svg viewBox="0 0 26 8" aria-hidden="true"><g class="s{place} {kind}"><circle cx="13" cy="4" r="3"/></g>'
        f"</svg>{text(name)}</li>"
        for place, kind, name in ((0, "dots", names[0]), (1, "rings", names[1]))
    )
    return (
        f'<figure class="cloud"><ul class="legend">{keys}</ul>'
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{text(label)}">{"".join(parts)}</svg>'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def span(values: Sequence[float], upward: bool) -> Axis:
    """An axis over the inner 99 % of the values, a little wider."""
    ordered = sorted(values)
    cut = len(ordered) // 200
    low, high = ordered[cut], ordered[-1 - cut]
    pad = 0.04 * (high - low) or 1.0
    ends = (SIDE - EDGE, EDGE) if upward else (EDGE, SIDE - EDGE)
    return Axis(low - pad, high + pad, *ends)


def shares_words(shares: Sequence[float]) -> str:
    """How much of the variance the plane shows.

    >>> shares_words([0.31, 0.12])
    'The two directions in which the real pictures vary most; they hold 43 % of the variance.'
    """
    told = number(round(100 * sum(shares)))
    return f"The two directions in which the real pictures vary most; they hold {told} % of the variance."
