"""Scores of one set of samples: how sure a classifier is of them, what they cover, how they differ among themselves.

Pure functions on what a classifier or a feature space says of samples. None of them is a distance to the data, so each
can be high for a generator that repeats one good sample of every class: read them beside a distance.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .probe import linear_probe

_MOST = 1_000  # rows of a class whose pairs are measured


class InceptionScore(NamedTuple):
    """The mean over the splits, from 1 to the number of classes, and their deviation."""

    mean: float
    deviation: float


def inception_score(probabilities: Tensor, splits: int = 10) -> InceptionScore:
    """The Inception Score of Salimans et al. 2016 (arXiv 1606.03498): exp E KL(p(y|x) || p(y)).

    Args:
        probabilities: (n, classes), rows that add up to 1: the softmax of the classifier's logits. The published
            numbers use the 1,008 logits of the standard Inception without their bias; of another classifier it is
            another score and must be called so.
        splits: the score is taken of so many consecutive parts, of lengths that differ by at most one. Rows are taken
            in their order: shuffle what is ordered by class. (torch-fidelity shuffles by default.)

    Returns:
        The mean and the deviation over the parts (divided by `splits`, as published). 1 is the worst: the classifier
        says the same of every sample. It rises with n, so compare equal counts only, and it never looks at the data.

    Raises:
        ValueError: fewer rows than splits, or rows that are no probabilities.

    >>> inception_score(torch.eye(4).repeat(5, 1), splits=5)
    InceptionScore(mean=4.0, deviation=0.0)
    """
    n = len(probabilities)
    if probabilities.ndim != 2 or not 1 <= splits <= n:
        raise ValueError(
            f"{splits} splits need a matrix of as many rows (samples, classes), got {tuple(probabilities.shape)}"
        )
    p = probabilities.double()
    if not bool((p >= 0).all()) or float((p.sum(1) - 1).abs().max()) > 1e-3:
        raise ValueError("every row must be probabilities: not below 0, 1 in all; softmax the logits first")
    parts = [p[k * n // splits : (k + 1) * n // splits] for k in range(splits)]
    found = torch.stack([_divergence(part, part.mean(0)).mean().exp() for part in parts])
    return InceptionScore(float(found.mean()), float(found.std(correction=0)))


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) in nats for each row; what has no probability adds nothing."""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def mode_count(classes: Tensor, modes: int) -> int:
    """How many of the modes appear at least once: `classes` (n,) are numbers from 0 to modes - 1.

    On Stacked-MNIST (Metz et al. 2017, arXiv 1611.02163; Srivastava et al. 2017, arXiv 1705.07761): three digits as
    red, green and blue make 1,000 modes, a classifier of digits names each channel, and 25,600 samples are looked at
    (26,000 in some papers). A mode that appears once counts like another, also where the classifier erred.

    >>> mode_count(torch.tensor([0, 2, 2, 5]), 10)
    3
    """
    return int((_shares(classes, modes) > 0).sum())


def reverse_kl(classes: Tensor, modes: int) -> float:
    """KL(samples' modes || uniform) in nats, from 0 (all modes equally often) to log(modes) (one mode alone).

    The second number of the Stacked-MNIST protocol. Even for uniform draws it is about (modes - 1) / (2 n): 0.0195 for
    25,600 samples of 1,000 modes.

    >>> round(reverse_kl(torch.tensor([3, 3]), 1000), 4), reverse_kl(torch.arange(1000), 1000)
    (6.9078, 0.0)
    """
    shares = _shares(classes, modes)
    return max(float(torch.xlogy(shares, shares * modes).sum()), 0.0)


def class_balance(classes: Tensor, wanted: Tensor) -> float:
    """How far the classes (n,) of samples are from the shares that are wanted, as total variation, from 0 to 1.

    Args:
        classes: numbers from 0 to len(wanted) - 1, as a classifier names the samples.
        wanted: (classes,) how often each should be, in any unit: the counts of the data.

    Returns:
        The share of samples that would have to be of another class.

    >>> class_balance(torch.tensor([0, 0, 0, 1]), torch.tensor([50, 50]))
    0.25
    """
    if float(wanted.sum()) <= 0 or float(wanted.min()) < 0:
        raise ValueError("the wanted shares must not be below 0, and not all 0")
    there = wanted.double() / wanted.sum()
    return float((_shares(classes, len(wanted)) - there).abs().sum() / 2)


