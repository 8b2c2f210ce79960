"""Methods against each other, from the folders of their runs: means, intervals, ranks, and what can't be ranked."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from .protocol import DECIDING, card_of, varying
from .record import Record, inner, usable, value
from .student import mean_interval

SCORE = "fd_share"  # what methods are ranked by: lower is better, and it reads the same in every feature space


@dataclass(frozen=True)
class Entry:
    """A run among others: a method, a seed, what its folder holds, and why it failed, if it did."""

    method: str
    seed: int
    record: Record
    failure: str = ""

    @property
    def state(self) -> str:
        """How far it has come: "waiting", "unfinished", "finished" or "failed"."""
        if self.failure:
            return "failed"
        if self.final(SCORE) is not None:
            return "finished"
        return "unfinished" if self.record.run else "waiting"

    def final(self, name: str) -> float | None:
        """A score of its last verdict."""
        return known(self.record.verdict, "scores", name)

    @property
    def seconds(self) -> float | None:
        """How long it trained, its quick verdicts included; None if it is not finished."""
        return known(self.record.verdict, "seconds")

    @property
    def pictures_a_step(self) -> float:
        """Real pictures that the critic takes in one round: a batch for each of its steps."""
        return (known(self.record.recipe, "batch") or 0) * (known(self.record.recipe, "critic_steps") or 1)

    @property
    def pictures_a_second(self) -> float | None:
        """Real pictures a second over all its time; None if it is not finished."""
        step = known(self.record.verdict, "step")
        if step is None or self.seconds is None or not self.seconds > 0:
            return None
        return step * self.pictures_a_step / self.seconds

    def curve(self, name: str) -> list[tuple[float, float, float]]:
        """A score of the quick verdicts as (seconds, pictures, score)."""
        clock = Clock.of(self.record)
        return [
            (clock(line["step"]), line["step"] * self.pictures_a_step, found)
            for line in self.record.log["verdict"]
            if (found := value(line, "scores", name)) is not None
        ]


@dataclass(frozen=True)
class Clock:
    """Seconds of training at a step, by straight lines between those that the log tells."""

    steps: tuple[float, ...]
    seconds: tuple[float, ...]

    @classmethod
    def of(cls, record: Record) -> "Clock":
        """From the log's lines and the verdict."""
        told = {0.0: 0.0}
        for line in (*record.log["round"], record.verdict):
            step, seconds = known(line, "step"), known(line, "seconds")
            if step is not None and seconds is not None:
                told[step] = seconds
        return cls(tuple(sorted(told)), tuple(told[step] for step in sorted(told)))

    def __call__(self, step: float) -> float:
        """The time at a step; after the last that is known, at the mean rate up to it.

        >>> Clock((0.0, 10.0), (0.0, 5.0))(4.0)
        2.0
        """
        last = self.steps[-1]
        if step >= last:
            return self.seconds[-1] * (step / last if last else 1.0)
        after = max(bisect_left(self.steps, step), 1)
        low, high = self.steps[after - 1], self.steps[after]
        begin, end = self.seconds[after - 1], self.seconds[after]
        return begin + (end - begin) * (step - low) / (high - low)


@dataclass(frozen=True)
class Standing:
    """A method's place: `scores` of its finished seeds, their mean, the 95 % interval of that mean, and the rank.

    `rank` is 1 and one for every method whose interval lies wholly below; None where it would be unfair: a seed failed
    or is missing, or the protocols differ. `near` are the ranked methods whose intervals overlap this one's.
    """

    method: str
    seeds: int
    failed: int
    scores: tuple[float, ...]
    mean: float | None
    interval: tuple[float, float] | None
    rank: int | None
    near: tuple[str, ...]
    agreement: float | None
    pictures_a_second: float | None


