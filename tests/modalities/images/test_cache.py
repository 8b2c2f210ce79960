import builtins
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rivals.engine import store
from rivals.engine.errors import RequestError
from rivals.modalities.images.cache import cut, load, survey, uncut
from rivals.modalities.images.split import hold_out, wanted

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "cache"))


def png(width=6, height=5, mode="RGB"):
    held = io.BytesIO()
    Image.frombytes(mode, (width, height), RNG.bytes(width * height * len(mode))).save(held, "PNG")
    return held.getvalue()


def fill(folder, count, start=0, mode="RGB"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / f"{number}.png").write_bytes(png(mode=mode))
    return folder


def small(seen, **more):
    return load(seen, **{"height": 5, "width": 6, "channels": 3} | more)


def jpeg(size=64):
    held = io.BytesIO()
    Image.frombytes("RGB", (size, size), RNG.bytes(size * size * 3)).save(held, "JPEG")
    return held.getvalue()


@pytest.mark.parametrize("count", [1, 7])
def test_too_few(tmp_path, count):
    with pytest.raises(RequestError, match=f"only {count} usable picture.*at least 8"):
        survey(fill(tmp_path / "in", count))


def test_all_the_same(tmp_path):
    there = tmp_path / "in"
    there.mkdir()
    pixels = RNG.integers(0, 256, (8, 8, 3), np.uint8)
    for number in range(9):
        Image.fromarray(pixels).save(there / f"{number}.png", compress_level=number)
    seen = survey(there)  # the files differ, the pixels don't
    with pytest.raises(RequestError, match=r"All 9 pictures .* the same"):
        small(seen)
    for number in range(9):
        shutil.copy(there / "0.png", there / f"{number}.bak")
        os.replace(there / f"{number}.bak", there / f"{number}.png")
    with pytest.raises(RequestError, match=r"All 9 pictures .* the same"):
        survey(there)


