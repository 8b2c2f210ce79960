import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from rivals.engine.build import build_game, build_optimizers, build_pace
from rivals.engine.checkpoint import newest_checkpoint, restore, save_checkpoint, training_tensors
from rivals.engine.errors import RequestError
from rivals.engine.method import Optimizer
from rivals.engine.methods import METHODS
from rivals.engine.schedule import Budget
from rivals.engine.train import Training, rounds
from rivals.engine.types import Batch
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

IMAGES = Images(8, 8, 3)
BATCH = Batch(torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1)


def begun(method="gan", seed=0):
    recipe = replace(choose_recipe(IMAGES, method, torch.device("cpu"), None, 6).recipe, batch=6, seed=seed)
    game = build_game(recipe, IMAGES)
    return Training.of(game, build_optimizers(recipe, game)), build_pace(recipe)


def play(training, pace, steps):
    list(rounds(training, iter(lambda: BATCH, None), Budget(steps=steps), pace=pace))


def equal(one, other):
    a, b = training_tensors(one), training_tensors(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "projected" and not METHODS[name].needs_labels])
def test_all_that_changes_comes_back_to_the_bit_and_goes_on_alike(method, tmp_path):
    training, pace = begun(method)
    play(training, pace, 2)
    training.seconds, training.stream = 12.5, 3
    save_checkpoint(tmp_path, training, {"best": {"fd": 1.5}})
    other, _ = begun(method, seed=1)
    found = newest_checkpoint(tmp_path)
    assert found.values["extra"] == {"best": {"fd": 1.5}}
    assert found.passed_over == ()
    restore(other, found)
    assert (other.step, other.seconds, other.stream) == (2, 12.5, 3)
    assert equal(training, other)
    assert any(name.endswith(("exp_avg_sq", "square_avg")) for name in training_tensors(other)), "the moments are there"
    play(training, pace, 4)
    play(other, pace, 4)
    assert equal(training, other)


def three(tmp_path):
    training, pace = begun()
    for steps in (1, 2, 3):
        play(training, pace, steps)
        save_checkpoint(tmp_path, training, {})
    return training


def test_the_last_two_are_kept_and_leavings_of_unfinished_writes_are_cleared(tmp_path):
    (tmp_path / ".step-000000001.safetensors.99.part").write_bytes(b"half")
    (tmp_path / "step-000000009.safetensors").write_bytes(b"no manifest yet")
    three(tmp_path)
    stems = ("step-000000002", "step-000000003")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{stem}.{end}" for stem in stems for end in ("json", "safetensors")
    }


def damage(path, how):
    content = path.read_bytes()
    path.write_bytes({"cut": content[:100], "empty": b"", "flip": content[:-1] + bytes([content[-1] ^ 1])}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "flip", "gone"])
def test_of_a_damaged_checkpoint_the_one_before_is_used_and_it_is_said(how, tmp_path):
    three(tmp_path)
    newest = tmp_path / "step-000000003.safetensors"
    newest.unlink() if how == "gone" else damage(newest, how)
    found = newest_checkpoint(tmp_path)
    assert found.values["step"] == 2
    (words,) = found.passed_over
    assert "step-000000003.safetensors is damaged" in words
    assert "the one before is used" in words


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 1}', '{"format": 1, "sha256": 3}'])
def test_of_a_damaged_manifest_the_one_before_is_used(text, tmp_path):
    three(tmp_path)
    (tmp_path / "step-000000003.json").write_text(text)
    assert newest_checkpoint(tmp_path).values["step"] == 2


def test_when_all_are_damaged_it_is_said(tmp_path):
    three(tmp_path)
    for path in tmp_path.glob("*.safetensors"):
        damage(path, "cut")
    with pytest.raises(RequestError, match=r"no checkpoint in .* can be read: .*start again in a new --out"):
        newest_checkpoint(tmp_path)


def test_there_is_none_where_nothing_was_saved_or_only_weights_were(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / "none") is None
    (tmp_path / "step-000000001.safetensors").write_bytes(b"x")
    assert newest_checkpoint(tmp_path) is None


def test_another_format_is_refused_and_not_passed_over(tmp_path):
    three(tmp_path)
    path = tmp_path / "step-000000003.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(RequestError, match="checkpoint format 99"):
        newest_checkpoint(tmp_path)


def test_a_checkpoint_of_other_networks_is_refused_in_a_line(tmp_path):
    three(tmp_path)
    other, _ = begun("dcgan")
    with pytest.raises(RequestError, match="does not fit this run's networks") as told:
        restore(other, newest_checkpoint(tmp_path))
    assert "\n" not in str(told.value)


def test_moments_keep_the_memory_format_of_their_weights(tmp_path):
    """Adam's fused steps walk both by their place in memory."""
    training, pace = begun("r3gan")
    play(training, pace, 1)
    save_checkpoint(tmp_path, training, {})
    other, _ = begun("r3gan")
    restore(other, newest_checkpoint(tmp_path))
    for optimizer in other.optimizers:
        for part, state in optimizer.state.items():
            assert state["exp_avg"].stride() == part.stride()


def test_what_is_saved_is_plain_safetensors(tmp_path):
    training = three(tmp_path)
    tensors = load_file(tmp_path / "step-000000003.safetensors")
    assert tensors.keys() == training_tensors(training).keys()
    save_file(tensors, tmp_path / "again.safetensors")


def test_a_manifest_whose_values_were_changed_counts_as_damaged(tmp_path):
    training, _ = begun()
    save_checkpoint(tmp_path, training, {"kept": 1})
    manifest = next(tmp_path.glob("step-*.json"))
    values = json.loads(manifest.read_text())
    values["extra"]["kept"] = 2
    manifest.write_text(json.dumps(values))
    with pytest.raises(RequestError, match="its hash does not hold"):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw"])
def test_every_optimizer_goes_on_where_it_was(optimizer, tmp_path):
    def begin(seed):
        recipe = replace(choose_recipe(IMAGES, "r3gan", torch.device("cpu"), None, 6).recipe, batch=6, seed=seed)
        recipe = replace(recipe, optimizer=Optimizer(1e-3, (0.5, 0.9), name=optimizer, decay=0.01))
        game = build_game(recipe, IMAGES)
        return Training.of(game, build_optimizers(recipe, game)), build_pace(recipe)

    (training, pace), (other, _) = begin(0), begin(1)
    play(training, pace, 2)
    save_checkpoint(tmp_path, training, {})
    restore(other, newest_checkpoint(tmp_path))
    play(training, pace, 4)
    play(other, pace, 4)
    assert equal(training, other)
