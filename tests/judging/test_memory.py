import math

import numpy as np
import pytest
import scipy.stats
import torch
import torch.nn.functional as F

from rivals.judging.copies import tail, wilson
from rivals.judging.memory import authenticity, copies, ct_score, matches


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(count, seed, *, size=20, channels=1):
    """Pictures with large and small structure, in [-1, 1]."""
    coarse = torch.randn(count, channels, 5, 5, generator=rng(seed))
    fine = torch.randn(count, channels, 10, 10, generator=rng(seed + 1))
    parts = [F.interpolate(x, (size, size), mode="bilinear") for x in (coarse, 0.5 * fine)]
    return (parts[0] + parts[1]).tanh()


def shifted(pictures, down, right):
    wide = F.pad(pictures, (2, 2, 2, 2), mode="replicate")
    return wide[..., 2 - down : 2 - down + pictures.shape[2], 2 - right : 2 - right + pictures.shape[3]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -2), (-1, 1), (0, 2)])
def test_a_shifted_copy_is_traced_to_its_source(down, right, channels):
    train = blobs(80, 5, channels=channels)
    rows = torch.tensor([3, 50, 79])
    found = matches(shifted(train[rows], down, right), train)
    assert found.which.tolist() == rows.tolist()
    assert found.shift.tolist() == [[down, right]] * 3
    assert float(found.deviation.max()) < 1e-3
    assert float(found.residual.max()) < 1e-6


def test_the_match_is_the_best_of_all_by_brute_force():
    train, samples = blobs(40, 1), blobs(6, 100)
    found = matches(samples, train)
    kept = train[..., 2:18, 2:18].flatten(1).numpy()
    for sample, row in zip(samples, found.which.tolist(), strict=True):
        windows = [sample[0, y : y + 16, x : x + 16].flatten().numpy() for y in range(5) for x in range(5)]
        best = [max(np.corrcoef(window, one)[0, 1] for window in windows) for one in kept]
        assert best[row] == pytest.approx(max(best), abs=1e-5)


@pytest.mark.parametrize("size", [20, 12])
@pytest.mark.parametrize(
    "laid", [lambda x: x.contiguous(memory_format=torch.channels_last), lambda x: x.mT.contiguous().mT]
)
def test_how_pictures_lie_in_memory_changes_nothing(laid, size):
    train, samples = (blobs(count, seed, channels=3, size=size) for count, seed in ((40, 1), (6, 100)))
    plain, other = matches(samples, train), matches(laid(samples), laid(train))
    assert not laid(train).is_contiguous()
    assert torch.equal(plain.which, other.which)
    assert torch.equal(plain.shift, other.shift)
    assert torch.allclose(plain.deviation, other.deviation, rtol=1e-3)


def planted(change, *, count=30):
    train, held_out, fresh = blobs(400, 1), blobs(400, 20), blobs(370, 40)
    samples = torch.cat([change(shifted(train[:count], 1, -2)), fresh])
    return copies(samples, train, held_out), count


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: 0.7 * x - 0.2,
        lambda x: x + 0.02 * torch.randn(x.shape, generator=rng(9)),
        lambda x: (x + x.roll(1, -1)) / 2,
        lambda x: ((x + 1) * 127.5).round() / 127.5 - 1,
    ],
)
def test_planted_copies_are_found_and_nothing_else(change):
    found, count = planted(change)
    assert found.flags[:count].all()
    assert not found.flags[count:].any()
    assert (found.alarms, found.tested) == (0, 200)
    assert found.share.low < found.share.value == count / 400 < found.share.high


def test_no_copies_no_flags_and_bytes_are_as_good_as_floats():
    train, held_out, fresh = (blobs(200, seed) for seed in (1, 20, 40))
    as_bytes = [((x + 1) * 127.5).round().to(torch.uint8) for x in (fresh, train, held_out)]
    found = copies(*as_bytes)
    assert not found.flags.any()
    exact = copies(*(x.float() / 127.5 - 1 for x in as_bytes))
    assert found.limit == exact.limit
    assert torch.equal(found.matches.which, exact.matches.which)


