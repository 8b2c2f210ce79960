import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rivals.modalities.images import pictures
from rivals.modalities.images.cache import uncut
from rivals.modalities.images.pictures import UnusableError

RNG = np.random.default_rng(0)


def noise(mode, width=9, height=7):
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = RNG.integers(0, 256, (height, width, channels), np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def encoded(image, form="PNG", **settings):
    held = io.BytesIO()
    image.save(held, form, **settings)
    return held.getvalue()


def reason(call, *args):
    with pytest.raises(UnusableError) as caught, pictures.quiet():
        call(*args)
    return str(caught.value)


def bomb(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "form", "shape"),
    [("L", "PNG", 1), ("LA", "PNG", 2), ("RGB", "PNG", 3), ("RGBA", "PNG", 4), ("L", "BMP", 1), ("RGB", "TIFF", 3)],
)
def test_lossless_pixels_come_out_as_they_went_in(mode, form, shape):
    image = noise(mode)
    pixels = pictures.decode(encoded(image, form))
    assert pixels.shape == (7, 9, shape)
    assert np.array_equal(pixels.squeeze(), np.asarray(image))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_colour_spaces_become_rgb(mode):
    pixels = pictures.decode(encoded(noise(mode), "TIFF"))
    assert pixels.shape == (7, 9, 3)


def test_lab_is_converted_and_not_just_copied():
    white = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 128, 128)])
    pixels = pictures.decode(encoded(white, "TIFF"))
    assert (pixels > 250).all()


def test_cmyk_jpeg():
    data = encoded(noise("CMYK"), "JPEG")
    assert pictures.look(data).mode == "CMYK"
    assert pictures.decode(data).shape == (7, 9, 3)


def test_palette_without_and_with_transparency():
    image = noise("RGB").quantize(8)
    assert pictures.decode(encoded(image)).shape == (7, 9, 3)
    clear = pictures.decode(encoded(image, transparency=0))
    assert clear.shape == (7, 9, 4)
    assert pictures.look(encoded(image, transparency=0)).alpha
    assert not clear[..., 3][np.asarray(image) == 0].any()


@pytest.mark.parametrize(("mode", "key", "channels"), [("RGB", (1, 2, 3), 4), ("L", 7, 2)])
def test_a_transparent_colour_is_alpha(mode, key, channels):
    data = encoded(Image.new(mode, (3, 3), key), transparency=key)
    pixels = pictures.decode(data)
    assert pixels.shape[2] == channels
    assert not pixels[..., -1].any()


def test_one_bit_becomes_black_and_white():
    image = noise("L").point(lambda value: 255 * (value > 127), "1")
    pixels = pictures.decode(encoded(image))
    assert set(np.unique(pixels)) <= {0, 255}


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_stay(form):
    values = RNG.integers(0, 65536, (7, 9), np.uint16)
    data = encoded(Image.fromarray(values), form)
    assert pictures.look(data).deep
    pixels = pictures.decode(data)
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels[..., 0], values)


def test_big_endian_sixteen_bits():
    image = Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 1, 513))
    assert pictures.decode(encoded(image, "TIFF"))[..., 0].tolist() == [[1, 513]]


def test_floats_are_scaled_by_their_own_range():
    values = np.array([[-2.0, 0.0, 2.0]], np.float32)
    assert pictures.decode(encoded(Image.fromarray(values), "TIFF"))[..., 0].tolist() == [[0, 32768, 65535]]
    level = encoded(Image.new("F", (2, 2), 5.0), "TIFF")
    assert not pictures.decode(level).any()
    hole = np.array([[np.nan, np.inf, 1.0]], np.float32)
    assert pictures.decode(encoded(Image.fromarray(hole), "TIFF")).max() == 65535


def test_wide_integers_are_scaled_only_if_they_must():
    small, large = np.array([[0, 700]], np.int32), np.array([[-1, 1 << 20]], np.int32)
    assert pictures.decode(encoded(Image.fromarray(small), "TIFF"))[..., 0].tolist() == [[0, 700]]
    assert pictures.decode(encoded(Image.fromarray(large), "TIFF"))[..., 0].tolist() == [[0, 65535]]


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("P", (4, 4), n) for n in range(3)]
    for frame in frames:
        frame.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pictures.look(data).animated
    assert pictures.decode(data)[0, 0].tolist()[:3] == [255, 0, 0]


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "WEBP"])
def test_a_photo_is_turned_upright(form):
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(image, form, exif=exif)
    assert pictures.look(data)[:2] == (4, 8)
    pixels = pictures.decode(data)
    assert pixels.shape == (8, 4, 3)
    assert pixels[:3].mean() > 200 > 60 > pixels[5:].mean()


