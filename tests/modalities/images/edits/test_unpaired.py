"""Pictures of two kinds without pairs: what is given is drawn for itself, and the held-out part is kept apart."""

import numpy as np
import pytest
import torch
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.store import load
from rivals.modalities.images.edits.unpaired import dataset, load_paintings, styled


def folder_of(place, count, red, size=40):
    """Pictures that say their kind in red and their number in blue; green says where a pixel lies."""
    place.mkdir(parents=True)
    for number in range(count):
        pixels = np.zeros((size, size + 8, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = red, np.arange(size)[:, None], 5 * number
        Image.fromarray(pixels).save(place / f"{number}.png")
    return place


@pytest.fixture
def kinds(tmp_path):
    return [
        load(survey(folder_of(tmp_path / name, count, red), learning=False), 3, 32)
        for name, count, red in (("horses", 12, 50), ("zebras", 20, 200))
    ]


def edits_of(back=False):
    return Edits("unpaired", crop=32, damage={"shorter": 96, "ways": 2}, back=back)


def levels(x):
    return ((x + 1) * 127.5).round().int()


def test_the_second_kind_is_real_and_the_first_is_given(kinds):
    batch = dataset(*kinds, edits_of()).cut(kinds[1].train)
    assert (levels(batch.real)[:, 0] == 200).all()
    assert (levels(batch.cond)[:, 0] == 50).all()
    assert batch.real.shape == batch.cond.shape == (len(kinds[1].train), 3, 32, 32)


def test_what_is_given_does_not_depend_on_what_is_real(kinds):
    source, target = kinds
    data = dataset(source, target, edits_of())
    torch.manual_seed(0)
    batch = data.cut(target.train.repeat(200))
    real, given = levels(batch.real), levels(batch.cond)
    table = torch.zeros(20, 12)
    table.index_put_((real[:, 2, 0, 0] // 5, given[:, 2, 0, 0] // 5), torch.ones(len(real)), accumulate=True)
    seen = table[table.sum(1) > 0][:, table.sum(0) > 0]
    assert seen.shape == (len(target.train), len(source.train))
    expected = seen.sum(1, keepdim=True) * seen.sum(0) / seen.sum()
    freedom = (seen.shape[0] - 1) * (seen.shape[1] - 1)
    squares = float(((seen - expected).square() / expected).sum())
    assert abs(squares - freedom) < 4 * (2 * freedom) ** 0.5, "chi-squared of independence"
    rows = torch.stack([real[:, 1, 0, 0], given[:, 1, 0, 0]]).float()
    assert abs(float(rows.corrcoef()[0, 1])) < 0.05, "places of crops"
    torch.manual_seed(0)
    assert torch.equal(data.cut(target.train.repeat(200)).cond, batch.cond)


def test_held_out_pictures_meet_held_out_ones_only(kinds):
    source, target = kinds
    data = dataset(source, target, edits_of())
    number_of = {row: int(source.picture(row)[0, 0, 2]) for row in range(12)}
    for rows, allowed in ((data.train, source.train), (data.held_out, source.held_out)):
        seen = set(levels(data.cut(rows.repeat(30)).cond)[:, 2, 0, 0].tolist())
        assert seen == {number_of[row] for row in allowed.tolist()}


def test_a_network_both_ways_is_given_both_kinds(kinds):
    batch = dataset(*kinds, edits_of(back=True)).cut(kinds[1].train)
    assert batch.cond.shape[1] == 6
    assert torch.equal(batch.cond[:, :3], batch.real.back)
    assert torch.equal(batch.cond[:, 3:], batch.real.there)
    assert (levels(batch.real.there)[:, 0] == 200).all()


def test_one_painting_is_enough_and_smaller_ones_are_enlarged(kinds, tmp_path):
    path = folder_of(tmp_path / "paintings", 1, 120, size=20) / "0.png"
    paintings = load_paintings([path], 3, 32, 64)
    assert paintings.places[0, 1:].tolist() == [32, 45]
    assert not len(paintings.held_out)
    data = styled(kinds[0], paintings, Edits("style", crop=32, damage={"shorter": 64, "ways": 2}))
    assert len(data.train) == len(kinds[0].train)
    batch = data.cut(data.held_out)
    assert (levels(batch.real)[:, 0] - 120).abs().max() <= 1
    assert (levels(batch.cond)[:, 0] == 50).all()


def test_a_style_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(RequestError, match=r"a\.png' can't be used as a style: not a picture"):
        load_paintings([tmp_path / "a.png"], 3, 32)
    with pytest.raises(RequestError, match="there is no picture at"):
        load_paintings([tmp_path / "b.png"], 3, 32)
