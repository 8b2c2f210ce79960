"""What is wrong with a run, found in its folder: symptoms in its looks, and causes in its settings and its data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rivals.engine.facts import REPEATED, worries
from rivals.engine.gamma import PENALTIES, SHARE
from rivals.engine.looks import Look, middle, percent
from rivals.engine.method import Method
from rivals.engine.methods import METHODS

from .record import Record, Values, inner, usable, value

PROBLEM = 0.5  # what weighs less is a note
FEW = 2000  # pictures


ALIKE = 0.8  # of the neighbours across, were two classes the same
OTHERS = ("gradient_penalty", "dragan")
TIMES = 30.0  # what a penalty's weight may be off
GAP = 12  # classes numbered with one missing among at most so many are taken for a gap
SPARSE = 10  # pictures of a class


@dataclass(frozen=True)
class Finding:
    """Something found in a run.

    Args:
        name: a short one, for programs.
        title: the same for people.
        weight: from 0 to 1, by which findings are ordered, causes before what they cause; under `PROBLEM` it is a note.
        words: what was seen, with its numbers.
        change: what helps, as a command or a setting.
        step: since when, where that can be told.
        evidence: the numbers.
    """

    name: str
    title: str
    weight: float
    words: str
    change: str
    step: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> bool:
        """Whether this is more than a note."""
        return self.weight >= PROBLEM


def data_findings(record: Record, facts: Values) -> Iterator[Finding]:
    """What is wrong with the data, as far as the run's folder tells."""
    yield from labels_off(facts)
    yield from duplicates(record, facts)
    yield from missing_classes(record)
    train = value(facts, "train")
    if train is not None and train < FEW:
        whole = record.items == "pictures" and record.recipe.get("modality") != "edits"  # which learn from many crops
        bare = whole and not inner(record.recipe, "augment").get("operations")
        yield Finding(
            f"few-{record.items}",
            f"few {record.items}",
            0.55 if bare else 0.3,
            f"{train:.0f} {record.items} to learn from"
            + (", and what the critic sees is not augmented" if bare else ""),
            """--set 'augment.operations=["slight", "cutout"]' --set augment.strength=0.6, or more pictures"""
            if bare
            else f"more {record.items} would help more than longer training",
            evidence={"train": train},
        )


def labels_off(facts: Values) -> Iterator[Finding]:
    """Labels that have nothing to do with the samples, or pairs of classes that can't be told apart."""
    for worry in worries(facts):
        if worry.name == "labels":
            change = "look whether labels and pictures stand in the same order, put it right, train anew"
            yield Finding("labels", "labels don't match the pictures", 0.97, worry.words, change, 0, worry.evidence)
            return
    alike = facts.get("alike")
    pairs = [pair for pair in alike if good_pair(pair)] if isinstance(alike, list) else []
    for one, other, mixed in pairs[:1]:
        if mixed >= ALIKE:
            yield Finding(
                "alike-classes",
                "two classes are all but the same",
                0.6,
                f"classes number {one} and {other} mix {percent(mixed)} as much as if they were one",
                "merge the two, or look whether one holds pictures of the other",
                0,
                {"pair": [one, other], "mixed": mixed},
            )


def good_pair(pair: object) -> bool:
    """Whether this is two classes and a number."""
    return isinstance(pair, list) and len(pair) == 3 and all(isinstance(part, int | float) for part in pair)


def duplicates(record: Record, facts: Values) -> Iterator[Finding]:
    """Pictures that are there more than once."""
    found = inner(record.run, "found")
    count, equal = value(found, "count"), value(found, "duplicates")
    exact = equal / count if count and equal is not None else value(facts, "repeated") or 0.0
    near = value(facts, "near") or 0.0
    share = max(exact, near)
    if share >= REPEATED:
        yield Finding(
            "duplicates",
            f"many {record.items} are there more than once",
            0.96,
            f"{percent(exact)} of the {record.items} equal an earlier one"
            + (f", {percent(near)} of those looked at all but do" if near > exact else ""),
            "keep one of each: a model learns by heart what it sees so often",
            0,
            {"equal": exact, "near": near},
        )


def missing_classes(record: Record) -> Iterator[Finding]:
    """Classes without pictures, or with next to none, and gaps in classes that are numbered."""
    found = inner(record.run, "found")
    counts, empty = inner(found, "classes"), found.get("empty")
    told = {str(name): float(n) for name, n in counts.items() if isinstance(n, int | float) and math.isfinite(n)}
    if len(told) < 2:
        return
    usual = median(told.values())
    told |= {str(name): 0.0 for name in (empty if isinstance(empty, list) else [])}
    sparse = [name for name, n in told.items() if n < SPARSE and n < usual / 20]
    gaps = numbers_missing(list(told))
    if not sparse and not gaps:
        return
    parts = [f"of {name!r} there are {told[name]:.0f}, of a usual class {usual:.0f}" for name in sparse[:3]]
    parts += [f"classes are numbered {min(map(int, told))} to {max(map(int, told))} without {gaps[0]}"] if gaps else []
    yield Finding(
        "missing-classes",
        "classes are missing in the data",
        0.95,
        "; ".join(parts),
        "add pictures of " + ", ".join([*sparse, *map(str, gaps)][:5]) + ", or leave the class out",
        0,
        {"sparse": {name: told[name] for name in sparse}, "gaps": gaps},
    )


