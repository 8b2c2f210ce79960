"""Pictures at their own sizes, and crops of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits.store import crops, load, middle
from rivals.modalities.images.split import hold_out


@pytest.fixture
def photos(tmp_path):
    """Pictures of many sizes, every pixel of which says where it lies: red its row, green its column, blue which."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (height, width) in enumerate([(40, 60), (33, 47), (64, 32), (50, 50), (90, 35), (20, 70)]):
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = np.arange(height)[:, None], np.arange(width), number
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_pictures_keep_their_size_and_their_pixels(photos):
    shelf = load(survey(photos, learning=False), 3, 32)
    assert len(shelf.places) == 5
    assert shelf.found.skipped == {"smaller than 32 pixels": 1}
    for row in range(5):
        picture = shelf.picture(row)
        number = int(picture[0, 0, 2])
        with Image.open(photos / f"{number}.png") as image:
            np.testing.assert_array_equal(picture, np.array(image))
    assert sorted(torch.cat([shelf.train, shelf.held_out]).tolist()) == list(range(5))
    assert len(shelf.held_out) == 2


def test_the_second_time_they_come_from_the_cache(photos):
    first = load(survey(photos, learning=False), 3, 32)
    told = []
    again = load(survey(photos, learning=False), 3, 32, progress=lambda *at: told.append(at))
    assert not told
    assert again.content == first.content
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert load(survey(photos, learning=False), 1, 32).content != first.content


def test_crops_lie_within_their_picture_and_go_everywhere(photos):
    shelf = load(survey(photos, learning=False), 3, 32)
    torch.manual_seed(0)
    rows = torch.arange(5).repeat(40)
    found = crops(shelf, rows, 32)
    assert found.shape == (200, 3, 32, 32)
    levels = ((found + 1) * 127.5).round().int()
    turned = set()
    for row, crop in zip(rows.tolist(), levels, strict=True):
        assert (crop[2] == int(shelf.picture(row)[0, 0, 2])).all()
        _, height, width = shelf.places[row]
        assert crop[0].max() < height
        assert crop[1].max() < width
        for values in crop[:2]:  # 32 in a row, along one of the two axes
            assert int(values.max() - values.min()) == 31
        step = (crop[:2, 1, 0] - crop[:2, 0, 0]).tolist(), (crop[:2, 0, 1] - crop[:2, 0, 0]).tolist()
        turned.add(str(step))
    assert len(turned) == 8
    torch.manual_seed(0)
    assert torch.equal(found, crops(shelf, rows, 32))


def test_the_middle_is_cut_to_a_multiple(photos):
    shelf = load(survey(photos, learning=False), 3, 32)
    row = next(r for r in range(5) if shelf.places[r, 1] == 90)
    found = ((middle(shelf, row, 64, 8) + 1) * 127.5).round()
    assert found.shape == (1, 3, 64, 32)
    assert found[0, 0, :, 0].tolist() == list(range(13, 77))


def test_equal_pictures_are_on_one_side_whatever_their_files(photos):
    random = np.random.default_rng(1)
    for number in range(12):
        Image.fromarray(random.integers(0, 255, (40, 40, 3), np.uint8)).save(photos / f"x{number}.png")
    once = load(survey(photos, learning=False), 3, 32)
    for number in range(12):
        with Image.open(photos / f"x{number}.png") as image:
            image.save(photos / f"again-{number}.{['bmp', 'tiff'][number % 2]}")
    shelf = load(survey(photos, learning=False), 3, 32)
    assert len(shelf.places) == len(once.places) + 12
    sides = [{shelf.picture(row).tobytes() for row in rows.tolist()} for rows in (shelf.train, shelf.held_out)]
    assert len(shelf.held_out) >= 2
    assert not sides[0] & sides[1]
    assert len(np.unique(shelf.groups)) == len(once.places)
    single = [row for row in range(len(shelf.places)) if shelf.picture(row).shape[:2] != (40, 40)]
    assert shelf.alone(torch.arange(len(shelf.places))).tolist() == single


def test_without_copies_the_files_digests_alone_decide_what_is_held_out(photos):
    looked = survey(photos, learning=False)
    shelf = load(looked, 3, 32)
    digests = sorted(tuple(each) for each in looked.entries.digest[looked.entries.height >= 32].tolist())
    assert shelf.held_out.tolist() == hold_out(np.array([first for first, _ in digests], np.uint64), None).tolist()


def test_one_picture_over_and_over_is_refused(tmp_path):
    (tmp_path / "same").mkdir()
    for number in range(6):
        Image.new("RGB", (40, 40), "red").save(tmp_path / f"same/{number}.{['bmp', 'png'][number % 2]}")
    with pytest.raises(RequestError, match="6 pictures hold 1 different ones"):
        load(survey(tmp_path / "same", learning=False), 3, 32)


def test_grey_is_grey(photos):
    assert load(survey(photos, learning=False), 1, 32).picture(0).shape[2] == 1


def test_too_few_are_refused(photos):
    with pytest.raises(RequestError, match=r"holds 1 pictures to learn from .*smaller than 45 pixels"):
        load(survey(photos, learning=False), 3, 45)
