"""What the pages of runs share, whatever the data; the pages themselves lie with the modalities.

Each section shows what there is and says what there isn't; none fails because a file is missing, cut or hostile.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rivals import __version__
from rivals.engine.files import write_whole
from rivals.engine.method import Method
from rivals.engine.words import duration

from .page import document, number, prose, text
from .record import Record, usable, value
from .tables import again_section, recipe_section

Section = tuple[str, str, str]
"""A key for links, a heading, and HTML; without HTML the section is left out."""


def write_page(record: Record, head: Iterable[str], method: Method | None, sections: Sequence[Section]) -> Path:
    """Write a run's `report.html` and return its path.

    Args:
        record: of the run.
        head: what the data are, in a few words each, for the line below the heading.
        method: whose paper is named; None if it is not known.
        sections: what the modality has to say; how the run went and how to make it again come after them.
    """
    source = str(record.run.get("source") or record.folder.resolve().name)
    called = Path(source).name or source  # the whole path stands under "Data"
    ending = [("recipe", "Recipe", recipe_section(record)), ("again", "Reproduce it", again_section(record))]
    game = record.recipe.get("method") or "GAN"
    page = whole_page(f"{called}, {game} – Rivals", called, about(record, head, method), [*sections, *ending])
    path = record.folder / "report.html"
    write_whole(path, page)
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


def about(record: Record, head: Iterable[str], method: Method | None) -> str:
    """Method, data and length in a line, and where the method comes from."""
    seconds, step = value(record.verdict, "seconds"), record.step
    time = f" in {duration(seconds)}" if seconds is not None and usable(seconds) else ""
    name = str(record.recipe.get("method") or "unknown method")
    parts = [name, *head, f"{number(step)} steps{time}" if step is not None else ""]
    paper = f'<a href="{text(method.url)}">{text(method.paper)}</a>' if method else ""
    told = f'<p class="soft">{text(method.title[0].upper() + method.title[1:])} ({paper})</p>' if method else ""
    return f'<p class="about">{prose(" · ".join(filter(None, parts)))}</p>{told}'


def footer() -> str:
    """Who made the page."""
    return (
        f"<footer>Page made by Rivals {text(__version__)}. It stands alone: nothing is loaded from elsewhere.</footer>"
    )
