import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.modalities.images.modality import Images, grid, png


def decoded(content):
    """A reader of plain PNGs after the specification: every chunk's checksum, then the pixels, filter 0 only."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        name, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", content, at + 8 + length)[0] == zlib.crc32(name + body)
        chunks.append((name, body))
        at += 12 + length
    assert chunks[-1] == (b"IEND", b"")
    width, height, bits, kind, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    assert rest == [0, 0, 0]
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[kind]
    lines = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    rows = np.frombuffer(lines, np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return np.frombuffer(rows[:, 1:].tobytes(), ">u2" if bits == 16 else np.uint8).reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_pictures_come_back_exactly(channels):
    picture = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    np.testing.assert_array_equal(decoded(png(picture)), picture)
    with Image.open(io.BytesIO(png(picture))) as image:
        image.load()
        assert image.size == (7, 5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_eight_bit_pictures_come_back_exactly(channels):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    with Image.open(io.BytesIO(png(picture))) as image:
        np.testing.assert_array_equal(np.asarray(image).reshape(5, 7, channels), picture)


@pytest.mark.parametrize("bits", [8, 16])
def test_samples_render_in_the_datas_own_depth_and_clip(bits):
    top = 2**bits - 1
    values = torch.tensor([-3.0, -1.0, 1.0, 3.0]).view(1, 1, 2, 2)
    (content,) = Images(2, 2, 1, bits).render(values)
    with Image.open(io.BytesIO(content)) as image:
        assert np.asarray(image).flatten().tolist() == [0, 0, top, top]


def test_a_sheet_holds_every_picture_at_its_place():
    tiles = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1).repeat(4, 1).repeat(3, 2)
    sheet = grid(tiles, 3)
    assert sheet.shape == (2 * 6 + 2, 3 * 5 + 2, 1)
    for number in range(5):
        top, left = number // 3 * 6 + 2, number % 3 * 5 + 2
        assert (sheet[top : top + 4, left : left + 3] == number + 1).all()
    assert (sheet[:2] == 255).all()
    assert (sheet[-4:, -5:] == 255).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_sheet_enlarges_small_pictures_by_a_whole_factor(channels):
    content = Images(8, 6, channels).sheet(torch.zeros(4, channels, 8, 6), columns=2)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (2 * (36 + 2) + 2, 2 * (48 + 2) + 2)


def with_classes(*names, counts=None):
    return Images(8, 8, 1, 8, names, counts or (1,) * len(names))


def test_a_wish_is_a_class_or_several_in_turn():
    images = with_classes("cat", "dog", "a, b")
    assert images.condition("dog", 3).tolist() == [1, 1, 1]
    assert images.condition("dog, cat", 5).tolist() == [1, 0, 1, 0, 1]
    assert images.condition("a, b", 2).tolist() == [2, 2]


def test_without_a_wish_classes_come_as_often_as_in_the_data():
    torch.manual_seed(0)
    drawn = with_classes("a", "b", "c", counts=(0, 1, 3)).condition(None, 4000)
    shares = torch.bincount(drawn, minlength=3) / 4000
    torch.testing.assert_close(shares, torch.tensor([0, 0.25, 0.75]), atol=0.03, rtol=0)


@pytest.mark.parametrize("wish", ["cow", "", "dog,", "dog,cow", "1"])
def test_an_unknown_class_is_refused(wish):
    with pytest.raises(RequestError, match=r"no class .*there are cat, dog"):
        with_classes("cat", "dog").condition(wish, 2)


def test_a_model_without_classes_takes_no_wish():
    assert Images(8, 8, 1).condition(None, 3) is None
    with pytest.raises(RequestError, match="knows no classes"):
        Images(8, 8, 1).condition("cat", 3)
