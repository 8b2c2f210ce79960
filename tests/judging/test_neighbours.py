import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.judging import pairs
from rivals.judging.compare import density_coverage, nearest, precision_recall
from rivals.judging.compare import neighbourhoods as rows_behind


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_all_distances(fake, real, k):
    """Precision, recall, density and coverage from the papers' formulas, in numpy, with all distances at once."""
    fake, real = fake.double().numpy(), real.double().numpy()
    apart = lambda x, y: np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))  # noqa: E731
    radius = lambda x: np.sort(apart(x, x), axis=1)[:, k]  # noqa: E731 (0 is the row itself)
    across = apart(fake, real)
    held = across < radius(real)[None]
    return {
        "precision": (across <= radius(real)[None]).any(1).mean(),
        "recall": (across <= radius(fake)[:, None]).any(0).mean(),
        "density": held.sum(1).mean() / k,
        "coverage": held.any(0).mean(),
    }


@pytest.mark.parametrize("tile", [2**12, 8])
@pytest.mark.parametrize("k", [1, 3, 30])
def test_nearest_agrees_with_all_distances(monkeypatch, tile, k):
    monkeypatch.setattr(pairs, "_TILE", tile)
    queries, keys = normal(25, 6, seed=1).float(), normal(30, 6, seed=2).float() + 2
    expected = torch.cdist(queries.double(), keys.double()).sort(1)
    distances, indices = nearest(queries, keys, k)
    assert torch.equal(indices, expected.indices[:, :k])
    torch.testing.assert_close(distances.double(), expected.values[:, :k], rtol=1e-5, atol=1e-6)


def test_copies_are_at_distance_zero_even_far_from_the_origin():
    keys = normal(500, 64).float() + 100
    distances, indices = nearest(keys[7:20], keys)
    assert torch.equal(indices[:, 0], torch.arange(7, 20))
    assert distances.max() == 0


def test_nearest_refuses_more_neighbours_than_keys():
    with pytest.raises(ValueError, match=r"number of keys \(3\), got 4"):
        nearest(torch.zeros(2, 2), torch.zeros(3, 2), k=4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tile", [2**12, 20])
@pytest.mark.parametrize(("n", "m", "d", "k"), [(120, 90, 3, 3), (60, 80, 40, 5), (30, 30, 1, 1)])
def test_all_four_are_the_papers(monkeypatch, dtype, tile, n, m, d, k):
    monkeypatch.setattr(pairs, "_TILE", tile)
    real = (normal(m, d, seed=1) + 7).to(dtype)
    fake = (1.2 * normal(n, d, seed=2) + 7.2).to(dtype)
    expected = by_all_distances(fake, real, k)
    found = {**precision_recall(fake, real, k=k)._asdict(), **density_coverage(fake, real, k=k)._asdict()}
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0 < found["precision"] < 1


def test_far_from_the_origin_and_with_an_outlier_the_doubtful_pairs_are_decided_exactly():
    real, fake = (normal(200, 5, seed=s) + 1e4 for s in (1, 2))
    real[0] += 1e5
    real, fake = real.float(), fake.float()
    expected = by_all_distances(fake, real, 3)
    assert precision_recall(fake, real, k=3) == pytest.approx((expected["precision"], expected["recall"]), rel=1e-12)
    assert density_coverage(fake, real, k=3) == pytest.approx((expected["density"], expected["coverage"]), rel=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(8, 40), st.integers(8, 40))
@settings(max_examples=20, deadline=None)
def test_swapped_sets_swap_precision_and_recall_and_order_matters_to_none(seed, k, n, m):
    a, b = normal(n, 4, seed=seed).float(), normal(m, 4, seed=seed + 1).float() + 0.3
    there, back = precision_recall(a, b, k=k), precision_recall(b, a, k=k)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    shuffled = a[torch.randperm(n, generator=torch.Generator().manual_seed(seed))], b.flip(0)
    assert precision_recall(*shuffled, k=k) == pytest.approx(there, rel=1e-12)
    assert density_coverage(*shuffled, k=k) == pytest.approx(density_coverage(a, b, k=k), rel=1e-12)


def test_a_set_against_itself_is_perfect_whatever_rounding_does():
    for rows in (normal(50, 6), normal(50, 6).float() + 1e3):
        assert precision_recall(rows, rows) == (1, 1)
        assert density_coverage(rows, rows) == (1, 1)  # ties: the k-th neighbour lies on the ball's surface


def test_a_collapsed_generator_is_precise_and_recalls_nothing():
    real = normal(100, 4)
    fake = real[:1].expand(100, 4)
    assert precision_recall(fake, real).precision == 1
    assert precision_recall(fake, real).recall == pytest.approx(0.01)  # its balls hold the row that it copies
    assert density_coverage(fake, real).coverage < 0.2


def test_noise_lowers_precision_and_density_and_dropped_classes_lower_recall_and_coverage():
    labels = torch.arange(600) % 4
    centres = 6 * normal(4, 6, seed=5)
    real, fake = (normal(600, 6, seed=s) + centres[labels] for s in (1, 2))
    noisy = [fake + level * normal(600, 6, seed=3) for level in (0, 0.5, 1, 3)]
    for falling in (
        [precision_recall(rows, real).precision for rows in noisy],
        [density_coverage(rows, real).density for rows in noisy],
        [precision_recall(fake[labels >= least], real).recall for least in range(4)],
        [density_coverage(fake[labels >= least], real).coverage for least in range(4)],
    ):
        assert falling == sorted(falling, reverse=True)
        assert falling[-1] < 0.5 * falling[0]


def test_the_rows_behind_the_four_have_them_as_means():
    a, b = normal(70, 5, seed=1), normal(60, 5, seed=2) + 0.4
    found = rows_behind(a, b)
    assert precision_recall(a, b) == (float(found.precise.mean()), float(found.recalled.mean()))
    assert density_coverage(a, b) == (float(found.density.mean()), float(found.covered.mean()))
    assert (len(found.precise), len(found.recalled), len(found.density), len(found.covered)) == (70, 60, 70, 60)


@pytest.mark.parametrize("function", [precision_recall, density_coverage])
def test_bad_sets_are_refused(function):
    rows = normal(20, 3)
    with pytest.raises(ValueError, match=r"3 and 4 features"):
        function(rows, normal(20, 4))
    with pytest.raises(ValueError, match="1 of 20 rows"):
        function(rows, torch.where(torch.arange(60).view(20, 3) == 5, torch.nan, rows))
    with pytest.raises(ValueError, match=r"rows less one \(3 in b\), got 6"):
        function(rows, rows[:4], k=6)
    with pytest.raises(ValueError, match="got 0"):
        function(rows, rows, k=0)
