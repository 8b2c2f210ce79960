"""Curves as inline SVG, for a page that stands alone. Colours and strokes come from the page's style."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from .page import number, prose, text
from .record import usable

WIDTH, HEIGHT = 520, 264
LEFT, RIGHT, TOP, BOTTOM = 54, 508, 30, 228  # of the plot inside it
MOST_POINTS, MOST_TIPS, FEW = 400, 48, 30

Point = tuple[float, float]


class Series(NamedTuple):
    """A curve: a name for the legend, (step, value) in order of steps, and others of its kind, drawn thin beside it."""

    name: str
    points: Sequence[Point]
    beside: Sequence[Sequence[Point]] = ()


class Axis(NamedTuple):
    """Where values lie on paper: `low` at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """The coordinate of a value.

        >>> Axis(1.0, 100.0, 0.0, 50.0, log=True).place(10.0)
        25.0
        """
        low, high, at = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)


def short(value: float) -> str:
    """A tick's label.

    >>> short(0.30000000000000004), short(-2500.0), short(15000.0)
    ('0.3', '−2,500', '15k')
    """
    size = abs(value)
    scale, letter = next(((s, c) for s, c in ((1e9, "G"), (1e6, "M"), (1e4, "k")) if s <= size < 1e13), (1.0, ""))
    scale = 1e3 if letter == "k" else scale
    words = f"{value / scale:,.6g}" if size < 1e13 else f"{value:.0e}"
    return words.replace("-", "−") + letter


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` of the points, with the peaks kept: of every stretch its lowest, its highest and a gap, if any."""
    if len(points) <= most:
        return list(points)
    inner, stretches = points[1:-1], (most - 2) // 3
    kept = [points[0]]
    for turn in range(stretches):
        part = inner[turn * len(inner) // stretches : (turn + 1) * len(inner) // stretches]
        drawn = [point for point in part if usable(point[1])]
        gaps = [point for point in part if not usable(point[1])][:1]
        ends = [min(drawn, key=lambda p: p[1]), max(drawn, key=lambda p: p[1])] if drawn else []
        kept += sorted(dict.fromkeys(ends + gaps))
    return [*kept, points[-1]]


def smooth(points: Sequence[Point], share: float = 0.06) -> list[Point]:
    """The running mean over a window of `share` of the points; what can't be drawn is left out."""
    drawn = [point for point in points if usable(point[1])]
    sums = [0.0]
    for _, value in drawn:
        sums.append(sums[-1] + value)
    half = max(int(len(drawn) * share / 2), 1)
    ends = ((max(i - half, 0), min(i + half + 1, len(drawn))) for i in range(len(drawn)))
    return [(step, (sums[b] - sums[a]) / (b - a)) for (step, _), (a, b) in zip(drawn, ends, strict=True)]


def nice(span: float, wanted: int = 5) -> float:
    """The round distance between ticks, 1, 2 or 5 times a power of ten, that gives about `wanted` over `span`."""
    power = 10.0 ** math.floor(math.log10(span / wanted))
    return min((1 * power, 2 * power, 5 * power, 10 * power), key=lambda step: abs(span / step - wanted))


def ticks(axis: Axis) -> list[float]:
    """Round values within the axis."""
    if not axis.log:
        step = nice(axis.high - axis.low)
        return [n * step for n in range(math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9) + 1)]
    powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    for parts in ((1, 2, 5), (1, 3), (1,)):
        found = [m * 10.0**p for p in powers for m in parts if 0.999 * axis.low <= m * 10.0**p <= 1.001 * axis.high]
        if len(found) <= 7:
            return found
    return found[:: -(-len(found) // 7)]


def axis_for(values: Sequence[float], start: float, end: float, *, log: bool = False, tight: bool = False) -> Axis:
    """An axis that holds the values: up to round ones, or exactly if `tight`."""
    low, high = min(values), max(values)
    if log:
        return Axis(low / 1.25, high * 1.25, start, end, log=True)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        pad = 0.5 * abs(high) or 1.0
        return Axis(low - pad, high + pad, start, end)
    if tight:
        return Axis(low, high, start, end)
    low = 0.0 if 0 < low < 0.5 * high else low
    step = nice(high - low)
    return Axis(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, start, end)


def path(points: Iterable[Point], x: Axis, y: Axis) -> str:
    """A line through the points, broken where a value can't be drawn; a point alone is a dot."""
    words, down = [], False
    for step, value in points:
        if usable(value):
            here = f"{x.place(step):.1f} {y.place(value):.1f}"
            words.append(f"L{here}" if down else f"M{here}h0")
        down = usable(value)
    return "".join(words)


def chart(
    title: str, series: Sequence[Series], *, unit: str, reading: str,
    span: tuple[float, float] | None = None, level: Series | None = None, log: bool = False, along: str = "step",
) -> str:  # fmt: skip
    """A figure: legend, axes, curves, tips, and a sentence on how to read it.

    Args:
        title: of the figure.
        series: the curves; points that can't be drawn are gaps.
        unit: of the values.
        reading: a sentence below.
        span: lowest and highest value of the axis; chosen from the values if not given.
        level: one point whose value is drawn as a level line.
        log: a logarithmic axis, if the values are above zero and span more than a factor of ten.
        along: what the points count, one of it: "step", "second".
    """
    kept = [Series(one.name, thin(one.points), [thin(other) for other in one.beside]) for one in series]
    drawn = [point for one in kept for points in (one.points, *one.beside) for point in points if usable(point[1])]
    shown = [*drawn, *(point for point in (level.points if level else ()) if usable(point[1]))]
    steps = [step for step, _ in drawn]
    if not steps:
        return f'<figure class="chart"><h3>{text(title)}</h3><p class="missing">No values yet.</p></figure>'
    values = [value for _, value in shown]
    log = log and min(values) > 0 and max(values) > 10 * min(values)
    x = axis_for([0.0, *steps], LEFT, RIGHT, tight=True)  # all figures of a page begin at step 0
    y = Axis(*span, BOTTOM, TOP) if span else axis_for(values, BOTTOM, TOP, log=log)
    lines = "".join(curve(place, *pair, x, y) for place, pair in enumerate(zip(kept, series, strict=True)))
    across = frame(x, y, unit + (", logarithmic" if log else ""), along) + (level_line(level, y) if level else "")
    drawing = across + lines + tips(kept, x, along)
    label = f"{title}. " + " ".join(summary(one, unit, along) for one in [*series, *([level] if level else [])])
    return (
        f'<figure class="chart"><h3>{text(title)}</h3>{legend(series, level)}'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(label)}">{drawing}</svg>'
        f"<figcaption>{prose(reading)}{lost(series)}</figcaption></figure>"
    )


def curve(place: int, kept: Series, full: Series, x: Axis, y: Axis) -> str:
    """A curve; one of many points is drawn faint under its running mean."""
    points = [(x.place(step), y.place(value)) for step, value in kept.points if usable(value)]
    others = "".join(f'<path class="beside" d="{path(other, x, y)}"/>' for other in kept.beside)
    if len(full.points) <= FEW:
        dots = "".join(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3"/>' for across, down in points)
        return f'<g class="s{place % 8}">{others}<path d="{path(kept.points, x, y)}"/>{dots}</g>'
    mean = path(thin(smooth(full.points)), x, y)
    return f'<g class="s{place % 8}">{others}<path class="faint" d="{path(kept.points, x, y)}"/><path d="{mean}"/></g>'


def frame(x: Axis, y: Axis, unit: str, along: str) -> str:
    """Grid lines, tick labels, and what the axes count."""
    parts = [f'<text class="unit" x="0" y="13">{text(unit)}</text>']
    for value in ticks(y):
        down = f"{y.place(value):.1f}"
        parts.append(f'<path class="grid" d="M{LEFT} {down}H{RIGHT}"/>')
        parts.append(f'<text class="down" x="{LEFT - 8}" y="{down}" dy=".35em">{short(value)}</text>')
    parts.append(f'<path class="base" d="M{LEFT} {BOTTOM}H{RIGHT}"/>')
    for value in ticks(x):
        across = f"{x.place(value):.1f}"
        parts.append(f'<path class="base" d="M{across} {BOTTOM}v4"/>')
        parts.append(f'<text class="across" x="{across}" y="{BOTTOM + 18}">{short(value)}</text>')
    parts.append(f'<text class="end" x="{RIGHT}" y="{BOTTOM + 34}">{text(along)}s</text>')
    return "".join(parts)


def level_line(level: Series, y: Axis) -> str:
    """A value to compare with, as a dashed line over the whole width."""
    value = level.points[0][1]
    if not usable(value):
        return ""
    return f'<path class="level" d="M{LEFT} {y.place(value):.1f}H{RIGHT}"/>'


def tips(series: Sequence[Series], x: Axis, along: str) -> str:
    """Invisible bands over the plot that say the values beneath the pointer, of each curve the nearest in the band."""
    longest = max(series, key=lambda one: len(one.points)).points
    steps = [step for step, _ in longest[:: -(-len(longest) // MOST_TIPS)]]
    middles = [(a + b) / 2 for a, b in pairwise(steps)]
    parts = []
    for step, left, right in zip(steps, [x.low, *middles], [*middles, x.high], strict=True):
        inside = [(one.name, [(abs(at - step), v) for at, v in one.points if left <= at <= right]) for one in series]
        said = "\n".join(f"{name}: {number(min(near)[1])}" for name, near in inside if near)
        start, end = (min(max(x.place(edge), LEFT), RIGHT) for edge in (left, right))
        parts.append(
            f'<rect class="tip" x="{start:.1f}" y="{TOP}" width="{max(end - start, 0):.1f}" height="{BOTTOM - TOP}">'
            f"<title>{text(along)} {text(number(step))}\n{text(said)}</title></rect>"
        )
    return "".join(parts)


def legend(series: Sequence[Series], level: Series | None) -> str:
    """Names beside pieces of their lines."""
    rows = [(f"s{place % 8}", one.name) for place, one in enumerate(series)]
    rows += [("level", level.name)] if level else []
    items = "".join(
        f'<li><svg viewBox="0 0 26 8" aria-hidden="true"><g class="{kind}"><path class="{kind}" d="M1 4H25"/></g></svg>'
        f"{text(name)}</li>"
        for kind, name in rows
    )
    return f'<ul class="legend">{items}</ul>'


def summary(one: Series, unit: str, along: str = "step") -> str:
    """A curve in words, for who can't see it."""
    drawn = [point for point in one.points if usable(point[1])]
    if not drawn:
        return f"{one.name}: no values."
    if len(drawn) == 1:
        return f"{one.name}: {number(drawn[0][1])} ({unit})."
    values = [value for _, value in drawn]
    (begin, first), (end, last) = drawn[0], drawn[-1]
    return (
        f"{one.name}: from {number(first)} at {along} {number(begin)} to {number(last)} at {along} {number(end)}, "
        f"between {number(min(values))} and {number(max(values))} ({unit})."
    )


def lost(series: Sequence[Series]) -> str:
    """How many values were not finite, if any."""
    count = sum(not usable(value) for one in series for part in (one.points, *one.beside) for _, value in part)
    return f" <strong>Not drawn: {count} value{'s' * (count > 1)} that were not finite.</strong>" if count else ""
