import os
from dataclasses import replace

import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.modalities.images import embedding
from rivals.modalities.images.embedding import Shelf, embedded, make_room
from rivals.modalities.images.sides import PART, Side
from rivals.modalities.images.spaces import Extractor


def side(count=600, **more):
    pictures = torch.arange(count).view(-1, 1, 1, 1).expand(count, 1, 2, 2) / count
    return Side("side", "content", count, lambda number: pictures[number * PART : (number + 1) * PART], **more)


def space(seen, fail_at=None):
    """A space of two features that notes how many pictures it sees, and is interrupted at some of them."""

    def embed(pictures):
        if len(seen) == fail_at:
            raise KeyboardInterrupt
        seen.append(len(pictures))
        return pictures.flatten(1)[:, :2].contiguous()

    return Extractor("counting", "d", 2, embed, None, (), "none")


def test_all_rows_come_in_order_and_a_second_time_from_disk():
    seen = []
    first = embedded(side(), space(seen))["features"]
    assert torch.allclose(first[:, 0], torch.arange(600) / 600)
    assert seen == [250, 250, 100]
    assert torch.equal(embedded(side(), space(seen))["features"], first)
    assert len(seen) == 3


def test_an_interrupted_side_goes_on_from_the_parts_that_were_made():
    seen, told = [], []
    with pytest.raises(KeyboardInterrupt):
        embedded(side(), space(seen, fail_at=2))
    again = []
    rows = embedded(side(), space(again), progress=lambda done, total: told.append((done, total)))["features"]
    assert again == [100], "only the part that was missing"
    assert told == [(600, 600)]
    assert torch.allclose(rows[:, 0], torch.arange(600) / 600)


def test_another_space_content_count_or_resizer_is_embedded_anew():
    seen = []
    base = space(seen)
    embedded(side(), base)
    for one, where in (
        (side(), replace(base, digest="other")),
        (side(), replace(base, resizer="other")),
        (replace(side(), content="other"), base),
        (side(599), base),
    ):
        before = len(seen)
        embedded(one, where)
        assert len(seen) == before + 3


def test_a_damaged_cache_is_made_again_and_nothing_is_kept_of_what_may_change():
    seen = []
    embedded(side(), space(seen))
    shelf = Shelf.of(side(), space([]), False)
    (shelf.folder / "whole.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    embedded(side(), space(seen))
    assert len(seen) == 6
    embedded(side(keep=False), space(seen))
    embedded(side(keep=False), space(seen))
    assert len(seen) == 12


def test_a_cache_that_can_not_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "file"))
    assert embedded(side(), space([]))["features"].shape == (600, 2)


def test_features_that_are_not_finite_are_refused_with_their_number():
    bad = replace(space([]), embed=lambda pictures: torch.where(pictures.flatten(1)[:, :2] > 0.99, torch.nan, 0.0))
    with pytest.raises(RequestError, match="5 of 600 pictures of side have features that are not finite"):
        embedded(side(), bad)


def test_old_features_make_room_for_new_ones(tmp_path):
    for age, name in enumerate(("new", "old", "kept")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "whole.safetensors").write_bytes(bytes(100))
        os.utime(folder, (1000 - age, 1000 - age))
    make_room(tmp_path, tmp_path / "kept", most=220)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "new"]


def test_each_process_makes_its_share(monkeypatch):
    """Two processes in turn; what they would gather is put together here."""
    shares = {}

    def gather(made, world):
        shares[len(shares)] = made
        return shares[0] | made

    monkeypatch.setattr(embedding, "gathered", gather)
    monkeypatch.setattr(embedding, "everywhere", lambda here, world: False)
    seen = ([], [])
    first = {}
    monkeypatch.setattr(Shelf, "finish", lambda self, rows: first.update(rows))
    embedded(side(keep=False), space(seen[0]), share=(0, 2))
    whole = embedded(side(keep=False), space(seen[1]), share=(1, 2))["features"]
    assert seen == ([250, 100], [250])
    assert torch.allclose(whole[:, 0], torch.arange(600) / 600)
