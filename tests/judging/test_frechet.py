import numpy as np
import pytest
import scipy.linalg
import torch

from rivals.judging import frechet as module
from rivals.judging.compare import (
    class_frechet,
    frechet,
    frechet_from,
    frechet_infinity,
    moments,
    total_variance,
)


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


def covariances(d, *, least=1.0, seed=0):
    """Two covariances of dimension d whose eigenvalues span 1 to `least`, and the exact distance of their Gaussians.

    One is P D P', the other a map of it, so the optimal map is known: W A W with W symmetric and positive.
    """
    turn = torch.linalg.qr(normal(d, d, seed=seed)).Q
    a = turn * torch.logspace(0, float(np.log10(least)), d, dtype=torch.float64) @ turn.T
    mix = torch.linalg.qr(normal(d, d, seed=seed + 1)).Q
    w = mix * torch.linspace(0.5, 1.5, d, dtype=torch.float64) @ mix.T
    step = w - torch.eye(d, dtype=torch.float64)
    return a, w @ a @ w, float((step @ a @ step).trace())


@pytest.mark.parametrize(("d", "least"), [(5, 1e-1), (60, 1e-3), (60, 1e-9), (120, 1e-14)])
def test_gaussians_whose_optimal_map_is_known(d, least):
    a, b, expected = covariances(d, least=least)
    shift = normal(d, seed=9)
    found = frechet_from(torch.zeros(d), a, shift, b)
    assert found == pytest.approx(expected + float(shift.square().sum()), rel=1e-8)
    assert frechet_from(torch.zeros(d), a, torch.zeros(d), b) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("rank", [1, 7, 39])
def test_covariances_without_full_rank_keep_the_digits(rank):
    inner_a, inner_b, expected = covariances(rank, least=1e-2)
    frame = torch.linalg.qr(normal(40, 40, seed=3)).Q[:, :rank]
    a, b = frame @ inner_a @ frame.T, frame @ inner_b @ frame.T
    zero = torch.zeros(40)
    assert frechet_from(zero, a, zero, b) == pytest.approx(expected, rel=1e-8)
    whole = torch.eye(40, dtype=torch.float64)  # tr(A + 1 - 2 A^½)
    roots = torch.linalg.eigvalsh(inner_a).sqrt()
    expected = float((roots - 1).square().sum()) + 40 - rank
    assert frechet_from(zero, a, zero, whole) == pytest.approx(expected, rel=1e-8)


def test_features_that_never_vary_or_are_twice_the_same_change_nothing():
    a, b = normal(300, 6, seed=1), 1.2 * normal(300, 6, seed=2) + 0.1
    expected = frechet(a, b)
    dead = torch.zeros(300, 2, dtype=torch.float64)
    assert frechet(torch.cat([a, dead], 1), torch.cat([b, dead], 1)) == pytest.approx(expected, rel=1e-9)
    assert frechet(torch.cat([a, a], 1), torch.cat([b, b], 1)) == pytest.approx(2 * expected, rel=1e-8)


def test_both_ways_to_the_overlap_agree(monkeypatch):
    a, b = normal(500, 30, seed=1), normal(500, 30, seed=2) @ normal(30, 30, seed=3)
    quick = frechet(a, b)
    monkeypatch.setattr(torch.linalg, "svdvals", None)
    assert frechet(a, b) == quick  # well-conditioned: eigenvalues were enough
    monkeypatch.undo()
    monkeypatch.setattr(module, "_EXACT_ENOUGH", 0.0)
    assert frechet(a, b) == pytest.approx(quick, rel=1e-11)


def test_fewer_rows_than_features_on_one_side_agree_with_the_covariances():
    a, b = normal(20, 50, seed=1), normal(400, 50, seed=2) * 1.3
    assert frechet(a, b) == pytest.approx(frechet_from(*moments(a), *moments(b)), rel=1e-8)
    assert frechet(b, a) == pytest.approx(frechet(a, b), rel=1e-9)