def test_a_mirrored_copy_is_not_found_as_the_docstring_says():
    found, count = planted(lambda x: x.flip(-1))
    assert not found.flags[:count].any()


def test_pictures_of_one_colour_are_never_copies():
    train = torch.cat([blobs(199, 1), torch.zeros(1, 1, 20, 20)])
    found = copies(torch.zeros(2, 1, 20, 20), train, blobs(200, 20))
    assert not found.flags.any()
    assert found.matches.deviation.tolist() == [math.inf, math.inf]


def test_held_out_pictures_that_are_training_pictures_leave_nothing_to_tell():
    train = blobs(100, 1)
    found = copies(train[:5], train, train)
    assert found.limit < 1e-3  # rounding
    assert found.share.value <= 1.0


def test_the_tail_of_a_power_law_is_extrapolated_and_few_repeats_only_lower_it():
    u = torch.rand(4_000, generator=rng(), dtype=torch.float64)
    values = u ** (1 / 6)
    assert tail(values, 1e-5) == pytest.approx(1e-5 ** (1 / 6), rel=0.15)
    limit = tail(values, 1e-5)
    values[:8] = 1e-6
    assert 0.5 * limit < tail(values, 1e-5) <= limit


def test_the_interval_of_a_share_is_scipys():
    expected = scipy.stats.binomtest(7, 90).proportion_ci(method="wilson")
    found = wilson(7, 90)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_what_cannot_be_searched_is_refused():
    train = blobs(100, 1)
    with pytest.raises(ValueError, match="agree in all"):
        matches(train[..., 1:], train)
    with pytest.raises(ValueError, match="nothing to compare"):
        matches(train[..., :6, :6], train[..., :6, :6])
    with pytest.raises(ValueError, match="1 of 3 samples have values that are not finite"):
        matches(torch.cat([train[:2], train[:1] * math.nan]), train)
    with pytest.raises(ValueError, match="100 held-out pictures"):
        copies(train, train, train[:99])


def test_authenticity_by_brute_force():
    a, train = torch.randn(40, 3, generator=rng(1)), torch.randn(60, 3, generator=rng(2))
    expected = []
    for row in a:
        nearest = int((train - row).norm(dim=1).argmin())
        others = torch.cat([train[:nearest], train[nearest + 1 :]])
        expected.append(bool((train[nearest] - row).norm() >= (others - train[nearest]).norm(dim=1).min()))
    assert authenticity(a, train).tolist() == expected
    assert not authenticity(train + 1e-4, train).any()


def test_ct_score_of_one_cell_is_mann_and_whitneys_z():
    a, train, test = (torch.randn(count, 4, generator=rng(seed)) for count, seed in ((50, 1), (200, 2), (70, 3)))
    d_a, d_test = (torch.cdist(x, train).amin(1).numpy() for x in (1.1 * a, test))
    u = scipy.stats.mannwhitneyu(d_a, d_test).statistic
    expected = (u - 50 * 70 / 2) / math.sqrt(50 * 70 * 121 / 12)
    assert ct_score(1.1 * a, train, test, cells=1) == pytest.approx(expected, rel=1e-6)


def test_ct_score_tells_copying_from_underfitting_also_where_they_happen_in_different_cells():
    far = 100 * torch.eye(2)[torch.arange(400) % 2]
    train, test, fresh = (far + torch.randn(400, 2, generator=rng(seed)) for seed in (1, 2, 3))
    assert abs(ct_score(fresh, train, test, cells=2)) < 3
    assert ct_score(train + 0.001, train, test, cells=2) < -10
    assert ct_score(far + 5 * (fresh - far), train, test, cells=2) > 5
    with pytest.raises(ValueError, match="no cell"):
        ct_score(fresh[:10], train, test)
