import pytest
import torch

from rivals.judging import pairs
from rivals.judging.compare import kernel, kernel_and_neighbourhoods, neighbourhoods
from rivals.judging.pairs import Pairs, nearest_squares, squares_of


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def put_together(made, n, m):
    """The squares of all tiles in their places, and how often each pair came."""
    squares, seen = torch.zeros(n, m, dtype=torch.float64), torch.zeros(n, m)
    for tile in made.tiles():
        squares[tile.rows, tile.columns] = tile.squares.double()
        seen[tile.rows, tile.columns] += 1
    return squares, seen


@pytest.mark.parametrize("tile", [1, 7, 1024])
def test_tiles_hold_all_pairs_of_two_sets_and_half_of_those_of_one(monkeypatch, tile):
    monkeypatch.setattr(pairs, "_TILE", tile)
    a, b = normal(30, 5, seed=1) + 3, normal(20, 5, seed=2)
    squares, seen = put_together(Pairs(a, b), 30, 20)
    torch.testing.assert_close(squares, torch.cdist(a, b).square())
    assert bool((seen == 1).all())
    squares, seen = put_together(Pairs(a), 30, 30)
    assert bool((seen + seen.T - torch.eye(30) >= 1).all())
    assert int(seen.max()) == 1
    torch.testing.assert_close(squares * seen, torch.cdist(a, a).square() * seen, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("far", [0, 1000])
def test_squares_are_no_farther_from_the_true_ones_than_their_error_and_not_above_them_if_asked(far):
    a, b = (normal(200, 300, seed=seed).float() + far for seed in (1, 2))
    true = torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    made = Pairs(a, b)
    slack = made.error * (made.norms[0][:, None] + made.norms[1])
    assert bool(((put_together(made, 200, 200)[0] - true).abs() <= slack).all())
    assert bool((put_together(Pairs(a, b, under=True), 200, 200)[0] <= true).all())


@pytest.mark.parametrize("under", [False, True])
def test_kernels_are_of_the_products_about_the_origin_wherever_the_rows_are(under):
    a, b = normal(12, 4, seed=1) + 5, normal(9, 4, seed=2) - 3
    made = Pairs(a, b, under=under)
    (tile,) = made.tiles()
    torch.testing.assert_close(made.kernels(tile), (a @ b.T / 4 + 1) ** 3)


@pytest.mark.parametrize("tile", [4, 1024])
def test_rows_among_themselves_are_their_own_nearest_and_the_others_as_against_a_copy(monkeypatch, tile):
    monkeypatch.setattr(pairs, "_TILE", tile)
    rows = normal(50, 3).float()
    squares, which = nearest_squares(rows, None, 4)
    assert torch.equal(which[:, 0], torch.arange(50))
    assert float(squares[:, 0].max()) == 0
    assert torch.equal(squares, nearest_squares(rows, rows.clone(), 4)[0])


def test_squares_of_pairs_are_those_of_their_rows():
    a, b = normal(6, 3, seed=1), normal(5, 3, seed=2)
    rows, columns = torch.tensor([0, 5, 2]), torch.tensor([4, 4, 1])
    torch.testing.assert_close(squares_of(a, b, rows, columns), torch.cdist(a, b).square()[rows, columns])
    assert len(squares_of(a, b, rows[:0], columns[:0])) == 0


@pytest.mark.parametrize("size", [30, 3])  # all pairs at once, and blocks by themselves: too many pairs for their sums
def test_one_pass_gives_what_two_give(size):
    a, b = normal(60, 4, seed=1), normal(50, 4, seed=2) + 0.3
    blocks, rows = kernel_and_neighbourhoods(a, b, blocks=7, block_size=size, seed=3)
    alone = kernel(a, b, blocks=7, block_size=size, seed=3)
    assert (blocks.mean, blocks.deviation) == pytest.approx((alone.mean, alone.deviation), rel=1e-9)
    assert (blocks.blocks, blocks.block_size) == (7, size)
    other = neighbourhoods(a, b)
    for name in ("precise", "recalled", "density", "covered"):
        assert torch.equal(getattr(rows, name), getattr(other, name))
