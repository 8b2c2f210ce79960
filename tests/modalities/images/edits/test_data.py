from dataclasses import replace

import numpy as np
import pytest
import torch

from rivals.engine import parallel
from rivals.engine.errors import RequestError
from rivals.engine.facts import data_facts
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits import data as module
from rivals.modalities.images.edits.data import damaged, dataset
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.store import load
from rivals.modalities.images.edits.tasks import TASKS, settings


def edits_of(task, **more):
    scale = TASKS[task].scale
    return Edits(task, 3, TASKS[task].seen(3), scale, 32, settings(task, more))


@pytest.fixture
def shelf(make_pictures):
    return load(survey(make_pictures(size=36, count=8), learning=False), 3, 32)


def good(count=3):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(5)) * 2 - 1


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_does_the_same_damage_whatever_is_beside_it(task):
    edits, pictures, seeds = edits_of(task), good(), torch.tensor([4, 9, 4])
    given = damaged(pictures, edits, seeds)
    assert given.shape == (3, edits.seen, 32 // edits.scale, 32 // edits.scale)
    assert given.dtype == torch.float32
    assert torch.equal(given[1:2], damaged(pictures[1:2], edits, seeds[1:2]))
    drawn = not torch.equal(damaged(pictures, edits, seeds + 1), given)
    assert drawn == (task not in ("super-resolution", "colourise")), "these two are always the same"


def test_noise_has_the_deviation_that_was_asked_for():
    noise = damaged(good(8), edits_of("denoise", sigma=[10, 10]), torch.arange(8)) - good(8)
    assert float(noise.std()) * 127.5 == pytest.approx(10, rel=0.05)


def test_holes_are_grey_and_marked_and_cover_the_share_that_was_asked_for():
    pictures = good(6)
    given = damaged(pictures, edits_of("inpaint", share=[0.25, 0.25]), torch.arange(6))
    mask = given[:, 3:]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (given[:, :3] * mask).abs().max() == 0
    assert torch.equal(given[:, :3] * (1 - mask), pictures * (1 - mask))
    assert (mask.flatten(1).mean(1) >= 0.25).all()


def test_facts_on_the_data_cost_no_damage(shelf, monkeypatch):
    data = dataset(shelf, edits_of("denoise"))
    torch.manual_seed(3)
    whole, _ = data_facts(replace(data, real=None))
    monkeypatch.setattr(module, "damaged", None)
    torch.manual_seed(3)
    facts, _ = data_facts(data)
    assert facts["looked_at"] == len(shelf.train)
    assert facts["repeated"] == whole["repeated"] == 0


@pytest.mark.parametrize("task", ["denoise", "inpaint", "super-resolution"])
def test_two_processes_see_what_one_would_see_of_the_whole_batch(task, shelf, monkeypatch):
    data, rows = dataset(shelf, edits_of(task)), shelf.train[:4]

    def cut(rank, world):
        monkeypatch.setattr(parallel, "processes", lambda: (rank, world))
        torch.manual_seed(7)
        return data.cut(rows.chunk(world)[rank])

    whole, halves = cut(0, 1), [cut(0, 2), cut(1, 2)]
    for place in (0, 1):
        assert torch.equal(torch.cat([half[place] for half in halves]), whole[place])


def test_held_out_pictures_are_not_learned_from(shelf):
    data = dataset(shelf, edits_of("denoise"))
    assert not set(data.train.tolist()) & set(data.held_out.tolist())
    assert sorted([*data.train.tolist(), *data.held_out.tolist()]) == list(range(8))


def test_crops_are_parts_of_pictures_turned_or_mirrored(shelf):
    torch.manual_seed(0)
    row = shelf.train[:1]
    real = dataset(shelf, edits_of("denoise")).cut(row).real
    part = ((real[0] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = shelf.picture(int(row))
    ways = [np.rot90(picture[:, ::-1] if mirrored else picture, turn) for mirrored in (0, 1) for turn in range(4)]
    assert any(
        np.array_equal(way[top : top + 32, left : left + 32], part)
        for way in ways
        for top in range(5)
        for left in range(5)
    )


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("inpaint", {"share": [0.2, 1.5]}),  # which no mask could ever cover
        ("inpaint", {"boxes": float("nan")}),
        ("deblock", {"quality": [0, 40]}),
        ("denoise", {"sigma": [-1, 5]}),
    ],
)
def test_settings_out_of_bounds_are_refused(task, changes):
    (name,) = changes
    with pytest.raises(RequestError, match=f"{name} of {task} is given as .* between"):
        settings(task, changes)


def test_a_blur_of_no_width_leaves_pictures_as_they_are():
    pictures = good(2)
    given = damaged(pictures, edits_of("deblur", sigma=[0, 0], noise=[0, 0]), torch.arange(2))
    assert torch.allclose(given, pictures, atol=1e-6)


def test_what_would_move_one_of_two_pictures_is_refused():
    with pytest.raises(RequestError, match="compares pictures place by place"):
        Edits("denoise").operations(("slight",))
    assert Edits("denoise").operations(()) == ()
    assert Edits("unpaired").operations(("slight",))
