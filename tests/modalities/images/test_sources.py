import builtins
import gzip
import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.modalities.images import sources
from rivals.modalities.images.cache import load, survey

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "cache"))


def png(width=6, height=5, mode="RGB"):
    channels = len(mode)
    held = io.BytesIO()
    Image.frombytes(mode, (width, height), RNG.bytes(width * height * channels)).save(held, "PNG")
    return held.getvalue()


def fill(folder, count, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / f"{number}.png").write_bytes(png())


def test_an_empty_folder(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(RequestError, match="no files"):
        survey(tmp_path / "none")


def test_nothing_readable_names_the_reasons(tmp_path):
    there = tmp_path / "bad"
    there.mkdir()
    (there / "a.png").write_text("words")
    (there / "b.png").write_bytes(b"")
    with pytest.raises(RequestError, match=r"1 empty file.*b\.png.*1 not a picture.*a\.png") as caught:
        survey(there)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("written", "meant"), [("fces", "'faces'"), ("pictres", "pictures")])
def test_a_missing_path_suggests_a_near_one(tmp_path, monkeypatch, written, meant):
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=f"did you mean .*{meant}"):
        survey(written)
    with pytest.raises(RequestError, match="nothing at 'zzzzzz'"):
        survey("zzzzzz")


def test_one_file_is_no_collection(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    with pytest.raises(RequestError, match="give the folder"):
        survey(tmp_path / "a.png")


def test_folders_become_classes_and_deeper_ones_belong_to_the_top(tmp_path):
    fill(tmp_path / "in" / "cat" / "young" / "very", 4)
    fill(tmp_path / "in" / "cat", 2, start=9)
    fill(tmp_path / "in" / "dog", 5)
    (tmp_path / "in" / "notes").mkdir()
    (tmp_path / "in" / "notes" / "a.txt").write_text("words")
    found = survey(tmp_path / "in").found
    assert found.classes == {"cat": 6, "dog": 5}
    assert found.skipped == {"not a picture": 1}
    assert found.examples == {"not a picture": "'notes/a.txt'"}
    assert found.sizes == {"6x5": 11}
    assert found.modes == {"RGB": 11}
    assert json.dumps(found.__dict__)


def test_numbered_folders_are_in_the_order_of_numbers(tmp_path):
    for name in ("10", "9", "2"):
        fill(tmp_path / "in" / name, 4)
    assert list(survey(tmp_path / "in").found.classes) == ["2", "9", "10"]


def test_one_folder_or_many_strays_are_no_classes(tmp_path):
    fill(tmp_path / "one" / "all", 9)
    assert survey(tmp_path / "one").found.classes == {}
    for name in ("a", "b"):
        fill(tmp_path / "mixed" / name, 5)
    fill(tmp_path / "mixed", 6)
    assert survey(tmp_path / "mixed").found.classes == {}
    assert survey(tmp_path / "mixed").found.count == 16


def test_a_few_strays_are_left_out_of_classes(tmp_path):
    for name in ("a", "b"):
        fill(tmp_path / "in" / name, 5)
    fill(tmp_path / "in", 1, start=77)
    found = survey(tmp_path / "in").found
    assert found.classes == {"a": 5, "b": 5}
    assert found.skipped == {"outside the class folders": 1}


def test_classes_of_one_picture_are_no_classes(tmp_path):
    for name in range(9):
        fill(tmp_path / "in" / str(name), 1, start=name)
    found = survey(tmp_path / "in").found
    assert found.classes == {}
    assert found.notes == ("labels left out: every class has one picture",)


def test_train_and_test_are_no_classes(tmp_path):
    fill(tmp_path / "in" / "train", 6)
    fill(tmp_path / "in" / "test", 6)
    found = survey(tmp_path / "in").found
    assert found.classes == {}
    assert "parts, not classes" in found.notes[0]


def test_links_that_loop_or_lead_nowhere(tmp_path):
    there = tmp_path / "in"
    fill(there, 8)
    (there / "again").symlink_to(there)
    (there / "up").symlink_to(tmp_path)
    (there / "self").symlink_to("self")
    (there / "gone.png").symlink_to(tmp_path / "gone.png")
    fill(tmp_path / "aside", 2, start=50)
    found = survey(there).found
    assert found.skipped == {"broken link": 2}
    assert found.count == 10  # what lies behind the link up is there once


def test_a_pipe_is_not_opened(tmp_path):
    fill(tmp_path / "in", 8)
    os.mkfifo(tmp_path / "in" / "pipe.png")
    assert survey(tmp_path / "in").found.skipped == {"not a picture": 1}


def test_names_of_all_kinds(tmp_path):
    there = tmp_path / "in"
    there.mkdir()
    for name in ("new\nline.png", "smile \U0001f600.png", "no suffix", "'quoted\".png", " ", "-rf.png", "a\\b.png"):
        (there / name).write_bytes(png())
    (there / os.fsdecode(b"caf\xe9 \xff.png")).write_bytes(png())
    (there / "bad\n.png").write_text("words")
    made = load(survey(there), height=5, width=6, channels=3)
    assert len(made.pixels) == 8
    assert made.found.examples == {"not a picture": repr("bad\n.png")}
    assert json.dumps(made.found.__dict__).encode()


def test_a_class_name_that_is_not_unicode(tmp_path):
    for name in (b"caf\xe9", b"tea"):
        fill(tmp_path / "in" / os.fsdecode(name), 5)
    assert load(survey(tmp_path / "in"), height=5, width=6, channels=3).classes == (os.fsdecode(b"caf\xe9"), "tea")


def test_files_that_may_not_be_read(tmp_path, monkeypatch):
    fill(tmp_path / "in", 9)
    true_open = builtins.open

    def guarded(path, *rest, **more):
        if str(path).endswith("in/3.png"):
            raise PermissionError(13, "Permission denied")
        return true_open(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", guarded)
    found = survey(tmp_path / "in").found
    assert found.skipped == {"can't be read (permission denied)": 1}
    assert found.examples == {"can't be read (permission denied)": "'3.png'"}
    monkeypatch.setattr(builtins, "open", true_open)
    assert survey(tmp_path / "in").found.count == 9


def test_a_very_long_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE", 1000)
    fill(tmp_path / "in", 8)
    (tmp_path / "in" / "film.mp4").write_bytes(bytes(1001))
    assert list(survey(tmp_path / "in").found.skipped) == [sources.TOO_LONG]


def zipped(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_a_zip_like_a_folder(tmp_path):
    flat = zipped(tmp_path / "flat.zip", {f"{n}.png": png() for n in range(8)} | {"__MACOSX/._1.png": b"x"})
    assert (survey(flat).found.count, survey(flat).found.classes) == (8, {})
    entries = {f"set/{name}/{n}.png": png() for name in ("a", "b") for n in range(5)}
    classes = zipped(tmp_path / "classes.zip", entries)
    made = load(survey(classes), height=5, width=6, channels=3)
    assert made.found.classes == {"a": 5, "b": 5}
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(classes) as archive:
        archive.extractall(folder)
    assert load(survey(folder / "set"), height=5, width=6, channels=3).content == made.content


@pytest.mark.parametrize("packed", [False, True])
def test_class_folders_without_a_file_are_told_of(tmp_path, packed):
    root = tmp_path / "pets"
    for name in ("cats", "dogs"):
        fill(root / name, 5)
    for name in ("birds", "fish/inner", ".hidden"):
        (root / name).mkdir(parents=True)
    (root / "notes").mkdir()
    (root / "notes" / "about.txt").write_text("a class of another kind: it has a file")
    source = root
    if packed:
        source = tmp_path / "pets.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted(root.rglob("*")):
                archive.write(path, path.relative_to(tmp_path))  # one folder around everything
    found = survey(source).found
    assert found.classes == {"cats": 5, "dogs": 5}
    assert found.empty == ("birds", "fish")
    assert "no file in the folders 'birds', 'fish'" in found.notes


def test_empty_folders_beside_unsorted_pictures_are_no_classes(tmp_path):
    fill(tmp_path / "flat", 10)
    (tmp_path / "flat" / "thumbs").mkdir()
    found = survey(tmp_path / "flat").found
    assert (found.classes, found.empty) == ({}, ())
    assert found.notes == ("no file in the folder 'thumbs'",)


def test_a_zip_bomb_and_a_damaged_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE", 10**6)
    entries = {f"{n}.png": png() for n in range(9)} | {"huge.bmp": bytes(10**7)}
    path = zipped(tmp_path / "a.zip", entries)
    data = bytearray(path.read_bytes())
    at = data.index(b"4.png") + 20
    data[at : at + 8] = b"damaged!"
    path.write_bytes(data)
    found = survey(path).found
    assert found.skipped == {"truncated or damaged": 1, sources.TOO_LONG: 1}
    assert found.count == 8


def test_a_zip_that_is_none(tmp_path):
    (tmp_path / "a.zip").write_text("words")
    with pytest.raises(RequestError, match="can't be opened"):
        survey(tmp_path / "a.zip")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(("images", "labels"), [("images", "labels"), ("x", "y"), ("x_train", "y_train")])
def test_npz(tmp_path, save, images, labels):
    pixels = RNG.integers(0, 256, (20, 5, 6, 3), np.uint8)
    save(tmp_path / "a.npz", **{images: pixels, labels: np.arange(20) % 2})
    made = load(survey(tmp_path / "a.npz"), height=5, width=6, channels=3)
    assert np.array_equal(made.pixels.permute(0, 2, 3, 1).numpy(), pixels)
    assert made.classes == ("0", "1")
    assert made.labels.tolist() == [0, 1] * 10


@pytest.mark.parametrize("shape", [(9, 5, 6), (9, 5, 6, 1), (9, 1, 5, 6), (9, 4, 5, 6), (9, 5, 6, 2)])
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_npy_layouts(tmp_path, shape, dtype):
    pixels = RNG.integers(0, 2 ** (8 * np.dtype(dtype).itemsize), shape).astype(dtype)
    np.save(tmp_path / "a.npy", pixels)
    seen = survey(tmp_path / "a.npy")
    made = load(seen, height=5, width=6, channels=seen.channels)
    assert seen.bits == np.dtype(dtype).itemsize * 8
    assert np.array_equal(made.pixels.numpy().reshape(-1)[:30], _first(pixels).reshape(-1)[:30])


def _first(pixels):
    """The first channel of the first picture."""
    if pixels.ndim == 3:
        return pixels[0]
    return pixels[0, 0] if pixels.shape[1] in (1, 4) else pixels[0, ..., 0]


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0, 1, "floats in [0, 1]"), (-1, 1, "floats in [-1, 1]"), (0, 255, "floats in [0, 255]")]
)
def test_floats_are_converted_and_noted(tmp_path, low, high, said):
    levels = np.arange(10 * 5 * 6).reshape(10, 5, 6) % 256
    np.savez(tmp_path / "a.npz", images=(levels / 255 * (high - low) + low).astype(np.float32))
    made = load(survey(tmp_path / "a.npz"), height=5, width=6, channels=1)
    assert np.array_equal(made.pixels[:, 0].numpy(), levels)
    assert made.found.notes[0].startswith(said)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, bool])
