"""Columns and associations of a table as inline SVG: real as filled bars, synthetic as a line or a bar beside."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from rivals.judging.charts import Axis, nice, short, ticks
from rivals.judging.page import number, prose, text
from rivals.judging.record import Values, as_number, usable

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 54, 508, 14, 162
LINE = 30  # a category
LABELS, BARS = 168, 392  # where names end and bars end
MAP = 400
MOST_NAMED = 24  # columns of a map that are named
STRONG = 0.5  # the difference of associations that is drawn in full colour

LEGEND = (
    '<ul class="legend">'
    '<li><svg viewBox="0 0 26 8" aria-hidden="true"><g class="s1"><g class="dots">'
    '<rect x="1" y="0" width="24" height="8"/></g></g></svg>real</li>'
    '<li><svg viewBox="0 0 26 8" aria-hidden="true"><g class="s0"><path d="M1 4H25"/></g></svg>synthetic</li></ul>'
)


def column_figure(name: str, column: Values) -> str:
    """One column: its distribution on both sides, its score, and what a picture can't show."""
    drawing = bars(column) if column.get("kind") == "category" else histogram(column)
    score = as_number(column.get("shape"))
    told = [f"{number(100 * score)} % alike."] if usable(score) and score is not None else []
    told += list(remarks(column))
    shown = drawing or '<p class="missing">Nothing to draw.</p>'
    return (
        f'<figure class="chart"><h3>{text(name)}</h3>{shown}<figcaption>{prose(" ".join(told))}</figcaption></figure>'
    )


def remarks(column: Values) -> Iterator[str]:
    """Missing cells, a value that stands for many cells, categories that were lost or invented."""
    spike = numbers(column.get("spike"))
    if len(spike) == 3:
        where = f"{percent(spike[1])} of the real and {percent(spike[2])} of the synthetic cells"
        yield f"{number(spike[0])} stands in {where} and is not drawn."
    missing = numbers(column.get("missing"))
    if len(missing) == 2 and max(missing) > 0:
        yield f"Missing: {percent(missing[0])} real, {percent(missing[1])} synthetic."
    lost, new, all_of_them = (as_number(column.get(key)) for key in ("lost", "new", "categories"))
    if lost and all_of_them:
        yield f"Of {number(all_of_them)} categories, never made: {number(lost)}."
    if new:
        yield f"Categories made that these real rows lack: {number(new)}."


def percent(share: float) -> str:
    """A share in percent."""
    return f"{number(100 * share)} %"


def histogram(column: Values) -> str:
    """Shares of a number's cells between edges: real filled, synthetic as a line."""
    edges, real, fake = (numbers(column.get(key)) for key in ("edges", "real", "fake"))
    if len(edges) < 2 or not len(real) == len(fake) == len(edges) - 1:
        return ""
    most = max(*real, *fake) or 1.0
    x, y = Axis(edges[0], edges[-1], LEFT, RIGHT), Axis(0.0, most, BOTTOM, TOP)
    parts = []
    for value in ticks(Axis(0.0, most, BOTTOM, TOP)) if nice(most, 3) else []:
        down = f"{y.place(value):.1f}"
        parts.append(f'<path class="grid" d="M{LEFT} {down}H{RIGHT}"/>')
        parts.append(f'<text class="down" x="{LEFT - 8}" y="{down}" dy=".35em">{short(round(100 * value, 6))} %</text>')
    filled, tips = [], []
    for (left, right), a, b in zip(pairwise(edges), real, fake, strict=True):
        across = f'x="{x.place(left):.1f}" width="{x.place(right) - x.place(left):.1f}"'
        filled.append(f'<rect {across} y="{y.place(a):.1f}" height="{BOTTOM - y.place(a):.1f}"/>')
        words = text(f"{number(left)} to {number(right)}\nreal: {percent(a)}\nsynthetic: {percent(b)}")
        tips.append(f'<rect class="tip" {across} y="{TOP}" height="{BOTTOM - TOP}"><title>{words}</title></rect>')
    steps = "".join(
        f"V{y.place(b):.1f}H{x.place(right):.1f}" for (_, right), b in zip(pairwise(edges), fake, strict=True)
    )
    line = f'<path d="M{LEFT} {BOTTOM}{steps}V{BOTTOM}"/>'
    parts += [f'<g class="s1"><g class="dots" fill-opacity=".45">{"".join(filled)}</g></g><g class="s0">{line}</g>']
    parts.append(f'<path class="base" d="M{LEFT} {BOTTOM}H{RIGHT}"/>')
    for value in ticks(x):
        across = f"{x.place(value):.1f}"
        parts.append(f'<path class="base" d="M{across} {BOTTOM}v4"/>')
        parts.append(f'<text class="across" x="{across}" y="{BOTTOM + 18}">{short(value)}</text>')
    return svg(HEIGHT, "A histogram of the real and the synthetic column.", "".join(parts) + "".join(tips))