def test_the_distance_grows_with_noise_and_with_classes_that_are_dropped():
    labels = torch.arange(900) % 3
    real = normal(900, 8, seed=1) + 4 * normal(3, 8, seed=2)[labels]
    noisy = [frechet(real + level * normal(900, 8, seed=3), real) for level in (0.2, 0.5, 1.0, 2.0)]
    assert noisy == sorted(noisy)
    dropped = [frechet(real[labels >= first], real) for first in (0, 1, 2)]
    assert dropped == sorted(dropped)
    assert dropped[1] > 1


def test_extrapolation_takes_the_bias_of_few_samples_away():
    real = normal(40_000, 12, seed=1)
    found = [
        (frechet(a, real), frechet_infinity(a, real)) for a in (normal(400, 12, seed=s) + 0.2 for s in range(2, 8))
    ]
    plain, beyond = (sum(values) / len(found) for values in zip(*found, strict=True))
    true = 12 * 0.04
    assert plain - true > 0.08  # the bias
    assert abs(beyond - true) < 0.4 * (plain - true)


def test_extrapolation_is_the_same_for_a_seed_and_refuses_too_few():
    a, b = normal(60, 3, seed=1), normal(60, 3, seed=2)
    assert frechet_infinity(a, b, seed=4) == frechet_infinity(a, b, seed=4)
    with pytest.raises(ValueError, match="8 samples or more"):
        frechet_infinity(a[:7], b)


def test_class_distances_are_those_within_classes():
    a, b = normal(90, 4, seed=1), normal(60, 4, seed=2)
    labels_a, labels_b = torch.arange(90) % 3, torch.arange(60) // 20
    found = class_frechet(a, labels_a, b, labels_b)
    expected = [frechet(a[c::3], b[20 * c : 20 * c + 20]) for c in range(3)]
    assert list(found.by_class.values()) == pytest.approx(expected, rel=1e-9)
    assert found.mean == pytest.approx(sum(expected) / 3)
    assert found.counts == {0: (30, 20), 1: (30, 20), 2: (30, 20)}


def test_swapped_labels_show_within_classes_only():
    labels = torch.arange(200) % 2
    rows = normal(200, 3) + 5 * labels[:, None]
    assert class_frechet(rows, 1 - labels, rows, labels).mean > 50
    assert class_frechet(rows, labels, rows, labels).mean == pytest.approx(0, abs=1e-9)


def test_class_distances_refuse_a_class_that_one_set_lacks():
    rows = normal(20, 3)
    with pytest.raises(ValueError, match=r"1 of 2 classes .* 1 \(0 in a, 10 in b\)"):
        class_frechet(rows, torch.zeros(20), rows, torch.arange(20) % 2)
    with pytest.raises(ValueError, match=r"a has 20 rows.* got \(19,\)"):
        class_frechet(rows, torch.zeros(19), rows, torch.zeros(20))


def test_quick_products_of_float32_features_lose_nothing_and_are_not_made_where_they_would(monkeypatch):
    mix = torch.eye(40) + 0.3 * normal(40, 40, seed=3).float()
    a, b = normal(900, 40, seed=1).float() @ mix + 20, 1.02 * normal(900, 40, seed=2).float() @ mix + 20
    exact = frechet(a.double(), b.double())
    assert frechet(a, b) == pytest.approx(exact, rel=1e-6)
    twice = [torch.cat([rows, rows[:, :5] + rows[:, 5:10]], 1) for rows in (a, b)]  # dependent features
    used = []
    kept = module._moments
    monkeypatch.setattr(module, "_moments", lambda rows, **words: used.append(words) or kept(rows, **words))
    found = frechet(*twice)
    assert used == 2 * [{"products": torch.float32}, {}]
    assert found == pytest.approx(frechet(*(rows.double() for rows in twice)), rel=1e-12)
