"""`rivals train` on pairs, on two kinds of pictures and on a style: what is chosen, what is refused, resuming."""

import json
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import rivals
from rivals import api
from rivals.engine.between import Beat
from rivals.engine.errors import RequestError
from rivals.modalities.images.edits.modality import edit


def folder_of(place, count=12, seed=0, size=36, blue=0):
    """Smooth coloured pictures; another `blue` makes another kind."""
    random = np.random.default_rng(seed)
    place.mkdir(parents=True)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 255, (5, 5, 3), np.uint8)).resize((size, size))
        pixels = np.asarray(small).copy()
        pixels[..., 2] = blue
        Image.fromarray(pixels).save(place / f"{number}.png")
    return place


@pytest.fixture
def kinds(tmp_path):
    return folder_of(tmp_path / "horses"), folder_of(tmp_path / "zebras", 14, seed=1, blue=255)


@pytest.fixture
def painting(tmp_path):
    folder_of(tmp_path / "paintings", 1, seed=2, size=80)
    return tmp_path / "paintings/0.png"


SMALL = {
    "batch": "2",
    "generator.options.blocks": "1",
    "data.crop": "32",
    "generator.options.width": "4",
    "critic.options.width": "4",
    "critic.options.halvings": "2",
}


@pytest.fixture
def learn(quick_judge, monkeypatch):
    """Training of small networks, judged in a small space."""
    from rivals import picture_jobs, translate_jobs
    from rivals.modalities.images.edits import judge, judge_unpaired, scores

    monkeypatch.setattr(translate_jobs, "feature_space", lambda request, stored: "random")
    for module in (judge, judge_unpaired):
        monkeypatch.setattr(module, "extractor", picture_jobs.extractor)
    monkeypatch.setattr(scores, "installed", lambda: False)  # MS-SSIM is enough here

    def run(source, out, *, steps=4, method=None, changes=None, **more):
        small = {name: value for name, value in SMALL.items() if more.get("task") != "pairs" or "blocks" not in name}
        changes = {} if more.get("resume") else {**small, **(changes or {})}
        more = {"device": "cpu", "loggers": (), "checkpoint_seconds": 1000.0, **more}
        return api.train(source, out=out, steps=steps, method=method, changes=changes, **more)

    return run


class StopAt:
    """Interrupt as Ctrl-C would, at the second line on a round."""

    left = 2

    def __call__(self, entry):
        if entry["kind"] == "round":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)


def bytes_of(folder):
    return (folder / "model/generator.safetensors").read_bytes()


@pytest.mark.parametrize("method", ["cut", "fastcut", "cyclegan"])
def test_two_kinds_of_pictures_without_pairs(method, kinds, learn, tmp_path, log_of):
    told = []
    model = learn(kinds[0], tmp_path / "run", onto=kinds[1], method=method, tell=told.append)
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert recipe["method"] == method
    assert recipe["data"]["task"] == "unpaired"
    assert recipe["data"]["back"] is (method == "cyclegan")
    assert recipe["data"]["damage"] == {"shorter": 36, "ways": 2}
    assert recipe["loss"] == "relativistic"
    assert {recipe["critic_terms"][name]["start"] for name in ("r1", "r2")} == {float(f"{12 / 32**2:.3g}")}
    verdict = json.loads((tmp_path / "run/verdict.json").read_text())
    assert {"fd", "kid", "content", "identity"} <= set(verdict["scores"])
    assert {"nothing done", "histogram matching"} <= set(verdict["baselines"])
    assert ("back" in verdict["directions"]) is (method == "cyclegan")
    assert (tmp_path / "run/report.html").exists()
    again = rivals.load(tmp_path / "run")
    given = torch.rand(1, 3, 41, 37) * 2 - 1
    for back in (False, *([True] if method == "cyclegan" else [])):
        made = edit(again.network, again.modality, given, back=back)
        assert made.shape == given.shape
        kept = edit(model.network, model.modality, given, back=back)
        torch.testing.assert_close(made, kept, atol=1e-3, rtol=1e-3)
    with Image.open(tmp_path / "run/samples/step-000000004.png") as sheet:
        assert sheet.size[0] > sheet.size[1]
    found = [entry["found"]["source"] for entry in told if entry["kind"] == "found"]
    assert found == [str(kind) for kind in kinds]


