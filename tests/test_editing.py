import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import rivals
from rivals import editing
from rivals.cli import app
from rivals.engine.build import build_network
from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images.edits import deep, files, saving
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.modality import Images

NOTEBOOK = Path(__file__).parents[1] / "examples" / "edit.ipynb"

NETWORKS = {
    "denoise": ("unet", {"width": 4, "depth": 2}),
    "super-resolution": ("compact", {"width": 4, "depth": 1}),
    "inpaint": ("fourier", {"width": 4, "blocks": 1}),
}


def model_of(task="denoise", **more):
    values = {"super-resolution": {"scale": 2}, "inpaint": {"seen": 4}}.get(task, {}) | more
    edits, use = Edits(task, **values), Use(*NETWORKS[task])
    torch.manual_seed(0)
    network = build_network(use, edits.generators, "generator", latent=0, **edits.common()).eval()
    return Model(network.requires_grad_(False), edits, "edits", use, 0, {})


@pytest.fixture
def run(tmp_path):
    def make(task="denoise", **more):
        model_of(task, **more).save(tmp_path / "run" / "model")
        return tmp_path / "run"

    return make


@pytest.fixture
def folder(tmp_path):
    """Pictures of several kinds, in folders, with others that are none."""
    random = np.random.default_rng(0)
    place = tmp_path / "photos"
    (place / "inside").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "inside/c.webp", "inside/d.bmp"):
        Image.fromarray(random.integers(0, 255, (20, 30, 3), np.uint8)).save(place / name)
    (place / "broken.png").write_bytes((place / "a.png").read_bytes()[:300])
    (place / "notes.txt").write_text("hello")
    (place / "nothing.jpg").write_bytes(b"")
    return place


def contents(place):
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def test_an_ensemble_is_the_mean_of_eight_looks_by_the_command_line_too(folder, tmp_path):
    model, place = model_of("super-resolution"), tmp_path / "run"
    for part in model.network.parameters():  # a new one repeats pixels, from whatever side it looks
        torch.nn.init.normal_(part, std=0.2)
    model.save(place / "model")
    picture = np.asarray(Image.open(folder / "a.png"))
    looks = []
    for turns in range(4):
        for mirror in (lambda x: x, lambda x: x[:, ::-1]):
            made = rivals.edit(place, np.ascontiguousarray(mirror(np.rot90(picture, turns))))
            looks.append(np.rot90(mirror(made), -turns).astype(float))
    made = rivals.edit(place, picture, ensemble=True)
    assert np.abs(made - np.mean(looks, 0)).max() <= 1  # looks are rounded here
    assert (made != looks[0]).any()
    result = CliRunner().invoke(
        app, ["edit", str(place), str(folder / "a.png"), "--ensemble", "--out", str(tmp_path / "b.png")]
    )
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), made)


def test_around_a_hole_an_ensemble_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 255, (33, 50, 3), np.uint8)
    mask = np.zeros((33, 50), np.uint8)
    mask[10:20, 30:41] = 255
    made = rivals.edit(model_of("inpaint"), picture, mask=mask, ensemble=True)
    np.testing.assert_array_equal(made[mask == 0], picture[mask == 0])
    assert (made[mask > 0] != picture[mask > 0]).any()


def test_an_ensemble_is_refused_of_models_that_translate(tmp_path):
    model = model_of()
    model = Model(model.network, Edits("unpaired"), "edits", model.generator, 0, {})
    with pytest.raises(RequestError, match="--ensemble is for models that restore pictures"):
        rivals.edit(model, np.zeros((32, 32, 3), np.uint8), ensemble=True)


def test_one_picture_goes_to_one_file_twice_as_large(run, folder, tmp_path):
    before = contents(folder)
    done = rivals.edit(run("super-resolution"), folder / "a.png", out=tmp_path / "b.png")
    assert done.written == (tmp_path / "b.png",)
    with Image.open(tmp_path / "b.png") as made:
        assert made.size == (60, 40)
    assert contents(folder) == before
    assert not list(tmp_path.glob(".*"))


def test_a_folder_keeps_its_names_and_what_is_no_picture_is_counted(run, folder, tmp_path):
    before, told = contents(folder), []
    done = rivals.edit(run(), folder, out=tmp_path / "made", tell=told.append)
    names = {str(path.relative_to(tmp_path / "made")) for path in done.written}
    assert names == {"a.png", "b.jpg", "inside/c.webp", "inside/d.png"} == set(contents(tmp_path / "made"))
    assert done.skipped == {"not a picture": 1, "empty file": 1, "truncated or damaged": 1}
    assert "notes.txt" in done.examples["not a picture"]
    assert contents(folder) == before
    last = told[-1]
    assert last["kind"] == "editing"
    assert last["done"] == last["total"] == 6


