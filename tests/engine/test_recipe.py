import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.methods import METHODS, Optimizer
from rivals.engine.recipe import Recipe, Use, change, from_json, parse, read, to_json
from rivals.engine.schedule import Weight
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe


def chosen(method="r3gan", **more):
    return choose_recipe(Images(16, 16, 3), method, torch.device("cpu"), None, 10).recipe


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("classes", [(), ("a", "b")])
@pytest.mark.parametrize("method", METHODS)
def test_every_chosen_recipe_comes_back_from_json(method, classes, device):
    if METHODS[method].needs_labels and not classes:
        return
    images = Images(16, 24, 3, 8, classes, (3,) * len(classes))
    recipe = choose_recipe(images, method, torch.device(device), 5.0, None).recipe
    assert from_json(to_json(recipe)) == recipe


@given(lr=st.floats(1e-9, 9), start=st.floats(0, 100), every=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_numbers_come_back_exactly(lr, start, every, seed):
    recipe = Recipe(
        modality="images", generator=Use("mlp", {"width": 8}), critic=Use("mlp"), seed=seed,
        optimizer=Optimizer(lr, (0.5, 0.9)), critic_terms={"r1": Weight(start, 0.0, "linear", every=every)},
        critic_optimizer=Optimizer(lr / 2),
    )  # fmt: skip
    assert from_json(to_json(recipe)) == recipe


def with_values(**values):
    return json.dumps({**json.loads(to_json(chosen())), **values})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"critic_step": 2}, "no setting 'critic_step'; did you mean 'critic_steps'"),
        ({"zzz": 2}, "no setting 'zzz'; there are modality, method"),
        ({"optimizer": {"lrr": 1e-3}}, "optimizer: no setting 'lrr'; did you mean 'lr'"),
        ({"batch": "many"}, "batch: a whole number was expected, not 'many'"),
        ({"batch": 2.5}, "batch: a whole number was expected, not 2.5"),
        ({"batch": True}, "batch: a whole number was expected, not True"),
        ({"spectral": 1}, "spectral: true or false was expected"),
        ({"generator": {"options": {}}}, "generator: 'name' is missing"),
        ({"generator": 7}, "generator: name: a text was expected"),
        ({"optimizer": {"betas": [0.5]}}, "betas: 2 values was expected"),
        ({"critic_terms": [1]}, "critic_terms: named values was expected"),
        ({"critic_terms": {"r1": {"start": 1, "shape": "wave"}}}, "r1: shape: one of linear, cosine, switch"),
        ({"critic_terms": {"r1": {"start": "x"}}}, "r1: start: a number was expected"),
        ({"precision": "64"}, "no precision '64': there are 32-true"),
        ({"latent": -1}, "latent must be at least 0, not -1"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"critic_steps": 0}, "critic_steps must be at least 1"),
        ({"micro_batch": 0}, "micro_batch must be at least 1"),
        ({"optimizer": {"lr": -1}}, "learning rate lies between"),
        ({"seed": None}, "seed: a whole number was expected, not None"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(values, words):
    with pytest.raises(RequestError, match=words):
        from_json(with_values(**values), "r.json")


@pytest.mark.parametrize("text", ["[]", "3", '"r3gan"', "null"])
def test_json_that_is_no_recipe_is_refused(text):
    with pytest.raises(RequestError):
        from_json(text)


@pytest.mark.parametrize("text", ["", "{", '{"modality": }'])
def test_what_is_not_json_is_told_with_the_line(text):
    with pytest.raises(RequestError, match=r"r\.json is not JSON: .* in line 1"):
        from_json(text, "r.json")


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_numbers_that_are_none_are_refused(value):
    text = to_json(chosen()).replace('"eps": 1e-08', f'"eps": {value}')
    assert value in text
    with pytest.raises(RequestError, match="eps"):
        from_json(text)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(RequestError, match="can't be read as a recipe"):
        read(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="can't be read as a recipe"):
        read(tmp_path / "b.json")
    with pytest.raises(RequestError, match="can't be read as a recipe"):
        read(tmp_path)


def test_settings_change_by_path():
    recipe = chosen()
    assert change(recipe, "optimizer.lr", "1e-4").optimizer == Optimizer(1e-4, recipe.optimizer.betas)
    assert change(recipe, "critic_terms.r1", "5").critic_terms["r1"] == Weight(5.0)
    assert change(recipe, "critic_terms.r1.every", "4").critic_terms["r1"].every == 4
    assert change(recipe, "generator.options.width", "7").generator.options["width"] == 7
    assert change(recipe, "critic.options.condition", "auxiliary").critic.options["condition"] == "auxiliary"
    assert change(recipe, "clip", "1").clip == 1.0
    assert change(recipe, "clip", "null").clip is None
    assert change(recipe, "until", "fd<5").until == "fd<5"
    assert change(recipe, "generator", "mlp").generator == Use("mlp")
    assert change(recipe, "anneal", "0.5").anneal(0.9) == 0.5
    assert change(recipe, "generator_terms.feature_matching", "0.1").generator_terms == {
        "feature_matching": Weight(0.1)
    }


def test_the_critics_optimizer_starts_from_the_generators():
    recipe = chosen()
    changed = change(recipe, "critic_optimizer.lr", "4e-4")
    assert changed.critic_optimizer == Optimizer(4e-4, recipe.optimizer.betas, recipe.optimizer.eps)
    assert changed.optimizer == recipe.optimizer


def test_a_change_leaves_the_recipe_it_came_from_alone():
    recipe = chosen()
    before = to_json(recipe)
    change(recipe, "generator.options.width", "7")
    change(recipe, "critic_terms.r1", "5")
    assert to_json(recipe) == before


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("optimiser.lr", "1", "did you mean 'optimizer'"),
        ("optimizer.rate", "1", "no setting 'rate'"),
        ("optimizer.lr", "fast", "a number was expected, not 'fast'"),
        ("batch.size", "1", "batch has no parts"),
        ("optimizer.lr.x", "1", "lr has no parts"),
        ("clip.x", "1", "clip"),
        ("critic_terms.r1.weight", "1", "no setting 'weight'"),
        ("", "1", "no setting"),
        ("latent", "1.5", "a whole number was expected"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(path, value, words):
    with pytest.raises(RequestError, match=words):
        change(chosen(), path, value)


def test_values_are_json_or_else_text():
    assert [parse(text) for text in ("1", "1e-4", "true", "null", "[1]", "r1", "fd<5")] == [
        1, 1e-4, True, None, [1], "r1", "fd<5",
    ]  # fmt: skip