@pytest.mark.parametrize("method", ["cut", "cyclegan"])
def test_a_run_broken_off_and_resumed_ends_with_the_same_bytes(method, kinds, learn, tmp_path, monkeypatch):
    monkeypatch.setattr(Beat, "log_due", lambda beat: True)  # every round is told of, however fast the machine
    learn(kinds[0], tmp_path / "whole", onto=kinds[1], method=method, seed=3)
    with pytest.raises(KeyboardInterrupt):
        learn(kinds[0], tmp_path / "broken", onto=kinds[1], method=method, seed=3, tell=StopAt())
    learn(kinds[0], tmp_path / "broken", onto=kinds[1], resume=True)
    assert bytes_of(tmp_path / "broken") == bytes_of(tmp_path / "whole")


def same_scores(one, other):
    assert one["scores"].keys() == other["scores"].keys()
    for name, score in one["scores"].items():
        assert other["scores"][name] == pytest.approx(score, rel=1e-3), name


def test_a_verdict_taken_again_is_on_what_was_held_out_wherever_it_lies_now(kinds, learn, tmp_path):
    learn(kinds[0], tmp_path / "run", onto=kinds[1])
    kept = json.loads((tmp_path / "run/verdict.json").read_text())
    again = rivals.judge(tmp_path / "run")
    same_scores(again, kept)
    assert again["card"]["split"] == "held-out part"
    (tmp_path / "here").mkdir()
    kinds[0].rename(tmp_path / "here/b")
    kinds[1].rename(tmp_path / "here/a")  # by name the other way round
    moved = rivals.judge(tmp_path / "run", tmp_path / "here")
    same_scores(moved, kept)
    assert any("learned from these pictures: only what was held out" in note for note in moved["notes"])
    with pytest.raises(RequestError, match="There is nothing at"):
        rivals.judge(tmp_path / "run")
    (tmp_path / "here/a/0.png").unlink()
    changed = rivals.judge(tmp_path / "run", tmp_path / "here")
    assert changed["card"]["split"] == "all"
    (tmp_path / "here/b").rename(kinds[0])
    (tmp_path / "here/a").rename(kinds[1])
    with pytest.raises(RequestError, match="nobody knows which it has seen"):
        rivals.judge(tmp_path / "run")


@pytest.mark.parametrize("given", ["left", "right"])
def test_pairs_that_were_learned_from_are_known(given, learn, tmp_path):
    folder_of(tmp_path / "pairs/a")
    folder_of(tmp_path / "pairs/b", blue=255)
    learn(tmp_path / "pairs", tmp_path / "run", task="pairs", changes={"data.damage.given": given}, steps=2)
    kept = json.loads((tmp_path / "run/verdict.json").read_text())
    same_scores(rivals.judge(tmp_path / "run"), kept)
    moved = rivals.judge(tmp_path / "run", (tmp_path / "pairs").rename(tmp_path / "moved"))
    same_scores(moved, kept)
    assert moved["card"]["split"] == "held-out part"
    (tmp_path / "moved").rename(tmp_path / "pairs")
    (tmp_path / "pairs/a/0.png").unlink()
    for more in ({}, {"against": tmp_path / "pairs"}):
        with pytest.raises(RequestError, match="nobody knows which it has seen"):
            rivals.judge(tmp_path / "run", **more)


def linked(place, to):
    place.symlink_to(to, target_is_directory=True)
    return place


