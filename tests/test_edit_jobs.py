import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import rivals
from rivals.cli import app
from rivals.engine.build import build_game
from rivals.engine.checkpoint import newest_checkpoint
from rivals.engine.errors import RequestError
from rivals.engine.recipe import read
from rivals.judging.doctor import examine
from rivals.modalities.images.edits import judge
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.tasks import TASKS

SMALL = {"batch": "4", "data.crop": "32"}


class StopAt:
    """Presses Ctrl-C at the first line of the log from a step on."""

    def __init__(self, step):
        self.step = step

    def __call__(self, entry):
        if entry["kind"] == "round" and entry["step"] >= self.step:
            raise KeyboardInterrupt


@pytest.fixture
def photos(tmp_path):
    """Smooth pictures of two sizes, so that a crop of one tells its neighbourhood."""
    random = np.random.default_rng(4)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), np.uint8))
        coarse.resize((44 + number, 40), Image.Resampling.BICUBIC).save(tmp_path / f"photos/{number:02}.png")
    return tmp_path / "photos"


@pytest.fixture
def restore(photos, tmp_path, monkeypatch):
    """Trains for a few steps on the CPU; other ways to do the same are not judged beside it (test_judge.py does)."""
    monkeypatch.setattr(judge, "baselines", lambda edits, tuning: ({}, []))

    def run(name="run", *, source=photos, changes=None, steps=3, **more):
        changes = (SMALL if changes is None else {**SMALL, **changes}) if not more.get("resume") else changes
        more = {"device": "cpu", "loggers": (), "checkpoint_seconds": 1000.0, **more}
        return rivals.train(source, out=tmp_path / name, steps=steps, changes=changes, **more)

    return run


def files_of(run):
    """All that a model is, as bytes."""
    return [(run / "model" / name).read_bytes() for name in ("model.json", "generator.safetensors")]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_trains_judges_and_shows_what_it_does(task, restore, tmp_path):
    model = restore(task=task, scale=2 if task == "super-resolution" else None)
    run = tmp_path / "run"
    assert isinstance(model.modality, Edits)
    assert json.loads((run / "recipe.json").read_text())["data"]["task"] == task
    scores = json.loads((run / "verdict.json").read_text())["scores"]
    assert {"perceptual", "psnr", "ssim"} <= set(scores)
    sheet = np.asarray(Image.open(run / "pictures/damage.png"))
    assert sheet.std() > 10
    assert list((run / "samples").glob("*.png"))
    loaded = rivals.load(run)
    given = torch.rand(1, model.modality.seen, 20, 24)
    ours, theirs = (each.network(torch.zeros(1, 0), given) for each in (model, loaded))
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("task", ["denoise", "inpaint"])
def test_a_run_broken_off_and_resumed_ends_with_the_same_bytes(task, restore, tmp_path, monkeypatch):
    from rivals.engine.run import Beat

    monkeypatch.setattr(Beat, "log_due", lambda beat: True)
    restore("whole", task=task, steps=6)
    with pytest.raises(KeyboardInterrupt):
        restore("broken", task=task, steps=6, tell=StopAt(4))
    assert (tmp_path / "broken/model/model.json").exists()
    restore("broken", steps=6, resume=True)
    assert files_of(tmp_path / "broken") == files_of(tmp_path / "whole")


def test_a_game_without_a_critic_leaves_it_as_it_was_built(restore, tmp_path, log_of):
    restore(task="denoise", method="plain")
    run = tmp_path / "run"
    kept = newest_checkpoint(run / "state").tensors
    recipe = read(run / "recipe.json")
    built = build_game(recipe, Edits(**recipe.data)).state_dict()
    critic = [name for name in built if name.startswith("critic.")]
    assert recipe.alone
    assert critic
    assert all(torch.equal(kept[f"game.{name}"], built[name]) for name in critic)
    assert any(not torch.equal(kept[f"game.{name}"], built[name]) for name in built if name.startswith("generator."))
    lines = [line for line in log_of(run) if line["kind"] == "round"]
    assert all(set(line["losses"]) == {"generator/pixels"} and line["accuracy"] == {} for line in lines)


def test_the_critic_joins_after_a_quarter_and_counts_more_and_more(restore, tmp_path, log_of, monkeypatch):
    from rivals.engine.run import Beat

    monkeypatch.setattr(Beat, "log_due", lambda beat: True)
    restore(task="denoise", steps=20)
    rounds = {line["step"]: line["losses"] for line in log_of(tmp_path / "run") if line["kind"] == "round"}
    joined = [step for step, losses in rounds.items() if "critic/adversarial" in losses]
    counted = [step for step, losses in rounds.items() if "generator/adversarial" in losses]
    assert joined == list(range(6, 21))  # step 6 begins when 5 of 20 are played
    assert counted == list(range(7, 21))
    assert rounds[7]["generator/adversarial"] < 0.6 * rounds[9]["generator/adversarial"]


