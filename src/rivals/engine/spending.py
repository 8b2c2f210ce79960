"""What looking on may cost: verdicts, previews and looks at the critic are kept to a share of training time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SHARE = 0.04  # of training time, that all of it may take; under 5 % is promised, and what comes last may cost more
ASIDE = 0.02  # of it, that is kept for previews and looks
PREVIEW_SHARE = 0.01
VERDICTS = 4  # so many at least are wanted: where the time is too short for them, each takes fewer samples
FIRST, FIRST_SECONDS = 1 / 8, 60.0  # when to look first: after this part of a run, or this long
SLACK = 1e-7  # progress comes to other processes in 32 bits


@dataclass
class Spent:
    """What one kind of looking has cost so far: seconds in all, those of the last time, and how many times."""

    seconds: float = 0.0
    last: float = 0.0
    times: int = 0

    @contextmanager
    def clocked(self) -> Iterator[None]:
        """Around one time of it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.last = time.perf_counter() - began
            self.seconds += self.last
            self.times += 1


def due(progress: float, times: int) -> int:
    """How many of `times` evenly spread events lie behind.

    >>> due(0.34, 6), due(1.0, 6)
    (2, 6)
    """
    return int((progress + SLACK) * times)


def next_of(progress: float, times: int) -> float:
    """The progress at which the next of `times` evenly spread events is due; above 1 where none is left.

    >>> next_of(0.0, 4), next_of(0.25, 4)
    (0.25, 0.5)
    """
    return (due(progress, times) + 1) / times


def next_within(progress: float, total: float, spent: Spent, room: float, most: int) -> float:
    """The progress at which to look again, so that it costs no more than there is room for.

    The first time after an eighth of the run, within a minute; then evenly over the rest: as often as `room` seconds
    pay for, by what the last time cost, and at most `most` times a whole run; once more at least, at the end.

    Args:
        progress: of the run, from 0 to 1.
        total: seconds of the whole run.
        spent: what this kind of looking has cost.
        room: seconds that are left for it.
        most: times in a whole run.

    >>> next_within(0.0, 600.0, Spent(), 20.0, 24)
    0.1
    >>> next_within(0.1, 600.0, Spent(2.0, 2.0, 1), 18.0, 24)
    0.2
    """
    if not spent.times:
        return min(FIRST, FIRST_SECONDS / total)
    times = min(int(room / max(spent.last, 1e-3)), round(most * (1 - progress)))
    return progress + (1 - progress) / max(times, 1)


def affordable(seconds: float, total: float) -> float:
    """The share of its usual samples that a verdict can take, if all would take `seconds` in a run of `total`.

    >>> round(affordable(1.0, 60.0), 3), affordable(1.0, 600.0)
    (0.3, 1.0)
    """
    return min((SHARE - ASIDE) * total / VERDICTS / max(seconds, 1e-9), 1.0)
