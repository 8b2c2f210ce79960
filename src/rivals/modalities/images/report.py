"""A picture run's folder as one page that stands alone: `write_report(Path("runs/x"))`."""

from pathlib import Path

from rivals.engine.methods import METHODS
from rivals.judging.curves import curves_section
from rivals.judging.page import Picture, embed, number, paragraph, prose, text
from rivals.judging.record import Record, inner, read_json, read_record, usable, value
from rivals.judging.report import write_page
from rivals.judging.tables import data_section, events_section, protocol_section
from rivals.judging.verdict_page import (
    BEST,
    WORST,
    card_section,
    classes_section,
    clouds_section,
    copies_words,
    notes_words,
    scores_section,
)
from rivals.judging.verdict_words import verdict_sentences
from rivals.judging.wording import copying_ratio, notes, verdict_words

MOST_SHEETS = 24
COLOURS: dict[float, str] = {1: "grey", 2: "grey and alpha", 3: "colour", 4: "colour and alpha"}


def write_report(folder: Path) -> Path:
    """Write a run's `report.html` from what its folder holds, and return its path."""
    record = read_record(folder)
    sections = [
        ("verdict", "Verdict", verdict_section(record)),
        ("scores", "Scores", scores_section(record.verdict)),
        ("samples", "Samples", final_section(record)),
        ("progress", "Samples over time", time_section(record)),
        ("walk", "Interpolation", walk_section(record)),
        ("curves", "Curves", curves_section(record)),
        ("neighbours", "Nearest training pictures", copies_words(record.verdict) + neighbours_section(record)),
        ("ends", "Best and worst", ends_section(record)),
        ("clouds", "The two clouds", clouds_section(read_json(record.folder / "pictures" / "clouds.json")[0])),
        ("classes", "Class by class", classes_section(record.verdict)),
        ("events", "What happened", events_section(record)),
        ("data", "Data", data_section(record)),
        ("protocol", "Protocol", protocol_section(record)),
        ("card", "Score card", card_section(record.verdict)),
    ]
    return write_page(record, head(record), METHODS.get(str(record.recipe.get("method"))), sections)


def head(record: Record) -> list[str]:
    """Size, colours, classes and number of the pictures."""
    shape = [value(record.modality, name) for name in ("width", "height")]
    classes, count = record.modality.get("classes"), value(record.run, "found", "count")
    return [
        " × ".join(number(size) for size in shape if size is not None) + " pixels" if all(shape) else "",
        COLOURS.get(value(record.modality, "channels") or 0, ""),
        f"{len(classes)} classes" if isinstance(classes, list) and classes else "",
        f"{number(count)} pictures" if count is not None else "",
    ]


def verdict_section(record: Record) -> str:
    """The verdict: numbers, then words."""
    scores = inner(record.verdict, "scores")
    warnings = "".join(paragraph(problem, "warn") for problem in record.problems if "verdict.json" in problem)
    if not scores:
        return warnings + unfinished(record)
    ratio = copying_ratio(record.verdict)
    cells = [
        (value(scores, "fd_share"), " %", "FD, of the variance of held-out pictures; lower is better"),
        (value(record.verdict, "floor", "fd_share"), " %", "floor: the same distance, real to real"),
        (value(scores, "agreement"), " %", "of samples recognised as the class that was asked for"),
        (ratio, " ×", "distance to the nearest training picture, compared with held-out pictures"),
    ]
    tiles = "".join(
        f"<div><dt>{text(words)}</dt><dd>{number(found)}{unit}</dd></div>"
        for found, unit, words in cells
        if found is not None
    )
    told = " ".join(verdict_sentences(record.verdict)) if inner(record.verdict, "intervals") else ""
    lead = paragraph(told or verdict_words(record.verdict), "lead")
    warnings += notes_words(record.verdict)
    return f'{warnings}<dl class="tiles">{tiles}</dl>{lead}' + "".join(
        paragraph(words, "soft") for words in notes(record)
    )


def unfinished(record: Record) -> str:
    """What can be said of a run without a verdict."""
    words = "There is no verdict yet: the run goes on, was interrupted, or stopped. The command that began it, with "
    last = record.log["verdict"][-1:]
    share = value(last[0], "scores", "fd_share") if last else None
    quick = (
        f" The last quick verdict, at step {number(last[0]['step'])}: FD {number(share)} %."
        if share is not None
        else ""
    )
    return paragraph(words + "--resume, goes on with it." + quick, "lead")


