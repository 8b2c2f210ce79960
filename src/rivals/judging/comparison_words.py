"""A comparison in plain words: who leads, what is tied, and what can't be said."""

from collections import Counter
from collections.abc import Sequence

from .comparison import Comparison, Standing
from .page import number


def seeds_of(comparison: Comparison) -> int:
    """How many seeds each method has, at most."""
    return max(Counter(entry.method for entry in comparison.entries).values(), default=0)


def counting(count: int, what: str) -> str:
    """A count and its word.

    >>> counting(1, "seed"), counting(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count} {what}{'s' * (count != 1)}"


def ranking_words(comparison: Comparison) -> list[str]:
    """What the ranking says and what it does not, in sentences."""
    waiting = sum(entry.state in ("waiting", "unfinished") for entry in comparison.entries)
    words = [f"{counting(waiting, 'run')} not finished yet: the same command with --resume goes on."] if waiting else []
    if comparison.differences:
        differing = "; ".join(f"{name} ({', '.join(values)})" for name, values in comparison.differences.items())
        return [*words, f"Not ranked, since the runs are not comparable. They differ in: {differing}."]
    ranked = [standing for standing in comparison.standings if standing.rank is not None]
    if not ranked:
        return [*words, "No method has finished all of its runs, so there is no ranking."]
    first, others = ranked[0], ranked[1:]
    if first.interval is None:
        behind = f", before {and_words([f'{one.method} ({score_words(one)})' for one in others])}" if others else ""
        words.append(f"{first.method} has the lowest distance, {score_words(first)}{behind}.")
        words.append("One seed a method, so there is no interval: another seed may turn the order around.")
        return words
    n = f"mean of {first.seeds} seeds, 95 % interval"
    if first.near:
        words.append(
            f"{first.method} has the lowest mean distance, {score_words(first)} ({n}), but its interval overlaps "
            f"{'that' if len(first.near) == 1 else 'those'} of {and_words(first.near)}: a tie, these "
            f"{first.seeds} seeds do not tell them apart."
        )
    else:
        words.append(
            f"{first.method} comes first with {score_words(first)} ({n})" + ", clear of all others." * bool(others)
        )
    if first.seeds == 2:
        words.append("Two seeds give very wide intervals; three or more tell much more.")
    return words


def score_words(standing: Standing) -> str:
    """A method's distance: the mean and half its interval.

    >>> score_words(Standing("a", 2, 0, (1.0, 3.0), 2.0, (1.5, 2.5), 1, (), None, None))
    '2 ± 0.5 %'
    """
    if standing.mean is None:
        return "–"
    if standing.interval is None:
        return f"{number(standing.mean)} %"
    return f"{number(standing.mean)} ± {number(standing.interval[1] - standing.mean)} %"


def and_words(names: Sequence[str]) -> str:
    """Names in a row.

    >>> and_words(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def rank_words(standing: Standing, standings: Sequence[Standing]) -> str:
    """The rank, or why there is none."""
    if standing.rank is not None:
        shared = sum(other.rank == standing.rank for other in standings) > 1
        return f"{standing.rank}{' (shared)' * shared}"
    if standing.failed:
        return f"– ({standing.failed} of {standing.seeds} failed)"
    return "–"