@dataclass(frozen=True)
class Comparison:
    """What was asked for (source, methods, seeds, minutes, steps ...) and all its runs.

    `fair` says whether only runs of the same time or steps are compared, as methods are; a number itself does not
    depend on how long its run took.
    """

    about: Mapping[str, Any]
    entries: tuple[Entry, ...]
    fair: bool = True

    @cached_property
    def differences(self) -> dict[str, list[str]]:
        """What differs between finished runs and makes their numbers incomparable, with the values found."""
        return differences([entry for entry in self.entries if entry.state == "finished"], fair=self.fair)

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """The methods, best first."""
        return standings(self.entries, comparable=not self.differences)

    def first(self, part: str) -> Mapping[str, Any]:
        """A part of the first finished verdict: "protocol", "floor"."""
        return next((inner(each.record.verdict, part) for each in self.entries if each.state == "finished"), {})

    def plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            **self.about,
            "score": SCORE,
            "standings": [asdict(standing) for standing in self.standings],
            "incomparable": self.differences,
            "protocol": dict(self.first("protocol")),
            "floor": dict(self.first("floor")),
            "runs": [plain_run(entry) for entry in self.entries],
        }


def known(values: Mapping[str, Any], *way: str) -> float | None:
    """A nested number, None where it is missing or can't be reckoned with."""
    told = value(values, *way)
    return told if usable(told) else None


def plain_run(entry: Entry) -> dict[str, Any]:
    """A run as JSON-ready values; what is not known or not finite is None."""
    curve = [
        {"seconds": seconds, "pictures": pictures, SCORE: score if usable(score) else None}
        for seconds, pictures, score in entry.curve(SCORE)
    ]
    return {
        "folder": entry.record.folder.name,
        "method": entry.method,
        "seed": entry.seed,
        "state": entry.state,
        "failure": entry.failure,
        "scores": {name: entry.final(name) for name in inner(entry.record.verdict, "scores")},
        "step": entry.record.step,
        "seconds": entry.seconds,
        "pictures_a_second": entry.pictures_a_second,
        "curve": curve,
    }


def differences(entries: Sequence[Entry], *, fair: bool = True) -> dict[str, list[str]]:
    """What must be equal for numbers to be compared and is not: in words, with the values found.

    That is what decides of their score cards and, if `fair`, what the runs were given.
    """
    budget = ("minutes", "steps", "until") if fair else ()
    return varying(
        [{**deciding(entry.record), **{name: entry.record.recipe.get(name) for name in budget}} for entry in entries]
    )


def deciding(record: Record) -> dict[str, Any]:
    """The parts of a verdict's score card that decide, by their words; hashes are cut short."""
    card = card_of(record.verdict)
    if card and "size" not in card:  # of a verdict from before there were cards
        width, height, channels = (record.modality.get(name) for name in ("width", "height", "channels"))
        card["size"] = f"{width}x{height}, {channels} channel{'s' * (channels != 1)}"
    return {
        words: str(card[name])[:12] if name.endswith("sha256") and name in card else card.get(name)
        for name, words in DECIDING.items()
    }


def standings(entries: Sequence[Entry], *, comparable: bool = True) -> tuple[Standing, ...]:
    """Every method's standing: the ranked by their mean, then those that can't be ranked."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.method, []).append(entry)
    finished = {name: [one for one in group if one.state == "finished"] for name, group in groups.items()}
    scores = {name: tuple(found(group, SCORE)) for name, group in finished.items()}
    spans = {
        name: mean_interval(scores[name]) or (scores[name][0],) * 2
        for name in groups
        if comparable and scores[name] and len(finished[name]) == len(groups[name])
    }
    made = [
        Standing(
            method=name,
            seeds=len(group),
            failed=sum(one.state == "failed" for one in group),
            scores=scores[name],
            mean=mean_of(scores[name]),
            interval=mean_interval(scores[name]),
            rank=1 + sum(other[1] < spans[name][0] for other in spans.values()) if name in spans else None,
            near=tuple(near(name, spans)),
            agreement=mean_of(found(finished[name], "agreement")),
            pictures_a_second=mean_of([each for one in finished[name] if (each := one.pictures_a_second) is not None]),
        )
        for name, group in groups.items()
    ]
    return tuple(sorted(made, key=lambda one: (one.rank or math.inf, one.mean is None, one.mean or 0.0)))


def near(name: str, spans: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """The others whose intervals overlap that of `name`."""
    if name in spans:
        low, high = spans[name]
        yield from (key for key, (a, b) in spans.items() if key != name and a <= high and low <= b)


def found(entries: Sequence[Entry], name: str) -> list[float]:
    """A final score of those that have it."""
    return [score for entry in entries if (score := entry.final(name)) is not None]


def mean_of(values: Sequence[float]) -> float | None:
    """The mean, None of nothing."""
    return fmean(values) if values else None