def test_the_same_pictures_on_both_sides_are_refused(kinds, learn, tmp_path, monkeypatch):
    horses = kinds[0]
    (tmp_path / "inside").mkdir()
    inner = folder_of(tmp_path / "outer/inner", seed=3)
    folder_of(tmp_path / "copies", seed=0)  # the same files elsewhere
    folder_of(tmp_path / "more", 20, seed=0)
    monkeypatch.chdir(tmp_path / "inside")
    for source, onto, words in (
        (horses, horses, "is given twice"),
        (horses, "../horses/", "are the same"),
        (horses, linked(tmp_path / "link", horses), "are the same"),
        (tmp_path / "outer", inner, "lies inside"),
        (inner, "../outer", "lies inside"),
        (inner, linked(tmp_path / "round", tmp_path / "outer"), "lies inside"),
        (horses, tmp_path / "copies", "all pictures in .*horses are in .*copies too"),
        (tmp_path / "more", horses, "all pictures in .*horses are in .*more too"),
    ):
        for more in ({}, {"task": "pairs"}):
            paired = "both pictures of every pair are the same" if words.startswith("all") else words
            with pytest.raises(RequestError, match=paired if more else words):
                learn(source, tmp_path / "run", onto=onto, **more)
    assert not (tmp_path / "run/run.json").exists()
    told = []
    shared = (tmp_path / "zebras/shared.png").write_bytes((horses / "0.png").read_bytes())
    learn(horses, tmp_path / "run", onto=kinds[1], steps=1, tell=lambda e: told.append(e.get("words", "")))
    assert shared
    assert "1 pictures are of both kinds" in told


def test_what_chooses_the_best_state_is_never_a_copy(tmp_path):
    from rivals.modalities.images.cache import survey
    from rivals.modalities.images.edits.store import load
    from rivals.translate_jobs import set_aside

    folder = folder_of(tmp_path / "a", 30)
    for number in range(10):
        (folder / f"copy-{number}.png").write_bytes((folder / f"{number}.png").read_bytes())
    shelf, spared = set_aside(load(survey(folder, learning=False), 3, 32), "unpaired")

    def contents(rows):
        return {shelf.picture(row).tobytes() for row in rows.tolist()}

    assert len(spared) >= 4
    parts = [contents(rows) for rows in (shelf.train, spared, shelf.held_out)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 30
    twice = folder_of(tmp_path / "b", 8)
    for number in range(8):
        (twice / f"copy-{number}.png").write_bytes((twice / f"{number}.png").read_bytes())
    whole = load(survey(twice, learning=False), 3, 32)
    shelf, spared = set_aside(whole, "unpaired")
    assert torch.equal(spared, whole.train), "there is none of which there is one"


def test_pairs_of_two_folders_and_going_on(tmp_path, learn):
    folder_of(tmp_path / "pairs/a")
    folder_of(tmp_path / "pairs/b", blue=255)
    words = []
    learn(tmp_path / "pairs", tmp_path / "run", task="pairs", steps=2, tell=lambda e: words.append(e.get("words", "")))
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert recipe["method"] == "pix2pix"
    assert recipe["critic"]["options"]["conditional"] is True
    assert any("paired by name" in told for told in words)
    assert {"psnr", "ssim"} <= set(json.loads((tmp_path / "run/verdict.json").read_text())["scores"])
    learn(tmp_path / "pairs", tmp_path / "run", resume=True, steps=3)
    learn(tmp_path / "pairs", tmp_path / "whole", task="pairs", steps=3)
    for folder in ("run", "whole"):
        assert rivals.load(tmp_path / folder).about["step"] == 3


def test_the_right_half_is_given_when_asked_and_when_going_on(tmp_path, learn):
    left, right = folder_of(tmp_path / "left"), folder_of(tmp_path / "right", blue=255)
    (tmp_path / "sheets").mkdir()
    for name in (path.name for path in left.iterdir()):
        with Image.open(left / name) as one, Image.open(right / name) as two:
            Image.fromarray(np.concatenate([np.asarray(one), np.asarray(two)], 1)).save(tmp_path / "sheets" / name)
    told = []
    more = {
        "task": "pairs",
        "changes": {"data.damage.given": "right"},
        "tell": lambda e: told.append(e.get("words", "")),
    }
    learn(tmp_path / "sheets", tmp_path / "run", steps=1, **more)
    assert any("the right half is given" in words for words in told)
    learn(tmp_path / "sheets", tmp_path / "run", steps=2, resume=True)  # other halves would be other data
    with pytest.raises(RequestError, match="given of pairs is left or right, not 'up'"):
        learn(tmp_path / "sheets", tmp_path / "x", task="pairs", changes={"data.damage.given": "up"})


def test_a_style_from_one_painting(kinds, painting, learn, tmp_path, monkeypatch):
    from rivals.modalities.images.edits import terms_style

    monkeypatch.setattr(terms_style, "maps", lambda x: [x, x.square(), x, x])  # no network is needed here
    model = learn(kinds[0], tmp_path / "run", style=[painting], steps=2, changes={"data.damage.ways": "8"})
    assert model.modality.task == "style"
    assert model.modality.damage == {"shorter": 64, "ways": 8}
    assert "fd" in json.loads((tmp_path / "run/verdict.json").read_text())["scores"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"task": "denoise"}, "denoise is learned from good pictures alone"),
        ({"task": "pears"}, "pears"),
        ({"scale": 2}, "--scale is for --task super-resolution"),
        ({"method": "pix2pix"}, "'pix2pix' is for the task pairs, not for unpaired: take cut, fastcut, cyclegan"),
        ({"method": "acgan"}, "is for new samples"),
        ({"changes": {"data.size": "3"}}, "no such setting; there are channels, crop and damage"),
        ({"changes": {"data.damage.ways": "3"}}, "ways of unpaired is 1, 2 or 8"),
        ({"changes": {"data.crop": "30"}}, "a multiple of 8 from 32"),
        ({"changes": {"networks": "cycle"}}, "don't go the ways of method 'cut'"),
    ],
)
def test_what_does_not_go_together_is_refused_and_leaves_nothing(more, words, kinds, learn, tmp_path):
    with pytest.raises(RequestError, match=words):
        learn(kinds[0], tmp_path / "run", onto=kinds[1], **more)
    assert not (tmp_path / "run/run.json").exists()


