"""A comparison as one page that stands alone: ranking, curves, samples, recipes, protocol."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rivals.engine.words import duration

from .charts import Point, Series, chart
from .comparison import SCORE, Comparison, Entry
from .comparison_words import counting, rank_words, ranking_words, score_words, seeds_of
from .page import Picture, embed, number, paragraph, prose, text
from .record import value
from .report import whole_page
from .tables import columns, counted, flat
from .wording import READINGS, TITLES, UNITS

COLUMNS = ("method", "rank", "FD, % of variance", "each seed", "agreement", "pictures/s", "not told apart from")
RUN = ("folder", "state", "FD, % of variance", "agreement", "steps", "time", "pictures/s")


def comparison_page(comparison: Comparison) -> bytes:
    """The whole page, in UTF-8."""
    about = comparison.about
    source = str(about.get("source") or "?")
    called = Path(source).name or source
    sections = [
        ("ranking", "Ranking", ranking_section(comparison)),
        ("curves", "Curves", curves_section(comparison)),
        ("samples", "Samples", samples_section(comparison)),
        ("runs", "Runs", runs_section(comparison)),
        ("recipes", "Recipes", recipes_section(comparison)),
        ("protocol", "Protocol", protocol_section(comparison)),
        ("again", "Reproduce it", again_section(comparison)),
    ]
    methods = list(dict.fromkeys(entry.method for entry in comparison.entries))
    told = f"{counting(len(methods), 'method')} · {counting(seeds_of(comparison), 'seed')} · {budget(about)} each"
    lead = f'<p class="about">{prose(told)}</p>'
    return whole_page(f"{called}: {', '.join(methods)} – Rivals", called, lead, sections)


def budget(about: Mapping[str, Any]) -> str:
    """What each run was given."""
    minutes, steps = value(about, "minutes"), value(about, "steps")
    parts = [duration(60 * minutes) if minutes is not None else "", f"{number(steps)} steps" if steps else ""]
    return " or ".join(filter(None, parts)) or "an unknown time"


def ranking_section(comparison: Comparison) -> str:
    """Words, then the table."""
    told = ranking_words(comparison)
    warn = bool(comparison.differences)
    lead = "".join(paragraph(words, "warn" if warn else "lead") for words in told)
    rows = [
        (
            one.method,
            rank_words(one, comparison.standings),
            score_words(one),
            ", ".join(number(score) for score in one.scores) or "–",
            f"{number(one.agreement)} %" if one.agreement is not None else "–",
            number(one.pictures_a_second) if one.pictures_a_second is not None else "–",
            ", ".join(one.near) or "–",
        )
        for one in comparison.standings
    ]
    floor = value(comparison.first("floor"), SCORE)
    real = f" Real against real, the floor, is {number(floor)} %." if floor is not None else ""
    several = (
        f" ± is half the 95 % interval of the mean, by Student's t over {seeds_of(comparison)} seeds. A rank is 1 and "
        "one for each method whose interval lies wholly below, so methods that these seeds do not tell apart may share "
        "one."
        if seeds_of(comparison) > 1
        else ""
    )
    notes = (
        f"Distance (FD) of samples of the final model to held-out pictures; lower is better.{real}{several} A "
        "method of which a run failed or is missing is not ranked. Pictures a second are real pictures that the critic "
        "trained on, over the whole run with its quick verdicts."
    )
    return lead + columns(rows, COLUMNS, "The methods, best first") + paragraph(notes, "soft")


def curves_section(comparison: Comparison) -> str:
    """Quick verdicts over time and over pictures."""
    floor = value(comparison.first("floor"), SCORE)
    level = Series("floor: real to real", [(0.0, floor)]) if floor is not None else None
    charts = [
        chart(
            f"{TITLES[SCORE]} over {along}s", method_series(comparison, SCORE, place), unit=UNITS[SCORE],
            reading=reading + READINGS[SCORE], level=level, log=True, along=along,
        )
        for place, along, reading in (
            (0, "second", "What comes out for the time. "),
            (1, "picture", "What comes out for each real picture that the critic trained on. "),
        )
    ]  # fmt: skip
    if any(entry.curve("agreement") for entry in comparison.entries):
        series = method_series(comparison, "agreement", 0)
        charts.append(
            chart(TITLES["agreement"], series, unit=UNITS["agreement"], reading=READINGS["agreement"], along="second")
        )
    note = (
        "Bold: the mean of a method's seeds, verdict by verdict. Thin: each seed." if seeds_of(comparison) > 1 else ""
    )
    return (paragraph(note, "soft") if note else "") + f'<div class="charts">{"".join(charts)}</div>'


def method_series(comparison: Comparison, name: str, place: int) -> list[Series]:
    """A series for each method: the mean over its seeds (of the finished ones, if any), with the seeds beside it.

    `place` says what the points lie along: 0 for seconds, 1 for pictures.
    """
    groups: dict[str, list[tuple[bool, list[Point]]]] = {}
    for entry in comparison.entries:
        points = [(point[place], point[2]) for point in entry.curve(name)]
        groups.setdefault(entry.method, []).extend([(entry.state == "finished", points)] if points else [])
    made = []
    for method, curves in groups.items():
        whole = [points for done, points in curves if done] or [points for _, points in curves]
        beside = [points for _, points in curves] if len(curves) > 1 else []
        made.append(Series(method, mean_curve(whole), beside))
    return made


def mean_curve(curves: Sequence[Sequence[Point]]) -> list[Point]:
    """The mean of the nth points of all curves, as far as all have one.

    >>> mean_curve([[(1.0, 4.0), (2.0, 2.0)], [(3.0, 6.0)]])
    [(2.0, 5.0)]
    """
    return [(fmean(at for at, _ in points), fmean(v for _, v in points)) for points in zip(*curves, strict=False)]


def samples_section(comparison: Comparison) -> str:
    """A sheet of each method's first finished seed, side by side."""
    figures = []
    for method in [standing.method for standing in comparison.standings]:
        own = [entry for entry in comparison.entries if entry.method == method]
        entry = next((one for one in own if one.state == "finished"), own[0])
        sheet = newest_sheet(entry)
        words = f"Seed {entry.seed}, " + ("final model" if entry.state == "finished" else entry.state)
        shown = (
            sheet.img(f"Sheet of samples of {method}") + f"<figcaption>{prose(words + sheet.told)}</figcaption>"
            if isinstance(sheet, Picture)
            else paragraph(f"{words}: there is no sheet of samples.", "missing")
        )
        figures.append(f"<figure><h3>{text(method)}</h3>{shown}</figure>")
    note = "Drawn at random and not picked."
    return paragraph(note, "soft") + f'<div class="charts">{"".join(figures)}</div>'


