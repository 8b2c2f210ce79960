"""Pairs of pictures: how they are found, what is left out and said, and crops that stay at the same place."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.pairs import dataset, find_pairs, load_pairs

SIZES = [(40, 60), (33, 48), (64, 32), (50, 50), (90, 36), (44, 44)]


def coded(number, height, width):
    """A picture every pixel of which says where it lies, and in which picture."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = np.arange(height)[:, None], np.arange(width), number
    return pixels


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(tmp_path):
    """What is given, and its negative under the same name: a pair out of step would not add up to white."""
    for number, size in enumerate(SIZES):
        save(tmp_path / "pairs/given" / f"{number}.png", coded(number, *size))
        save(tmp_path / "pairs/made" / f"{number}.bmp", 255 - coded(number, *size))
    return tmp_path / "pairs"


@pytest.fixture
def halves(tmp_path):
    """The same, side by side."""
    for number, size in enumerate(SIZES):
        left = coded(number, *size)
        save(tmp_path / "sheets" / f"{number}.png", np.concatenate([left, 255 - left], 1))
    return tmp_path / "sheets"


def edits_of(crop=32, ways=8):
    return Edits("pairs", crop=crop, damage={"given": "left", "shorter": 96, "ways": ways})


def numbers(batch):
    """The pictures that a batch's crops are from."""
    return ((batch.cond[:, 2, 0, 0] + 1) * 127.5).round().int().tolist()


@pytest.mark.parametrize("source", ["folders", "halves"])
@pytest.mark.parametrize("ways", [1, 2, 8])
def test_both_pictures_of_a_pair_are_cut_turned_and_mirrored_alike(source, ways, request):
    shelves = load_pairs(find_pairs(request.getfixturevalue(source)), 32, 96)
    data = dataset(*shelves, edits_of(ways=ways))
    torch.manual_seed(0)
    batch = data.cut(torch.cat([data.train, data.held_out]).repeat(20))
    assert batch.real.shape == batch.cond.shape == (120, 3, 32, 32)
    torch.testing.assert_close(batch.real, -batch.cond)
    assert len({tuple(crop[:2, 0, 0].tolist()) for crop in batch.cond}) > 60, "crops lie at many places"
    steps = (
        (batch.cond[:, :2, 1, 0] - batch.cond[:, :2, 0, 0]).sign(),
        (batch.cond[:, :2, 0, 1] - batch.cond[:, :2, 0, 0]).sign(),
    )
    assert len({tuple(way) for way in torch.cat(steps, 1).int().tolist()}) == ways


def test_the_second_folder_and_the_right_half_can_be_given(folders, halves):
    for source in (folders, halves):
        given, made = load_pairs(find_pairs(source, given="right"), 32)
        assert made.picture(0)[0, 0, 2] < 10, "the coded picture is what is made"
        np.testing.assert_array_equal(given.picture(3), 255 - made.picture(3))
    one, two = load_pairs(find_pairs(folders / "made", folders / "given"), 32)
    np.testing.assert_array_equal(one.picture(1), 255 - two.picture(1))


def test_the_same_rows_are_held_out_on_both_sides_and_names_don_t_matter(folders, tmp_path):
    given, made = load_pairs(find_pairs(folders), 32)
    assert given.train.tolist() == made.train.tolist()
    assert given.held_out.tolist() == made.held_out.tolist()
    assert sorted([*made.train.tolist(), *made.held_out.tolist()]) == list(range(6))
    for number, size in enumerate(SIZES):
        save(tmp_path / "other/a" / f"x{9 - number}.png", coded(number, *size))
        (tmp_path / "other/b").mkdir(exist_ok=True)
        (tmp_path / "other/b" / f"x{9 - number}.bmp").write_bytes((folders / "made" / f"{number}.bmp").read_bytes())
    again = load_pairs(find_pairs(tmp_path / "other"), 32)
    assert [shelf.content for shelf in again] == [given.content, made.content]