def numbers_missing(names: Sequence[str]) -> list[int]:
    """The gaps in classes that are numbered from 0 or 1 on.

    >>> numbers_missing(["0", "1", "3"]), numbers_missing(["10", "20", "30"]), numbers_missing(["a", "b"])
    ([2], [], [])
    """
    if not all(name.isdecimal() for name in names):
        return []
    there = {int(name) for name in names}
    if min(there) > 1 or max(there) > len(there) + max(len(there) // 4, 1):
        return []
    return sorted(set(range(min(there), max(there))) - there)[:GAP]


def penalty_findings(record: Record, looks: Sequence[Look]) -> Iterator[Finding]:
    """Penalties that the method has and the run hasn't, or whose weight is off by more than `TIMES`."""
    name = str(record.recipe.get("method"))
    method = METHODS.get(name)
    if method is None or not looks:
        return
    change = middle([look.change for look in looks[-max(len(looks) // 2, 1) :]])
    seen = f"; over the data's own spread the critic's logits change by {change:.3g}"
    usual = weights_told(record, method) or usual_weights(method, looks)
    given = {term: value(record.recipe, "critic_terms", term, "start") or 0.0 for term in usual}
    small = [term for term in usual if given[term] < usual[term] / TIMES]
    large = [term for term in usual if given[term] > usual[term] * TIMES]
    for which, ill, word in (("small", small, "missing or too small"), ("large", large, "too large")):
        if not ill:
            continue
        first = ill[0]
        words = f"{name} is published with {' and '.join(ill)}, and this run has none"
        if given[first] > 0:
            words = f"{first} is weighed by {given[first]:.3g}, where {usual[first]:.3g} suits {name} and this data"
        evidence = {"weights": {term: given[term] for term in ill}, "usual": usual, "change": change}
        settings = " ".join(f"--set critic_terms.{term}.start={usual[term]:.3g}" for term in ill)
        yield Finding(f"penalty-{which}", f"penalty {word}", 0.93, words + seen, settings, 0, evidence)
        return
    if method.spectral and not record.recipe.get("spectral"):
        words = f"{name} is published with spectral normalisation, and this run has none"
        evidence = {"spectral": False, "change": change}
        yield Finding("penalty-small", "penalty missing", 0.9, words + seen, "--set spectral=true", 0, evidence)


def weights_told(record: Record, method: Method) -> dict[str, float]:
    """The weights of a method's penalties that the run itself calls usual for its data, if it does."""
    told = {term: value(record.run, "found", "usual", term) for term in method.critic_terms}
    return {term: weight for term, weight in told.items() if weight is not None and usable(weight) and weight > 0}


def usual_weights(method: Method, looks: Sequence[Look]) -> dict[str, float]:
    """A method's penalties with the weights that suit the data: R1's and R2's are in units of `gamma_for` it."""
    gamma = SHARE * middle([look.spread for look in looks]) ** 2
    known = {term: weight.start for term, weight in method.critic_terms.items() if term in (*PENALTIES, *OTHERS)}
    return {term: start * (gamma if term in PENALTIES else 1.0) for term, start in known.items() if start * gamma > 0}


def average_findings(record: Record, looks: Sequence[Look]) -> Iterator[Finding]:
    """A running average that remembers next to nothing."""
    life, batch = value(record.recipe, "average_half_life", "start"), value(record.recipe, "batch")
    if life is None or not batch or life <= 0:
        return
    steps = life / batch
    if steps < 5 and record.step is not None and record.step > 100:
        lag = middle([look.lag for look in looks[-3:]])
        yield Finding(
            "average-fast",
            "the running average remembers next to nothing",
            0.5,
            f"its half-life is {life:.0f} samples, {steps:.1f} steps of {record.step:.0f}"
            + (f"; it lies {percent(lag)} of the fakes' variance from the generator" if math.isfinite(lag) else ""),
            "--set average_half_life.start=10000",
            0,
            {"steps": steps},
        )


def accident_findings(record: Record) -> Iterator[Finding]:
    """Losses that were not numbers."""
    words = [str(line.get("words", "")) for line in record.log["event"]]
    steps = [line["step"] for line in record.log["event"]]
    bad = [n for n, text in enumerate(words) if "not finite" in text]
    if not bad:
        return
    stopped = any(words[n].startswith("stopped") for n in bad)
    lr = value(record.recipe, "optimizer", "lr") or 2e-4
    end = "and then the run was stopped" if stopped else "and went on from the state before each time"
    precision = record.recipe.get("precision")
    change = "--precision 32" if precision not in (None, "32-true") else f"--set optimizer.lr={lr / 4:.2g}"
    yield Finding(
        "not-finite",
        "losses were not numbers",
        0.94,
        f"{len(bad)} times a loss was not a finite number, {end}: {words[bad[0]][:160]}",
        f"{change}; if it comes back at the same step, look at the data or the loss there",
        steps[bad[0]],
        {"times": len(bad), "stopped": stopped},
    )
