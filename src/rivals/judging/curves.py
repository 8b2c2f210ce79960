"""A run's log as figures: scores, the critic's accuracy, losses."""

from collections.abc import Iterator, Sequence

from .charts import Point, Series, chart
from .page import number, paragraph, text
from .record import Record, Values, inner, value
from .wording import READINGS, TITLES, UNITS


def curves_section(record: Record) -> str:
    """Scores, the critic's accuracy and the losses over steps."""
    charts = [*score_charts(record), accuracy_chart(record), *loss_charts(record)]
    note = "Faint: all values. Bold: their running mean. Point at a curve to read its values."
    return f'{paragraph(note, "soft")}<div class="charts">{"".join(charts)}</div>{score_table(record)}'


def curve(lines: Sequence[Values], name: str, *way: str) -> Series:
    """A value of the log over steps."""
    points: list[Point] = [(line["step"], found) for line in lines if (found := value(line, *way)) is not None]
    return Series(name, points)


def names_in(lines: Sequence[Values], part: str) -> list[str]:
    """The names that a part of the log's lines uses, in the order they came."""
    return list(dict.fromkeys(name for line in lines for name in inner(line, part)))


def score_charts(record: Record) -> Iterator[str]:
    """A figure for each score; FD in its own unit only where its share is not known."""
    lines = record.log["verdict"]
    names = names_in(lines, "scores") or ["fd_share"] * (record.items == "pictures")
    for name in names:
        if name == "fd" and "fd_share" in names:
            continue
        floor = value(record.verdict, "floor", name)
        reading = READINGS.get(name, READINGS["other"])
        level = Series("floor: real to real", [(0.0, floor)]) if floor is not None else None
        yield chart(
            TITLES.get(name, name), [curve(lines, "quick verdicts", "scores", name)], unit=UNITS.get(name, name),
            reading=reading, level=level, log=name.startswith("fd"),
        )  # fmt: skip


def accuracy_chart(record: Record) -> str:
    """How often the critic is right."""
    names = {"real": f"training {record.items}", "fake": "samples", "held_out": f"held-out {record.items}"}
    series = [curve(record.log["round"], words, "accuracy", name) for name, words in names.items()]
    return chart("How often the critic is right", series, unit="%", reading=READINGS["accuracy"], span=(0, 100))


def loss_charts(record: Record) -> Iterator[str]:
    """The losses of each side."""
    lines = record.log["round"]
    names = names_in(lines, "losses")
    for side in ("critic", "generator"):
        own = [name for name in names if name.partition("/")[0] == side]
        series = [curve(lines, name.partition("/")[2] or name, "losses", name) for name in own]
        yield chart(f"Losses of the {side}", series, unit="loss", reading=READINGS[side])


def score_table(record: Record) -> str:
    """The quick verdicts as numbers, for reading and for screen readers."""
    lines = record.log["verdict"]
    names = names_in(lines, "scores")
    if not names:
        return ""
    heads = "".join(f'<th scope="col">{text(UNITS.get(name, name))}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{number(line["step"])}{" (best so far)" * (line.get("best") is True)}</th>'
        + "".join(
            f"<td>{'–' if found is None else number(found)}</td>"
            for name in names
            for found in [value(line, "scores", name)]
        )
        + "</tr>"
        for line in lines
    )
    return (
        '<details><summary>The quick verdicts as numbers</summary><div class="scroll"><table class="plain">'
        '<caption class="unseen">Scores of the quick verdicts by step</caption>'
        f'<thead><tr><th scope="col">step</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )
