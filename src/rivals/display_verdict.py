"""A verdict on the terminal: words, a table of scores, classes, and what the numbers stand on."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .judging.protocol import DECIDING
from .judging.record import inner
from .judging.verdict_page import COLUMNS, cell, copies_rows, score_rows
from .judging.verdict_words import verdict_sentences

MOST_CLASSES = 20


def show_verdict(verdict: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a verdict."""
    console = console or Console(highlight=False)
    for note in verdict["notes"]:
        console.print(f"[yellow]note[/] {escape(note)}", soft_wrap=True)
    console.print(escape(" ".join(verdict_sentences(verdict))), soft_wrap=True)
    console.print(scores_table(verdict))
    if inner(verdict, "memorisation") or inner(verdict, "neighbours"):
        console.print(memory_table(verdict))
    classes = inner(verdict, "classes")
    if classes:
        console.print(classes_table(classes))
    card = inner(verdict, "card")
    floor = inner(verdict, "protocol").get("floor")
    if verdict["floor"]:
        console.print(f"real against real: {escape(str(floor))}", soft_wrap=True)
    told = ", ".join(f"{name} {shown(card[name])}" for name in DECIDING if name in card)
    console.print(f"[dim]card: {escape(told)}; intervals: {escape(str(card.get('interval')))}[/]", soft_wrap=True)


def show_table_verdict(verdict: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a verdict on rows of a table."""
    from .modalities.tables.verdict_words import KINDS, verdict_sentences

    console = console or Console(highlight=False)
    for note in verdict["notes"]:
        console.print(f"[yellow]note[/] {escape(note)}", soft_wrap=True)
    console.print(escape(" ".join(verdict_sentences(verdict))), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("score", "", "95 %", "real against real", "reads"):
        table.add_column(head, justify="left" if head in ("score", "reads") else "right")
    for name, kind in KINDS.items():
        if name in verdict["scores"]:
            span, floor = verdict["intervals"].get(name), verdict["floor"].get(name)
            ends = "" if span is None else f"{span[0]:.3g} to {span[1]:.3g}"
            value = f"{verdict['scores'][name]:.4g}{kind.unit}"
            table.add_row(kind.name, value, ends, "" if floor is None else f"{floor:.4g}", f"{kind.better} is better")
    console.print(table)
    card = inner(verdict, "card")
    told = ", ".join(f"{name} {shown(value)}" for name, value in card.items() if name != "interval")
    console.print(f"[dim]card: {escape(told)}; intervals: {escape(str(card.get('interval')))}[/]", soft_wrap=True)


def show_edit_verdict(verdict: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a verdict on a model that edits pictures, beside what has learned nothing."""
    from .modalities.images.edits.verdict_words import beside_rows, guard_sentences, verdict_sentences

    console = console or Console(highlight=False)
    for note in verdict["notes"]:
        console.print(f"[yellow]note[/] {escape(note)}", soft_wrap=True)
    console.print(escape(" ".join(verdict_sentences(verdict))), soft_wrap=True)
    back = inner(verdict, "directions", "back")
    for title, part in (("", verdict), *((("the way back", {**verdict, **back}),) if back else ())):
        heads, rows = beside_rows(part, narrow=True)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, head in enumerate((title, *heads[1:])):
            table.add_column(escape(head), justify="right" if place else "left")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
    console.print(escape(" ".join(guard_sentences(inner(verdict, "guards")))), soft_wrap=True)
    card = inner(verdict, "card")
    told = ", ".join(f"{name} {shown(card[name])}" for name in DECIDING if card.get(name))
    console.print(f"[dim]card: {escape(told)}; intervals: {escape(str(card.get('interval')))}[/]", soft_wrap=True)


def scores_table(verdict: Mapping[str, Any]) -> Table:
    """Scores, their intervals and floors."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("score")
    for name in ("value", "95 % interval", "real to real", "better"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, found, interval, floor, _, better in score_rows(verdict):
        table.add_row(escape(name), found, interval, floor, f"[dim]{better}[/]")
    return table


def memory_table(verdict: Mapping[str, Any]) -> Table:
    """What is known of copying."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("copying", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("")
    for name, found, says in copies_rows(verdict):
        table.add_row(name, found, f"[dim]{escape(says)}[/]")
    return table


def classes_table(classes: Mapping[str, Any]) -> Table:
    """Classes, the first few."""
    used = [key for key in COLUMNS if any(key in row for row in classes.values())]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(("class", *(COLUMNS[key][0] for key in used))):
        table.add_column(name, justify="right" if place else "left")
    for name, row in list(classes.items())[:MOST_CLASSES]:
        table.add_row(escape(name), *(cell(row, key, COLUMNS[key][1]) for key in used))
    if len(classes) > MOST_CLASSES:
        table.add_row(f"and {len(classes) - MOST_CLASSES} more")
    return table


def shown(told: object) -> str:
    """A part of the card; hashes by their first digits."""
    words = str(told)
    return words[:12] if len(words) == 64 and " " not in words else words