def figure(path: Path, alt: str, caption: str) -> str:
    """A picture of the folder with its caption, or why it can't be shown."""
    found = embed(path)
    if not isinstance(found, Picture):
        return paragraph(found, "missing")
    return f"<figure>{found.img(alt)}<figcaption>{prose(caption + found.told)}</figcaption></figure>"


def final_section(record: Record) -> str:
    """The final sheet."""
    classes = record.modality.get("classes")
    names = [str(name) for name in classes[:10]] if isinstance(classes, list) else []
    columns = f" Columns: {', '.join(names)}." if len(names) > 1 and not any("," in name for name in names) else ""
    caption = "Samples of the last state, drawn at random and not picked." + columns
    return figure(record.folder / "pictures" / "final.png", "Sheet of samples of the finished model", caption)


SAME_NOISE = "The same noise each time, so each place shows one sample as it grew."


def time_section(record: Record, told: str = SAME_NOISE) -> str:
    """Sheets over time: the last, and a slider for the others where scripts run; `told` is what they show."""
    paths = sorted((record.folder / "samples").glob("step-*.png"))
    paths = [path for place, path in enumerate(reversed(paths)) if place % -(-len(paths) // MOST_SHEETS) == 0][::-1]
    found = [(when(record, path), embed(path, most=2**19, wide=1000)) for path in paths]
    sheets = [(words, sheet) for words, sheet in found if isinstance(sheet, Picture)]
    lost = "".join(paragraph(sheet, "missing") for _, sheet in found if isinstance(sheet, str))
    if not sheets:
        return lost or paragraph("There are no sheets of samples yet.", "missing")
    pictures = "".join(
        sheet.img(f"Sheet of samples at {words}", f' data-when="{text(words)}"' + " hidden" * (place < len(sheets) - 1))
        for place, (words, sheet) in enumerate(sheets)
    )
    slider = (
        '<div class="slide" hidden><button type="button">Play</button>'
        f'<input type="range" min="0" max="{len(sheets) - 1}" value="{len(sheets) - 1}" aria-label="Time of training">'
        "<output></output></div>"
    )
    bare = f" The slider needs JavaScript; this is the last sheet, {sheets[-1][0]}."
    caption = f"{text(told)}<noscript>{text(bare)}</noscript>"
    return f'<figure id="time">{slider}{pictures}<figcaption>{caption}</figcaption></figure>{lost}'


def when(record: Record, path: Path) -> str:
    """A sheet's step and how far training had come."""
    digits = path.stem.removeprefix("step-")
    step = int(digits) if digits.isdecimal() and len(digits) < 16 else 0
    near = min(record.log["round"], key=lambda line: abs(line["step"] - step), default={})
    progress = value(near, "progress")
    share = f", {100 * progress:.0f} % of training" if progress is not None and usable(progress) else ""
    return f"step {number(step)}{share}"


def walk_section(record: Record) -> str:
    """The interpolation."""
    caption = (
        "Walks through the noise, side by side. Smooth changes say that the generator has learned what lies between "
        "pictures; jumps say that it knows single pictures only."
    )
    return figure(
        record.folder / "pictures" / "interpolation.gif", "Moving picture: samples that change step by step", caption
    )


def neighbours_section(record: Record) -> str:
    """Samples beside the training pictures most like them."""
    place = inner(record.verdict, "protocol").get("extractor")
    caption = (
        "Each sample is followed by its three nearest training pictures, two samples a line; nearest in the feature "
        f"space {place or 'of the verdict'}. A sample that equals its neighbour is a copy. These are pictures of the "
        "training data: mind that before you pass this page on."
    )
    alt = "Samples, each followed by the training pictures nearest to it"
    return figure(record.folder / "pictures" / "neighbours.png", alt, caption)


def ends_section(record: Record) -> str:
    """The samples that look the most and the least real."""
    place = record.folder / "pictures"
    if not (place / "best.png").exists():
        return ""
    shown = (("Best", BEST), ("Worst", WORST))
    return "".join(
        f"<h3>{name}</h3>{figure(place / f'{name.lower()}.png', f'{name} samples', caption)}" for name, caption in shown
    )