def test_a_second_folder_or_a_style_has_to_be_there(kinds, painting, learn, tmp_path):
    with pytest.raises(RequestError, match="give two folders"):
        learn(kinds[0], tmp_path / "run", task="unpaired")
    with pytest.raises(RequestError, match="--style takes the place of a second folder"):
        learn(kinds[0], tmp_path / "run", onto=kinds[1], style=[painting])
    with pytest.raises(RequestError, match="There is nothing at"):
        learn(kinds[0], tmp_path / "run", onto=tmp_path / "gone")
    (tmp_path / "one").mkdir()
    (tmp_path / "one/a.png").write_bytes(painting.read_bytes())
    with pytest.raises(RequestError, match="holds only 1 usable picture"):
        learn(kinds[0], tmp_path / "run", onto=tmp_path / "one")


def test_a_run_goes_on_with_its_own_pictures_only(kinds, learn, tmp_path):
    learn(kinds[0], tmp_path / "run", onto=kinds[1], steps=1)
    with pytest.raises(RequestError, match="not those that"):
        learn(kinds[1], tmp_path / "run", onto=kinds[0], resume=True)
    with pytest.raises(RequestError, match="give two folders"):
        learn(kinds[0], tmp_path / "run", resume=True)


def test_small_pictures_make_crops_smaller_or_are_enlarged_with_a_word(tmp_path, learn):
    one, two = folder_of(tmp_path / "a", size=24), folder_of(tmp_path / "b", blue=255)
    told = []
    changes = {"data.crop": "32", "data.damage.shorter": "32"}
    learn(one, tmp_path / "run", onto=two, steps=1, changes=changes, tell=lambda e: told.append(e.get("words", "")))
    assert any("12 of 12 pictures in" in words and "smaller than 32 pixels and are enlarged" in words for words in told)
