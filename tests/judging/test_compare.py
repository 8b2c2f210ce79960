import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.judging import pairs
from rivals.judging.compare import kernel, mmd, sliced_wasserstein


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_all_kernels(a, b):
    """The unbiased estimate, pair by pair, in numpy."""
    a, b = a.double().numpy(), b.double().numpy()
    k = lambda x, y: (x @ y.T / a.shape[1] + 1) ** 3  # noqa: E731
    own = lambda x: k(x, x)[~np.eye(len(x), dtype=bool)].mean()  # noqa: E731
    return own(a) + own(b) - 2 * k(a, b).mean()


@pytest.mark.parametrize("tile", [2**12, 8])
@pytest.mark.parametrize(("n", "m", "d"), [(30, 30, 4), (20, 45, 60), (2, 3, 1)])
def test_mmd_is_the_mean_over_pairs(monkeypatch, tile, n, m, d):
    monkeypatch.setattr(pairs, "_TILE", tile)
    a, b = normal(n, d, seed=1), normal(m, d, seed=2) + 0.5
    assert mmd(a, b) == pytest.approx(by_all_kernels(a, b), rel=1e-10)
    assert mmd(b, a) == pytest.approx(mmd(a, b), rel=1e-12)
    assert mmd(a.float(), b.float()) == pytest.approx(mmd(a, b), rel=1e-4)


def test_mmd_has_no_bias_and_knows_gaussians():
    values = [mmd(normal(8, 1, seed=s), normal(8, 1, seed=s + 5000) + 1) for s in range(500)]
    # k = (xy + 1)³ of independent x, y: 1 + 3 E xy + 3 E (xy)² + E (xy)³, with moments 0, 1, 0 and 1, 2, 4
    expected = (1 + 3) + (1 + 3 + 3 * 4 + 16) - 2 * (1 + 3 * 2)
    error = float(np.std(values)) / len(values) ** 0.5
    assert abs(np.mean(values) - expected) < 4 * error
    same = [mmd(normal(8, 1, seed=s), normal(8, 1, seed=s + 5000)) for s in range(500)]
    assert min(same) < 0
    assert abs(np.mean(same)) < 4 * float(np.std(same)) / len(same) ** 0.5


def test_blocks_are_drawn_as_documented():
    a, b = normal(50, 3, seed=1), normal(70, 3, seed=2) + 0.2
    draws = np.random.RandomState(7)
    blocks = []
    for _ in range(5):
        rows_a, rows_b = draws.choice(50, 20, replace=False), draws.choice(70, 20, replace=False)
        blocks.append(by_all_kernels(a[rows_a], b[rows_b]))
    found = kernel(a, b, blocks=5, block_size=20, seed=7)
    assert (found.mean, found.deviation) == pytest.approx((np.mean(blocks), np.std(blocks)), rel=1e-10)
    assert (found.blocks, found.block_size) == (5, 20)


def test_blocks_no_larger_than_the_smaller_set_and_said_so():
    found = kernel(normal(30, 3, seed=1), normal(40, 3, seed=2), blocks=3)
    assert found.block_size == 30
    whole = kernel(normal(30, 3, seed=1), normal(30, 3, seed=2), blocks=3)
    assert whole.deviation == pytest.approx(0, abs=1e-9)
    assert whole.mean == pytest.approx(mmd(normal(30, 3, seed=1), normal(30, 3, seed=2)), rel=1e-9)


def test_sliced_distance_in_one_dimension_is_exact_for_any_counts():
    a, b = normal(30, 1, seed=1), 2 * normal(42, 1, seed=2) + 1
    levels = (np.arange(420_000) + 0.5) / 420_000
    quantiles = [np.sort(rows.numpy()[:, 0])[(levels * len(rows)).astype(int)] for rows in (a, b)]
    expected = np.sqrt(((quantiles[0] - quantiles[1]) ** 2).mean())
    assert sliced_wasserstein(a, b, directions=3) == pytest.approx(expected, rel=1e-9)


def test_sliced_distance_of_a_shift_and_of_a_scale():
    a = normal(200, 6)
    shift = normal(6, seed=3)
    assert sliced_wasserstein(a, a + shift, directions=4_000) ** 2 == pytest.approx(
        float(shift.square().sum()) / 6, rel=0.06
    )
    mean = float(a.square().sum(1).mean()) / 6  # of the squared projection
    assert sliced_wasserstein(a, 3 * a, directions=4_000) == pytest.approx(2 * mean**0.5, rel=0.04)


def test_sliced_distance_agrees_with_scipys_first_order_where_all_moves_one_way():
    a = normal(25, 1, seed=1)
    b = a + 0.7
    assert sliced_wasserstein(a, b) == pytest.approx(scipy.stats.wasserstein_distance(a[:, 0], b[:, 0]), rel=1e-9)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30))
@settings(max_examples=20, deadline=None)
def test_order_and_side_do_not_matter(seed, n, m):
    a, b = normal(n, 3, seed=seed), normal(m, 3, seed=seed + 1) + 0.3
    shuffled = a[torch.randperm(n, generator=torch.Generator().manual_seed(seed))]
    for distance in (mmd, sliced_wasserstein):
        assert distance(shuffled, b.flip(0)) == pytest.approx(distance(a, b), rel=1e-9, abs=1e-12)
        assert distance(b, a) == pytest.approx(distance(a, b), rel=1e-9, abs=1e-12)
    assert sliced_wasserstein(a, a) == 0


@pytest.mark.parametrize("distance", [mmd, sliced_wasserstein])
def test_noise_and_dropped_classes_are_farther(distance):
    labels = torch.arange(600) % 3
    real = normal(600, 5, seed=1) + 3 * normal(3, 5, seed=2)[labels]
    for rows in (
        [real + level * normal(600, 5, seed=3) for level in (0, 0.5, 1, 2)],
        [real[labels >= least] for least in range(3)],
    ):
        values = [distance(each, real) for each in rows]
        assert values == sorted(values)
        assert values[-1] > values[1]


@pytest.mark.parametrize("distance", [mmd, kernel, sliced_wasserstein])
def test_bad_sets_are_refused(distance):
    rows = normal(10, 3)
    with pytest.raises(ValueError, match=r"2 samples or more, got \(1, 3\)"):
        distance(rows[:1], rows)
    with pytest.raises(ValueError, match="3 and 2 features"):
        distance(rows, rows[:, :2])
    with pytest.raises(ValueError, match="10 of 10 rows"):
        distance(rows / 0, rows)
    with pytest.raises(ValueError, match="floating-point"):
        distance(rows.long(), rows)
