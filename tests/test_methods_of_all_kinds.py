"""Runs of methods that keep more than weights and moments, or are nobody's but the user's own."""

import json
import signal

import pytest
import torch

import rivals
from rivals.engine.errors import RequestError
from rivals.engine.method import Method
from rivals.engine.schedule import Weight


def weights(folder):
    return (folder / "model/generator.safetensors").read_bytes()


def stop_at_first_verdict(entry):
    if entry["kind"] == "verdict":
        signal.raise_signal(signal.SIGINT)


OWN = Method(loss="hinge", critic_terms={"lecam": Weight(0.3)}, norm=("batch", "none"), augment=("shift",))


@pytest.mark.parametrize(
    "method", ["wgan", "stylegan2", "sagan", OWN], ids=["clipped, RMSprop", "path length", "spectral both", "LeCam"]
)
def test_it_is_broken_off_resumed_and_ends_with_the_same_bytes(method, make_pictures, train, tmp_path):
    data = make_pictures(classes=("a", "b"))
    changes = {"batch": "4", **({} if isinstance(method, Method) else {"generator.options.width": "4"})}
    train(data, tmp_path / "whole", method=method, changes=changes, steps=4)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", method=method, changes=changes, steps=4, tell=stop_at_first_verdict)
    train(data, tmp_path / "run", steps=4, resume=True)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_generator_with_spectral_norm_is_saved_as_plain_weights_that_draw_the_same(make_pictures, train, tmp_path):
    changes = {"batch": "4", "generator.options.width": "4"}
    model = train(make_pictures(), tmp_path / "run", method="sagan", changes=changes, steps=2)
    loaded = rivals.load(tmp_path / "run")
    assert not any("parametrizations" in name for name in loaded.network.state_dict())
    torch.testing.assert_close(loaded.sample(3, seed=1), model.sample(3, seed=1), rtol=1e-4, atol=1e-5)


def test_a_generator_that_draws_noise_of_its_own_draws_the_same_from_the_same_seed(make_pictures, train, tmp_path):
    changes = {"batch": "4", "generator.options.width": "4"}
    train(make_pictures(), tmp_path / "run", method="stylegan2", changes=changes, steps=2)
    model = rivals.load(tmp_path / "run")
    assert torch.equal(model.sample(3, seed=1), model.sample(3, seed=1))
    assert torch.equal(model.interpolate(4, seed=1), model.interpolate(4, seed=1))


def test_a_method_in_a_file_is_named_after_it(make_pictures, train, tmp_path):
    path = tmp_path / "calm.json"
    path.write_text('{"loss": "logistic", "critic_terms": {"r1": 0.5}}')
    train(make_pictures(), tmp_path / "run", method=str(path), steps=2)
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert (recipe["method"], recipe["loss"], set(recipe["critic_terms"])) == ("calm", "logistic", {"r1"})
    assert recipe["critic_terms"]["r1"]["start"] < 0.5, "half of the gamma that was measured"


@pytest.mark.parametrize("method", ["cgan", "acgan", "projection"])
def test_a_method_that_needs_labels_is_refused_without_and_leaves_nothing(method, make_pictures, train, tmp_path):
    with pytest.raises(RequestError, match=f"method '{method}' needs labels, and these pictures have none"):
        train(make_pictures(), tmp_path / "run", method=method)
    assert not (tmp_path / "run/run.json").exists()


def test_packs_are_for_pictures_without_labels(make_pictures, train, tmp_path):
    train(make_pictures(), tmp_path / "run", steps=2, changes={"batch": "8", "pack": "2"})
    with pytest.raises(RequestError, match="packs of samples take no labels"):
        train(make_pictures("labelled", classes=("x", "y")), tmp_path / "b", changes={"batch": "8", "pack": "2"})
    with pytest.raises(RequestError, match="batch 8 can't be made up of packs of 3"):
        train(make_pictures(), tmp_path / "c", changes={"batch": "8", "pack": "3"})
