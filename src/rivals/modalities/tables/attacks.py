"""Attacks that guess from synthetic rows alone whether a row was in the training data.

Each gives every candidate a score, high for members. They know the synthetic rows, and rows of the same source that are
neither members nor candidates (`reference`); they don't know the generator. A generator that passes them may still leak
to a stronger attacker, such as one who trains many generators of its kind.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rivals.judging.compare import nearest

from .learners import Design, chances, design
from .rows import Rows
from .space import placed

Scores = NDArray[np.float64]
Tell = Callable[[str], None]

NEIGHBOURS = 10
MOST_FAKES = 100_000  # synthetic rows that are searched
MOST_DENSITY = 5_000  # rows of a density estimate
DIMENSIONS = 6  # of it
TINY = 1e-6

ATTACKS: Mapping[str, str] = {
    "distance": "how near the nearest synthetic row is (GAN-Leaks, Chen et al. 2020)",
    "calibrated": "the same, against how near the nearest reference row is (GAN-Leaks, calibrated)",
    "standing_out": "how much nearer the nearest synthetic row is than the fifth",
    "neighbourhood": "how many synthetic rows lie within the median least distance (Hilprecht et al. 2019)",
    "density": "density of synthetic over density of reference rows (DOMIAS, van Breugel et al. 2023)",
    "classifier": "gradient boosting that tells synthetic from reference rows (after LOGAN, Hayes et al. 2019)",
}
"""What each attack looks at."""


def attacks(
    fake: Rows, members: Rows, others: Rows, reference: Rows, *, seed: int = 0, tell: Tell = lambda words: None
) -> dict[str, tuple[Scores, Scores]]:
    """The scores of members and of others by every attack: name -> ((n,), (m,)).

    Args:
        fake: the synthetic rows, 6 or more.
        members: rows that the generator was trained on.
        others: rows of the same source that it was not.
        reference: more such rows, which the attacker knows; 2 or more.
        seed: of drawn rows and the classifier.
        tell: told what comes next.
    """
    fake = fake.drawn(MOST_FAKES, seed)
    tell("membership: nearest synthetic rows")
    fakes, known, *candidates = placed(reference, (fake, reference, members, others), seed)
    asked, split = torch.cat(candidates), len(members)
    near = nearest(asked, fakes, k=min(NEIGHBOURS, len(fakes)))[0].double().numpy()
    beside = nearest(asked, known)[0][:, 0].double().numpy()
    tell("membership: densities")
    density = log_density(asked, fakes, known, seed)
    tell("membership: a classifier")
    fifth = min(4, near.shape[1] - 1)
    found = {
        "distance": -near[:, 0],
        "calibrated": np.log(beside + TINY) - np.log(near[:, 0] + TINY),
        "standing_out": np.log(near[:, fifth] + TINY) - np.log(near[:, 0] + TINY),
        "neighbourhood": (near <= np.median(near[:, 0])).sum(1).astype(np.float64),
        "density": density,
        "classifier": likeness(fake, members, others, reference, seed),
    }
    return {name: (scores[:split], scores[split:]) for name, scores in found.items()}


def log_density(asked: Tensor, fakes: Tensor, known: Tensor, seed: int) -> Scores:
    """Log of the ratio of two kernel density estimates, in the six directions in which both sets together vary most."""
    generator = torch.Generator().manual_seed(seed)
    sets = [rows[torch.randperm(len(rows), generator=generator)[:MOST_DENSITY]] for rows in (fakes, known)]
    both = torch.cat(sets).double()
    mean = both.mean(0)
    values, vectors = torch.linalg.eigh((both - mean).T @ (both - mean) / len(both))
    kept = min(DIMENSIONS, int((values > 1e-9).sum()))
    turn = (vectors[:, -kept:] / values[-kept:].sqrt()).float() if kept else vectors[:, -1:].float()
    points = [(rows - mean.float()) @ turn for rows in (asked, *sets)]
    a, b = (kernel_density(points[0], rows) for rows in points[1:])
    return (a - b).double().numpy()


def kernel_density(asked: Tensor, rows: Tensor) -> Tensor:
    """Log of a Gaussian kernel density estimate with Scott's bandwidth, up to a constant: (n,)."""
    n, d = rows.shape
    width = n ** (-1 / (d + 4))
    parts = [
        torch.logsumexp(-torch.cdist(part, rows).square() / (2 * width**2), 1) for part in asked.split(2**24 // n + 1)
    ]
    return torch.cat(parts) - np.log(n) - d * np.log(width)


def likeness(fake: Rows, members: Rows, others: Rows, reference: Rows, seed: int) -> Scores:
    """How much more like synthetic than like reference rows a classifier takes each candidate to be."""
    count = min(len(fake), 5 * len(reference))
    sides = [design(rows) for rows in (fake.drawn(count, seed), reference)]
    taught = Design(np.concatenate([side.matrix for side in sides]), sides[0].categorical)
    labels = np.repeat([1, 0], [count, len(reference)])
    asked = np.concatenate([design(rows).matrix for rows in (members, others)])
    return chances(taught, labels, asked, 2, seed)[:, 1]
