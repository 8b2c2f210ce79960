import numpy as np
import pytest
import scipy.linalg
import torch

from rivals.judging import compare
from rivals.judging.compare import frechet, frechet_from, moments, nearest, total_variance


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_matrix_root(a, b):
    """The textbook way, in numpy and scipy: |m - n|² + tr(A + B - 2 sqrtm(A B))."""
    a, b = a.numpy(), b.numpy()
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)


def test_moments_are_numpys():
    a = normal(50, 7)
    mean, covariance = moments(a.float())
    assert mean.dtype == covariance.dtype == torch.float64
    np.testing.assert_allclose(mean, a.mean(0), atol=1e-7)
    np.testing.assert_allclose(covariance, np.cov(a.numpy(), rowvar=False), atol=1e-6)


def test_total_variance_is_the_trace_and_half_the_mean_squared_distance():
    a = normal(40, 5)
    assert total_variance(a) == pytest.approx(float(moments(a)[1].trace()))
    pairs = torch.cdist(a, a).square()
    assert total_variance(a) == pytest.approx(float(pairs.sum() / (40 * 39) / 2))


@pytest.mark.parametrize(("n", "m", "d"), [(200, 300, 8), (500, 100, 20), (64, 64, 1)])
def test_frechet_agrees_with_the_matrix_root(n, m, d):
    mix = normal(d, d, seed=3)
    a, b = normal(n, d, seed=1), normal(m, d, seed=2) @ mix + 0.5
    if d == 1:
        spread = a.std() - b.std()
        expected = float((a.mean() - b.mean()) ** 2 + spread**2)
    else:
        expected = by_matrix_root(a, b)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_gaussians_whose_axes_agree():
    sigma, tau = torch.tensor([1.0, 2.0, 3.0, 0.0]), torch.tensor([2.0, 2.0, 0.5, 1.0])
    turn = torch.linalg.qr(normal(4, 4)).Q
    a, b = (turn @ torch.diag(s.double() ** 2) @ turn.T for s in (sigma, tau))
    expected = float((sigma - tau).square().sum()) + 4 * 0.25
    assert frechet_from(torch.zeros(4), a, torch.full((4,), 0.5), b) == pytest.approx(expected, rel=1e-9)


def test_frechet_is_symmetric_and_blind_to_the_order_of_rows_and_to_turns():
    a, b = normal(80, 6, seed=1), 1.5 * normal(90, 6, seed=2)
    turn = torch.linalg.qr(normal(6, 6)).Q
    there = frechet(a, b)
    assert frechet(b, a) == pytest.approx(there, rel=1e-10)
    assert frechet(a.flip(0), b[torch.randperm(90)]) == pytest.approx(there, rel=1e-10)
    assert frechet(a @ turn, b @ turn) == pytest.approx(there, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(100, 10), (8, 40), (2, 3)])
def test_frechet_to_itself_is_zero_and_a_shift_adds_its_square(n, d):
    a = normal(n, d)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    shift = normal(d, seed=5)
    assert frechet(a, a + shift) == pytest.approx(float(shift.square().sum()), rel=1e-9)


def test_scaling_by_s_gives_the_variance_times_s_less_one_squared():
    a = normal(300, 12)
    a = a - a.mean(0)
    assert frechet(a, 3 * a) == pytest.approx(4 * total_variance(a), rel=1e-9)


def test_fewer_rows_than_dimensions_agree_with_the_space_they_span():
    a, b = normal(12, 5, seed=1), normal(14, 5, seed=2) + 1
    wide = torch.linalg.qr(normal(64, 64)).Q[:5]  # the same rows as points of a plane in 64 dimensions
    assert frechet(a @ wide, b @ wide) == pytest.approx(frechet(a, b), rel=1e-8)
    both = frechet(normal(10, 200, seed=3), normal(15, 200, seed=4))
    assert 0 < both < 500
    assert np.isfinite(both)


def test_a_set_without_variance_is_as_far_as_the_variance_of_the_other():
    a = normal(60, 4)
    assert frechet(a.mean(0).expand(9, 4), a) == pytest.approx(total_variance(a), rel=1e-9)


def test_float32_features_lose_no_more_than_their_rounding():
    a, b = 50 + normal(400, 16, seed=1), 50 + normal(400, 16, seed=2)
    assert frechet(a.float(), b.float()) == pytest.approx(frechet(a, b), rel=1e-3)


@pytest.mark.parametrize("function", [moments, total_variance, lambda a: frechet(a, torch.zeros(4, 3))])
def test_bad_sets_are_refused_with_numbers(function):
    with pytest.raises(ValueError, match=r"2 samples or more, got \(1, 3\)"):
        function(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"got \(4, 3, 2\)"):
        function(torch.zeros(4, 3, 2))
    bad = torch.zeros(5, 3)
    bad[1, 2], bad[4, 0] = torch.nan, torch.inf
    with pytest.raises(ValueError, match="2 of 5 rows"):
        function(bad)


def test_sets_from_two_spaces_are_refused():
    with pytest.raises(ValueError, match="3 and 4 features"):
        frechet(torch.zeros(5, 3), torch.zeros(5, 4))


@pytest.mark.parametrize("at_once", [2**24, 64])
@pytest.mark.parametrize("k", [1, 3, 30])
def test_nearest_agrees_with_all_distances(monkeypatch, at_once, k):
    monkeypatch.setattr(compare, "_PAIRS_AT_ONCE", at_once)
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
