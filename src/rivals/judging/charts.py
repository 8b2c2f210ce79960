"""Curves as SVG, and the pieces of a page that stands alone: text made safe, tables, style."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 520, 264
LEFT, RIGHT, TOP, BOTTOM = 54, 508, 30, 228  # of the plot inside it
LARGEST = 1e30  # what lies beyond is no more a value than infinity is
MOST_POINTS, MOST_TIPS, FEW = 400, 48, 30

Point = tuple[float, float]


class Series(NamedTuple):
    """A curve: a name for the legend and (step, value) in order of steps."""

    name: str
    points: Sequence[Point]


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


def text(value: object) -> str:
    """Any value as HTML text: escaped, without control characters and halves of surrogate pairs.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    plain = "".join(letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in str(value))
    return html.escape(plain)


def number(value: float) -> str:
    """A number as people read it, three digits or all that stand before the point.

    >>> number(0.91234), number(-98.14), number(12345.6), number(float("nan"))
    ('0.912', '−98.1', '12,346', 'not a number')
    """
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    words = f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.3g}"
    return words.replace("-", "−")


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


def usable(value: float) -> bool:
    """Whether a value can be drawn: it is finite and not absurd."""
    return abs(value) < LARGEST  # false for NaN too


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` of the points, with the peaks kept: of every stretch its lowest, its highest and a gap, if any."""
    if len(points) <= most:
        return list(points)
    inner, stretches = points[1:-1], (most - 2) // 3
    kept = [points[0]]
    for number_ in range(stretches):
        part = inner[number_ * len(inner) // stretches : (number_ + 1) * len(inner) // stretches]
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
    span: tuple[float, float] | None = None, level: Series | None = None, log: bool = False,
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
    """
    kept = [one._replace(points=thin(one.points)) for one in series]
    shown = [point for one in [*kept, *([level] if level else [])] for point in one.points if usable(point[1])]
    steps = [step for one in kept for step, value in one.points if usable(value)]
    if not steps:
        return f'<figure class="chart"><h3>{text(title)}</h3><p class="missing">No values yet.</p></figure>'
    values = [value for _, value in shown]
    log = log and min(values) > 0 and max(values) > 10 * min(values)
    x = axis_for(steps, LEFT, RIGHT, tight=True)
    y = Axis(*span, BOTTOM, TOP) if span else axis_for(values, BOTTOM, TOP, log=log)
    lines = "".join(curve(number_, one, full, x, y) for number_, (one, full) in enumerate(zip(kept, series, strict=True)))
    drawing = frame(x, y, unit + (", logarithmic" if log else "")) + (level_line(level, y) if level else "") + lines
    label = f"{title}. " + " ".join(summary(one, unit) for one in [*series, *([level] if level else [])])
    return (
        f'<figure class="chart"><h3>{text(title)}</h3>{legend(series, level)}'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(label)}">{drawing}{tips(kept, x)}</svg>'
        f"<figcaption>{text(reading)}{lost(series)}</figcaption></figure>"
    )


def curve(place: int, kept: Series, full: Series, x: Axis, y: Axis) -> str:
    """A curve; one of many points is drawn faint under its running mean."""
    points = [(x.place(step), y.place(value)) for step, value in kept.points if usable(value)]
    if len(full.points) <= FEW:
        dots = "".join(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3"/>' for across, down in points)
        return f'<g class="s{place % 4}"><path d="{path(kept.points, x, y)}"/>{dots}</g>'
    mean = path(thin(smooth(full.points)), x, y)
    return f'<g class="s{place % 4}"><path class="faint" d="{path(kept.points, x, y)}"/><path d="{mean}"/></g>'


def frame(x: Axis, y: Axis, unit: str) -> str:
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
    parts.append(f'<text class="end" x="{RIGHT}" y="{BOTTOM + 34}">step</text>')
    return "".join(parts)


def level_line(level: Series, y: Axis) -> str:
    """A value to compare with, as a dashed line over the whole width."""
    value = level.points[0][1]
    if not usable(value):
        return ""
    return f'<path class="level" d="M{LEFT} {y.place(value):.1f}H{RIGHT}"/>'


def tips(series: Sequence[Series], x: Axis) -> str:
    """Invisible bands over the plot that say the values beneath the pointer."""
    longest = max(series, key=lambda one: len(one.points)).points
    steps = [step for step, _ in longest[:: -(-len(longest) // MOST_TIPS)]]
    tables = [(one.name, dict(one.points)) for one in series]
    middles = [(a + b) / 2 for a, b in zip(steps, steps[1:], strict=False)]
    parts = []
    for step, left, right in zip(steps, [x.low, *middles], [*middles, x.high], strict=True):
        said = "\n".join(f"{name}: {number(table[step])}" for name, table in tables if step in table)
        start, end = (min(max(x.place(edge), LEFT), RIGHT) for edge in (left, right))
        parts.append(
            f'<rect class="tip" x="{start:.1f}" y="{TOP}" width="{max(end - start, 0):.1f}" height="{BOTTOM - TOP}">'
            f"<title>step {text(number(step))}\n{text(said)}</title></rect>"
        )
    return "".join(parts)


def legend(series: Sequence[Series], level: Series | None) -> str:
    """Names beside pieces of their lines."""
    rows = [(f"s{place % 4}", one.name) for place, one in enumerate(series)]
    rows += [("level", level.name)] if level else []
    items = "".join(
        f'<li><svg viewBox="0 0 26 8" aria-hidden="true"><g class="{kind}"><path class="{kind}" d="M1 4H25"/></g></svg>'
        f"{text(name)}</li>"
        for kind, name in rows
    )
    return f'<ul class="legend">{items}</ul>'


def summary(one: Series, unit: str) -> str:
    """A curve in words, for who can't see it."""
    drawn = [point for point in one.points if usable(point[1])]
    if not drawn:
        return f"{one.name}: no values."
    if len(drawn) == 1:
        return f"{one.name}: {number(drawn[0][1])} ({unit})."
    values = [value for _, value in drawn]
    (begin, first), (end, last) = drawn[0], drawn[-1]
    return (
        f"{one.name}: from {number(first)} at step {number(begin)} to {number(last)} at step {number(end)}, "
        f"between {number(min(values))} and {number(max(values))} ({unit})."
    )


def lost(series: Sequence[Series]) -> str:
    """How many values were not finite, if any."""
    count = sum(not usable(value) for one in series for _, value in one.points)
    return f" <strong>Not drawn: {count} value{'s' * (count > 1)} that were not finite.</strong>" if count else ""


def table(rows: Mapping[str, object] | Iterable[tuple[str, object]], head: tuple[str, str], caption: str) -> str:
    """Names and values as a table; the caption is for screen readers."""
    pairs = rows.items() if isinstance(rows, Mapping) else rows
    lines = "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in pairs)
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return f'<table><caption class="unseen">{text(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'


STYLE = """
:root{color-scheme:light dark;--ink:#1b1c1f;--soft:#595d66;--line:#dcdee3;--paper:#fff;--tint:#f4f5f7;--link:#0a5ca8;
--c0:#0a6fb8;--c1:#c4500b;--c2:#0b7d5c;--c3:#8446a5;--warn:#8f4700}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e7e8ea;--soft:#a4a9b3;--line:#373a42;--paper:#15161a;
--tint:#1f2126;--link:#79b8f3;--c0:#5cb3f0;--c1:#f2994f;--c2:#3fcb9e;--c3:#c99ae3;--warn:#f0b35c}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;max-width:66rem;padding:2.5rem clamp(1rem,4vw,2.5rem) 4rem;background:var(--paper);color:var(--ink);
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:break-word}
h1{font-size:clamp(2rem,6vw,2.75rem);line-height:1.1;letter-spacing:-.022em;margin:0 0 .6rem}
h2{font-size:1.4rem;line-height:1.25;letter-spacing:-.012em;margin:0 0 .9rem}
h3{font-size:1rem;line-height:1.3;margin:0 0 .35rem}
p,ul.notes,ol.notes{max-width:43rem;margin:.6rem 0}
section{border-top:1px solid var(--line);margin-top:2.75rem;padding-top:1.5rem}
a{color:var(--link);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--c0);outline-offset:2px;border-radius:2px}
nav{margin-top:1.4rem;font-size:.9rem}
nav ul,.legend,.chips{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
.soft,figcaption,.about{color:var(--soft)}
.about{font-size:1.05rem;margin:0}
.missing{color:var(--soft);font-style:italic}
.warn{color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,12.5rem),1fr));gap:1.2rem 2rem;margin:0 0 1.4rem}
.tiles div{display:flex;flex-direction:column-reverse;justify-content:flex-end;border-left:3px solid var(--c0);padding-left:.9rem}
.tiles dd{margin:0;font-size:2.1rem;font-weight:600;line-height:1.15;letter-spacing:-.02em}
.tiles dt{color:var(--soft);font-size:.9rem;line-height:1.4}
.lead{font-size:1.16rem;line-height:1.55}
figure{margin:0}
figcaption{font-size:.9rem;line-height:1.5;margin-top:.6rem;max-width:43rem}
img{display:block;max-width:100%;height:auto;image-rendering:pixelated;background:#fff;border:1px solid var(--line)}
img[hidden]{display:none}
.slide{display:flex;flex-wrap:wrap;align-items:center;gap:.4rem 1rem;margin-bottom:.8rem}
.slide[hidden]{display:none}
.slide input{flex:1 1 14rem;max-width:26rem;min-width:8rem;height:1.8rem;accent-color:var(--c0)}
.slide output{min-width:13ch}
button{font:inherit;font-size:.9rem;padding:.25rem .9rem;border:1px solid var(--line);border-radius:.4rem;
background:var(--tint);color:inherit;cursor:pointer;min-width:5.2rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:2.4rem 2.6rem;margin-top:1.4rem}
.chart{display:flex;flex-direction:column}
.chart>svg{width:100%;height:auto;margin-top:.5rem;overflow:visible}
.legend{font-size:.85rem;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:.45rem}
.legend svg{width:26px;height:8px;flex:none}
svg text{font-size:12.5px;fill:var(--soft)}
svg .down,svg .end{text-anchor:end}
svg .across{text-anchor:middle}
svg path{fill:none;stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}
svg .grid{stroke:var(--line);stroke-width:1}
svg .base{stroke:var(--soft);stroke-width:1}
svg path.level{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:1.5 5}
svg path.faint{stroke-width:1;opacity:.32}
.s0{stroke:var(--c0);fill:var(--c0)}.s1{stroke:var(--c1);fill:var(--c1)}
.s2{stroke:var(--c2);fill:var(--c2)}.s3{stroke:var(--c3);fill:var(--c3)}
.s1 path:not(.faint){stroke-dasharray:9 4}.s2 path:not(.faint){stroke-dasharray:2 4.5}
.s3 path:not(.faint){stroke-dasharray:9 4 1 4}
.tip{fill:transparent}.tip:hover{fill:var(--ink);opacity:.08}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.925rem;line-height:1.45;min-width:min(100%,28rem);max-width:100%}
th,td{padding:.38rem 1.4rem .38rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:anywhere;unicode-bidi:isolate}
tbody th{font-weight:500;min-width:8.5rem}
thead th{color:var(--soft);font-size:.8rem;font-weight:500}
.chips{gap:.35rem;margin:.6rem 0}
.chips li{background:var(--tint);border-radius:.35rem;padding:.1rem .55rem;font-size:.9rem;max-width:100%;unicode-bidi:isolate}
.chips span{color:var(--soft)}
details{margin-top:1rem}
summary{cursor:pointer;width:fit-content}
pre{background:var(--tint);border-radius:.5rem;padding:.9rem 1.1rem;overflow-x:auto;font-size:.875rem;line-height:1.5;
white-space:pre-wrap;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace}
footer{border-top:1px solid var(--line);margin-top:3rem;padding-top:1rem;color:var(--soft);font-size:.875rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media print{body{max-width:none;padding:0;font-size:10pt}nav,.slide,details:not([open]){display:none}
figure,tr,.tiles{break-inside:avoid}h2,h3{break-after:avoid}.charts{grid-template-columns:1fr 1fr}}
"""
