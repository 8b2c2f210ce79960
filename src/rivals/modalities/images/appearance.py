"""What a verdict says of the pictures themselves: likeness of pairs, detail and colours, with the same of real ones."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rivals.engine.data import spread
from rivals.judging.interval import bootstrap
from rivals.judging.student import t_quantile

from .copying import first_rows
from .measures import WINDOW, apart_in_decibels, apart_in_levels, histograms, layer_distance, ms_ssim, spectra
from .sides import Side

if TYPE_CHECKING:
    from .judge import PicturesJudge

LOOKED_AT = 500  # pictures of each side
NUMBERS = 2**24  # in them: fewer large ones, but never under a hundred
SHARE = 200  # of the samples of a verdict, one pair's part: what a network reads is dear
LEAST = 5  # pairs of a class without which nothing is said of it


@dataclass(frozen=True)
class Appearance:
    """Scores with their intervals, what real pictures have, and the same class by class, as parts of a verdict."""

    scores: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, list[float]] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    classes: dict[int, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Some pictures of a side (n, channels, height, width), and their classes (n,), all 0 where there are none."""

    pictures: Tensor
    labels: Tensor


def appearance(fake: Side, drawn: Tensor | None, judge: "PicturesJudge", seed: int) -> Appearance:
    """Measures of up to 500 pictures a side; `drawn` are the fakes' classes, where there are some.

    `similarity` (MS-SSIM) and `layer_distance` (in the layers of the feature space's own network, where it shows them)
    are of pairs of different pictures of a class, and their floor is what pairs of real pictures have. `spectrum` and
    `colours` are distances between the sets, and their floor is that of training to unseen pictures.
    """
    known = drawn is not None and judge.real.labels is not None
    most = max(min(LOOKED_AT, NUMBERS // judge.real.take(torch.zeros(1, dtype=torch.int64)).numel()), 100)
    ours = sample(fake, first_rows(fake, most), drawn if known else None)
    theirs = sample_of(judge.real, most, known)
    found = [*pairs_alike(ours, theirs, judge, seed), *apart(ours, theirs, judge, seed)]
    whole = Appearance()
    for part in found:
        whole.scores.update(part.scores)
        whole.intervals.update(part.intervals)
        whole.floor.update(part.floor)
        for number, row in part.classes.items():
            whole.classes.setdefault(number, {}).update(row)
    return whole


def sample(side: Side, rows: Tensor, labels: Tensor | None) -> Sample:
    """Some rows of a side."""
    return Sample(side.take(rows), torch.zeros(len(rows), dtype=torch.int64) if labels is None else labels[rows])


def sample_of(side: Side, most: int, known: bool = False) -> Sample:
    """Rows of real pictures, evenly spread."""
    return sample(side, spread(torch.arange(side.count), most), side.labels if known else None)


def pairs_alike(ours: Sample, theirs: Sample, judge: "PicturesJudge", seed: int) -> Iterator[Appearance]:
    """How alike two fakes of a class are, and two real pictures of one."""
    picture = ours.pictures[0]
    layers = judge.extractor.layers
    if min(picture.shape[1:]) >= WINDOW:
        yield in_pairs("similarity", ms_ssim, ours, theirs, LOOKED_AT, seed)
    if layers is not None:
        yield in_pairs(
            "layer_distance",
            lambda a, b: layer_distance(a, b, layers),
            ours,
            theirs,
            judge.extractor.full // SHARE,
            seed,
        )


def in_pairs(
    name: str, measure: Callable[[Tensor, Tensor], Tensor], ours: Sample, theirs: Sample, most: int, seed: int
) -> Appearance:
    """The mean of a measure of pairs (n,), over the classes."""
    both = []
    for some in (ours, theirs):
        first, second, classes = pairs(some.labels, most, seed)
        if not len(first):
            return Appearance()
        parts = zip(first.split(25), second.split(25), strict=True)
        values = torch.cat([measure(some.pictures[one], some.pictures[other]) for one, other in parts])
        both.append({int(number): values[classes == number] for number in classes.unique()})
    (value, reach), (real, _) = (mean_of_means([*groups.values()]) for groups in both)
    rows = {
        number: {name: float(values.mean()), f"{name}_real": float(both[1][number].mean())}
        for number, values in both[0].items()
        if number in both[1] and min(len(values), len(both[1][number])) >= LEAST
    }
    ends = {} if reach is None else {name: [value - reach, value + reach]}
    return Appearance({name: value}, ends, {name: real}, rows if len(both[0]) > 1 else {})


def mean_of_means(groups: Sequence[Tensor]) -> tuple[float, float | None]:
    """The mean of the groups' means, and how far its 95 % interval reaches; variances are taken to be alike in all.

    >>> mean_of_means([torch.tensor([1.0, 3.0]), torch.tensor([4.0])])
    (3.0, None)
    """
    value = sum(float(group.mean()) for group in groups) / len(groups)
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < 2:
        return value, None
    variance = sum(float((group.double() - group.double().mean()).square().sum()) for group in groups) / freedom
    return value, t_quantile(freedom) * (variance * sum(1 / len(group) for group in groups)) ** 0.5 / len(groups)


def pairs(labels: Tensor, most: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of rows of one class, no row in two of them, so that they tell apart: rows, rows, classes, (n,) each."""
    generator = torch.Generator().manual_seed(seed)
    numbers = labels.unique()
    found = []
    for number in numbers:
        rows = (labels == number).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows), generator=generator)]
        count = min(len(rows) // 2, max(most // len(numbers), 2))
        found.append(torch.stack([rows[:count], rows[count : 2 * count], number.expand(count)]))
    first, second, classes = torch.cat(found, 1)
    return first, second, classes


def apart(ours: Sample, theirs: Sample, judge: "PicturesJudge", seed: int) -> Iterator[Appearance]:
    """How far detail and colours of the two sets are apart."""
    learned = judge.training if judge.training is not None and judge.training.count > 1 else None
    unseen = judge.control if judge.control is not None and judge.control.count > 1 else None
    known = (
        None
        if learned is None or unseen is None
        else tuple(sample_of(each, len(theirs.pictures)) for each in (learned, unseen))
    )
    for name, described, distance in (
        ("spectrum", spectra, apart_in_decibels),
        ("colours", histograms, apart_in_levels),
    ):
        if name == "spectrum" and min(ours.pictures.shape[2:]) < 4:
            continue
        a, b = described(ours.pictures), described(theirs.pictures)
        span = bootstrap(distance, a, b, times=50, seed=seed) if min(len(a), len(b)) >= 4 else None
        floor = {} if known is None else {name: distance(*(described(each.pictures) for each in known))}
        yield Appearance({name: distance(a, b)}, {} if span is None else {name: [span.low, span.high]}, floor)
