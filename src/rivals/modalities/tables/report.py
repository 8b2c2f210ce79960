"""A table run's folder as one page that stands alone: `write_report(Path("runs/x"))`."""

import csv
import io
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from rivals.judging.curves import curves_section
from rivals.judging.page import number, paragraph, table
from rivals.judging.record import Record, inner, read_record, value
from rivals.judging.report import write_page
from rivals.judging.tables import columns, counted, events_section, notes_list

from .methods import TABLE_METHODS
from .verdict_page import table_sections

MOST_ROWS, MOST_BYTES, MOST_CHARACTERS = 10, 2**20, 40
NONE_YET = (
    "There is no verdict yet: the run goes on, was interrupted, or stopped. The command that began it, with --resume, "
    "goes on with it."
)


def write_report(folder: Path) -> Path:
    """Write a run's `report.html` from what its folder holds, and return its path."""
    record = read_record(folder)
    verdict = table_sections(record.verdict) if inner(record.verdict, "scores") else []
    parts = {key: (key, name, content) for key, name, content in verdict}
    none_yet = paragraph(NONE_YET, "lead")
    card = parts.pop("card", ("card", "Score card", ""))
    sections = [
        parts.pop("verdict", ("verdict", "Verdict", notes_list(record.verdict.get("notes")) or none_yet)),
        ("samples", "Rows", rows_section(record)),
        *parts.values(),
        ("curves", "Curves", curves_section(record)),
        ("events", "What happened", events_section(record)),
        ("data", "Data", data_section(record)),
        card,
    ]
    return write_page(record, head(record), TABLE_METHODS.get(str(record.recipe.get("method"))), sections)


def head(record: Record) -> list[str]:
    """How large the table is."""
    rows, known = value(record.run, "found", "rows"), record.modality.get("columns")
    return [
        f"{number(rows)} rows" if rows is not None else "",
        f"{len(known)} columns" if isinstance(known, list) else "",
    ]


def rows_section(record: Record) -> str:
    """The newest sample of rows."""
    files = sorted((record.folder / "samples").glob("step-*.csv"))
    try:
        with files[-1].open(encoding="utf-8", errors="replace", newline="") as file:
            lines = list(islice(csv.reader(io.StringIO(file.read(MOST_BYTES))), 1 + MOST_ROWS))
    except (IndexError, OSError, csv.Error):
        return paragraph("There are no sampled rows yet.", "missing")
    short = [[cell[:MOST_CHARACTERS] + "…" * (len(cell) > MOST_CHARACTERS) for cell in line] for line in lines if line]
    if len(short) < 2:
        return paragraph("There are no sampled rows yet.", "missing")
    told = "Made by the model, drawn at random and not picked; more: rivals sample RUN --count N --out FILE."
    return columns(short[1:], short[0], "Synthetic rows") + paragraph(told, "soft")


def data_section(record: Record) -> str:
    """What the table was found to be, column by column."""
    found, known = inner(record.run, "found"), record.modality.get("columns")
    rows = {
        "source": record.run.get("source"),
        "rows": counted(found.get("rows")),
        "split": f"{counted(found.get('train'))} to learn from, {counted(found.get('held_out'))} held out",
        "sha256": record.run.get("data_sha256"),
    }
    each = [column for column in known if isinstance(column, Mapping)] if isinstance(known, list) else []
    kinds = [(str(column.get("name")), str(column.get("kind")), str(column.get("why"))) for column in each]
    listed = columns(kinds, ("column", "kind", "because"), "Columns of the table") if kinds else ""
    shown = table([(name, told) for name, told in rows.items() if told], ("what", "found"), "The data")
    return shown + "<h3>Columns</h3>" * bool(listed) + listed + notes_list(found.get("notes"))