def test_the_same_command_goes_on_where_it_was(run, folder, tmp_path):
    run_ = run()
    rivals.edit(run_, folder, out=tmp_path / "made")
    whole = contents(tmp_path / "made")
    (tmp_path / "made" / "b.jpg").unlink()
    stamp = (tmp_path / "made" / "a.png").stat().st_mtime_ns
    done = rivals.edit(run_, folder, out=tmp_path / "made")
    assert [path.name for path in done.written] == ["b.jpg"]
    assert done.there == 3
    assert contents(tmp_path / "made") == whole
    assert (tmp_path / "made" / "a.png").stat().st_mtime_ns == stamp
    again = rivals.edit(run_, folder, out=tmp_path / "made")
    assert again.written == ()
    assert again.there == 4


def test_a_pattern_and_several_files_go_to_a_folder(run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = rivals.edit(run(), "photos/**/*.[jw]*", out="here")
    assert {path.name for path in done.written} == {"b.jpg", "c.webp"}
    done = rivals.edit(tmp_path / "run", [folder / "a.png", folder / "b.jpg"])
    assert {str(path) for path in done.written} == {"edited/a.png", "edited/b.jpg"}
    done = rivals.edit(tmp_path / "run", folder / "a.png")
    assert done.written == (folder / "a-edited.png",)


def test_formats_that_are_not_written_become_png_beside_others_of_that_name(run, folder, tmp_path):
    with Image.open(folder / "a.png") as image:
        image.save(folder / "a.gif")
        image.save(folder / "e.gif")
    done = rivals.edit(run(), folder, out=tmp_path / "made")
    assert {path.name for path in done.written} >= {"a.png", "a.gif.png", "e.png"}
    assert done.words["its palette became full colours"] == 2


def test_an_output_folder_inside_the_pictures_is_no_input(run, folder):
    run_ = run()
    first = rivals.edit(run_, folder, out=folder / "made")
    again = rivals.edit(run_, folder, out=folder / "made")
    assert len(first.written) == 4
    assert again.there == 4
    assert again.written == ()
    assert not (folder / "made" / "made").exists()


@pytest.mark.parametrize(
    ("inputs", "out", "words"),
    [
        ("photos/a.png", "photos/a.png", "never changed"),
        ("photos/a.png", "photos/b.jpg", "there already"),
        ("photos/a.png", "made.gif", "should end in .png"),
        ("photos", "photos", "folder of the pictures themselves"),
        ("photos", "photos/a.png", "is a file"),
        ("gone.png", None, "there is nothing at 'gone.png'"),
        ("*.tga", None, "no picture matches"),
        ("photos/broken.png", "made.png", "broken.png: truncated or damaged"),
        ("photos/notes.txt", "made.png", "not a picture"),
        (["photos/a.png", "copy/a.png"], "made", "both become made/a.png"),
        ("empty", "made", "no pictures in empty"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_nothing_changes(
    run, folder, tmp_path, monkeypatch, inputs, out, words
):
    monkeypatch.chdir(tmp_path)
    run()
    (tmp_path / "empty").mkdir()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a.png").write_bytes((folder / "a.png").read_bytes())
    before = contents(tmp_path)
    with pytest.raises(RequestError, match=words) as told:
        rivals.edit("run", inputs, out=out)
    assert "\n" not in str(told.value)
    assert contents(tmp_path) == before


def test_models_that_make_something_else_are_refused(folder):
    network = torch.nn.Linear(1, 1)
    other = Model(network, Images(height=8, width=8, channels=3), "images", Use("mlp"), 8, {})
    with pytest.raises(RequestError, match="makes new pictures"):
        rivals.edit(other, folder)


def test_holes_need_a_mask_and_others_need_none(run, folder, tmp_path):
    mask = np.zeros((20, 30), np.uint8)
    mask[4:9, 5:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    with pytest.raises(RequestError, match="say where by --mask"):
        rivals.edit(run("inpaint"), folder / "a.png", out=tmp_path / "b.png")
    done = rivals.edit(tmp_path / "run", folder / "a.png", out=tmp_path / "b.png", mask=tmp_path / "mask.png")
    assert done.words == {}
    with Image.open(tmp_path / "b.png") as made, Image.open(folder / "a.png") as given:
        a, b = np.asarray(given), np.asarray(made)
    np.testing.assert_array_equal(a[mask == 0], b[mask == 0])
    assert (a[mask > 0] != b[mask > 0]).any()
    Image.fromarray(mask[:10]).save(tmp_path / "small.png")
    with pytest.raises(RequestError, match="mask has 30 x 10 pixels and the picture 30 x 20"):
        rivals.edit(tmp_path / "run", folder / "a.png", out=tmp_path / "c.png", mask=tmp_path / "small.png")
    with pytest.raises(RequestError, match=r"mask .*notes\.txt can't be read"):
        rivals.edit(tmp_path / "run", folder / "a.png", out=tmp_path / "c.png", mask=folder / "notes.txt")
    with pytest.raises(RequestError, match="for models that fill holes"):
        rivals.edit(model_of(), folder / "a.png", out=tmp_path / "c.png", mask=tmp_path / "mask.png")


def test_each_picture_of_a_folder_has_its_own_mask(run, folder, tmp_path):
    (tmp_path / "masks" / "inside").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "inside/c.gif")):
        mask = np.zeros((20, 30), np.uint8)
        mask[number : number + 3] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / name)
    done = rivals.edit(run("inpaint"), folder, out=tmp_path / "made", mask=tmp_path / "masks")
    assert {path.name for path in done.written} == {"a.png", "b.jpg", "c.webp"}
    assert done.skipped["no mask of its name"] >= 1
    with Image.open(tmp_path / "made" / "a.png") as made, Image.open(folder / "a.png") as given:
        changed = (np.asarray(made) != np.asarray(given)).any((1, 2))
    assert not changed[3:].any()


def test_transparency_and_depth_are_kept_and_enlarged(run, tmp_path):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65535, (10, 12, 4), np.uint16)
    with (tmp_path / "a.png").open("wb") as file:
        deep.write_png(file, pixels, {})
    rivals.edit(run("super-resolution"), tmp_path / "a.png", out=tmp_path / "b.png")
    made = files.read(tmp_path / "b.png")
    assert made.pixels.shape == (20, 24, 3)
    assert made.pixels.dtype == np.uint16
    assert made.alpha.shape == (20, 24, 1)
    assert len(np.unique(made.pixels)) > 256  # not 8 bits in the clothes of 16


def test_a_model_of_both_ways_goes_back(folder, tmp_path):
    edits, use = Edits("unpaired", 3, 1, back=True), Use("cycle", {"width": 4, "blocks": 1})
    torch.manual_seed(0)
    network = build_network(use, edits.generators, "generator", latent=0, **edits.common()).eval()
    both = Model(network.requires_grad_(False), edits, "edits", use, 0, {})
    pixels = np.random.default_rng(0).integers(0, 255, (24, 28, 3), np.uint8)
    assert rivals.edit(both, pixels[..., :1]).shape == (24, 28, 3)
    back = rivals.edit(both, pixels, back=True)
    assert back.shape == (24, 28, 1)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    wanted = (network.make_back(x)[0, 0] + 1) * 127.5
    np.testing.assert_allclose(back[..., 0], wanted.detach(), atol=0.51)
    rivals.edit(both, folder / "a.png", out=tmp_path / "b.png", back=True)
    with Image.open(tmp_path / "b.png") as made:
        assert made.mode == "L"
    with pytest.raises(RequestError, match="one way only"):
        rivals.edit(model_of(), pixels, back=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
@pytest.mark.parametrize("task", ["denoise", "super-resolution"])
def test_the_smallest_pictures_are_edited_too(size, task):
    made = rivals.edit(model_of(task), np.full((*size, 3), 99, np.uint8))
    scale = 2 if task == "super-resolution" else 1
    assert made.shape == (scale * size[0], scale * size[1], 3)


def test_pictures_in_memory_come_back_as_they_were_given():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 24, 4), np.uint8)
    model = model_of()
    made = rivals.edit(model, pixels)
    assert made.shape == pixels.shape
    np.testing.assert_array_equal(made[..., 3], pixels[..., 3])
    image = rivals.edit(model, Image.fromarray(pixels))
    np.testing.assert_array_equal(np.asarray(image), made)
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    assert (deep.mode, rivals.edit(model, deep).mode) == ("I;16", "I;16")
    assert np.asarray(rivals.edit(model, deep)).max() > 40000, "all of its range, not what 8 bits hold"
    assert rivals.edit(model, Image.fromarray(pixels[..., :3]).quantize(8)).mode == "RGB"
    assert rivals.edit(model, pixels[..., 0]).shape == (20, 24)
    assert rivals.edit(model, pixels[..., :1]).shape == (20, 24, 1)
    holes = np.zeros((20, 24), bool)
    holes[3:9] = True
    filled = rivals.edit(model_of("inpaint"), pixels[..., :3], mask=holes)
    np.testing.assert_array_equal(filled[~holes], pixels[..., :3][~holes])
    with pytest.raises(RequestError, match=r"uint8 or uint16, not .* float64"):
        rivals.edit(model, pixels / 255)


def test_little_memory_means_pieces_and_the_same_picture():
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    model = model_of()
    asked = []
    work = model.network.forward

    def watched(z, cond):
        asked.append(tuple(cond.shape[2:]))
        return work(z, cond)

    model.network.forward = watched
    whole = rivals.edit(model, pixels, memory="3GB")
    assert max(asked) == (300, 400)
    asked.clear()
    made = rivals.edit(model, pixels, memory=editing.program() + editing.LATER + 16 * 2**20)
    assert len([size for size in asked if size[0] * size[1] > 64 * 256]) > 1
    assert max(a * b for a, b in asked) < 300 * 400 / 2
    assert np.abs(made.astype(int) - whole).max() < 2


def test_too_little_memory_is_said_with_how_much_it_takes(folder):
    with pytest.raises(RequestError, match=r"takes \d+ MB before it reads a picture: give more --memory"):
        rivals.edit(model_of(), folder / "a.png", out=folder / "z.png", memory="1MB")
    with pytest.raises(RequestError, match="800MB"):
        rivals.edit(model_of(), folder / "a.png", out=folder / "z.png", memory="lots")


@pytest.mark.parametrize(("words", "value"), [("1GB", 2**30), ("800 mb", 800 * 2**20), ("1.5G", 1.5 * 2**30), (7, 7)])
def test_memory_is_read_as_people_write_it(words, value):
    assert editing.memory_of(words) == value