def told_in_docs():
    """The settings of terms and critics that the page on editing shows, for each command."""
    page = (Path(__file__).parents[1] / "docs" / "edit.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in page.splitlines() if line.startswith("rivals train")]
    kept = [[word for word in line if word.startswith(("generator_terms.", "critic."))] for line in lines]
    return [dict(word.split("=", 1) for word in words) for words in kept if words]


@pytest.mark.parametrize("changes", told_in_docs())
def test_the_terms_and_critics_that_the_page_tells_of_play(changes, restore, tmp_path, log_of, monkeypatch):
    from rivals.engine.run import Beat

    monkeypatch.setattr(Beat, "log_due", lambda beat: True)  # every round is told of, however fast the machine
    few = {"critic.options.halvings": "1"}  # of crops of 32 pixels
    restore(task="denoise", changes={**few, **changes}, steps=4)
    recipe = read(tmp_path / "run/recipe.json")
    losses = {name for line in log_of(tmp_path / "run") if line["kind"] == "round" for name in line["losses"]}
    for path, value in changes.items():
        part, _, name = path.partition(".")
        if part == "generator_terms":
            assert (f"generator/{name}" in losses) == (value != "0"), path
        elif path == "critic.name":
            assert recipe.critic.name == value


def test_a_published_game_plays_beside_the_terms_that_hold_pictures_to_the_true_ones(restore, tmp_path):
    restore(task="denoise", method="r3gan")
    recipe = read(tmp_path / "run/recipe.json")
    assert recipe.loss == "relativistic"
    assert set(recipe.generator_terms) == {"adversarial", "pixels", "perceptual"}
    assert set(recipe.critic_terms) == {"adversarial", "r1", "r2"}
    assert 0 < recipe.critic_terms["r1"].start < 1, "its weight is in units of what suits the data"


def test_training_begins_with_the_weights_of_another_run(restore, tmp_path):
    first = restore("first", task="denoise")
    still = {"optimizer.lr": "1e-9"}
    again = restore("again", start=tmp_path / "first", steps=1, changes=still)
    other = restore("other", task="denoise", steps=1, changes=still)
    assert again.modality.task == "denoise", "the task of the run is taken over"
    given = torch.rand(1, 3, 24, 24)

    def made(model):
        return model.network(torch.zeros(1, 0), given)

    assert (made(again) - made(first)).abs().max() < 1e-5
    assert (made(other) - made(first)).abs().max() > 1e-4
    with pytest.raises(RequestError, match="the weights don't fit edsr: size mismatch"):
        restore("wider", start=tmp_path / "first", steps=1, changes={"generator.options.width": "9"})


def test_training_begins_with_a_file_that_other_programs_know(restore, tmp_path):
    first = restore("first", task="super-resolution", scale=2, changes={"networks": "compact"})
    weights = {f"params_ema.{name}": value.contiguous() for name, value in first.network.state_dict().items()}
    save_file(weights, tmp_path / "x2.safetensors")
    again = restore("again", start=tmp_path / "x2.safetensors", steps=1, changes={"optimizer.lr": "1e-9"})
    assert again.modality.scale == 2
    for name, value in load_file(tmp_path / "again/model/generator.safetensors").items():
        assert (value - first.network.state_dict()[name]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"scale": 2}, r"--scale is for --task super-resolution: add --task, one of .*denoise"),
        ({"task": "denoise", "scale": 2}, r"--scale is for --task super-resolution, and denoise keeps the size"),
        ({"task": "denoize"}, r"no task 'denoize': did you mean 'denoise'\?"),
        ({"task": "super-resolution", "scale": 9}, r"--scale lies between 2 and 8, not at 9"),
        ({"task": "denoise", "epsilon": 1.0}, r"differential privacy is for tables"),
        ({"task": "denoise", "method": "lama"}, r"'lama' fills holes, and denoise leaves none"),
        ({"task": "denoise", "method": "acgan"}, r"'acgan' needs labels"),
        ({"task": "denoise", "method": "cut"}, r"'cut' is for pictures without a true one"),
        ({"task": "denoise", "method": "plain", "until": "equilibrium"}, r"'plain' has no critic"),
        ({"task": "denoise", "changes": {"data.crop": "31000"}}, r"data.crop lies between 32 and 1024"),
        ({"task": "denoise", "changes": {"data.crop": "48"}}, r"holds 0 pictures .*smaller than 48 pixels"),
        (
            {"task": "denoise", "changes": {"data.damage.sigma": "[9, 3]"}},
            r"sigma of denoise is given as \[25.0, 25.0\]",
        ),
        ({"task": "denoise", "changes": {"data.damage.sigmas": "3"}}, r"no setting of denoise 'sigmas': did you mean"),
        ({"task": "denoise", "changes": {"data.width": "3"}}, r"data.width: no such setting"),
        ({"task": "super-resolution", "scale": 7, "changes": {"data.crop": "null"}}, r"crops of 56 at least"),
        ({"task": "super-resolution", "scale": 5, "changes": {"data.crop": "35"}}, r"data.crop lies between 40 and"),
        ({"task": "denoise", "start": "none.pth"}, r"is a pickle.*weights_only=True"),
        ({"task": "denoise", "start": "none.safetensors"}, r"no run's folder and no .safetensors"),
        ({"task": "denoise", "style": ["a.png"]}, r"denoise is learned from good pictures alone"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line_and_leaves_the_folder_free(more, words, restore, tmp_path):
    with pytest.raises(RequestError, match=words):
        restore(**more)
    assert not (tmp_path / "run/run.json").exists()


def test_a_recipe_of_another_run_gives_the_same_model(restore, tmp_path):
    restore("first", task="inpaint", changes={"data.damage.boxes": "1"})
    recipe = read(tmp_path / "first/recipe.json")
    restore("again", recipe=recipe, changes={})
    assert read(tmp_path / "again/recipe.json") == recipe
    assert files_of(tmp_path / "again")[1] == files_of(tmp_path / "first")[1]
    broken = replace(recipe, data={**recipe.data, "task": "paint"})
    with pytest.raises(RequestError, match="no task 'paint': did you mean 'inpaint'"):
        restore("broken", recipe=broken)


def test_a_table_is_not_edited(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match=r"task is for pictures, and .*rows.csv is a table"):
        rivals.train(str(tmp_path / "rows.csv"), task="denoise", out=tmp_path / "run")


def test_another_task_does_not_go_on_with_a_run(restore):
    restore(task="denoise")
    with pytest.raises(RequestError, match=r"the run's task is denoise, not deblur; another task needs a new --out"):
        restore(task="deblur", resume=True)


def test_grey_pictures_have_no_colours_to_learn(make_pictures, restore):
    source = make_pictures("grey", size=40, channels=1)
    with pytest.raises(RequestError, match="colourise learns from pictures in colour"):
        restore(source=source, task="colourise")
    assert restore(source=source, task="denoise").modality.channels == 1


def test_samples_are_not_drawn_from_a_model_that_edits(restore, tmp_path):
    from rivals.sampling import write_samples

    model = restore(task="denoise", steps=1)
    for more in ({}, {"grid": True}, {"interpolate": True}):
        with pytest.raises(RequestError, match=r"rivals edit RUN picture\.jpg"):
            write_samples(model, tmp_path / "run", count=4, wish=None, seed=0, out=tmp_path / "new", **more)
    assert not (tmp_path / "new").exists()


def test_the_command_line_hands_on_what_is_asked_of_pictures(monkeypatch):
    seen = {}
    monkeypatch.setattr("rivals.api.train", lambda source, **more: seen.update(more, source=source))
    words = [
        "train",
        "a",
        "b",
        "--task",
        "super-resolution",
        "--scale",
        "2",
        "--style",
        "p.jpg",
        "--style",
        "q.jpg",
        "--start",
        "runs/first",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    asked = {name: seen[name] for name in ("source", "onto", "task", "scale", "style", "start")}
    assert asked == {
        "source": "a",
        "onto": "b",
        "task": "super-resolution",
        "scale": 2,
        "style": [Path("p.jpg"), Path("q.jpg")],
        "start": Path("runs/first"),
    }


@pytest.mark.parametrize("name", ["plain", "esrgan", "real-esrgan", "lama", "cut"])
def test_methods_for_edited_pictures_are_told_of(name):
    listed = CliRunner().invoke(app, ["recipes"])
    assert f"{name} " in listed.output
    told = CliRunner().invoke(app, ["recipes", name])
    assert "https://arxiv.org/abs/" in told.output
    assert "gamma" not in told.output, "their weights are as they stand"


def test_equal_pictures_are_on_one_side_of_validation_and_verdict(photos):
    from rivals.edit_jobs import parted
    from rivals.modalities.images.cache import survey
    from rivals.modalities.images.edits.store import load

    for number in range(0, 12, 2):
        with Image.open(photos / f"{number:02}.png") as image:
            image.save(photos / f"again-{number}.bmp")
    shelf = load(survey(photos, learning=False), 3, 32)
    every = torch.arange(len(shelf.places))
    validation, held_out = parted(shelf, every)
    pixels = [{shelf.picture(row).tobytes() for row in rows.tolist()} for rows in (validation, held_out)]
    assert len(validation) == 4
    assert len(held_out) == 14
    assert not pixels[0] & pixels[1]
    copies = every[torch.from_numpy(np.bincount(shelf.groups)[shelf.groups] > 1)]
    assert all(torch.equal(part, copies) for part in parted(shelf, copies)), "none is alone: all serve for both"


def test_the_doctor_looks_for_no_critic_where_there_is_none(restore, tmp_path):
    restore(task="denoise", method="plain")
    found = examine(tmp_path / "run")
    assert "there is no critic to look at: only settings and data were read" in found.notes
    restore("other", task="denoise", method="real-esrgan")
    assert not any("no critic" in note for note in examine(tmp_path / "other").notes)