def newest_sheet(entry: Entry) -> Picture | str:
    """The final sheet, or the newest of those over time."""
    folder = entry.record.folder
    paths = [folder / "pictures" / "final.png", *sorted((folder / "samples").glob("step-*.png"), reverse=True)[:1]]
    found = [embed(path, most=2**19, wide=800) for path in paths]
    return next((sheet for sheet in found if isinstance(sheet, Picture)), found[0])


def runs_section(comparison: Comparison) -> str:
    """Every run, and why those that failed did."""
    rows = [
        (
            entry.record.folder.name,
            entry.state,
            *(number(score) if score is not None else "–" for score in (entry.final(SCORE), entry.final("agreement"))),
            counted(entry.record.step) or "–",
            duration(entry.seconds) if entry.seconds is not None else "–",
            number(entry.pictures_a_second) if entry.pictures_a_second is not None else "–",
        )
        for entry in comparison.entries
    ]
    failures = "".join(
        paragraph(f"{entry.record.folder.name} failed: {entry.failure}", "warn")
        for entry in comparison.entries
        if entry.failure
    )
    note = paragraph("Each folder holds the run's own page, report.html.", "soft")
    return failures + columns(rows, RUN, "The runs") + note


def recipes_section(comparison: Comparison) -> str:
    """Settings in which the methods differ, and those that they share."""
    recipes: dict[str, dict[str, str]] = {}
    for entry in comparison.entries:
        if entry.record.recipe and entry.method not in recipes:
            recipes[entry.method] = dict(flat(in_line(entry.record.recipe)))
    methods = [standing.method for standing in comparison.standings if standing.method in recipes]
    if not methods:
        return paragraph("There are no recipes yet.", "missing")
    names = list(dict.fromkeys(name for method in methods for name in recipes[method]))
    parents = {name.rpartition(".")[0] for name in names}  # one that is empty here has parts there
    rows = [
        (name, *(recipes[method].get(name, "–") for method in methods))
        for name in names
        if name not in ("method", "seed") and name not in parents
    ]
    differ = [row for row in rows if len(set(row[1:])) > 1]
    same = [row[:2] for row in rows if len(set(row[1:])) == 1]
    shown = (
        columns(differ, ("setting", *methods), "Settings that differ")
        if differ
        else paragraph("The recipes do not differ.")
    )
    shared = columns(same, ("setting", "all"), "Settings that all share")
    return shown + f"<details><summary>{counting(len(same), 'setting')} that all share</summary>{shared}</details>"


