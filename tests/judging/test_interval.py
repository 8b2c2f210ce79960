import pytest
import torch

from rivals.judging.compare import frechet
from rivals.judging.frechet import frechet_infinity
from rivals.judging.interval import bootstrap, frechet_interval, infinity_interval, mean_of


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def coverage(make, truth):
    """The share of intervals that hold the truth."""
    return sum(found.low <= truth <= found.high for found in make) / len(make)


@pytest.mark.parametrize("n", [40, 41])
def test_the_interval_of_a_mean_is_as_wide_as_theory_says_and_covers(n):
    found = [bootstrap(torch.mean, normal(n, seed=s) + 2, times=100) for s in range(200)]
    widths = sum(one.high - one.low for one in found) / len(found)
    assert widths == pytest.approx(2 * 1.96 / n**0.5, rel=0.05)
    assert coverage(found, 2.0) == pytest.approx(0.94, abs=0.045)  # theory: a little below 0.95 at these counts


def test_two_sets_are_drawn_apart():
    found = bootstrap(lambda a, b: a.mean() - b.mean(), normal(100, seed=1), normal(400, seed=2), times=1000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * (1 / 100 + 1 / 400) ** 0.5, rel=0.15)


def test_the_interval_holds_the_value_where_the_textbooks_bootstrap_does_not():
    a, b = normal(200, 20, seed=1), normal(200, 20, seed=2)
    value = frechet(a, b)
    generator = torch.Generator().manual_seed(0)
    plain = [frechet(*(rows[torch.randint(200, (200,), generator=generator)] for rows in (a, b))) for _ in range(50)]
    assert min(plain) > value  # repeated rows: all of its draws are too far
    found = bootstrap(frechet, a, b, times=50)
    assert found.value == value
    assert found.low < value < found.high


# true distances of Gaussians: |shift|² + d (1 - scale)²
@pytest.mark.parametrize(("shift", "scale", "d"), [(0.3, 1.0, 3), (0.0, 1.5, 4), (1.0, 0.5, 2)])
def test_intervals_of_a_distance_cover_the_true_one_where_the_bias_is_small(shift, scale, d):
    truth = d * (shift**2 + (1 - scale) ** 2)
    sets = [(scale * normal(600, d, seed=2 * s) + shift, normal(600, d, seed=2 * s + 1)) for s in range(100)]
    closed = [frechet_interval(a, b) for a, b in sets]
    assert 0.88 <= coverage(closed, truth) <= 1.0
    drawn = [bootstrap(frechet, a, b, times=60) for a, b in sets[:30]]
    assert 0.8 <= coverage(drawn, truth) <= 1.0
    wide = [sum(one.high - one.low for one in found) / len(found) for found in (closed, drawn)]
    assert wide[1] == pytest.approx(wide[0], rel=0.15)


@pytest.mark.parametrize(("n", "d", "shift"), [(20, 60, 0.4), (90, 60, 0.4), (90, 60, 0.0), (400, 60, 0.1)])
def test_in_wide_spaces_the_interval_covers_the_distance_at_these_counts(n, d, shift):
    sets = [(normal(n, d, seed=2 * s) + shift, 1.2 * normal(n, d, seed=2 * s + 1)) for s in range(100)]
    found = [frechet_interval(a, b) for a, b in sets]
    values = torch.tensor([one.value for one in found])
    assert coverage(found, float(values.mean())) >= 0.9
    width = sum(one.high - one.low for one in found) / len(found)
    assert 0.8 < width / (2 * 1.96 * float(values.std())) < 2.2  # never too narrow, not absurdly wide


@pytest.mark.parametrize(("n", "m", "d", "shift"), [(600, 600, 3, 0.3), (200, 400, 30, 0.2), (60, 200, 40, 0.3)])
def test_the_interval_of_an_extrapolation_covers_it_at_these_counts(n, m, d, shift):
    sets = [(1.1 * normal(n, d, seed=2 * s) + shift, normal(m, d, seed=2 * s + 1)) for s in range(60)]
    found = [infinity_interval(a, b) for a, b in sets]
    values = torch.tensor([one.value for one in found])
    assert found[0].value == frechet_infinity(*sets[0])
    assert coverage(found, float(values.mean())) >= 0.85
    width = sum(one.high - one.low for one in found) / len(found)
    assert 0.8 < width / (2 * 1.96 * float(values.std())) < 1.8


def test_the_interval_of_the_mean_over_classes_covers_it():
    found = []
    for s in range(60):
        sets = [(normal(50, 12, seed=99 * s + c) + 0.3, normal(60, 12, seed=99 * s + 50 + c)) for c in range(5)]
        found.append(mean_of([frechet_interval(a, b) for a, b in sets]))
    values = torch.tensor([one.value for one in found])
    assert coverage(found, float(values.mean())) >= 0.9
    width = sum(one.high - one.low for one in found) / len(found)
    assert 0.8 < width / (2 * 1.96 * float(values.std())) < 1.9


def test_both_ways_to_the_pulls_agree_and_the_value_is_the_distance():
    a, b = normal(60, 8, seed=1), 1.3 * normal(50, 8, seed=2) + 0.2
    found = frechet_interval(a, b)
    assert found.value == pytest.approx(frechet(a, b), rel=1e-9)
    padded = [torch.cat([rows, torch.zeros(len(rows), 70)], 1) @ torch.linalg.qr(normal(78, 78)).Q for rows in (a, b)]
    wide = frechet_interval(*padded)  # the same rows in 78 dimensions: fewer rows than features
    assert (wide.value, wide.low, wide.high) == pytest.approx((found.value, found.low, found.high), rel=1e-8)


def test_the_interval_of_a_set_to_itself_begins_at_zero():
    rows = normal(50, 4)
    found = frechet_interval(rows, rows)
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.low == pytest.approx(0, abs=1e-12)


def test_the_same_seed_gives_the_same_and_a_higher_level_is_wider():
    rows = normal(60, 2)
    first, again = (bootstrap(torch.std, rows, seed=3) for _ in range(2))
    assert first == again
    assert bootstrap(torch.std, rows, seed=3, level=0.5).high < first.high
    assert frechet_interval(rows, rows + 1, level=0.5).high < frechet_interval(rows, rows + 1).high


def test_rows_that_go_together_are_drawn_by_their_numbers():
    features, labels = normal(40, 2), torch.arange(40) % 2
    seen = []
    bootstrap(lambda i: float(seen.append((features[i], labels[i])) or len(i)), torch.arange(40), times=3)
    for rows, classes in seen:
        assert len(rows) == len(classes) in (20, 40)


def test_too_little_is_refused():
    with pytest.raises(ValueError, match=r"4 rows or more .* got \(3\)"):
        bootstrap(torch.mean, normal(3))
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        bootstrap(torch.mean, normal(9), level=95)
    with pytest.raises(ValueError, match="2 samples or more"):
        frechet_interval(normal(1, 3), normal(9, 3))
    with pytest.raises(ValueError, match="3 and 2 features"):
        frechet_interval(normal(9, 3), normal(9, 2))
