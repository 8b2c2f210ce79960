"""The tables of a run's report: events, data, recipe, protocol, and the command that makes it again."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .page import number, paragraph, prose, table, text
from .record import Record, Values, as_number, inner, value

MOST_CLASSES = 1000


def events_section(record: Record) -> str:
    """Events of the log and what could not be read."""
    problems = "".join(paragraph(problem, "warn") for problem in record.problems)
    rows = [(number(line["step"]), line.get("words", "")) for line in record.log["event"]]
    if rows:
        return problems + table(rows, ("step", "event"), "Events of the run")
    if not any(record.log.values()):
        return problems + paragraph("The log is empty or missing, so nothing is known.", "missing")
    return problems + paragraph("The log tells of no accident: no rollbacks and no damaged checkpoints.")


def data_section(record: Record) -> str:
    """What was found in the source."""
    found = inner(record.run, "found")
    if not found:
        return paragraph("What was found in the data is not known: run.json is missing or damaged.", "missing")
    sizes = [value(found, name) for name in ("median_width", "median_height")]
    protocol = inner(record.verdict, "protocol")
    train, held_out = (counted(protocol.get(name)) for name in ("train", "held_out"))
    rows = {
        "source": found.get("source"),
        "kind": found.get("kind"),
        "pictures": counted(found.get("count")),
        "split": f"{train} to train on, {held_out} held out" if protocol else None,
        "sizes": tally(found, "sizes"),
        "median size": " × ".join(number(size) for size in sizes if size is not None),
        "modes": tally(found, "modes"),
        "duplicates": counted(found.get("duplicates")),
        "sha256": record.run.get("data_sha256"),
    }
    shown = table(
        [(name, told) for name, told in rows.items() if told not in (None, "")], ("what", "found"), "The data"
    )
    return shown + classes_list(inner(found, "classes")) + skipped_table(found) + notes_list(found.get("notes"))


def columns(rows: Iterable[Sequence[object]], head: Sequence[str], caption: str) -> str:
    """Rows of several values as a table that scrolls sideways where it must; the first of a row is its heading."""
    lines = "".join(
        f'<tr><th scope="row">{text(first)}</th>{"".join(f"<td>{prose(str(each))}</td>" for each in others)}</tr>'
        for first, *others in rows
    )
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return (
        f'<div class="scroll"><table class="wide"><caption class="unseen">{text(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def counted(count: object) -> str:
    """A count with its commas, or whatever stands in its place."""
    told = as_number(count)
    if told is None:
        return "" if count is None else str(count)
    return number(told)


def tally(found: Values, name: str, most: int = 8) -> str:
    """Counts of something, the first few."""
    counts = list(inner(found, name).items())
    more = f" and {len(counts) - most} more" if len(counts) > most else ""
    return ", ".join(f"{key} ({counted(count)})" for key, count in counts[:most]) + more


def classes_list(classes: Values) -> str:
    """Classes with their counts, folded away where there are many."""
    if not classes:
        return ""
    items = [f"<li>{text(name)} <span>{text(counted(count))}</span></li>" for name, count in classes.items()]
    more = paragraph(f"and {len(items) - MOST_CLASSES} more", "soft") if len(items) > MOST_CLASSES else ""
    chips = f'<ul class="chips">{"".join(items[:MOST_CLASSES])}</ul>{more}'
    if len(items) > 40:
        return f"<details><summary>{len(items)} classes</summary>{chips}</details>"
    return f"<h3>{len(items)} classes</h3>{chips}"


def skipped_table(found: Values) -> str:
    """What was left out, why, and an example each."""
    skipped, examples = inner(found, "skipped"), inner(found, "examples")
    if not skipped:
        return paragraph("Nothing was skipped.")
    rows = []
    for reason, count in skipped.items():
        rows.append((reason, counted(count) + (f", such as {examples[reason]}" if reason in examples else "")))
    return "<h3>Skipped</h3>" + table(rows, ("reason", "files"), "Files that were skipped")


def notes_list(told: object) -> str:
    """Notes for people."""
    items = "".join(f"<li>{text(note)}</li>" for note in told) if isinstance(told, list) else ""
    return f'<h3>Notes</h3><ul class="notes">{items}</ul>' if items else ""


def recipe_section(record: Record) -> str:
    """The recipe as a table, and as it is in the file."""
    if not record.recipe:
        return paragraph("The recipe is not known: recipe.json is missing or damaged.", "missing")
    raw = text(json.dumps(record.recipe, indent=2, ensure_ascii=False))
    folded = f"<details><summary>The same as JSON</summary><pre><code>{raw}</code></pre></details>"
    return table(flat(record.recipe), ("setting", "value"), "The recipe") + folded


def flat(values: Values, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Nested settings by dotted names.

    >>> list(flat({"optimizer": {"lr": 0.1, "betas": [0, 0.99]}, "clip": None}))
    [('optimizer.lr', '0.1'), ('optimizer.betas', '0, 0.99'), ('clip', 'none')]
    """
    for name, setting in values.items():
        if isinstance(setting, Mapping) and setting and depth < 8:
            yield from flat(setting, f"{prefix}{name}.", depth + 1)
        elif isinstance(setting, list):
            yield prefix + name, ", ".join(map(str, setting)) or "none"
        elif setting in (None, {}):
            yield prefix + name, "none"
        else:
            yield prefix + name, str(setting).lower() if isinstance(setting, bool) else str(setting)


def protocol_section(record: Record) -> str:
    """What the verdict's numbers mean."""
    protocol = inner(record.verdict, "protocol")
    if not protocol:
        return paragraph("There is no verdict yet, so there is no protocol either.", "missing")
    rows = [(name.replace("_", " "), counted(words)) for name, words in protocol.items()]
    return table(rows, ("what", "how"), "The protocol of the verdict")


def again_section(record: Record) -> str:
    """A command that makes this run again, and how exactly."""
    source = str(record.run.get("source") or "SOURCE")
    steps = f"{record.step:.0f}" if record.step else "N"
    command = f"rivals train {shlex.quote(source)} --recipe recipe.json --steps {steps} --out runs/again"
    exact = (
        "The run ended by the clock, and so did its schedules: the same steps give a like model, not the same bits."
        if record.recipe.get("minutes") is not None
        else "On the same machine, with the same versions of Rivals and PyTorch, it gives the same bits."
    )
    version = record.run.get("rivals", "of an unknown version")
    made = f"recipe.json lies in the run's folder; the run was made with Rivals {version}."
    return f"<pre><code>{text(command)}</code></pre>" + paragraph(f"{made} {exact}")
