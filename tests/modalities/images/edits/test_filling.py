"""Holes filled smoothly: exactly where that is known, beside an independent solver, and of any shape."""

import numpy as np
import pytest
import torch

from rivals.modalities.images.edits.filling import filled, laplacian, relaxed


def holes(*size, share=0.4, seed=0):
    mask = (torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(seed)) < share).float()
    mask[..., 0, 0] = 0
    return mask


@pytest.mark.parametrize("size", [(16, 16), (13, 22), (1, 5), (1, 1)])
def test_what_is_there_is_kept_and_one_colour_stays_one(size):
    mask = holes(*size)
    picture = torch.rand(2, 3, *size) * 2 - 1
    made = filled(picture * (1 - mask), mask)
    kept = (mask == 0).expand_as(picture)
    assert torch.equal(made[kept], picture[kept])
    assert made.abs().max() <= 1
    assert torch.equal(made, filled(torch.where(kept, picture, 0.7), mask)), "what is in holes counts for nothing"
    torch.testing.assert_close(filled(0.3 * (1 - mask), mask), torch.full((2, 1, *size), 0.3))


def test_a_slope_goes_on_through_a_hole():
    rows, columns = torch.meshgrid(torch.linspace(-0.8, 0.8, 32), torch.linspace(-0.5, 0.5, 32), indexing="ij")
    slope = (0.5 * rows + columns)[None, None]
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 10:19] = 1
    torch.testing.assert_close(filled(slope * (1 - mask), mask), slope, atol=0.03, rtol=0)


def test_many_rounds_come_to_what_a_direct_solver_finds():
    torch.manual_seed(0)
    picture, free = torch.rand(1, 1, 9, 11).double(), torch.zeros(1, 1, 9, 11).double()
    free[..., 2:7, 3:9] = 1
    found = relaxed(picture, free, 200)
    unit = torch.eye(99).double().reshape(99, 1, 9, 11)
    bend = laplacian(unit).reshape(99, 99).numpy()
    hole = free.flatten().numpy() > 0
    known = picture.flatten().numpy() * ~hole
    wanted = np.linalg.lstsq(bend[:, hole], -bend @ known, rcond=None)[0]
    np.testing.assert_allclose(found.flatten().numpy()[hole], wanted, atol=1e-6)
    assert torch.equal(found[free == 0], picture[free == 0])


def test_a_picture_that_is_all_hole_is_grey():
    assert torch.equal(filled(torch.ones(1, 3, 8, 8), torch.ones(1, 1, 8, 8)), torch.zeros(1, 3, 8, 8))
