"""A verdict as sections of a page, and as a page that stands alone; everything may be missing, nothing is trusted."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rivals import __version__
from rivals.engine.files import write_whole

from .clouds import clouds_figure, shares_words
from .page import document, number, paragraph, pictured, prose, table, text
from .record import Values, as_number, inner, usable, value
from .tables import columns, counted
from .verdict_words import KINDS, called, spans, verdict_sentences

Clouds = Mapping[str, Any]

CARD = {
    "fakes": "judged",
    "fakes_sha256": "sha256 of what made them",
    "fake_count": "samples",
    "weights": "weights",
    "state": "state",
    "conditions": "asked for",
    "data": "judged against",
    "data_sha256": "sha256 of the data",
    "split": "part of the data",
    "real_count": "real pictures",
    "train_count": "training pictures looked at",
    "size": "pictures",
    "extractor": "feature space",
    "extractor_sha256": "sha256 of its weights",
    "resizer": "resizer",
    "seed": "seed",
    "interval": "intervals",
    "version": "made with Rivals",
}


def write_verdict_page(path: Path, verdict: Values, pictures: Mapping[str, bytes], clouds: Clouds) -> Path:
    """Write a verdict as one page.

    Args:
        path: of the page.
        verdict: what the judge returned.
        pictures: sheets as PNG, by "samples", "copies", "best", "worst"; any may be missing.
        clouds: what `judging.clouds.flattened` returned.
    """
    card = inner(verdict, "card")
    title = f"{Path(str(card.get('fakes', 'fakes'))).name} against {Path(str(card.get('data', 'real'))).name}"
    sections = [
        ("verdict", "Verdict", words_section(verdict)),
        ("scores", "Scores", scores_section(verdict)),
        ("samples", "Samples", sheet(pictures, "samples", "Samples, drawn at random and not picked.")),
        ("neighbours", "Nearest training pictures", copies_section(verdict, pictures)),
        ("ends", "Best and worst", ends_section(pictures)),
        ("clouds", "The two clouds", clouds_section(clouds)),
        ("classes", "Class by class", classes_section(verdict)),
        ("card", "Score card", card_section(verdict)),
    ]
    shown = [(key, name, content) for key, name, content in sections if content]
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _ in shown)
    body = "\n".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{name}</h2>\n{content}</section>'
        for key, name, content in shown
    )
    about = " · ".join(
        str(part) for part in (card.get("size"), f"judged in {card.get('extractor', 'an unknown space')}") if part
    )
    page = (
        f'<header><h1><bdi>{text(title)}</bdi></h1><p class="about">{prose(about)}</p>'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>\n<main>\n{body}\n</main>\n'
        f"<footer>Page made by Rivals {text(__version__)}. It stands alone: nothing is loaded from elsewhere.</footer>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, document(f"{title} – Rivals", page, __version__))
    return path


def words_section(verdict: Values) -> str:
    """The verdict in words, and what should be known beside it."""
    words = list(verdict_sentences(verdict))
    lead = paragraph(" ".join(words), "lead") if words else paragraph("There are no scores.", "missing")
    return notes_words(verdict) + lead


def notes_words(verdict: Values) -> str:
    """What should be known beside the numbers."""
    told = verdict.get("notes")
    return "".join(paragraph(str(note), "warn") for note in told) if isinstance(told, list) else ""


def scores_section(verdict: Values) -> str:
    """All scores: value, interval, floor, and what they say."""
    rows = list(score_rows(verdict))
    if not rows:
        return ""
    floor = inner(verdict, "protocol").get("floor")
    told = f"The floor is {floor}. " if isinstance(floor, str) and inner(verdict, "floor") else ""
    words = (
        f"{told}Intervals are of 95 %: {inner(verdict, 'card').get('interval', 'how is not known')}. A difference "
        "smaller than an interval may be chance."
    )
    head = ("score", "value", "interval", "floor", "what it says", "better")
    return columns(rows, head, "Scores with intervals and floors") + paragraph(words, "soft")


def score_rows(verdict: Values) -> Iterator[tuple[str, ...]]:
    """The rows of the table: name, value, interval, floor, words, which way is better."""
    card = inner(verdict, "card")
    extractor = str(card.get("extractor") or inner(verdict, "protocol").get("extractor") or "")
    for name, kind in KINDS.items():
        found = value(verdict, "scores", name)
        if found is None:
            continue
        floor = value(verdict, "floor", name)
        yield (
            called(name, extractor),
            f"{number(found)}{kind.unit}",
            spans(verdict, name) or "–",
            f"{number(floor)}{kind.unit}" if floor is not None else "–",
            kind.says,
            kind.better,
        )


def sheet(pictures: Mapping[str, bytes], name: str, caption: str) -> str:
    """A sheet of pictures with its caption."""
    if name not in pictures:
        return ""
    found = pictured(pictures[name])
    return f"<figure>{found.img(caption)}<figcaption>{prose(caption + found.told)}</figcaption></figure>"


def copies_section(verdict: Values, pictures: Mapping[str, bytes]) -> str:
    """Whether it copied, in numbers and pictures."""
    return copies_words(verdict) + sheet(
        pictures,
        "copies",
        "Each sample is followed by its nearest training pictures, two samples a line. A sample that equals its "
        "neighbour is a copy. These are real pictures: mind that before you pass this page on.",
    )


BEST = "Most like real pictures, measured by how close these lie to each other; a copy would stand here too."
WORST = "Least like any real picture, by the same measure."

COPIES = {
    "share": ("copies", 100.0, " %", "fakes that are training pictures, moved by a few pixels or not"),
    "authenticity": ("authenticity", 100.0, " %", "fakes farther from training than it is from itself (Alaa 2022)"),
    "authenticity_real": ("of unseen real pictures", 100.0, " %", "the same; fakes should be about there"),
    "ct": ("CT score", 1.0, "", "below −3: nearer to training than unseen pictures; far above: worse (Meehan 2020)"),
}


def copies_rows(verdict: Values) -> Iterator[tuple[str, str, str]]:
    """The numbers on memorisation: measure, value, words."""
    memory = inner(verdict, "memorisation")
    for name, (title, scale, unit, says) in COPIES.items():
        found = value(memory, name)
        if found is not None:
            yield title, f"{number(scale * found)}{unit}", says
    alarms = memory.get("false_alarms")
    if pairs([alarms]):
        yield "false alarms", f"{counted(alarms[0])} of {counted(alarms[1])}", "unseen pictures taken for copies"  # type: ignore[index]
    near = [value(verdict, "neighbours", name) for name in ("samples", "held_out")]
    if near[0] is not None and near[1]:
        told = "distance to the nearest training picture, compared with unseen real pictures (medians)"
        yield "nearness", f"{number(near[0] / near[1])} ×", told


def copies_words(verdict: Values) -> str:
    """The numbers on memorisation as a table."""
    rows = list(copies_rows(verdict))
    return columns(rows, ("measure", "value", "what it says"), "Memorisation") if rows else ""


def ends_section(pictures: Mapping[str, bytes]) -> str:
    """The best and the worst samples."""
    best, worst = sheet(pictures, "best", BEST), sheet(pictures, "worst", WORST)
    if not best or not worst:
        return ""
    return f"<h3>Best</h3>{best}<h3>Worst</h3>{worst}"


def clouds_section(clouds: Clouds) -> str:
    """Both sets of features in a plane."""
    fake, real, share = (clouds.get(name) for name in ("fake", "real", "share"))
    if not (pairs(fake) and pairs(real)):
        return ""
    words = (
        shares_words(share) if isinstance(share, list) and pairs([share]) else "Two directions of the feature space."
    )
    caption = f"{words} Real pictures without fakes near them are what the fakes leave out."
    return clouds_figure(fake, real, ("fakes", "real pictures"), caption)  # type: ignore[arg-type]


def pairs(found: object) -> bool:
    """Whether this is a list of pairs of numbers."""
    return isinstance(found, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(as_number(each) is not None for each in pair)
        for pair in found
    )


COLUMNS = {
    "real": ("of the real pictures", " %"),
    "fakes": ("of the fakes", " %"),
    "agreement": ("recognised as asked", " %"),
    "fd": ("distance", ""),
    "diversity": ("variety (real: 1)", ""),
    "similarity": ("MS-SSIM of pairs", ""),
    "similarity_real": ("of real pairs", ""),
}


def classes_section(verdict: Values) -> str:
    """Each class: how often it occurs on both sides, how well it is hit."""
    classes = {name: row for name, row in inner(verdict, "classes").items() if isinstance(row, Mapping)}
    used = [key for key in COLUMNS if any(usable(as_number(row.get(key))) for row in classes.values())]
    if not classes or not used:
        return ""
    rows = [(name, *(cell(row, key, COLUMNS[key][1]) for key in used)) for name, row in list(classes.items())[:1000]]
    said = inner(verdict, "protocol").get("classifier")
    words = f"Classes of fakes as recognised by: {said}." if said else ""
    head = ("class", *(COLUMNS[key][0] for key in used))
    return columns(rows, head, "Class by class") + (paragraph(words, "soft") if words else "")


def cell(row: Values, key: str, unit: str) -> str:
    """A number of a class."""
    found = as_number(row.get(key))
    return "–" if found is None else f"{number(found)}{unit}"


def card_section(verdict: Values) -> str:
    """What the numbers stand on: they compare only with numbers of the same card."""
    card = inner(verdict, "card")
    rows: Sequence[tuple[object, object]] = [
        (words, counted(card[name])) for name, words in CARD.items() if name in card
    ]
    told = "Compare these numbers only with numbers whose card says the same, names, seed and version apart."
    return table(rows, ("what", "value"), "The score card") + paragraph(told, "soft") if rows else ""
