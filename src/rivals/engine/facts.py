"""What can be said of a data set before the first step, and the few directions in which samples are looked at."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .data import Dataset, spread
from .looks import percent
from .symptoms import Symptom
from .types import Batch, Sample, leaves

LOOKED_AT = 2000  # training items, evenly spread
AXES = 16
MODES = 20
NUMBERS = 512  # that a sample is averaged down to, at most
NEIGHBOURS = 5
NEAR = 0.02  # of the distance between two items at random: nearer than this are all but copies
REPEATED = 0.1  # of the items
MATCHING = 0.08  # of the way from labels at random to labels that all neighbours share


@dataclass(frozen=True)
class Lens:
    """Where samples are looked at: the data's principal axes, and its modes, the clusters of a k-means there.

    Attributes:
        mean: (numbers,), of the data.
        axes: (numbers, AXES), orthonormal, by falling variance.
        deviation: (AXES,), of the data along them.
        centres: (modes, AXES).
        within: (classes,), the data's variance within each class, summed over the axes; (1,) where there are none.
        means: (classes, AXES), of the classes, scaled so that all directions vary alike within them; (0, AXES) without.
        scale: (AXES, AXES), what scales them.
    """

    mean: Tensor
    axes: Tensor
    deviation: Tensor
    centres: Tensor
    within: Tensor
    means: Tensor
    scale: Tensor

    @property
    def labels(self) -> bool:
        """Whether there are classes."""
        return len(self.means) > 0

    def __call__(self, sample: Sample) -> Tensor:
        """The places of samples along the axes, (n, AXES), on the CPU."""
        return (averaged(sample).cpu() - self.mean) @ self.axes

    def recognised(self, places: Tensor, labels: Tensor) -> list[list[int]]:
        """For each class how many of the places (n, AXES) are nearest to its mean, and how many there are."""
        right = torch.cdist(places @ self.scale, self.means).argmin(1) == labels
        each = [torch.bincount(part, minlength=len(self.means)) for part in (labels[right], labels)]
        return torch.stack(each, 1).tolist()

    def counts(self, places: Tensor) -> list[int]:
        """How many of the places (n, AXES) belong to each mode."""
        nearest = torch.cdist(places, self.centres).argmin(1)
        return torch.bincount(nearest, minlength=len(self.centres)).tolist()


def averaged(sample: Sample) -> Tensor:
    """Samples as rows of at most about `NUMBERS` numbers (n, numbers): neighbours along each axis are averaged."""
    rows = []
    for part in leaves(sample):
        values = part.detach().float()
        while values.ndim in (3, 4, 5) and values[0].numel() > NUMBERS and max(values.shape[2:]) > 1:
            pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[values.ndim - 3]
            values = pool(values, [min(2, size) for size in values.shape[2:]])
        rows.append(values.flatten(1)[:, : 4 * NUMBERS])
    return torch.cat(rows, 1)


@torch.no_grad()
def data_facts(dataset: Dataset) -> tuple[dict[str, Any], Lens]:
    """Facts on a data set in plain values, and the lens through which its fakes are looked at.

    The facts: `train`, `held_out` (counts), `looked_at`, `repeated` and `near` (shares of what was looked at that
    equal, or all but equal, an item before), `modes` (share of the data in each; with labels the class that most of it
    belongs to, and how much), and with labels `agreement` (how often the nearest `NEIGHBOURS` share an item's label,
    0 to 1), `chance` (what that is for labels at random) and `alike` (pairs of classes by how often neighbours of the
    one are of the other, 1 for classes that can't be told apart; the three highest) and `recognised` (for each class
    how many are nearest to its mean, and how many were looked at).
    """
    rows, labels = list[Tensor](), list[Tensor]()
    for part in spread(dataset.train, LOOKED_AT).split(250):
        batch = dataset.cut(part) if dataset.real is None else Batch(dataset.real(part))
        rows.append(averaged(batch.real).cpu())
        if batch.cond is not None and batch.cond.ndim == 1 and not batch.cond.is_floating_point():
            labels.append(batch.cond.cpu())  # other conditions, such as pictures, may be large, and name no class
    numbers = torch.cat(rows)
    known = torch.cat(labels) if labels else None
    mean = numbers.mean(0)
    values, vectors = torch.linalg.eigh((numbers - mean).T.cov())
    axes = vectors[:, -AXES:].flip(1)
    places = (numbers - mean) @ axes
    centres = clusters(places, min(MODES, max(len(places) // 25, 1)))
    means, scale = class_means(places, known)
    lens = Lens(mean, axes, places.std(0).clamp_min(1e-9), centres, within_classes(places, known), means, scale)
    distances = torch.cdist(numbers - mean, numbers - mean)  # near the origin the products lose the fewest digits
    typical = float((2 * values.clamp_min(0).sum()).sqrt())
    earlier = torch.cat([to_earlier(distances, start) for start in range(0, len(distances), 250)])
    facts: dict[str, Any] = {
        "train": len(dataset.train),
        "held_out": len(dataset.held_out),
        "looked_at": len(numbers),
        "repeated": round(1 - len(numbers.unique(dim=0)) / len(numbers), 5),
        "near": share(earlier <= NEAR * typical),
        "modes": [
            {"share": round(len(members) / len(places), 4), **main_class(members, known)}
            for members in parts(places, centres)
        ],
    }
    if known is not None:
        facts |= neighbourhoods(distances, known, typical)
        facts["recognised"] = lens.recognised(places, known)
    return facts, lens


def to_earlier(distances: Tensor, start: int) -> Tensor:
    """Of up to 250 items from `start` on, the distance to the nearest one before each; infinite for the first."""
    some = distances[start : start + 250]
    return some.masked_fill(torch.ones_like(some, dtype=torch.bool).triu(start), torch.inf).amin(1)


def share(which: Tensor) -> float:
    """The share of true ones."""
    return round(float(which.float().mean()), 5)


def clusters(places: Tensor, count: int, rounds: int = 15) -> Tensor:
    """The centres (count, axes) of a k-means, begun at places as far from each other as can be had one by one."""
    centres = places[:1]
    while len(centres) < count:  # ten candidates each: the very farthest are freaks
        far = torch.cdist(places, centres).amin(1).topk(min(10, len(places))).indices
        centres = torch.cat([centres, places[far[len(far) // 2]][None]])
    for _ in range(rounds):
        nearest = torch.cdist(places, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, places)
        size = torch.bincount(nearest, minlength=count)[:, None]
        centres = torch.where(size > 0, sums / size.clamp_min(1), centres)
    return centres


def parts(places: Tensor, centres: Tensor) -> list[Tensor]:
    """The rows of each cluster."""
    nearest = torch.cdist(places, centres).argmin(1)
    return [(nearest == number).nonzero()[:, 0] for number in range(len(centres))]


def main_class(members: Tensor, labels: Tensor | None) -> dict[str, Any]:
    """The class that most of these rows are of, and its share of them."""
    if labels is None or not len(members):
        return {}
    number, most = Counter(labels[members].tolist()).most_common(1)[0]
    return {"class": number, "of_it": round(most / len(members), 3)}


def within_classes(places: Tensor, labels: Tensor | None) -> Tensor:
    """The variance within each class, summed over the axes; that of all where there are no classes."""
    if labels is None:
        return places.var(0).sum()[None]
    groups = [places[labels == number] for number in range(int(labels.max()) + 1)]
    return torch.stack([group.var(0).sum() if len(group) > 1 else torch.zeros(()) for group in groups])


def class_means(places: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """The classes' means (classes, axes) where all directions vary alike within classes, and what scales places so."""
    axes = places.shape[1]
    if labels is None:
        return torch.zeros(0, axes), torch.eye(axes)
    count = int(labels.max()) + 1
    members = torch.bincount(labels, minlength=count).clamp_min(1)
    means = torch.zeros(count, axes).index_add_(0, labels, places) / members[:, None]
    values, vectors = torch.linalg.eigh((places - means[labels]).T.cov() + 1e-9 * torch.eye(axes))
    scale = vectors / values.clamp_min(1e-9 * float(values.max())).sqrt()
    return means @ scale, scale


