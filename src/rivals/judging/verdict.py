"""The judge itself: features of two sets in, scores with intervals, floors, classes and copies out. Knows no files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rivals.engine.data import spread

from .compare import (
    Kernel,
    Neighbourhoods,
    kernel,
    kernel_and_neighbourhoods,
    mmd,
    nearest,
    neighbourhoods,
    total_variance,
)
from .interval import Interval, bootstrap, frechet_interval, infinity_interval, mean_of
from .score import inception_score, relative_diversity, rightly_classified

INTERVAL = (
    "over other samples of the same counts (infinitesimal jackknife for FD, else resampled halves); of the accuracy "
    "score over other real pictures only"
)
WIDE = 512  # features from which on the extrapolation is taken only where there are few samples
LIKELY = 1.96  # deviations of a normal distribution that hold 95 %
NEIGHBOURS = 200  # rows whose distance to the nearest training row is measured


@dataclass(frozen=True)
class Features:
    """Rows of one set: features (n, d), and what goes with them, row by row.

    Args:
        rows: (n, d) float32.
        labels: class numbers (n,) that were asked for, or that real pictures have.
        told: class numbers (n,) that a classifier says.
        logits: (n, classes) of the feature space's own classifier.
    """

    rows: Tensor
    labels: Tensor | None = None
    told: Tensor | None = None
    logits: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Evidence:
    """All that a verdict rests on.

    Args:
        fake: the set that is judged.
        real: the set it is judged against.
        train: real rows that a generator may have learned by heart; None where nobody knows any.
        unseen: real rows that it can't have seen, the control for copies; None as above.
        classes: names of the classes that labels count, of both sides.
        seed: of random choices.
    """

    fake: Features
    real: Features
    train: Features | None = None
    unseen: Features | None = None
    classes: tuple[str, ...] = ()
    seed: int = 0


def verdict_of(found: Evidence, told: Callable[[str], None] = lambda words: None) -> dict[str, Any]:
    """Scores, their intervals, the floor, classes, neighbours and copies, as JSON-ready values.

    The floor is what two sets of real pictures give. `told` is called with what comes next.
    """
    told("distances")
    scores, intervals = distances(found.fake.rows, found.real.rows, found.seed)
    more, spans = extrapolated(found.fake.rows, found.real.rows, intervals["fd"], found.seed)
    scores, intervals = scores | more, intervals | spans
    told("the floor")
    floor: dict[str, float] = {}
    if found.train is not None and found.unseen is not None:
        floor, _ = distances(found.train.rows, found.unseen.rows, found.seed)
    told("classes")
    classes, within = by_class(found)
    for measure in (agreement, accuracy, inception):
        more, spans = measure(found)
        scores, intervals = scores | more, intervals | spans
    if within and len(within) == len(classes):  # a mean without a missing class would flatter
        intervals["class_fd"] = mean_of(within)
        scores["class_fd"] = intervals["class_fd"].value
    if found.train is not None and found.unseen is not None and "accuracy" in scores:
        floor |= accuracy(replace(found, fake=found.train, real=found.unseen))[0]
    return {
        "scores": scores,
        "intervals": {name: [span.low, span.high] for name, span in intervals.items()},
        "floor": floor,
        "classes": classes,
        "neighbours": neighbours(found),
        "notes": list(notes(found)),
    }


Scores = tuple[dict[str, float], dict[str, Interval]]


def distances(a: Tensor, b: Tensor, seed: int) -> Scores:
    """Scores of rows (n, d) against rows (m, d) that need nothing else, and their intervals."""
    distance, varied = frechet_interval(a, b), total_variance(b)
    scores, spans = {"fd": distance.value}, {"fd": distance}
    if varied > 0:  # else there is nothing to take a share of
        spans["fd_share"] = Interval(*(100 * each / varied for each in (distance.value, distance.low, distance.high)))
        scores["fd_share"] = spans["fd_share"].value
    blocks, rows = of_pairs(a, b, seed)
    for more, ends in (kernel_distance(blocks, a, b, seed), nearness(rows, seed) if rows else ({}, {})):
        scores, spans = scores | more, spans | ends
    return scores, spans


def of_pairs(a: Tensor, b: Tensor, seed: int) -> tuple[Kernel, Neighbourhoods | None]:
    """What all pairs of rows tell: neighbours at equal counts, since recall and coverage grow with the fakes."""
    count = min(len(a), len(b))
    if count < 4:
        return kernel(a, b, seed=seed), None
    density_k = min(count - 1, 5)
    k = min(3, density_k)
    if len(a) == len(b):
        return kernel_and_neighbourhoods(a, b, k=k, density_k=density_k, seed=seed)
    rows = neighbourhoods(spread(a, count), spread(b, count), k=k, density_k=density_k)
    return kernel(a, b, seed=seed), rows


def extrapolated(a: Tensor, b: Tensor, at_count: Interval, seed: int) -> Scores:
    """The distance for endless fakes: fifteen distances, so in wide spaces only where few samples call for it."""
    few = min(len(a), len(b))
    if few < 8 or (a.shape[1] > WIDE and few >= 2 * a.shape[1]):
        return {}, {}
    span = infinity_interval(a, b, at_count=at_count, seed=seed)
    return {"fd_infinity": span.value}, {"fd_infinity": span}


def kernel_distance(found: Kernel, a: Tensor, b: Tensor, seed: int) -> Scores:
    """The kernel distance; its interval from the deviation of blocks, or from halves where a block is all there is."""
    count = min(len(a), len(b))
    if found.block_size < count:
        reach = LIKELY * found.deviation * (found.block_size / count) ** 0.5  # at most: it falls at least so fast
        return {"kid": found.mean}, {"kid": Interval(found.mean, found.mean - reach, found.mean + reach)}
    if count < 4:
        return {"kid": found.mean}, {}
    span = bootstrap(mmd, spread(a, count), spread(b, count), times=50, seed=seed)
    return {"kid": found.mean}, {"kid": Interval(found.mean, *(found.mean + end - span.value for end in edges(span)))}


def edges(span: Interval) -> tuple[float, float]:
    """The ends of an interval."""
    return span.low, span.high


def nearness(rows: Neighbourhoods, seed: int) -> Scores:
    """Precision, recall, density and coverage."""
    found = {
        name: bootstrap(mean, each, seed=seed)
        for name, each in (
            ("precision", rows.precise),
            ("recall", rows.recalled),
            ("density", rows.density),
            ("coverage", rows.covered),
        )
    }
    return {name: span.value for name, span in found.items()}, found


def mean(rows: Tensor) -> Tensor:
    """The mean of numbers (n)."""
    return rows.double().mean()


def agreement(found: Evidence) -> Scores:
    """How many fakes are recognised as what was asked for, in percent."""
    asked, told = found.fake.labels, found.fake.told
    if asked is None or told is None:
        return {}, {}
    right = 100 * (asked == told).double()
    span = {"agreement": bootstrap(mean, right, seed=found.seed)} if len(right) >= 4 else {}
    return {"agreement": float(right.mean())}, span


def accuracy(found: Evidence) -> Scores:
    """How many real rows a classifier names rightly that was taught by fakes, in percent."""
    fake, real = found.fake, found.real
    if fake.labels is None or real.labels is None or len(fake.labels.unique()) < 2:
        return {}, {}
    right = 100 * rightly_classified(fake.rows, fake.labels, real.rows, real.labels).double()
    span = {"accuracy": bootstrap(mean, right, seed=found.seed)} if len(right) >= 4 else {}
    return {"accuracy": float(right.mean())}, span


def inception(found: Evidence) -> Scores:
    """The Inception Score, by the space's own classifier."""
    logits = found.fake.logits
    if logits is None or len(logits) < 10:
        return {}, {}
    generator = torch.Generator().manual_seed(found.seed)
    rows = logits[torch.randperm(len(logits), generator=generator)].double().softmax(1)
    score = inception_score(rows).mean
    reach = inception_score(rows).deviation * LIKELY / 10**0.5  # of the mean of ten parts
    return {"inception_score": score}, {"inception_score": Interval(score, score - reach, score + reach)}


