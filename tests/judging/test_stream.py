import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.judging import stream
from rivals.judging.stream import Moments


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of(rows):
    seen = Moments(rows.shape[1])
    seen.add(rows)
    return seen


def assert_moments(seen, rows, rtol=1e-12):
    rows = rows.double().numpy()
    assert seen.count == len(rows)
    np.testing.assert_allclose(seen.mean, rows.mean(0), rtol=rtol)
    np.testing.assert_allclose(seen.covariance, np.cov(rows, rowvar=False), rtol=rtol, atol=1e-12)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_parts_make_the_whole_however_they_are_cut(sizes, seed):
    rows = normal(sum(sizes) + 2, 3, seed=seed) + 50
    seen = Moments(3)
    for part in rows.split([*sizes, 2]):
        seen.add(part)
    assert_moments(seen, rows, rtol=1e-10)


@pytest.mark.parametrize("columns", [1, 3, 256])
@pytest.mark.parametrize("at_once", [8, 2**22])
def test_blocks_of_rows_and_columns_change_nothing(monkeypatch, columns, at_once):
    monkeypatch.setattr(stream, "_COLUMNS", columns)
    monkeypatch.setattr(stream, "_NUMBERS_AT_ONCE", at_once)
    rows = normal(40, 7) @ normal(7, 7, seed=1)
    assert_moments(of(rows), rows)


def test_far_from_the_origin_no_digits_are_lost():
    rows = normal(500, 3)
    moved = of(rows + 1e6)
    np.testing.assert_allclose(moved.covariance, of(rows).covariance, atol=1e-8)  # 1e6 costs six of sixteen digits


def test_merging_is_adding_and_leaves_both_as_they_were():
    a, b = normal(30, 4, seed=1), normal(11, 4, seed=2) + 3
    left, right = of(a), of(b)
    both = left.merged(right)
    assert_moments(both, torch.cat([a, b]))
    assert_moments(right.merged(left), torch.cat([a, b]))
    assert_moments(left, a)
    assert_moments(Moments(4).merged(left), a)


def test_an_empty_part_adds_nothing():
    seen = of(normal(5, 2))
    seen.add(torch.zeros(0, 2))
    assert seen.count == 5
    assert Moments(2).merged(Moments(2)).count == 0


def test_bad_rows_are_refused_and_leave_no_trace():
    seen = of(normal(5, 2))
    before = seen.covariance
    bad = torch.zeros(3, 2)
    bad[1, 0] = torch.nan
    with pytest.raises(ValueError, match="1 of 3 rows"):
        seen.add(bad)
    with pytest.raises(ValueError, match=r"\(samples, 2\) were expected, got \(3, 4\)"):
        seen.add(torch.zeros(3, 4))
    assert torch.equal(seen.covariance, before)
    with pytest.raises(ValueError, match="2 samples or more, got 1"):
        _ = of(torch.zeros(1, 2)).covariance
    with pytest.raises(ValueError, match="2 and 3 features"):
        of(normal(5, 2)).merged(of(normal(5, 3)))


CASES = {"both": (12, 5), "one saw nothing": (0, 7)}  # rows of either process


def one_process(rank, file):
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    for name, counts in CASES.items():
        seen = Moments(5)
        seen.add((normal(sum(counts), 5) + 9).split(list(counts))[rank])
        total = seen.reduced()
        torch.save((total.count, total.mean, total.covariance), f"{file} {name} {rank}")
    dist.destroy_process_group()


@pytest.mark.slow
def test_processes_together_are_one(tmp_path):
    mp.spawn(one_process, args=(tmp_path / "meet",), nprocs=2)
    for name, counts in CASES.items():
        rows = normal(sum(counts), 5) + 9
        for rank in range(2):
            count, mean, covariance = torch.load(f"{tmp_path / 'meet'} {name} {rank}", weights_only=True)
            assert count == sum(counts)
            np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-12)
            np.testing.assert_allclose(covariance, np.cov(rows.numpy(), rowvar=False), rtol=1e-10)


def test_alone_reduced_is_the_same():
    rows = normal(9, 3)
    assert_moments(of(rows).reduced(), rows)