def neighbourhoods(distances: Tensor, labels: Tensor, typical: float) -> dict[str, Any]:
    """Whether neighbours share labels, and which classes can't be told apart; copies don't count as neighbours."""
    apart = distances.masked_fill(distances <= NEAR * typical, torch.inf)
    near = apart.topk(min(NEIGHBOURS, len(distances) - 1), largest=False)
    usable = near.values.isfinite()
    classes = int(labels.max()) + 1
    counts = torch.zeros(classes, classes)
    own = labels[:, None].expand_as(near.indices)
    counts.index_put_((own[usable], labels[near.indices][usable]), torch.ones(int(usable.sum())), accumulate=True)
    frequent = torch.bincount(labels, minlength=classes) / len(labels)
    facts = {
        "agreement": round(float(counts.trace() / counts.sum().clamp_min(1)), 4),
        "chance": round(float(frequent.square().sum()), 4),
        "alike": [],
    }
    pairs = []
    for a in range(classes):
        for b in range(a):
            of_both = counts[a, a] + counts[a, b] + counts[b, a] + counts[b, b]
            if min(frequent[a], frequent[b]) * len(labels) < 20 or of_both < 50:
                continue
            share_a = frequent[a] / (frequent[a] + frequent[b])
            mixed = 2 * share_a * (1 - share_a)  # of neighbours that are across, were the classes the same
            pairs.append((round(float((counts[a, b] + counts[b, a]) / of_both / mixed), 3), b, a))
    return {**facts, "alike": [[one, other, mixed] for mixed, one, other in sorted(pairs, reverse=True)[:3]]}


def worries(facts: Mapping[str, Any]) -> Iterator[Symptom]:
    """What is wrong with the data by these facts alone; what they lack is passed over."""
    repeated, near = (number(facts, name) for name in ("repeated", "near"))
    if max(repeated, near) >= REPEATED:
        words = f"{percent(max(repeated, near))} of the items looked at equal, or all but equal, an earlier one"
        yield Symptom("duplicates", words, 0, {"repeated": repeated, "near": near})
    agreement, chance = (number(facts, name, -1.0) for name in ("agreement", "chance"))
    if min(agreement, chance) >= 0 and agreement - chance < MATCHING * (1 - chance):
        words = (
            f"of an item's nearest neighbours {percent(agreement)} share its label, and {percent(chance)} would "
            "with labels at random: the labels don't match"
        )
        yield Symptom("labels", words, 0, {"agreement": agreement, "chance": chance})


def number(facts: Mapping[str, Any], name: str, missing: float = 0.0) -> float:
    """A fact that is a finite number."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else missing
