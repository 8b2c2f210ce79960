import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rivals.judging.score import (
    class_balance,
    classification_accuracy,
    diversity,
    inception_score,
    mode_count,
    relative_diversity,
    reverse_kl,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_inception_score_by_hand():
    # Two splits of two rows: one sure and of two classes (score 2), one that says the same of both rows (score 1).
    p = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.7, 0.3], [0.7, 0.3]])
    mean, deviation = inception_score(p, splits=2)
    assert mean == pytest.approx(1.5, abs=1e-6)
    assert deviation == pytest.approx(0.5, abs=1e-6)
    # One split: q = (0.6, 0.4).
    expected = (math.log(1 / 0.6) + math.log(1 / 0.4) + 2 * (0.7 * math.log(0.7 / 0.6) + 0.3 * math.log(0.3 / 0.4))) / 4
    assert inception_score(p, splits=1).mean == pytest.approx(math.exp(expected), rel=1e-6)


def test_inception_score_splits_what_does_not_divide():
    """Written out in numpy, with the bounds k n // splits."""
    p = torch.randn(103, 7, generator=rng(), dtype=torch.float64).softmax(1).numpy()
    found = []
    for k in range(10):
        part = p[k * 103 // 10 : (k + 1) * 103 // 10]
        found.append(math.exp(sum((row * np.log(row / part.mean(0))).sum() for row in part) / len(part)))
    mean, deviation = inception_score(torch.from_numpy(p))
    assert mean == pytest.approx(sum(found) / 10, rel=1e-10)
    assert deviation == pytest.approx(math.sqrt(sum((f - mean) ** 2 for f in found) / 10), rel=1e-8)


@given(st.integers(0, 99), st.integers(2, 8))
def test_inception_score_lies_between_one_and_the_classes_and_ignores_their_order(seed, classes):
    p = (4 * torch.randn(40, classes, generator=rng(seed))).softmax(1)
    score = inception_score(p, splits=4).mean
    assert 1 - 1e-9 <= score <= classes + 1e-9
    assert inception_score(p.flip(1), splits=4).mean == pytest.approx(score)


@pytest.mark.parametrize("p", [torch.ones(3, 2), torch.eye(3)[:, :2] - 1, torch.full((5, 2), math.nan), torch.eye(2)])
def test_what_are_no_probabilities_or_too_few_is_refused(p):
    with pytest.raises(ValueError, match=r"splits need|probabilities"):
        inception_score(p, splits=3)


def test_modes_and_reverse_kl_by_hand():
    classes = torch.tensor([0, 0, 0, 7])
    assert mode_count(classes, 10) == 2
    assert reverse_kl(classes, 10) == pytest.approx(0.75 * math.log(7.5) + 0.25 * math.log(2.5))


def test_reverse_kl_of_uniform_draws_is_what_the_docstring_says():
    draws = torch.randint(0, 1000, (25_600,), generator=rng())
    assert reverse_kl(draws, 1000) == pytest.approx(999 / 51_200, rel=0.1)


@pytest.mark.parametrize("classes", [torch.tensor([3]), torch.tensor([-1]), torch.tensor([], dtype=torch.int64)])
def test_class_numbers_out_of_range_are_refused(classes):
    with pytest.raises(ValueError, match="between 0 and 2"):
        mode_count(classes, 3)


def test_class_balance():
    counts = torch.tensor([10, 30])
    assert class_balance(torch.tensor([0, 1, 1, 1]), counts) == 0.0
    assert class_balance(torch.zeros(5, dtype=torch.int64), counts) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="wanted"):
        class_balance(torch.tensor([0]), torch.zeros(2))


def clusters(spread, seed=0, count=60):
    labels = torch.arange(count) % 3
    return 4 * torch.eye(3)[labels] + spread * torch.randn(count, 3, generator=rng(seed)), labels


def test_classification_accuracy_falls_when_fakes_mix_classes_up_or_miss_one():
    real, labels = clusters(0.5, seed=1)
    fake, asked = clusters(0.5, seed=2)
    assert classification_accuracy(fake, asked, real, labels) > 0.95
    assert classification_accuracy(fake, asked.roll(1), real, labels) < 0.1
    kept = asked != 2
    assert classification_accuracy(fake[kept], asked[kept], real, labels) == pytest.approx(2 / 3, abs=0.05)
    with pytest.raises(ValueError, match="a label for each row"):
        classification_accuracy(fake, asked[:-1], real, labels)


def test_diversity_is_the_mean_over_pairs_and_tells_a_collapsed_class():
    real, labels = clusters(1.0, seed=1)
    one = real[labels == 1]
    pairs = [float((one[i] - one[j]).norm()) for i in range(len(one)) for j in range(i)]
    assert diversity(real, labels)[1] == pytest.approx(sum(pairs) / len(pairs), rel=1e-5)
    half = torch.where((labels == 2)[:, None], real.mean(0), real)
    ratios = relative_diversity(half, labels, real, labels)
    assert ratios[0] == pytest.approx(1.0)
    assert ratios[2] == 0.0
