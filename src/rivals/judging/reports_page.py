"""Runs side by side as one page that stands alone: scores, curves, samples, recipes, protocol."""

import os
from pathlib import Path

from rivals.engine.files import write_whole

from .comparison import Comparison
from .comparison_page import curves_section, protocol_section, recipes_section, samples_section
from .comparison_words import counting
from .page import paragraph, prose
from .report import whole_page
from .reports import score_rows, told
from .tables import columns


def write_reports(compared: Comparison, path: Path | None = None) -> Path:
    """Write the page, `report.html` in the folder that the runs share if no path is given, and return its path."""
    path = path or common_folder(compared) / "report.html"
    write_whole(path, reports_page(compared))
    return path


def common_folder(compared: Comparison) -> Path:
    """The nearest folder above all runs; the present one where that is the root."""
    shared = Path(os.path.commonpath([entry.record.folder.resolve().parent for entry in compared.entries]))
    return Path() if shared == Path(shared.anchor) else shared


def reports_page(compared: Comparison) -> bytes:
    """The whole page, in UTF-8."""
    labels = [entry.method for entry in compared.entries]
    sections = [
        ("scores", "Scores", scores_section(compared)),
        ("curves", "Quality over time", warning(compared) + curves_section(compared)),
        ("samples", "Samples", samples_section(compared)),
        ("recipes", "Recipes", recipes_section(compared)),
        ("protocol", "Protocol", protocol_section(compared)),
    ]
    lead = f'<p class="about">{prose(counting(len(labels), "run") + " side by side")}</p>'
    return whole_page(f"{', '.join(labels)} – Rivals", ", ".join(labels), lead, sections)


def warning(compared: Comparison) -> str:
    """That curves of different protocols are not to be set against each other."""
    words = "These curves do not mean the same (see above): look at each for itself; the floor is that of the first."
    return paragraph(words, "warn") if compared.differences else ""


def scores_section(compared: Comparison) -> str:
    """Words, then the table."""
    words = "".join(paragraph(each, "warn" if compared.differences else "lead") for each in told(compared))
    heads, rows = score_rows(compared)
    note = (
        "Scores of the last state of each run by its final verdict, 95 % intervals in brackets. A rank is 1 and one "
        "for each run whose interval of the distance lies wholly below. Judging: the share of training time that quick "
        "verdicts, previews and looks at the critic took."
    )
    return words + columns(rows, heads, "Scores of the runs, best first") + paragraph(note, "soft")