def test_truncated_pictures_are_dropped_and_counted(tmp_path):
    there = fill(tmp_path / "in", 12)
    whole = jpeg()
    (there / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    seen = survey(there)
    assert seen.found.count == 13
    for _ in range(2):
        made = small(seen)
        assert made.found.count == len(made.pixels) == 12
        assert made.found.skipped == {"truncated or damaged": 1}
        assert made.found.examples == {"truncated or damaged": "'cut.jpg'"}
        assert sorted([*made.train.tolist(), *made.held_out.tolist()]) == list(range(12))


def test_nothing_but_truncated_pictures(tmp_path):
    there = tmp_path / "in"
    there.mkdir()
    for number in range(9):
        whole = jpeg()
        (there / f"{number}.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RequestError, match="9 truncated or damaged"):
        small(survey(there))


def test_labels_follow_the_pictures(tmp_path):
    for at, name in enumerate(("a", "b", "c")):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (4, 4), 80 * at + number).save(tmp_path / "in" / name / f"{number}.png")
    made = load(survey(tmp_path / "in"), height=4, width=4, channels=1)
    assert made.labels.tolist() == (made.pixels[:, 0, 0, 0] // 80).tolist()
    assert np.bincount(made.labels[made.held_out]).tolist() == [2, 2, 2]


def test_damage_that_undoes_the_classes(tmp_path):
    for name in ("a", "b", "c"):
        fill(tmp_path / "in" / name, 1, start=ord(name))
        whole = jpeg()
        (tmp_path / "in" / name / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    fill(tmp_path / "in" / "d", 8)
    seen = survey(tmp_path / "in")
    assert len(seen.found.classes) == 4
    for _ in range(2):
        made = small(seen)
        assert made.labels is None
        assert made.found.notes == ("labels left out: most classes have one picture",)


@pytest.mark.parametrize(
    ("modes", "channels", "bits"),
    [
        (["L"], 1, 8), (["L", "LA"], 2, 8), (["L", "RGB"], 3, 8), (["RGB", "RGBA"], 4, 8),
        (["grey RGB"], 1, 8), (["opaque RGBA"], 3, 8), (["grey RGB", "opaque grey"], 1, 8),
        (["LA", "RGB"], 4, 8), (["I;16"], 1, 16), (["I;16", "L"], 1, 8),
    ],
)  # fmt: skip
def test_the_fewest_channels_and_bits_that_lose_nothing(tmp_path, modes, channels, bits):
    for number in range(10):
        _picture(modes[number % len(modes)]).save(tmp_path / f"{number}.png")
    seen = survey(tmp_path)
    assert (seen.channels, seen.bits) == (channels, bits)
    made = small(seen, channels=channels)
    assert made.pixels.dtype == (torch.uint16 if bits == 16 else torch.uint8)
    assert made.pixels.shape == (10, channels, 5, 6)


def _picture(mode):
    if mode == "I;16":
        return Image.fromarray(RNG.integers(0, 65536, (5, 6), np.uint16))
    if mode == "grey RGB":
        return _picture("L").convert("RGB")
    if mode == "opaque grey":
        return _picture("L").convert("LA")
    if mode == "opaque RGBA":
        return _picture("RGB").convert("RGBA")
    return Image.frombytes(mode, (6, 5), RNG.bytes(30 * len(mode)))


def test_mixed_bits_and_animations_are_noted(tmp_path):
    for number in range(8):
        _picture("I;16" if number < 2 else "L").save(tmp_path / f"{number}.png")
    frames = [Image.new("L", (6, 5), value) for value in (9, 99)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(RNG.random((5, 6), np.float32)).save(tmp_path / "f.tiff")
    notes = " ".join(survey(tmp_path).found.notes)
    assert "1 animated file: first frame taken" in notes
    assert "1 float picture:" in notes
    assert "3 of 10 pictures have more than 8 bits" in notes


def test_a_second_start_opens_no_picture(tmp_path, monkeypatch):
    there = fill(tmp_path / "in", 12)
    first = small(survey(there))
    true_open = builtins.open

    def guarded(path, *rest, **more):
        assert not str(path).startswith(str(there)), path
        return true_open(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", guarded)
    second = small(survey(there))
    assert torch.equal(first.pixels, second.pixels)
    assert first.found == second.found
    assert first.content == second.content


def test_the_same_contents_under_other_names_are_the_same_set(tmp_path, monkeypatch):
    there = fill(tmp_path / "in", 12)
    first = small(survey(there))
    for path in sorted(there.iterdir()):
        path.rename(there / f"renamed {100 - int(path.stem)}.png")
    (there / "words.txt").write_text("words")
    monkeypatch.setattr(store, "_build", None)
    second = small(survey(there))
    assert second.content == first.content
    assert torch.equal(first.held_out, second.held_out)
    assert second.found.skipped == {"not a picture": 1}


def test_what_is_decoded_depends_on_what_is_asked(tmp_path):
    seen = survey(fill(tmp_path / "in", 12))
    contents = {small(seen, **more).content for more in ({}, {"height": 6}, {"width": 9}, {"channels": 1})}
    assert len(contents) == 4
    fill(tmp_path / "in", 1, start=50)
    assert small(survey(tmp_path / "in")).content not in contents
    with pytest.raises(RequestError, match="channels are 1 to 4"):
        small(seen, channels=5)


def test_a_picture_that_changes_between_the_looks_is_left_out(tmp_path):
    seen = survey(fill(tmp_path / "in", 12))
    (tmp_path / "in" / "3.png").write_bytes(png())
    (tmp_path / "in" / "4.png").unlink()
    made = small(seen)
    assert made.found.count == 10
    assert sum(made.found.skipped.values()) == 2


@pytest.mark.parametrize("name", ["pixels", "parts", "facts.json"])
def test_a_damaged_cache_is_made_again(tmp_path, name):
    seen = survey(fill(tmp_path / "in", 12))
    first = small(seen)
    whole = first.pixels.clone()
    path = tmp_path / "cache" / "pictures" / first.content / name
    data = path.read_bytes()
    for damaged in (data[:-7], b"", data[:20] + b"9" + data[20:]):
        path.write_bytes(damaged)
        again = small(seen)
        assert torch.equal(again.pixels, whole)
        assert path.read_bytes() == data
    path.unlink()
    assert torch.equal(small(seen).pixels, whole)


def test_a_damaged_survey_is_made_again(tmp_path):
    there = fill(tmp_path / "in", 12)
    found = survey(there).found
    (path,) = (tmp_path / "cache" / "surveys").iterdir()
    for damaged in (b"", b"words", path.read_bytes()[:-50]):
        path.write_bytes(damaged)
        assert survey(there).found == found


def test_a_changed_facts_file_is_not_believed(tmp_path):
    seen = survey(fill(tmp_path / "in", 12))
    first = small(seen)
    path = tmp_path / "cache" / "pictures" / first.content / "facts.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"train": 3}))
    assert len(small(seen).train) == len(first.train)


KILLED = r"""
import os, sys, time
from rivals.modalities.images import building
from rivals.modalities.images.cache import load, survey
true_fit, seen = building._fit_one, []
def slow(*more):
    seen.append(1)
    if len(seen) > 70:
        os.write(1, b"half\n")
        time.sleep(60)
    return true_fit(*more)
building._fit_one = slow
load(survey(sys.argv[1]), height=5, width=6, channels=3)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(tmp_path):
    there = fill(tmp_path / "in", 200)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(there)], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout.readline() == b"half\n"
        finally:
            child.send_signal(signal.SIGKILL)
    left = list((tmp_path / "cache" / "pictures").glob("*.making"))
    assert len(left) == 1
    made = small(survey(there))
    assert len(made.pixels) == 200
    assert not list((tmp_path / "cache" / "pictures").glob("*.making"))


def test_two_at_once_share_the_work(tmp_path, monkeypatch):
    seen = survey(fill(tmp_path / "in", 40))
    made, builds, true_build = [], [], store._build

    def slow(*more):
        builds.append(1)
        time.sleep(0.2)
        return true_build(*more)

    monkeypatch.setattr(store, "_build", slow)
    threads = [threading.Thread(target=lambda: made.append(small(seen))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1
    assert all(torch.equal(made[0].pixels, other.pixels) for other in made)
    assert len(made) == 4


def test_a_full_disk(tmp_path, monkeypatch):
    seen = survey(fill(tmp_path / "in", 12))

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "flush", full)
    with pytest.raises(RequestError, match=r"need \d+ MB in .*RIVALS_CACHE"):
        small(seen, height=512, width=512)
    monkeypatch.undo()
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "cache"))
    assert not list((tmp_path / "cache" / "pictures").glob("*.making"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    with pytest.raises(RequestError, match="The disk is full"):
        small(seen)


def test_a_folder_that_can_not_be_written(tmp_path):
    seen = survey(fill(tmp_path / "in", 12))
    (tmp_path / "file").write_text("words")
    with pytest.raises(RequestError, match="can't be written"):
        small(seen, cache=tmp_path / "file")


def test_the_argument_wins_over_the_environment(tmp_path, monkeypatch):
    seen = survey(fill(tmp_path / "in", 12))
    small(seen, cache=tmp_path / "mine")
    assert (tmp_path / "mine" / "pictures").is_dir()
    assert not (tmp_path / "cache" / "pictures").exists()
    monkeypatch.delenv("RIVALS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.home(None) == tmp_path / ".cache" / "rivals"


def test_progress(tmp_path):
    calls = []
    there = fill(tmp_path / "in", 70)
    seen = survey(there, progress=lambda *at: calls.append(at))
    small(seen, progress=lambda *at: calls.append(at))
    assert calls == [(64, 70), (70, 70)] * 2


def test_sizes_beyond_twenty_are_other(tmp_path):
    for width in range(1, 31):
        (tmp_path / f"{width}.png").write_bytes(png(width=width))
    found = survey(tmp_path).found
    assert len(found.sizes) == 21
    assert found.sizes["other"] == 10
    assert (found.median_width, found.median_height) == (15, 5)


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=8, max_size=12),
    mode=st.sampled_from(["L", "LA", "RGB", "RGBA", "P", "1", "CMYK", "I;16", "F"]),
    height=st.integers(1, 9), width=st.integers(1, 9), channels=st.integers(1, 4),
)  # fmt: skip
def test_any_sizes_and_modes(sizes, mode, height, width, channels):
    with tempfile.TemporaryDirectory() as place:
        there = Path(place) / "in"
        there.mkdir()
        for number, (h, w) in enumerate(sizes):
            values = np.random.default_rng(number).integers(0, 65536, (h, w), np.uint16)
            deep = Image.fromarray(values)
            image = deep if mode == "I;16" else Image.fromarray((values >> 8).astype(np.uint8)).convert(mode)
            image.save(there / f"{number}.tiff")
        try:
            seen = survey(there)
            made = load(seen, height=height, width=width, channels=channels, cache=Path(place) / "cache")
        except RequestError as error:
            assert "same one" in str(error)  # noqa: PT017 - tiny pictures may be
            return
        assert made.pixels.shape == (len(sizes), channels, height, width)
        batch = cut(made, torch.arange(len(sizes)))
        assert batch.dtype == torch.float32
        assert batch.abs().max() <= 1
        assert np.array_equal(uncut(batch, made.bits), made.pixels.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize(("count", "held"), [(8, 2), (10, 2), (100, 20), (5000, 1000), (10_000, 1000), (10_001, 1000)])
def test_how_many_are_held_out(count, held):
    assert wanted(count) == held


def test_the_most_that_is_held_out():
    assert wanted(60_000) == 6000
    assert wanted(10**6) == 10_000


@settings(deadline=None)
@given(st.integers(10, 300), st.integers(1, 5), st.integers(0, 99), st.integers(1, 200))
def test_the_split_is_fair(count, classes, seed, kinds):
    rng = np.random.default_rng(seed)
    prints = rng.integers(0, kinds, count).astype(np.uint64)
    labels = rng.integers(0, classes, count)
    held = hold_out(prints, labels)
    if len(np.unique(prints)) == 1:
        return
    train = np.setdiff1d(np.arange(count), held)
    assert len(held) >= 2
    assert not np.intersect1d(prints[held], prints[train]).size
    order = rng.permutation(count)
    assert sorted(prints[order][hold_out(prints[order], labels[order])]) == sorted(prints[held])


def test_a_class_of_one_stays_in_training():
    prints = np.arange(50, dtype=np.uint64)
    labels = np.array([0] * 25 + [1] * 24 + [2])
    held = hold_out(prints, labels)
    assert np.bincount(labels[held], minlength=3).tolist() == [5, 5, 0]


def test_copies_stay_in_training_where_there_are_others():
    prints = np.array([0] * 50 + list(range(1, 51)), np.uint64)
    held = hold_out(prints, None)
    assert len(held) == 20
    assert prints[held].min() > 0


def test_a_survey_knows_about_how_many_pictures_there_are_to_learn_from(make_pictures, tmp_path):
    looked = survey(make_pictures(count=20))
    assert looked.training == len(load(looked, height=8, width=8, channels=3).train)