def test_what_is_left_out_and_why():
    whole = encoded(noise("RGB", 64, 64), "JPEG")
    assert reason(pictures.look, b"") == "empty file"
    assert reason(pictures.look, b"hello, I am no picture", "a.png") == "not a picture"
    assert reason(pictures.look, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "not a picture"
    assert reason(pictures.look, whole[:3]) == "truncated or damaged"
    assert reason(pictures.decode, whole[: len(whole) // 2]) == "truncated or damaged"
    assert reason(pictures.decode, encoded(noise("RGB", 64, 64))[:-4000]) == "truncated or damaged"


@pytest.mark.parametrize("size", [(60000, 60000), (10001, 10000), (20000, 5001)])
def test_bombs_are_left_out_without_a_warning(size):
    assert reason(pictures.look, bomb(*size)).startswith("too large to decode safely")
    assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3


def test_quiet_puts_the_filters_back():
    before = list(warnings.filters)
    with pictures.quiet():
        warnings.warn("unheard", stacklevel=1)
    assert warnings.filters == before


def test_needs():
    grey = np.repeat(RNG.integers(0, 256, (3, 3, 1), np.uint8), 3, axis=2)
    opaque = np.concatenate([grey, np.full((3, 3, 1), 255, np.uint8)], axis=2)
    assert pictures.needs(grey) == (False, False)
    assert pictures.needs(opaque) == (False, False)
    opaque[0, 0, 3] = 254
    assert pictures.needs(opaque) == (False, True)
    grey[0, 0, 2] ^= 1
    assert pictures.needs(grey) == (True, False)


@given(dtype=st.sampled_from([np.uint8, np.uint16]), seed=st.integers(0, 99))
def test_grey_survives_every_number_of_channels(dtype, seed):
    top = np.iinfo(dtype).max
    grey = np.random.default_rng(seed).integers(0, top + 1, (4, 5, 1)).astype(dtype)
    for channels in (1, 2, 3, 4):
        there = pictures.recolour(grey, channels)
        assert there.shape == (4, 5, channels)
        assert there.dtype == dtype
        assert np.array_equal(pictures.recolour(there, 1), grey)


@pytest.mark.parametrize(("kind", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_dropped_alpha_is_laid_on_white(kind, top):
    pixels = np.array([[[0, 0, 0, 0], [9, 8, 7, top]]], kind)
    assert pictures.recolour(pixels, 3).tolist() == [[[top] * 3, [9, 8, 7]]]


def test_bits_there_and_back():
    every = np.arange(256, dtype=np.uint8)[None, :, None]
    assert np.array_equal(pictures.rebit(pictures.rebit(every, 16), 8), every)
    assert pictures.rebit(np.array([65535, 0], np.uint16), 8).tolist() == [255, 0]


@settings(deadline=None, max_examples=150)
@given(
    h=st.integers(1, 40), w=st.integers(1, 40), height=st.integers(1, 33), width=st.integers(1, 33),
    channels=st.integers(1, 4), dtype=st.sampled_from([np.uint8, np.uint16]), seed=st.integers(0, 9),
)  # fmt: skip
def test_fit_gives_the_size_asked_for(h, w, height, width, channels, dtype, seed):
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (h, w, channels)).astype(dtype)
    fitted = pictures.fit(pixels, height, width)
    assert fitted.shape == (height, width, channels)
    assert fitted.dtype == dtype
    if (h, w) == (height, width):
        assert np.array_equal(fitted, pixels)


@given(value=st.integers(0, 65535), h=st.integers(1, 20), w=st.integers(1, 20))
@settings(deadline=None)
def test_fit_keeps_an_even_picture_even(value, h, w):
    for dtype, level in ((np.uint16, value), (np.uint8, value >> 8)):
        for channels in (1, 3):
            fitted = pictures.fit(np.full((h, w, channels), level, dtype), 8, 8)
            assert np.unique(fitted).tolist() == [level]


def test_fit_cuts_out_the_middle():
    pixels = np.zeros((4, 12, 1), np.uint8)
    pixels[:, 4:8] = 255
    assert (pictures.fit(pixels, 4, 4) == 255).all()
    assert (pictures.fit(pixels.transpose(1, 0, 2), 4, 4) == 255).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_colour_does_not_bleed(dtype):
    top = np.iinfo(dtype).max
    pixels = np.zeros((8, 8, 4), dtype)
    pixels[..., 0] = top  # red, but clear
    pixels[:, 4:] = (0, top, 0, top)  # green, and opaque
    fitted = pictures.fit(pixels, 3, 3)
    seen = fitted[fitted[..., 3] > top // 50]
    assert seen[:, 0].max() <= top // 100


@pytest.mark.parametrize("bits", [8, 16])
def test_uncut_undoes_every_value(bits):
    top = 2**bits - 1
    values = torch.arange(top + 1, dtype=torch.float32)
    sample = (values / (top / 2) - 1).reshape(1, 1, 1, -1)
    assert uncut(sample, bits).reshape(-1).tolist() == list(range(top + 1))
    beyond = uncut(torch.tensor([-3.0, 3.0]).reshape(1, 1, 1, 2), bits)
    assert beyond.reshape(-1).tolist() == [0, top]


def seeds():
    rgb, exif = noise("RGB", 24, 24), Image.Exif()
    exif[0x0112] = 6
    frames = [noise("L", 8, 8) for _ in range(3)]
    return [
        encoded(rgb),
        encoded(rgb.quantize(8), transparency=0),
        encoded(rgb, "JPEG", exif=exif),
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        encoded(rgb, "TIFF"),
        encoded(rgb, "WEBP"),
        encoded(rgb, "BMP"),
        encoded(rgb, "ICO", sizes=[(16, 16)]),
        encoded(rgb, "PPM"),
        encoded(rgb, "TGA"),
    ]


SEEDS = seeds()


@settings(deadline=None, max_examples=600)
@given(st.data())
def test_mutated_bytes_are_pixels_or_a_reason(data):
    held = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(held) - 1, 200)) | st.integers(0, len(held) - 1))
        held[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        held = held[: data.draw(st.integers(0, len(held)))]
    with pictures.quiet():
        for call in (pictures.look, pictures.decode):
            try:
                call(bytes(held), "a.tga")
            except UnusableError as error:
                assert str(error)  # noqa: PT017 - either end is right
