"""The page of a run that edits pictures, and of a verdict on one; each stands alone and trusts nothing it reads."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rivals.engine.files import write_whole
from rivals.judging.curves import curves_section
from rivals.judging.edited import edited_findings
from rivals.judging.page import number, paragraph, prose, text
from rivals.judging.record import Record, Values, inner, read_record, value
from rivals.judging.report import whole_page, write_page
from rivals.judging.sliders import sliders
from rivals.judging.tables import columns, data_section, events_section, protocol_section
from rivals.judging.verdict_page import card_section, notes_words, score_rows
from rivals.judging.verdict_words import KINDS, called
from rivals.modalities.images.report import time_section

from .methods import EDIT_METHODS
from .pages import Shown, write_pictures
from .verdict_words import beside_of, beside_rows, guard_sentences, space_of, verdict_sentences

NONE_YET = (
    "There is no verdict yet: the run goes on, was interrupted, or stopped. The command that began it, with --resume, "
    "goes on with it."
)
TILES = ("perceptual", "dissimilarity", "psnr", "ssim", "fd_share", "content")
MOVED = "The line between the first two pictures can be moved: with a mouse, a finger, or the arrow keys."
SHEETS = "The same pictures each time, so each place shows one as the network learned."


def write_report(folder: Path) -> Path:
    """Write a run's `report.html` from what its folder holds, and return its path."""
    record = read_record(folder)
    place, verdict = record.folder / "pictures", record.verdict
    sections = [
        ("verdict", "Verdict", verdict_section(record)),
        ("pictures", "Before and after", pictures_section(record, place)),
        *measured_sections(verdict, place),
        ("progress", "Pictures over time", time_section(record, SHEETS)),
        ("guards", "Guard rails", guards_section(record)),
        ("curves", "Curves", curves_section(record)),
        ("events", "What happened", events_section(record)),
        ("data", "Data", data_section(record)),
        ("protocol", "Protocol", protocol_section(record)),
        ("card", "Score card", card_section(verdict)),
    ]
    return write_page(record, head(record), EDIT_METHODS.get(str(record.recipe.get("method"))), sections)


def write_verdict(path: Path, verdict: Values, shown: Mapping[str, Sequence[Shown]]) -> Path:
    """Write a verdict with some pictures as one page."""
    card = inner(verdict, "card")
    title = f"{Path(str(card.get('fakes', 'a model'))).name} on {Path(str(card.get('data', 'pictures'))).name}"
    with tempfile.TemporaryDirectory() as beside:
        write_pictures(Path(beside), shown)
        place = Path(beside) / "pictures"
        sections = [
            ("verdict", "Verdict", tiles(verdict) + lead(verdict)),
            ("pictures", "Before and after", paragraph(MOVED, "soft") + sliders(place, "edit", "a held-out picture")),
            *measured_sections(verdict, place),
            ("protocol", "Protocol", protocol_section(Record(path, {}, {}, {}, verdict, {}, ()))),
            ("card", "Score card", card_section(verdict)),
        ]
        told = f'<p class="about">{prose(str(inner(verdict, "protocol").get("damage", "")))}</p>'
        content = whole_page(f"{title} – Rivals", title, told, sections)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return path


def head(record: Record) -> list[str]:
    """What is asked of pictures, and how many there were."""
    scale, count = value(record.modality, "scale"), value(record.run, "found", "count")
    task = str(record.modality.get("task") or "")
    return [
        f"{task}{f' × {number(scale)}' if scale is not None and scale > 1 else ''}",
        f"{number(count)} pictures" if count is not None else "",
    ]


def verdict_section(record: Record) -> str:
    """The verdict: numbers, then words; and what the guard rails say, where that is more than nothing."""
    warnings = "".join(paragraph(problem, "warn") for problem in record.problems if "verdict.json" in problem)
    warnings += "".join(
        paragraph(f"{finding.title[0].upper()}{finding.title[1:]}: {finding.words}. Try: {finding.change}.", "warn")
        for finding in edited_findings(record)
    )
    if not inner(record.verdict, "scores"):
        return warnings + paragraph(NONE_YET, "lead")
    return warnings + tiles(record.verdict) + lead(record.verdict)


def tiles(verdict: Values) -> str:
    """The main scores, large."""
    cells = [
        (called(name, space_of(verdict)), KINDS[name], found)
        for name in TILES
        if (found := value(verdict, "scores", name)) is not None
    ]
    listed = "".join(
        f"<div><dt>{text(name)}; {kind.better} is better</dt><dd>{number(found)}{kind.unit}</dd></div>"
        for name, kind, found in cells
    )
    return f'<dl class="tiles">{listed}</dl>'


def lead(verdict: Values) -> str:
    """The verdict in words, and what should be known beside it."""
    words = " ".join(verdict_sentences(verdict))
    return paragraph(words, "lead") + notes_words(verdict) if words else notes_words(verdict)


def pictures_section(record: Record, place: Path) -> str:
    """Held-out pictures before and after."""
    task = str(record.modality.get("task") or "a task that is not known")
    found = sliders(place, "edit", f"a held-out picture for {task}")
    return paragraph(MOVED, "soft") + found if found else paragraph("There are no edited pictures yet.", "missing")


def measured_sections(verdict: Values, place: Path) -> list[tuple[str, str, str]]:
    """The model beside the baselines, all scores; and the same of the way back, where there is one."""
    title = "Beside others" if beside_of(verdict) else "Beside what has learned nothing"
    found = [
        ("beside", title, beside_section(verdict)),
        ("scores", "Scores", scores_section(verdict)),
    ]
    back = {**verdict, **inner(verdict, "directions", "back")}
    if inner(verdict, "directions", "back"):
        pictures = sliders(place, "back", "a held-out picture, for the way back")
        found.append(("back", "The way back", lead({**back, "notes": []}) + beside_section(back) + pictures))
    return found


def beside_section(verdict: Values) -> str:
    """The model and the baselines by their scores."""
    heads, rows = beside_rows(verdict)
    if len(heads) < 2:
        return ""
    interval = inner(verdict, "card").get("interval", "how is not known")
    words = f"↓ lower is better, ↑ higher is better. In brackets intervals of 95 %: {interval}."
    told = "This model, others and baselines" if beside_of(verdict) else "This model and baselines"
    return columns(rows, heads, told) + paragraph(words, "soft")


def scores_section(verdict: Values) -> str:
    """All scores with what they say."""
    rows = [(name, found, span, says, better) for name, found, span, _, says, better in score_rows(verdict)]
    return columns(rows, ("score", "value", "interval", "what it says", "better"), "Scores") if rows else ""


def guards_section(record: Record) -> str:
    """What tells that a network has gone astray, at the end."""
    words = " ".join(guard_sentences(inner(record.verdict, "guards")))
    return paragraph(words) if words else ""
