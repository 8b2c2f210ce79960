import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from rivals.modalities.images.edits import deep, files, saving
from rivals.modalities.images.pictures import UnusableError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'


def noise(height=12, width=20, channels=3, kind=np.uint8, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)


def image_of(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def exif(orientation=1):
    made = Image.Exif()
    made[ExifTags.Base.Make] = "Maker"
    made[ExifTags.Base.Orientation] = orientation
    made.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "50 mm"
    return made


def written(tmp_path, name, picture, alpha=None):
    """A picture through a file."""
    made = picture.pixels if picture.pixels.dtype == np.uint16 else image_of(picture.pixels)
    words = saving.write(tmp_path / name, made, alpha, picture)
    return files.read(tmp_path / name), words


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_comes_upright_and_is_not_turned_again(tmp_path, kind, orientation):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :16], pixels[:8, 16:], pixels[8:, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)  # no symmetry
    turned = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, 1), 7: pixels[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(pixels, -1),
    }[orientation]  # fmt: skip
    ending = {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
    about = exif(orientation).tobytes()
    image_of(np.ascontiguousarray(turned)).save(tmp_path / f"a{ending}", kind, exif=about, quality=100)
    picture = files.read(tmp_path / f"a{ending}")
    made, _ = written(tmp_path, f"b{ending}", picture)
    for each in (picture, made):
        assert each.pixels.shape == pixels.shape
        assert np.abs(each.pixels[2:6, 2:14].astype(int) - pixels[2:6, 2:14]).max() < 60
        assert np.abs(each.pixels[10:14, 18:30].astype(int) - pixels[10:14, 18:30]).max() < 60
    with Image.open(tmp_path / f"b{ending}") as opened:
        assert opened.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert opened.getexif()[ExifTags.Base.Make] == "Maker"
        assert opened.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "50 mm"


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
def test_profile_metadata_and_resolution_are_kept(tmp_path, ending, bits):
    pixels = noise(kind=np.uint8 if bits == 8 else np.uint16)
    picture = files.Picture(pixels, None, SRGB, exif().tobytes(), XMP, (300.0, 300.0))
    made, words = written(tmp_path, f"a{ending}", picture)
    assert made.icc == SRGB
    assert made.xmp == XMP
    told = Image.Exif()
    told.load(made.exif)
    assert told[ExifTags.Base.Make] == "Maker"
    assert told.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "50 mm"
    if ending != ".webp":  # which has no place for it
        assert made.dpi == pytest.approx((300.0, 300.0), abs=0.1)
    if ending in (".png", ".tif"):
        np.testing.assert_array_equal(made.pixels, pixels)
        assert words == ()
    elif bits == 16:
        assert "16 bits became 8" in words[0]


@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_alpha_and_depth_go_through(tmp_path, ending, channels, kind):
    if ending == ".webp" and kind is np.uint16:
        pytest.skip("WebP has 8 bits")
    pixels, alpha = noise(channels=channels, kind=kind), noise(channels=1, kind=kind, seed=1)
    made, _ = written(tmp_path, f"a{ending}", files.Picture(pixels), alpha)
    assert made.pixels.dtype == kind
    np.testing.assert_array_equal(made.alpha, alpha)
    if ending != ".webp":
        np.testing.assert_array_equal(made.pixels[..., :channels], pixels)


def test_jpeg_lays_what_is_transparent_on_white_and_says_so(tmp_path):
    pixels, alpha = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 1), np.uint8)
    made, words = written(tmp_path, "a.jpg", files.Picture(pixels), alpha)
    assert made.pixels.min() == 255
    assert made.alpha is None
    assert "no transparency" in words[0]


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("interlaced", [False, True])
def test_sixteen_bit_png_is_read_whole(tmp_path, channels, interlaced):
    """Pillow itself gives 8 of these 16 bits; our writer's filter and an interlaced file by hand, both come back."""
    pixels = noise(9, 13, channels, np.uint16)
    file = io.BytesIO()
    deep.write_png(file, pixels, {})
    data = file.getvalue() if not interlaced else interlaced_png(pixels)
    (tmp_path / "a.png").write_bytes(data)
    made = files.read(tmp_path / "a.png")
    found = made.pixels if made.alpha is None else np.dstack([made.pixels, made.alpha])
    np.testing.assert_array_equal(found, pixels)


def interlaced_png(pixels):
    """Adam7, unfiltered, by the specification."""
    import struct
    import zlib

    height, width, channels = pixels.shape
    lines = b""
    for top, left, down, across in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)
    ):  # fmt: skip
        part = pixels[top::down, left::across]
        if part.size:
            lines += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part)
    kind = {2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 1)
    chunks = deep.chunk(b"IHDR", head) + deep.chunk(b"IDAT", zlib.compress(lines)) + deep.chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("packed", [False, True])
def test_sixteen_bit_tiff_of_either_byte_order_is_read_whole(tmp_path, order, packed):
    import zlib

    pixels = noise(9, 13, 3, np.uint16)
    held = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0" if order == "II" else b"MM\0*\0\0\0\0")
    body = pixels.astype("<u2" if order == "II" else ">u2").tobytes()
    body = zlib.compress(body) if packed else body
    for tag, value in ((256, 13), (257, 9), (258, (16, 16, 16)), (259, 8 if packed else 1), (262, 2), (277, 3)):
        held[tag] = value
    held[278], held[279], held[273] = 9, len(body), 0
    with (tmp_path / "a.tif").open("wb") as file:
        held.save(file)
        file.write(body)
    np.testing.assert_array_equal(files.read(tmp_path / "a.tif").pixels, pixels)