def test_a_picture_that_its_format_cannot_hold_is_refused_before_it_is_made(monkeypatch, folder, tmp_path):
    monkeypatch.setitem(saving.LONGEST, "WEBP", 30)
    with pytest.raises(RequestError, match=r"60 x 40 pixels, and \.webp holds 30"):
        rivals.edit(model_of("super-resolution"), folder / "a.png", out=tmp_path / "b.webp")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_a_full_disk_is_said_and_leaves_nothing_behind(monkeypatch, folder, tmp_path, ending):
    real = os.fsync
    before = contents(tmp_path)

    def full(handle):
        real(handle)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rivals.engine.files.os.fsync", full)
    with pytest.raises(RequestError, match=r"is full: b.* needs"):
        rivals.edit(model_of(), folder / "a.png", out=tmp_path / f"b{ending}")
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_made_on_a_full_disk_is_said_too(monkeypatch, folder, tmp_path):
    real = os.mkdir

    def full(path, *more):
        if "made" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, *more)

    monkeypatch.setattr("os.mkdir", full)
    with pytest.raises(RequestError, match=r"is full: .* needs .*make room and go on with the same command"):
        rivals.edit(model_of(), folder, out=tmp_path / "made")


def test_a_device_that_is_full_from_the_first_byte_is_said_as_full(monkeypatch, folder, tmp_path):
    """Pillow, writing to a file by its number, would say "encoder error" instead."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    opened = Path.open

    def to_full(self, mode="r", *more, **rest):
        return (
            open("/dev/full", "wb", buffering=0) if str(self).endswith(".part") else opened(self, mode, *more, **rest)
        )

    monkeypatch.setattr(Path, "open", to_full)
    for ending in (".png", ".jpg", ".webp", ".tif"):
        with pytest.raises(RequestError, match="is full"):
            rivals.edit(model_of(), folder / "a.png", out=tmp_path / f"b{ending}")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_a_file_that_may_not_grow_so_large_is_said_and_leaves_nothing_behind(tmp_path, ending):
    """A limit of the system, as that of a FAT disk at 4 GB; and a folder goes on once there is room."""
    model, made = model_of(), tmp_path / "made"
    (tmp_path / "photos").mkdir()
    for number, side in enumerate((40, 400)):
        noise = np.random.default_rng(number).integers(0, 255, (side, side, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"photos/{number}{ending}")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        with pytest.raises(RequestError, match=f"takes no file so large: 1{ending} needs .*the same command"):
            rivals.edit(model, tmp_path / "photos", out=made)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(contents(made)) == [f"0{ending}"]
    done = rivals.edit(model, tmp_path / "photos", out=made)
    assert (done.there, len(done.written)) == (1, 1)
    assert list(contents(made)) == [f"0{ending}", f"1{ending}"]


KILLED = """
import os, signal
from rivals.modalities.images.edits import saving
real = saving.saver
def killed(kind, made, like):
    write = real(kind, made, like)
    def half(file):
        write(file)
        file.flush()
        if made.width > 100:
            os.kill(os.getpid(), signal.SIGKILL)
    return half