def test_pairs_that_share_a_picture_are_on_one_side(tmp_path):
    for number in range(24):
        save(tmp_path / "pairs/a" / f"{number}.png", coded(number // 2, 40, 40))  # every one is given twice
        save(tmp_path / "pairs/b" / f"{number}.png", 255 - coded(number, 40, 40))
    given, made = load_pairs(find_pairs(tmp_path / "pairs"), 32)
    assert len(made.held_out) >= 2
    learned, held = ({given.picture(row)[0, 0, 2] for row in rows.tolist()} for rows in (made.train, made.held_out))
    assert not learned & held
    assert given.groups.tolist() == made.groups.tolist()
    assert not len(made.alone(made.train))


def test_what_has_no_partner_or_another_size_is_left_out_and_named(folders):
    (folders / "given/5.png").unlink()
    save(folders / "made/3.bmp", coded(3, 50, 52))
    save(folders / "given/lonely.png", coded(7, 40, 40))
    pairs = find_pairs(folders)
    assert len(pairs) == 4
    told = "; ".join(pairs.words)
    assert f"left out: 1 in {folders}/given without a partner in {folders}/made: 'lonely'" in told
    assert f"left out: 1 in {folders}/made without a partner in {folders}/given: '5'" in told
    assert "left out: 1 of two sizes: '3 (50x50 and 52x50)'" in told
    save(folders / "given/0.bmp", coded(0, 40, 60))
    with pytest.raises(RequestError, match=r"3 pairs in .* 4 are needed .*1 whose name stands for several: '0'"):
        find_pairs(folders)


def test_folders_without_common_names_are_refused(folders, tmp_path):
    for number in range(5):
        save(tmp_path / "others" / f"z{number}.png", coded(number, 40, 40))
    with pytest.raises(RequestError, match=r"0 pairs in .*6 in .*given without a partner in .*: '0', '1', '2' \.\.\."):
        find_pairs(folders / "given", tmp_path / "others")


def test_one_picture_is_no_set(tmp_path):
    save(tmp_path / "one/a.png", coded(0, 40, 80))
    with pytest.raises(RequestError, match="only 1 usable picture"):
        find_pairs(tmp_path / "one")


def test_what_can_t_be_halved_is_left_out_and_what_is_not_twice_as_wide_is_said(halves):
    save(halves / "odd.png", coded(9, 40, 81))
    save(halves / "long.png", np.concatenate([coded(8, 40, 60), 255 - coded(8, 40, 60)], 1))
    pairs = find_pairs(halves)
    assert len(pairs) == 7
    told = "; ".join(pairs.words)
    assert "the left half is given, the right half is made of it" in told
    assert "left out: 1 of an odd width: 'odd.png'" in told
    assert "are not twice as wide as high" in told


def test_a_pair_of_which_one_turns_out_damaged_is_left_out(folders):
    path = folders / "given/2.png"
    path.write_bytes(path.read_bytes()[:-30])  # its header is whole
    given, made = load_pairs(find_pairs(folders), 32)
    assert len(given.places) == len(made.places) == 5
    assert given.found.skipped
    data = dataset(given, made, edits_of())
    batch = data.cut(torch.arange(5))
    torch.testing.assert_close(batch.real, -batch.cond)
    assert sorted(numbers(batch)) == [0, 1, 3, 4, 5]


def test_small_pictures_are_enlarged_and_large_ones_made_smaller_alike(folders):
    given, made = load_pairs(find_pairs(folders), 48, 56)
    assert given.places[:, 1:].min() == 48
    assert given.places[:, 1:].min(1).max() <= 56
    np.testing.assert_array_equal(given.places[:, 1:], made.places[:, 1:])
    assert np.abs(given.picture(0).astype(int) + made.picture(0) - 255).max() <= 2  # rounding


def test_two_folders_in_a_zip_are_a_pair_too(folders, tmp_path):
    path = tmp_path / "pairs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folders.rglob("*.*")):
            archive.write(file, file.relative_to(folders))
    given, made = load_pairs(find_pairs(path), 32)
    np.testing.assert_array_equal(given.picture(3), 255 - made.picture(3))
    assert len(given.places) == 6


def test_sides_may_be_grey_and_coloured(tmp_path):
    for number in range(5):
        save(tmp_path / "pairs/a" / f"{number}.png", coded(number, 40, 40)[..., 0] + np.uint8(number))
        save(tmp_path / "pairs/b" / f"{number}.png", coded(number, 40, 40) + np.uint8(number))
    given, made = load_pairs(find_pairs(tmp_path / "pairs"), 32)
    assert (given.channels, made.channels) == (1, 3)
    batch = dataset(given, made, edits_of()).cut(torch.arange(5))
    assert torch.equal(batch.cond[:, 0], batch.real[:, 0])