def test_pictures_of_other_kinds_become_grey_or_colour_with_a_word(tmp_path):
    colour, grey = image_of(noise()), image_of(noise(channels=1))
    colour.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    colour.quantize(16).save(tmp_path / "palette.png")
    seen_through = colour.quantize(16)
    seen_through.save(tmp_path / "through.png", transparency=3)
    grey.convert("1").save(tmp_path / "ink.png")
    Image.merge("LA", [grey, grey]).save(tmp_path / "la.png")
    image_of(noise(channels=1, kind=np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(noise(channels=1)[..., 0].astype(np.float32)).save(tmp_path / "floats.tif")
    colour.save(tmp_path / "moves.gif", save_all=True, append_images=[colour.rotate(180)])
    found = {path.stem: files.read(path) for path in sorted(tmp_path.iterdir())}
    shapes = {name: (each.pixels.shape[2], each.pixels.dtype.itemsize, each.alpha is not None) for name, each in
              found.items()}  # fmt: skip
    assert shapes == {
        "cmyk": (3, 1, False), "palette": (3, 1, False), "through": (3, 1, True), "ink": (1, 1, False),
        "la": (1, 1, True), "deep": (1, 2, False), "floats": (1, 2, False), "moves": (3, 1, False),
    }  # fmt: skip
    words = {name: " ".join(each.words) for name, each in found.items()}
    assert "CMYK without a profile" in words["cmyk"]
    assert "palette" in words["palette"]
    assert "black and white" in words["ink"]
    assert "32 bits" in words["floats"]
    assert "first frame" in words["moves"]
    assert words["la"] == words["deep"] == ""


def test_a_cmyk_profile_that_is_broken_or_gone_is_not_kept(tmp_path):
    image_of(noise()).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=b"nonsense" * 20)
    picture = files.read(tmp_path / "a.jpg")
    assert picture.icc is None
    assert picture.pixels.shape == (12, 20, 3)


def test_a_profile_of_grey_does_not_go_with_colours(tmp_path):
    grey = bytearray(SRGB)
    grey[16:20] = b"GRAY"
    assert saving.profile(files.Picture(noise(channels=1), icc=bytes(grey)), 3) is None
    assert saving.profile(files.Picture(noise(channels=1), icc=bytes(grey)), 1) == bytes(grey)
    assert saving.profile(files.Picture(noise(), icc=SRGB), 1) is None


def test_what_has_no_xmp_gets_a_note_of_who_made_it_and_others_keep_theirs(tmp_path):
    made, _ = written(tmp_path, "a.png", files.Picture(noise()))
    assert b"compositeWithTrainedAlgorithmicMedia" in made.xmp
    again, _ = written(tmp_path, "b.png", files.Picture(noise(), xmp=XMP))
    assert again.xmp == XMP


def bomb(width, height):
    """A PNG that claims to be large."""
    import struct

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + deep.chunk(b"IHDR", head) + deep.chunk(b"IDAT", b"x") + deep.chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (bomb(60_000, 60_000), "too large"),
        (bomb(2_000_000_000, 2_000_000_000), "too large|damaged"),
        (bomb(50, 50), "damaged"),
    ],
)
def test_what_is_no_picture_has_a_reason(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnusableError, match=reason):
        files.read(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_half_a_file_is_damaged(tmp_path, kind):
    file = io.BytesIO()
    image_of(noise(64, 64)).save(file, kind)
    (tmp_path / "a").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    with pytest.raises(UnusableError):
        files.read(tmp_path / "a")


def test_half_of_a_deep_file_is_damaged(tmp_path):
    file = io.BytesIO()
    deep.write_png(file, noise(64, 64, 3, np.uint16), {})
    (tmp_path / "a.png").write_bytes(file.getvalue()[:9000])
    with pytest.raises(UnusableError):
        files.read(tmp_path / "a.png")


def test_nonsense_in_exif_does_not_matter(tmp_path):
    image_of(noise()).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + b"\xff" * 50)
    assert files.read(tmp_path / "a.jpg").pixels.shape == (12, 20, 3)


def test_alpha_is_enlarged_with_its_picture():
    alpha = np.zeros((4, 6, 1), np.uint16)
    alpha[:, 3:] = 65535
    made = files.resized_alpha(alpha, 4)
    assert made.shape == (16, 24, 1)
    assert made.dtype == np.uint16
    assert made[:, :8].max() < 3000
    assert made[:, 16:].min() > 62000
    assert files.resized_alpha(alpha, 1) is alpha


def test_rows_become_a_picture():
    for channels, kind in ((1, np.uint8), (3, np.uint8), (3, np.uint16)):
        pixels = noise(13, 7, channels, kind)
        made = np.asarray(files.gathered(iter([pixels[:5], pixels[5:12], pixels[12:]]), 13, 7))
        np.testing.assert_array_equal(made.reshape(pixels.shape), pixels)