saving.saver = killed
from rivals.cli import main
main()
"""


def test_a_killed_process_leaves_whole_files_and_the_next_one_removes_what_was_half_written(run, tmp_path):
    (tmp_path / "photos").mkdir()
    for number, side in enumerate((40, 60, 120)):
        noise = np.random.default_rng(number).integers(0, 255, (side, side, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"photos/{number}.png")
    words = ["edit", str(run()), "photos", "--out", "made"]
    place = tmp_path / "made"
    line = [sys.executable, "-c", f"import sys; sys.argv[1:] = {words!r}; exec({KILLED!r}, globals())"]
    assert subprocess.run(line, check=False, cwd=tmp_path).returncode == -signal.SIGKILL
    there = contents(place)
    assert "2.png" not in there
    (left,) = (name for name in there if name.endswith(".part"))
    (place / f".2.png.{os.getppid()}.part").write_bytes(b"of one that lives")
    (place / ".other.png.999999999.part").write_bytes(b"somebody else's")
    for name in set(there) - {left}:
        with Image.open(place / name) as image:
            image.load()
    assert len(rivals.edit(tmp_path / "run", tmp_path / "photos", out=place).written) == 1
    now = contents(place)
    assert left not in now
    assert set(now) == {"0.png", "1.png", "2.png", f".2.png.{os.getppid()}.part", ".other.png.999999999.part"}
    assert all(now[name] == there[name] for name in set(there) - {left})


def test_an_output_that_comes_meanwhile_is_not_replaced(folder, tmp_path):
    def come(entry):
        (tmp_path / "made").mkdir(exist_ok=True)
        (tmp_path / "made/b.jpg").write_bytes(b"mine")

    done = rivals.edit(model_of(), folder, out=tmp_path / "made", tell=come)
    assert (tmp_path / "made/b.jpg").read_bytes() == b"mine"
    assert done.skipped["an output of its name has come meanwhile"] == 1


def test_a_large_picture_that_is_interrupted_between_pieces_leaves_nothing(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    seen = []

    def stop(entry):
        seen.append(entry["share"])
        if len(seen) == 2:
            signal.raise_signal(signal.SIGINT)

    memory = editing.program() + editing.LATER + 16 * 2**20
    with pytest.raises(KeyboardInterrupt, match="0 of 1 pictures are done"):
        rivals.edit(model_of(), tmp_path / "a.png", out=tmp_path / "b.png", memory=memory, tell=stop)
    assert 0 < seen[1] < 1, "in the midst of it"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_an_interruption_leaves_whole_files_only_and_the_rest_follows(folder, tmp_path):
    for number in range(6):
        (folder / f"x{number}.png").write_bytes((folder / "a.png").read_bytes())

    def stop(entry):
        if entry["done"] == 3:
            signal.raise_signal(signal.SIGINT)

    model = model_of()
    with pytest.raises(KeyboardInterrupt, match=r"\d of 12 pictures are done, each of them whole; the same command"):
        rivals.edit(model, folder, out=tmp_path / "made", tell=stop)
    made = contents(tmp_path / "made")
    assert 2 <= len(made) < 10
    for name in made:
        with Image.open(tmp_path / "made" / name) as image:
            image.load()
    done = rivals.edit(model, folder, out=tmp_path / "made")
    assert len(done.written) + done.there == 10


def test_several_at_a_time_are_the_same_as_one_by_one(monkeypatch, folder, tmp_path):
    rivals.edit(model_of(), folder, out=tmp_path / "one")
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    rivals.edit(model_of(), folder, out=tmp_path / "three")
    monkeypatch.undo()
    torch.set_num_threads(threads)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_large_pictures_wait_until_they_have_the_memory_for_themselves(monkeypatch, folder, tmp_path):
    large = np.random.default_rng(0).integers(0, 255, (400, 500, 3), np.uint8)
    Image.fromarray(large).save(folder / "aa.png")
    alone = []
    real = editing.one

    def watched(job, editors, memory, asked, told):
        outcome = real(job, editors, memory, asked, told)
        alone.append((job.source.name, outcome is None, told is not None))
        return outcome

    monkeypatch.setattr(editing, "one", watched)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    done = rivals.edit(model_of(), folder, out=tmp_path / "made", memory=editing.program() + editing.LATER + 60 * 2**20)
    monkeypatch.undo()
    torch.set_num_threads(1)
    assert ("aa.png", True, False) in alone
    assert alone[-1] == ("aa.png", False, True)
    assert len(done.written) == 5


def test_the_command_line_says_what_was_made_and_ends_with_its_code(run, folder, tmp_path):
    def rivals_(*words):
        line = [sys.executable, "-m", "rivals", "edit", str(run()), *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)

    done = rivals_(folder, "--out", "made")
    assert done.returncode == 0, done.stderr
    assert "4 pictures in made" in done.stdout
    assert "skipped 1: not a picture" in done.stdout
    none = rivals_(folder / "notes.txt", folder / "broken.png", "--out", "none")
    assert none.returncode == 2
    assert "not one picture could be edited" in none.stderr
    assert len(none.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_a_large_picture_is_refused_before_it_is_read_where_memory_is_short(folder, tmp_path):
    Image.new("L", (9000, 9000)).save(folder / "large.png")
    memory = editing.program() + editing.LATER + 600 * 2**20  # whatever other tests have left in the process
    with pytest.raises(RequestError, match=r"reading it takes 927 MB beside the program: give more --memory"):
        rivals.edit(model_of(), folder / "large.png", out=tmp_path / "b.png", memory=memory)
    with pytest.raises(RequestError, match="too many for a TIFF"):
        saving.check_size(tmp_path / "a.tif", 40_000, 40_000)


def test_the_working_folder_goes_beside_itself_and_no_name_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = editing.edit(model_of(), ".")
    assert {path.resolve().parent.parent for path in done.written} >= {folder.parent}
    assert (folder.parent / "photos-edited" / "a.png").exists()
    with pytest.raises(RequestError, match="no name"):
        editing.edit(model_of(), [""])


@pytest.mark.parametrize("option", ["--out", "--mask"])
def test_an_empty_name_is_not_the_working_folder(option, run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place, before = str(run()), contents(tmp_path)
    told = CliRunner().invoke(app, ["edit", place, str(folder), option, ""])
    assert isinstance(told.exception, RequestError)
    assert f"{option} has no name" in str(told.exception)
    assert contents(tmp_path) == before


def test_other_files_of_one_name_are_no_obstacle(folder, tmp_path):
    for ending in ("txt", "json"):
        (folder / f"b.{ending}").write_text("about b.jpg")
    done = editing.edit(model_of(), folder, out=tmp_path / "out")
    assert tmp_path / "out" / "b.jpg" in done.written


def test_a_mask_that_is_no_file_is_refused_before_it_is_read(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("pipe.png", "nowhere.png"):
        with pytest.raises(RequestError, match="no mask at"):
            editing.edit(model_of("inpaint"), folder / "a.png", mask=tmp_path / name, out=tmp_path / "x.png")


def test_the_notebook_runs_and_its_outputs_are_kept(monkeypatch):
    pytest.importorskip("skimage")
    pytest.importorskip("efficientnet_lite_pytorch")
    from rivals.modalities.images.edits import judge

    monkeypatch.setattr(judge, "baselines", lambda edits, tuning: ({}, []))  # seconds each
    monkeypatch.setattr(judge, "SIDE", 64)
    monkeypatch.setattr(judge, "QUICK_SIDE", 64)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in cells[1:])
    assert NOTEBOOK.stat().st_size < 400_000
    place: dict = {}
    for cell in cells:
        code = "".join(cell["source"])
        assert code.count("STEPS =") <= 1
        exec(compile(code.replace("STEPS = 1000", "STEPS = 2"), str(NOTEBOOK), "exec"), place)
    assert place["STEPS"] == 2
    assert place["clean"].shape == place["cat"].shape
    assert place["verdict"]["card"]["split"] == "all"
    assert (place["place"] / "verdict.html").exists()
