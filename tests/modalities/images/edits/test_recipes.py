from dataclasses import asdict, replace

import pytest
import torch

from rivals.engine.build import build_game
from rivals.engine.cost import cost
from rivals.engine.errors import RequestError
from rivals.engine.recipe import from_json, to_json
from rivals.engine.types import Batch
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits import recipes
from rivals.modalities.images.edits.methods import EDIT_METHODS, RESTORATION
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.perceptual import network
from rivals.modalities.images.edits.recipes import choose_crop, choose_edits, choose_recipe, needs, usual_method
from rivals.modalities.images.edits.tasks import TASKS, settings

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def edits_of(task, crop=32):
    scale = TASKS[task].scale
    return Edits(task, 3, TASKS[task].seen(3), scale, crop, settings(task, {}))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", [*RESTORATION, "r3gan", "wgan-gp", "sngan"])
def test_every_method_plays_every_task_it_is_for(task, method):
    edits = edits_of(task)
    if method == "lama" and task != "inpaint":
        with pytest.raises(RequestError, match="fills holes"):
            choose_recipe(edits, method, CPU, 1.0, None)
        return
    recipe = replace(choose_recipe(edits, method, CPU, 1.0, None).recipe, data=asdict(edits))
    assert from_json(to_json(recipe)) == recipe
    game = build_game(recipe, edits)
    real = torch.rand(2, 3, 32, 32) * 2 - 1
    given = torch.rand(2, edits.seen, 32 // edits.scale, 32 // edits.scale)
    played = game.play(Batch(real, given))
    assert played.fake.shape == real.shape
    early, late = (game.critic_loss(played, 0, progress) for progress in (0.0, 0.9))
    assert "adversarial" not in early
    assert ("adversarial" in late) == (not recipe.alone)
    terms = game.generator_loss(played, 0, 0.9)
    assert torch.stack(list(terms.values())).sum().isfinite()
    assert "pixels" in terms


@pytest.mark.parametrize("task", TASKS)
def test_a_plan_can_be_made_for_every_task_and_device(task):
    edits = edits_of(task, 64)
    for device, minutes in ((CPU, 1.0), (CPU, 90.0), (GPU, 10.0)):
        recipe = choose_recipe(edits, usual_method(task), device, minutes, None).recipe
        needed = needs(recipe, edits)
        assert needed.memory > 0
        assert needed.flops > 1e6


def test_what_the_perceptual_term_costs_is_as_counted():
    pytest.importorskip("efficientnet_lite_pytorch")
    size = 96
    with torch.no_grad():
        seen = cost(network(CPU).body[:18], torch.zeros(2, 3, size, size))
    assert 4 * seen.flops / size**2 == pytest.approx(recipes.LENS_FLOPS, rel=0.1)
    assert 2 * seen.activations / size**2 == pytest.approx(recipes.LENS_NUMBERS, rel=0.1)


def test_without_its_network_the_critics_features_stand_in_for_the_perceptual_term(monkeypatch):
    monkeypatch.setattr(recipes, "installed", lambda: False)
    choice = choose_recipe(edits_of("denoise"), "real-esrgan", CPU, 10.0, None)
    assert "perceptual" not in choice.recipe.generator_terms
    assert "feature_matching" in choice.recipe.generator_terms
    assert any("rivals[features]" in reason for reason in choice.reasons)
    assert set(choose_recipe(edits_of("denoise"), "plain", CPU, 10.0, None).recipe.generator_terms) == {
        "adversarial",
        "pixels",
    }


@pytest.mark.parametrize(("size", "crop"), [(200, 64), (60, 56), (33, 32)])
def test_crops_are_no_larger_than_the_pictures(size, crop, make_pictures):
    looked = survey(make_pictures(size=size, count=4), learning=False)
    assert choose_crop("denoise", 1, None, looked, CPU, 10.0)[0] == crop


def test_pictures_that_are_too_small_are_refused_in_a_line(make_pictures):
    looked = survey(make_pictures(size=31, count=4), learning=False)
    with pytest.raises(
        RequestError, match=r"have 31 pixels on the shorter side, and denoise is learned from crops of 32"
    ):
        choose_crop("denoise", 1, None, looked, CPU, 10.0)
    looked = survey(make_pictures("others", size=40, count=4), learning=False)
    with pytest.raises(RequestError, match=r"super-resolution by 7 is learned from crops of 56 .* a smaller --scale"):
        choose_crop("super-resolution", 7, None, looked, CPU, 10.0)


def test_settings_of_the_damage_are_taken_over(make_pictures):
    looked = survey(make_pictures(size=40, count=4), learning=False)
    changes = {"damage.sigma": [5, 50], "crop": 40, "channels": 1}
    edits, _ = choose_edits("denoise", None, changes, looked, CPU, 10.0)
    assert (edits.damage, edits.crop, edits.channels, edits.seen) == ({"sigma": [5, 50]}, 40, 1, 1)
    for wrong in ({"damage.sigma": [50, 5]}, {"damage.sigma": "x"}, {"damage.sigma": ["a", "b"]}, {"damage": {}}):
        with pytest.raises(RequestError):
            choose_edits("denoise", None, wrong, looked, CPU, 10.0)


def test_methods_say_where_they_come_from():
    assert set(RESTORATION) < set(EDIT_METHODS)
    for method in RESTORATION.values():
        assert method.url.startswith("https://arxiv.org/abs/")
        assert method.paper
        assert "G: " in method.formula


def test_coarse_blocks_are_for_noise_and_longer_than_a_few_minutes():
    for task, minutes, has in (
        ("denoise", 10.0, True),
        ("denoise", None, True),
        ("denoise", 3.0, False),
        ("deblur", 10.0, False),
        ("super-resolution", 10.0, False),
    ):
        options = choose_recipe(edits_of(task), "plain", CPU, minutes, None).recipe.generator.options
        assert ("coarse" in options) == has