def in_line(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with each number that changes over training as one text.

    >>> in_line({"r1": {"start": 1.0, "stop": None, "every": 4}, "lr": {"start": 1, "stop": 0, "shape": "cosine"}})
    {'r1': '1.0 (every 4 steps)', 'lr': '1 to 0 (cosine)'}
    """
    told: dict[str, Any] = {}
    for name, setting in settings.items():
        if not isinstance(setting, Mapping):
            told[name] = setting
        elif "start" not in setting:
            told[name] = in_line(setting)
        else:
            moves = setting.get("stop") is not None
            lazy = setting.get("every") not in (None, 1)
            how = ", ".join([str(setting.get("shape"))] * moves + [f"every {setting.get('every')} steps"] * lazy)
            told[name] = f"{setting['start']}" + f" to {setting.get('stop')}" * moves + f" ({how})" * bool(how)
    return told


def protocol_section(comparison: Comparison) -> str:
    """What the numbers mean, and the floor."""
    protocol = comparison.first("protocol")
    if not protocol:
        return paragraph("There is no verdict yet, so there is no protocol either.", "missing")
    rows = [(name.replace("_", " "), counted(words)) for name, words in protocol.items()]
    floor = value(comparison.first("floor"), SCORE)
    told = [("floor, % of variance", number(floor))] if floor is not None else []
    equal = (
        "The same for all runs that are finished."
        if not comparison.differences
        else "That of the first finished run; others differ from it."
    )
    return paragraph(equal) + columns([*rows, *told], ("what", "how"), "The protocol of the verdicts")


def again_section(comparison: Comparison) -> str:
    """The command."""
    command = " ".join(["rivals compare", *map(shlex.quote, command_words(comparison.about))])
    data = json.dumps(comparison.first("protocol").get("data_sha256", "unknown"))
    note = f"Data sha256 {data}; made with Rivals {comparison.about.get('rivals', 'of an unknown version')}."
    return f"<pre><code>{text(command)}</code></pre>" + paragraph(note, "soft")


def command_words(about: Mapping[str, Any]) -> Iterator[str]:
    """The arguments that ask for the same comparison."""
    yield str(about.get("source") or "SOURCE")
    methods = about.get("methods")
    yield from ("--methods", ",".join(map(str, methods if isinstance(methods, list | tuple) else ())))
    for name in ("minutes", "steps", "seeds", "features"):
        if about.get(name) is not None:
            told = about[name]
            yield from (f"--{name}", f"{told:g}" if isinstance(told, float) else str(told))
    changes = about.get("changes")
    for path, setting in (changes if isinstance(changes, Mapping) else {}).items():
        yield from ("--set", f"{path}={setting}")
