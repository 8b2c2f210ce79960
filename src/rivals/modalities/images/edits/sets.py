"""Edited pictures, or crops of them, compared as sets in a feature space with true or with wanted ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rivals.judging.compare import frechet, kernel, mmd, total_variance
from rivals.judging.interval import bootstrap, frechet_interval
from rivals.judging.verdict import kernel_distance
from rivals.modalities.images.spaces import Extractor

from .scores import Scores, ahead, mean_scores

CROP, CROPS_EACH = 64, 8  # pixels of the crops, and how many of a picture
ENOUGH_CROPS, ENOUGH_PICTURES = 64, 8
TIMES = 40  # resamples of an interval


class Seen(NamedTuple):
    """What one way to edit gave: scores of each picture by name (n,), and features of its crops (k, d) by picture."""

    values: dict[str, Tensor]
    crops: list[Tensor]


def crops_of(x: Tensor, most: int = CROPS_EACH) -> Tensor:
    """Up to `most` crops of a picture (1, c, h, w), evenly spread over a grid: (k, c, CROP, CROP)."""
    tiles = x[0].unfold(1, CROP, CROP).unfold(2, CROP, CROP) if min(x.shape[2:]) >= CROP else x.new_zeros(0)
    if not tiles.numel():
        return x.new_zeros(0, x.shape[1], CROP, CROP)
    tiles = tiles.flatten(1, 2).transpose(0, 1)
    few = min(len(tiles), most)
    return tiles[torch.arange(few) * len(tiles) // few]


def features_of(pictures: Sequence[Tensor], space: Extractor | None) -> list[Tensor]:
    """Features (k, d) of each picture's crops; pictures that are smaller than a crop have none."""
    crops = [crops_of(x) for x in pictures] if space is not None else []
    return [space.embed(some) for some in crops if len(some)] if space is not None else []


def enough(crops: Sequence[Tensor]) -> bool:
    """Whether so many pictures' crops tell a distance between sets."""
    return len(crops) >= ENOUGH_PICTURES and sum(map(len, crops)) >= ENOUGH_CROPS


DISTANCES: Mapping[str, Callable[[Tensor, Tensor], float]] = {"fd": frechet, "kid": mmd}


def rows_of(some: Sequence[Tensor], which: Tensor) -> Tensor:
    """The features of some pictures' crops, one below the other."""
    return torch.cat([some[number] for number in which.tolist()])


def set_scores(made: Sequence[Tensor], true: Sequence[Tensor], seed: int = 0) -> Scores:
    """Distances between features of crops as sets: `fd`, `fd_share` (in percent of the true crops' variance), `kid`.

    Intervals are over pictures, whose crops stay together.

    Args:
        made: for each picture the features of its crops (k, d).
        true: likewise, of the true pictures.
        seed: of the resampling.
    """
    owners = torch.arange(len(made))
    found, spans = {}, {}
    for name, distance in DISTANCES.items():
        span = bootstrap(
            lambda which, distance=distance: distance(rows_of(made, which), rows_of(true, which)),
            owners,
            times=TIMES,
            seed=seed,
        )
        found[name] = span.value
        spans[name] = [max(span.low, 0.0) if name == "fd" else span.low, span.high]
    varied = total_variance(rows_of(true, owners))
    if varied > 0:
        found["fd_share"] = 100 * found["fd"] / varied
        spans["fd_share"] = [100 * end / varied for end in spans["fd"]]
    return Scores(found, spans)


def sets_ahead(
    ours: Sequence[Tensor], theirs: Sequence[Tensor], true: Sequence[Tensor], seed: int = 0
) -> dict[str, list[float]]:
    """Our distance less theirs, with the same pictures left out of both: name -> [difference, low, high]."""
    found = {}
    for name, distance in DISTANCES.items():

        def apart(which: Tensor, distance: Callable[[Tensor, Tensor], float] = distance) -> float:
            real = rows_of(true, which)
            return distance(rows_of(ours, which), real) - distance(rows_of(theirs, which), real)

        span = bootstrap(apart, torch.arange(len(true)), times=TIMES, seed=seed)
        found[name] = [span.value, span.low, span.high]
    return found


def scores_of(seen: Seen, true: Sequence[Tensor]) -> Scores:
    """Means over pictures, and distances between sets of crops where there are enough."""
    means = mean_scores(seen.values)
    sets = set_scores(seen.crops, true) if true else Scores({}, {})
    return Scores(means.scores | sets.scores, means.intervals | sets.intervals)


def ahead_of(ours: Seen, theirs: Seen, true: Sequence[Tensor]) -> dict[str, list[float]]:
    """Our scores less theirs on the same pictures: name -> [difference, low, high]."""
    sets = sets_ahead(ours.crops, theirs.crops, true) if true else {}
    return ahead(ours.values, theirs.values) | sets


def distances(a: Tensor, b: Tensor, seed: int) -> Scores:
    """`fd`, `fd_share` and `kid` of features (n, d) against others (m, d), with their intervals."""
    found, varied = frechet_interval(a, b), total_variance(b) or 1.0
    kid, spans = kernel_distance(kernel(a, b, seed=seed), a, b, seed)
    edges = [found.low, found.high]
    return Scores(
        {"fd": found.value, "fd_share": 100 * found.value / varied, **kid},
        {
            "fd": edges,
            "fd_share": [100 * end / varied for end in edges],
            **{name: [span.low, span.high] for name, span in spans.items()},
        },
    )
