"""Runs side by side: `compared = side_by_side([Path("runs/a"), Path("runs/b")])`, then `score_rows(compared)`.

Only numbers that mean the same are ranked; where they do not, `told` says which part of their score cards differs.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rivals.engine.errors import RequestError
from rivals.engine.words import duration

from .comparison import SCORE, Comparison, Entry, deciding
from .comparison_words import and_words
from .page import number
from .record import inner, read_record, usable
from .tables import counted
from .verdict_words import KINDS, called, spans


class Place(NamedTuple):
    """A run's distance, in percent of the variance, its interval, and its rank; None where it can't be ranked."""

    entry: Entry
    score: float
    low: float
    high: float
    rank: int | None


def side_by_side(folders: Sequence[Path]) -> Comparison:
    """The runs of some folders, each under its own name.

    Raises:
        RequestError: a folder holds no run, or is given twice.
    """
    for folder in folders:
        if not (folder / "run.json").is_file():
            raise RequestError(f"there is no run at {folder}")
    places = [folder.resolve() for folder in folders]
    twice = [folder for at, folder in enumerate(folders) if places[at] in places[:at]]
    if twice:
        raise RequestError(f"{twice[0]} is given twice")
    entries = []
    for folder, name in zip(folders, names(places), strict=True):
        record = read_record(folder)
        seed = record.recipe.get("seed")
        entries.append(Entry(name, seed if isinstance(seed, int) else 0, record))
    return Comparison({"methods": [entry.method for entry in entries]}, tuple(entries), fair=False)


def names(places: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that tell them apart.

    >>> names([Path("/runs/a"), Path("/runs/b"), Path("/old/b")])
    ['a', 'runs/b', 'old/b']
    """
    told = []
    for place in places:
        parts = place.parts
        length = next(
            n
            for n in range(1, len(parts) + 1)
            if n == len(parts) or sum(other.parts[-n:] == parts[-n:] for other in places) == 1
        )
        told.append("/".join(parts[-length:]))
    return told


def ranking(compared: Comparison) -> list[Place]:
    """The finished runs, best first. A rank is 1 and one for each run whose interval lies wholly below."""
    found = []
    for entry in compared.entries:
        score = entry.final(SCORE)
        if entry.state != "finished" or score is None:
            continue
        edges = inner(entry.record.verdict, "intervals").get(SCORE)
        low, high = edges if isinstance(edges, list) and len(edges) == 2 and all(map(usable, edges)) else (score, score)
        found.append(Place(entry, score, low, high, None))
    found.sort(key=lambda place: place.score)
    if compared.differences:
        return found
    return [place._replace(rank=1 + sum(other.high < place.low for other in found)) for place in found]


def told(compared: Comparison) -> list[str]:
    """What can be said of the runs together, in sentences."""
    waiting = [entry.method for entry in compared.entries if entry.state != "finished"]
    words = [f"No verdict yet, so not ranked: {and_words(waiting)}."] if waiting else []
    if compared.differences:
        return [*words, f"Not ranked: the numbers do not mean the same. They differ {'; '.join(differing(compared))}."]
    places = ranking(compared)
    if len(places) < 2:
        return words
    first, others = places[0], places[1:]
    tied = [place.entry.method for place in others if place.rank == first.rank]
    lead = f"{first.entry.method} has the lowest distance, {number(first.score)} % of the variance"
    if tied:
        words.append(f"{lead}, but the intervals of {and_words([first.entry.method, *tied])} overlap: a tie.")
    else:
        words.append(f"{lead}, below {and_words([place.entry.method for place in others])}.")
    spans = "The intervals are over samples" if any(place.low < place.high for place in places) else "No intervals"
    words.append(f"{spans}: another seed of the same recipe may turn the order around.")
    return words


def differing(compared: Comparison) -> Iterator[str]:
    """Each part of the score cards that differs, with who has which value."""
    finished = [entry for entry in compared.entries if entry.state == "finished"]
    cards = [deciding(entry.record) for entry in finished]
    for part in compared.differences:
        owners: dict[str, list[str]] = {}
        for entry, card in zip(finished, cards, strict=True):
            value = card.get(part)
            owners.setdefault("not known" if value is None else str(value), []).append(entry.method)
        yield f"in {part}: " + ", ".join(f"{value} ({and_words(who)})" for value, who in owners.items())


def score_rows(compared: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table of all runs, the ranked first: heads and rows."""
    places = ranking(compared)
    order = [place.entry for place in places] + [entry for entry in compared.entries if entry.state != "finished"]
    rank = {place.entry.method: place.rank for place in places}
    shown = [name for name in KINDS if any(entry.final(name) is not None for entry in order)]
    spaces = {str(inner(entry.record.verdict, "protocol").get("extractor")) for entry in order if entry.record.verdict}
    space = spaces.pop() if len(spaces) == 1 else "each its own space"
    heads = ("run", "rank", *(called(name, space) for name in shown), "steps", "time", "judging", "pictures/s")
    return heads, [(entry.method, place_words(rank.get(entry.method)), *values(entry, shown)) for entry in order]


def place_words(rank: int | None) -> str:
    """A rank, or a dash."""
    return "–" if rank is None else str(rank)


def values(entry: Entry, scores: Sequence[str]) -> Iterator[str]:
    """A run's scores with their intervals, and what it took."""
    verdict = entry.record.verdict
    for name in scores:
        score, span = entry.final(name), spans(verdict, name)
        yield "–" if score is None else f"{number(score)}{KINDS[name].unit}" + (f" ({span})" if span else "")
    yield counted(entry.record.step) or "–"
    yield duration(entry.seconds) if entry.seconds is not None else "–"
    spent = verdict.get("judging_seconds")
    share = 100 * spent / entry.seconds if isinstance(spent, int | float) and entry.seconds else None
    yield "–" if share is None else f"{share:.1f} %"
    yield number(entry.pictures_a_second) if entry.pictures_a_second is not None else "–"