def bars(column: Values) -> str:
    """Shares of categories, the most frequent first: real above, synthetic below."""
    rows: list[tuple[str, float, float]] = []
    for row in listed(column.get("bars")):
        pair = numbers(listed(row)[1:])
        if len(pair) == 2:
            rows.append((str(row[0]), pair[0], pair[1]))
    others = numbers(column.get("others"))
    if len(others) == 3:
        rows.append((f"{number(others[0])} others", others[1], others[2]))
    if not rows:
        return ""
    most = max(max(a, b) for _, a, b in rows) or 1.0
    x = Axis(0.0, most, LABELS + 8, BARS)
    parts = []
    for place, (name, a, b) in enumerate(rows):
        top = place * LINE + 4
        words = f"{text(cut(name, 24))}<title>{text(name)}</title>"
        parts.append(f'<text class="down" x="{LABELS}" y="{top + 11}" dy=".35em">{words}</text>')
        for kind, down, value in (("s1", top, a), ("s0", top + 12, b)):
            width = max(x.place(value) - x.start, 0.5)
            bar = f'<rect x="{x.start}" y="{down}" width="{width:.1f}" height="10"/>'
            parts.append(f'<g class="{kind}"><g class="dots">{bar}</g></g>')
        parts.append(f'<text x="{BARS + 10}" y="{top + 11}" dy=".35em">{percent(a)} · {percent(b)}</text>')
    told = "; ".join(f"{name}: real {percent(a)}, synthetic {percent(b)}" for name, a, b in rows)
    return svg(len(rows) * LINE + 4, told, "".join(parts))


def maps(pairs: Values) -> str:
    """Associations of columns: real, synthetic, and their difference."""
    names = [str(name) for name in listed(pairs.get("names"))]
    real, fake = ([cells(row) for row in listed(pairs.get(key))] for key in ("real", "fake"))
    if len(names) < 2 or any(
        len(rows) != len(names) or any(len(row) != len(names) for row in rows) for rows in (real, fake)
    ):
        return ""
    apart = [
        [None if a is None or b is None else b - a for a, b in zip(*rows, strict=True)]
        for rows in zip(real, fake, strict=True)
    ]
    titles = ((real, "Real", 1.0), (fake, "Synthetic", 1.0), (apart, "Difference, synthetic less real", STRONG))
    return "".join(map_figure(title, names, rows, full) for rows, title, full in titles)


def map_figure(title: str, names: Sequence[str], rows: Sequence[Sequence[float | None]], full: float) -> str:
    """A matrix of numbers from -`full` to `full` as squares, stronger colours farther from 0."""
    start = 108 if len(names) <= MOST_NAMED else 4
    size = MAP / len(names)
    parts = []
    for row, (name, values) in enumerate(zip(names, rows, strict=True)):
        if start > 4:
            down = f'y="{(row + 0.5) * size:.1f}" dy=".35em"'
            parts.append(f'<text class="down" x="{start - 6}" {down}>{text(cut(name, 15))}</text>')
        for column, value in enumerate(values):
            told = f"{name} and {names[column]}: {'not defined' if value is None else number(value)}"
            kind, strength = ("s1" if (value or 0) < 0 else "s0"), min(abs(value or 0) / full, 1)
            parts.append(
                f'<g class="{kind}"><g class="dots"><rect x="{start + column * size:.1f}" y="{row * size:.1f}" '
                f'width="{size - 1:.1f}" height="{size - 1:.1f}" fill-opacity="{strength:.2f}">'
                f"<title>{text(told)}</title></rect></g></g>"
            )
    drawing = f'<svg viewBox="0 0 {start + MAP} {MAP}" role="img" aria-label="{text(title)}">{"".join(parts)}</svg>'
    return f'<figure class="chart"><h3>{text(title)}</h3>{drawing}</figure>'


def svg(height: float, label: str, inside: str) -> str:
    """A drawing with its words for who can't see it."""
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text(label)}">{inside}</svg>'


def cut(words: str, most: int) -> str:
    """Words that fit.

    >>> cut("Married-civ-spouse", 10)
    'Married-c…'
    """
    return words if len(words) <= most else f"{words[: most - 1]}…"


def listed(found: object) -> list:
    """A list, empty where there is none."""
    return found if isinstance(found, list) else []


def numbers(found: object) -> list[float]:
    """The usable numbers of a list; none if one is not."""
    values = [as_number(each) for each in listed(found)]
    kept = [each for each in values if each is not None and usable(each)]
    return kept if len(kept) == len(values) else []


def cells(found: object) -> list[float | None]:
    """Numbers of a list, None where there is none."""
    values = [as_number(each) for each in listed(found)]
    return [each if usable(each) else None for each in values]