def test_other_integers(tmp_path, dtype):
    values = (RNG.integers(0, 2, (9, 5, 6)) * (1 if dtype is bool else 255)).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    made = load(survey(tmp_path / "a.npy"), height=5, width=6, channels=1)
    assert np.array_equal(made.pixels[:, 0].numpy(), values.astype(np.uint8) * (255 if dtype is bool else 1))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"images": np.zeros((9, 5))}, "shape"),
        ({"images": np.full((9, 5, 5), 1e9)}, "values from"),
        ({"images": np.full((9, 5, 5), np.nan)}, "values from"),
        ({"images": np.full((9, 5, 5), "a")}, "not numbers"),
        ({"other": np.zeros(3)}, "'other'"),
        ({"images": np.zeros((9, 5, 5), np.uint8), "labels": np.zeros(3)}, "3 labels"),
        ({"images": np.array([{}] * 9, object)}, "can't be read"),
        ({"images": np.zeros((0, 5, 5), np.uint8)}, "no files"),
        ({"images": np.zeros((9, 5, 5), np.uint8)}, "same one"),
    ],
)
def test_arrays_that_are_wrong(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(RequestError, match=says):
        survey(tmp_path / "a.npz")


def test_arrays_that_are_damaged(tmp_path):
    for name in ("a.npz", "a.npy"):
        (tmp_path / name).write_text("words")
        with pytest.raises(RequestError, match="can't be read"):
            survey(tmp_path / name)


def idx(path, values):
    data = struct.pack(f">{values.ndim + 1}I", 0x0800 + values.ndim, *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("name", ["", "train-images-idx3-ubyte"])
def test_idx_with_its_own_held_out_part(tmp_path, end, name):
    there = tmp_path / "in"
    there.mkdir()
    train, test = (RNG.integers(0, 256, (n, 6, 5), np.uint8) for n in (20, 10))
    idx(there / f"train-images-idx3-ubyte{end}", train)
    idx(there / f"train-labels-idx1-ubyte{end}", np.arange(20, dtype=np.uint8) % 4)
    idx(there / f"t10k-images-idx3-ubyte{end}", test)
    idx(there / f"t10k-labels-idx1-ubyte{end}", np.arange(10, dtype=np.uint8) % 4)
    made = load(survey(there / (name + end) if name else there), height=6, width=5, channels=1)
    assert made.held_out.tolist() == list(range(20, 30))
    assert made.train.tolist() == list(range(20))
    assert np.array_equal(made.pixels[20:, 0].numpy(), test)
    assert made.found.classes == {"0": 8, "1": 8, "2": 7, "3": 7}


def test_idx_alone_and_damaged(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    idx(path, RNG.integers(0, 256, (20, 6, 5), np.uint8))
    made = load(survey(path), height=6, width=5, channels=1)
    assert made.labels is None
    assert len(made.held_out) == 4
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RequestError, match="IDX file"):
        survey(path)


def table(**columns):
    arrow = pytest.importorskip("pyarrow")
    return arrow.table(columns)


def write_parquet(path, held):
    from pyarrow import parquet

    parquet.write_table(held, path, row_group_size=4)


def write_stream(path, held):
    import pyarrow

    with pyarrow.ipc.new_stream(path, held.schema) as out:
        out.write_table(held)


def write_feather(path, held):
    from pyarrow import feather

    feather.write_feather(held, str(path))


@pytest.mark.parametrize(
    ("name", "write"), [("a.parquet", write_parquet), ("a.arrow", write_stream), ("a.feather", write_feather)]
)
@pytest.mark.parametrize("nested", [True, False])
def test_tables(tmp_path, name, write, nested):
    files = [png() for _ in range(18)]
    held = [{"bytes": data, "path": f"{n}.png"} for n, data in enumerate(files)] if nested else files
    write(tmp_path / name, table(image=[*held, None], label=["cat", "dog"] * 9 + ["dog"]))
    made = load(survey(tmp_path / name), height=5, width=6, channels=3)
    assert made.found.classes == {"cat": 9, "dog": 9}
    assert made.found.skipped == {"empty file": 1}
    first = np.asarray(Image.open(io.BytesIO(files[0])))
    assert np.array_equal(made.pixels[0].permute(1, 2, 0).numpy(), first)


def test_tables_with_noted_class_names(tmp_path):
    note = {"info": {"features": {"label": {"names": ["bee", "ant"], "_type": "ClassLabel"}}}}
    held = table(image=[png() for _ in range(10)], label=[0, 1] * 5)
    write_parquet(tmp_path / "a.parquet", held.replace_schema_metadata({"huggingface": json.dumps(note)}))
    assert survey(tmp_path / "a.parquet").found.classes == {"bee": 5, "ant": 5}


def test_tables_that_are_wrong(tmp_path, monkeypatch):
    write_parquet(tmp_path / "a.parquet", table(text=["a"], number=[1]))
    with pytest.raises(RequestError, match="columns text, number"):
        survey(tmp_path / "a.parquet")
    for name in ("b.parquet", "b.arrow"):
        (tmp_path / name).write_text("words")
        with pytest.raises(RequestError, match="can't be read"):
            survey(tmp_path / name)
    true_import = builtins.__import__

    def no_import(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_import)
    with pytest.raises(RequestError, match=r"pip install 'rivals\[arrow\]'"):
        survey(tmp_path / "a.parquet")
