"""A run's folder as one page that stands alone: `report_path = write_report(Path("runs/x"))`.

Each section shows what there is and says what there isn't; none fails because a file is missing, cut or hostile.
"""

from collections.abc import Sequence
from pathlib import Path

from rivals import __version__
from rivals.engine.files import write_whole
from rivals.engine.methods import METHODS
from rivals.engine.words import duration

from .curves import curves_section
from .page import Picture, document, embed, number, paragraph, prose, text
from .record import Record, inner, read_json, read_record, usable, value
from .tables import again_section, data_section, events_section, protocol_section, recipe_section
from .verdict_page import (
    BEST,
    WORST,
    card_section,
    classes_section,
    clouds_section,
    copies_words,
    notes_words,
    scores_section,
)
from .verdict_words import verdict_sentences
from .wording import copying_ratio, notes, verdict_words

MOST_SHEETS = 24
COLOURS: dict[float, str] = {1: "grey", 2: "grey and alpha", 3: "colour", 4: "colour and alpha"}


def write_report(folder: Path) -> Path:
    """Write a run's `report.html` from what its folder holds, and return its path."""
    record = read_record(folder)
    source = str(record.run.get("source") or folder.resolve().name)
    called = Path(source).name or source  # the whole path stands under "Data"
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
        ("recipe", "Recipe", recipe_section(record)),
        ("protocol", "Protocol", protocol_section(record)),
        ("card", "Score card", card_section(record.verdict)),
        ("again", "Reproduce it", again_section(record)),
    ]
    method = record.recipe.get("method") or "GAN"
    path = folder / "report.html"
    write_whole(path, whole_page(f"{called}, {method} – Rivals", called, about(record), sections))
    return path


def whole_page(title: str, called: str, about: str, sections: Sequence[tuple[str, str, str]]) -> bytes:
    """A page in UTF-8: a heading with HTML below it, links, and sections of (key, title, HTML)."""
    sections = [section for section in sections if section[2]]  # runs from before there was a part have none of it
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in sections)
    body = "\n".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>\n{content}</section>'
        for key, title, content in sections
    )
    header = (
        f'<header><h1><bdi>{text(called)}</bdi></h1>{about}<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
    )
    return document(title, f"{header}\n<main>\n{body}\n</main>\n{footer()}", __version__)


def about(record: Record) -> str:
    """Method, shape, classes and length in a line, and where the method comes from."""
    shape = [value(record.modality, name) for name in ("width", "height")]
    classes, count = record.modality.get("classes"), value(record.run, "found", "count")
    seconds, step = value(record.verdict, "seconds"), record.step
    time = f" in {duration(seconds)}" if seconds is not None and usable(seconds) else ""
    name = str(record.recipe.get("method") or "unknown method")
    parts = [
        name,
        " × ".join(number(size) for size in shape if size is not None) + " pixels" if all(shape) else "",
        COLOURS.get(value(record.modality, "channels") or 0, ""),
        f"{len(classes)} classes" if isinstance(classes, list) and classes else "",
        f"{number(count)} pictures" if count is not None else "",
        f"{number(step)} steps{time}" if step is not None else "",
    ]
    method = METHODS.get(name)
    paper = f'<a href="{text(method.url)}">{text(method.paper)}</a>' if method else ""
    told = f'<p class="soft">{text(method.title[0].upper() + method.title[1:])} ({paper})</p>' if method else ""
    return f'<p class="about">{prose(" · ".join(filter(None, parts)))}</p>{told}'


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


def time_section(record: Record) -> str:
    """Sheets over time: the last, and a slider for the others where scripts run."""
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
    caption = f"The same noise each time, so each place shows one sample as it grew.<noscript>{text(bare)}</noscript>"
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


def footer() -> str:
    """Who made the page."""
    return (
        f"<footer>Page made by Rivals {text(__version__)}. It stands alone: nothing is loaded from elsewhere.</footer>"
    )