def by_class(found: Evidence) -> tuple[dict[str, dict[str, float]], list[Interval]]:
    """For each class its share of fakes and real pictures in percent, and what else is known; and its distances."""
    real, fake = found.real.labels, found.fake
    if real is None or not found.classes:
        return {}, []
    rows: dict[str, dict[str, float]] = {}
    within: list[Interval] = []
    drawn = fake.labels if fake.labels is not None else fake.told
    varied = {} if drawn is None else relative_diversity(fake.rows, drawn, found.real.rows, real)
    for number, name in enumerate(found.classes):
        here = real == number
        row = {"real": 100 * float(here.double().mean())}
        if fake.told is not None:
            row["fakes"] = 100 * float((fake.told == number).double().mean())
        if fake.told is not None and fake.labels is not None and bool((fake.labels == number).any()):
            row["agreement"] = 100 * float((fake.told[fake.labels == number] == number).double().mean())
        if number in varied:
            row["diversity"] = varied[number]
        if drawn is not None and min(int(here.sum()), int((drawn == number).sum())) >= 2:
            within.append(frechet_interval(fake.rows[drawn == number], found.real.rows[here]))
            row["fd"] = within[-1].value
        rows[name] = row
    return rows, within


def neighbours(found: Evidence) -> dict[str, float]:
    """Median distances to the nearest training row: of fakes, and of real rows that nobody has learned from."""
    if found.train is None or found.unseen is None:
        return {}
    return {
        name: float(nearest(spread(rows, NEIGHBOURS), found.train.rows)[0][:, 0].median())
        for name, rows in (("samples", found.fake.rows), ("held_out", found.unseen.rows))
    }


def notes(found: Evidence) -> Iterator[str]:
    """What should be known beside the numbers."""
    counts, features = (len(found.fake), len(found.real)), found.real.rows.shape[1]
    if min(counts) <= features:
        yield (
            f"There are no more samples ({counts[0]} fake, {counts[1]} real) than features ({features}), so the "
            "Fréchet distance is biased upwards: compare it only at equal counts; its extrapolation (∞) is a rough "
            "guess, and the kernel distance has no bias."
        )
    if found.train is not None and found.unseen is not None:
        less = min(len(found.train), len(found.unseen))
        if 4 * less < min(counts):
            yield (
                f"The floor is of {len(found.train)} against {len(found.unseen)} real pictures, fewer than were "
                "judged; few samples raise it."
            )