def _shares(classes: Tensor, count: int) -> Tensor:
    """How often each class is, (count,) float64, 1 in all."""
    if classes.ndim != 1 or len(classes) < 1 or int(classes.min()) < 0 or int(classes.max()) >= count:
        raise ValueError(f"class numbers must lie between 0 and {count - 1}, one a sample")
    return torch.bincount(classes, minlength=count).double() / len(classes)


def classification_accuracy(a: Tensor, labels_a: Tensor, b: Tensor, labels_b: Tensor) -> float:
    """The Classification Accuracy Score of Ravuri and Vinyals 2019 (arXiv 1905.10887), on features: train on fakes.

    A classifier learns from the features `a` (n, d) of samples and the classes that were asked for, and is tested on
    the features `b` (m, d) of real held-out data: missing variety within a class and samples of a wrong class both
    cost. The paper trains a ResNet-50 on pictures; here it is a linear probe on features, so name the space, and
    put the same number for real training data beside it.

    Returns:
        The share of real rows that are named rightly, from 0 to 1.

    Raises:
        ValueError: fewer than two samples, or labels that do not fit.

    How much of it is the draw of real rows, `rightly_classified` tells row by row; that of the samples is not in there.

    >>> a = torch.tensor([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.1]])
    >>> classification_accuracy(a, torch.tensor([0, 0, 1, 1]), a + 0.01, torch.tensor([0, 0, 1, 0]))
    0.75
    """
    return float(rightly_classified(a, labels_a, b, labels_b).double().mean())


def rightly_classified(a: Tensor, labels_a: Tensor, b: Tensor, labels_b: Tensor) -> Tensor:
    """Which rows of `b` (m, d) a linear classifier names rightly that was taught by `a` (n, d): (m,) bool."""
    if len(a) < 2 or len(b) < 1 or len(a) != len(labels_a) or len(b) != len(labels_b):
        raise ValueError(
            f"two samples or more and a label for each row are needed, got {len(a)} and {len(labels_a)}, "
            f"{len(b)} and {len(labels_b)}"
        )
    probe = linear_probe(a.float(), labels_a, int(max(labels_a.max(), labels_b.max())) + 1)
    return probe(b.float()) == labels_b


def diversity(features: Tensor, labels: Tensor) -> dict[int, float]:
    """The mean distance between two samples of a class, by class, in the unit of the features.

    Of `features` (n, d), at most 1,000 rows of a class are taken, evenly from first to last. Classes with one sample
    are left out: they have no pair. 0 is a class that has collapsed to a point.

    >>> diversity(torch.tensor([[0.0], [2.0], [5.0], [5.0], [9.0]]), torch.tensor([0, 0, 1, 1, 2]))
    {0: 2.0, 1: 0.0}
    """
    if len(features) != len(labels):
        raise ValueError(f"{len(features)} rows of features and {len(labels)} labels: there must be one each")
    found = {}
    for number in labels.unique().tolist():
        rows = features[labels == number].double()
        if len(rows) >= 2:
            found[number] = float(torch.pdist(rows[:: -(-len(rows) // _MOST)]).mean())
    return found


def relative_diversity(a: Tensor, labels_a: Tensor, b: Tensor, labels_b: Tensor) -> dict[int, float]:
    """The diversity of samples `a` (n, d) within each class over that of real data `b` (m, d): 1 is as it should be.

    Below 1 the class has partly collapsed, above it the samples scatter more than the data do. Classes with fewer than
    two rows on either side are left out, and so are those whose real rows are all the same.

    >>> zero = torch.zeros(2, dtype=torch.int64)
    >>> relative_diversity(torch.tensor([[0.0], [1.0]]), zero, torch.tensor([[0.0], [2.0]]), zero)
    {0: 0.5}
    """
    ours, theirs = diversity(a, labels_a), diversity(b, labels_b)
    return {number: ours[number] / theirs[number] for number in ours if theirs.get(number, 0.0) > 0}
