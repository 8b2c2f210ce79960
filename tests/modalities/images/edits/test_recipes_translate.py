"""Recipes for pictures turned into others: every method plays, sizes fit, settings are checked."""

from dataclasses import asdict, replace
from itertools import repeat

import numpy as np
import pytest
import torch
from PIL import Image

from rivals.engine.build import build_game, build_optimizers, build_pace
from rivals.engine.errors import RequestError
from rivals.engine.methods import METHODS
from rivals.engine.recipe import change
from rivals.engine.schedule import Budget
from rivals.engine.train import Training, rounds
from rivals.engine.types import Batch
from rivals.layers.norm import InstanceNorm
from rivals.modalities.images.cache import survey
from rivals.modalities.images.edits import terms_style
from rivals.modalities.images.edits.cycle import Pair
from rivals.modalities.images.edits.methods_translate import TRANSLATION
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.recipes_translate import (
    PLAYS,
    SETTINGS,
    choose_edits,
    choose_recipe,
    needs,
    settings,
)
from rivals.modalities.images.edits.translate import ResnetEditor

CPU = torch.device("cpu")
TASK_OF = {name: task for task, names in PLAYS.items() for name in names}


def edits_of(task, **more):
    return Edits(task, crop=32, damage={**settings(task, {}), "shorter": 36}, **more)


def small(recipe, edits):
    generator = {**recipe.generator.options, "width": 4}
    generator |= {name: 1 for name in ("blocks", "depth") if name in generator}
    critic = {**recipe.critic.options, "width": 4}
    sides = {
        "generator": replace(recipe.generator, options=generator),
        "critic": replace(recipe.critic, options=critic),
    }
    return replace(recipe, data=asdict(edits), batch=2, **sides)


@pytest.mark.parametrize("name", ["cut", "fastcut", "cyclegan"])
def test_without_pairs_a_short_training_begins_with_what_is_given(name):
    edits = edits_of("unpaired", back=name == "cyclegan")
    for device, begins in ((CPU, True), (torch.device("cuda"), False)):
        recipe = small(choose_recipe(edits, name, TRANSLATION[name], device, 20, None).recipe, edits)
        given = torch.rand(1, 6 if edits.back else 3, 32, 32)
        made = build_game(recipe, edits).generator(torch.zeros(1, 0), given).picture
        pictures = torch.cat([made.back, made.there], 1) if edits.back else made
        assert torch.equal(pictures, given.roll(3, 1) if edits.back else given) is begins


@pytest.mark.parametrize("name", ["cut", "fastcut", "cyclegan"])
def test_on_a_cpu_a_relativistic_critic_is_held_back_as_its_crops_are_large(name):
    weights = {}
    for crop in (64, 128):
        edits = replace(edits_of("unpaired", back=name == "cyclegan"), crop=crop)
        recipe = choose_recipe(edits, name, TRANSLATION[name], CPU, 20, None).recipe
        assert (recipe.loss, recipe.critic.options["norm"]) == ("relativistic", "none")
        terms = TRANSLATION[name].generator_terms
        assert list(recipe.generator_terms) == list(terms)
        softer = {each for each in terms if recipe.generator_terms[each].start < terms[each].start}
        assert softer == ({"cycle", "identity_both"} if edits.back else set())
        weights[crop] = recipe.critic_terms["r1"].start
        assert recipe.critic_terms["r2"].start == weights[crop]
    assert weights[64] == pytest.approx(4 * weights[128], rel=0.01)
    published = choose_recipe(edits, name, TRANSLATION[name], torch.device("cuda"), 20, None).recipe
    assert published.loss == "least_squares"
    assert not {"r1", "r2"} & set(published.critic_terms)


@pytest.mark.parametrize("name", ["cut", "fastcut", "cyclegan"])
def test_what_docs_say_of_the_published_games_on_a_cpu_gives_them(name):
    edits, method = edits_of("unpaired", back=name == "cyclegan"), TRANSLATION[name]
    networks = None if edits.back else "resnet"
    recipe = choose_recipe(edits, name, method, CPU, None, 2, networks=networks).recipe
    words = "loss=least_squares critic_terms.r1=0 critic_terms.r2=0 critic.options.norm=instance optimizer.lr=2e-4 "
    if edits.back:
        words += "generator.options.folded=false generator_terms.cycle=10 generator_terms.identity_both=5"
    else:
        words += "generator.options.residual=false generator.options.norm=instance"
    for word in words.split():
        recipe = change(recipe, *word.split("="))
    assert (recipe.loss, recipe.optimizer) == (method.loss, method.optimizer)
    assert recipe.generator_terms == method.generator_terms
    game = build_game(small(recipe, edits), edits)
    found = game.generator.there if edits.back else game.generator
    assert isinstance(found, ResnetEditor)
    assert any(isinstance(part, InstanceNorm) for part in found.modules())
    assert any(isinstance(part, InstanceNorm) for part in game.critic.modules())
    a, b = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    batch = Batch(Pair(b, a), torch.cat([a, b], 1)) if edits.back else Batch(b, a)
    assert set(game.critic_loss(game.play(batch), 0, 0.0)) == {"adversarial"}


def test_a_method_of_ones_own_is_played_as_it_says_whatever_its_name():
    method = replace(TRANSLATION["cut"], optimizer=replace(TRANSLATION["cut"].optimizer, lr=1e-5))
    recipe = choose_recipe(edits_of("unpaired"), "cut", method, CPU, None, 2).recipe
    assert (recipe.loss, recipe.optimizer.lr) == ("least_squares", 1e-5)
    assert not {"r1", "r2"} & set(recipe.critic_terms)


@pytest.mark.parametrize(("name", "task"), [*TASK_OF.items(), ("r3gan", "pairs"), ("hinge", "unpaired")])
def test_every_method_plays_two_rounds_and_both_sides_move(name, task, monkeypatch):
    monkeypatch.setattr(terms_style, "maps", lambda x: [x, x.square(), x, x])
    edits = edits_of(task, back=name == "cyclegan")
    method = TRANSLATION.get(name) or METHODS[name]
    recipe = small(choose_recipe(edits, name, method, CPU, None, 2).recipe, edits)
    game = build_game(recipe, edits)
    before = [part.clone() for side in (game.generator, game.critic) for part in side.parameters()]
    a, b = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    batch = Batch(Pair(b, a), torch.cat([a, b], 1)) if edits.back else Batch(b, a)
    training = Training.of(game, build_optimizers(recipe, game))
    played = list(rounds(training, repeat(batch), Budget(2, None), pace=build_pace(recipe), seed=0))
    assert len(played) == 2
    assert all(torch.isfinite(value) for each in played for value in each.losses.values())
    terms = {name.removeprefix("generator/") for name in played[0].losses if name.startswith("generator/")}
    usual = {"pairs": "pixels", "unpaired": "patch_nce"}
    assert set(method.generator_terms) | ({usual[task]} if name in METHODS else set()) <= terms
    after = [part for side in (game.generator, game.critic) for part in side.parameters()]
    moved = [not torch.equal(*pair) for pair in zip(before, after, strict=True)]
    assert sum(moved) > 0.6 * len(moved), "biases before an instance norm have no effect; all else has"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", TASK_OF)
def test_networks_can_be_built_at_every_crop(name, device):
    for crop in (32, 64, 128, 256):
        edits = replace(edits_of(TASK_OF[name], back=name == "cyclegan"), crop=crop)
        recipe = choose_recipe(edits, name, TRANSLATION[name], torch.device(device), 10, None).recipe
        needed = needs(replace(recipe, data=asdict(edits)), edits)
        assert needed.generator.parameters > 10_000
        assert needed.flops > 0


def test_terms_that_run_the_generator_again_are_counted():
    edits = edits_of("unpaired")
    counted = [
        needs(choose_recipe(edits, name, TRANSLATION[name], CPU, 10, None).recipe, edits) for name in ("fastcut", "cut")
    ]
    assert counted[1].flops > 1.5 * counted[0].flops
    assert counted[1].memory > counted[0].memory


def test_every_method_says_where_it_is_from():
    assert set(TASK_OF) == set(TRANSLATION)
    for method in TRANSLATION.values():
        assert method.url.startswith("https://arxiv.org/abs/")
        assert method.title
        assert ", 20" in method.paper
        assert "G" in method.formula


@pytest.mark.parametrize("task", SETTINGS)
def test_settings_are_checked(task):
    assert settings(task, {"ways": 8})["ways"] == 8
    for name, value in (("ways", 4), ("ways", True), ("shorter", 3), ("shorter", "x"), ("colour", 1)):
        with pytest.raises(RequestError, match=name):
            settings(task, {name: value})


@pytest.mark.parametrize(("size", "crop"), [(200, 64), (50, 48), (20, 32)])
def test_crops_fit_the_pictures(size, crop, tmp_path):
    for number in range(5):
        Image.fromarray(np.full((size, 2 * size, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    looked = survey(tmp_path, learning=False)
    edits = choose_edits("unpaired", {}, (looked, looked), False, CPU, 10)
    assert edits.crop == crop
    assert edits.damage["shorter"] == crop + crop // 8
    assert choose_edits("style", {}, (looked, looked), False, CPU, 10).damage["shorter"] == 2 * crop
    assert choose_edits("unpaired", {"crop": 128}, (looked, looked), False, CPU, 10).damage["shorter"] == 144
    assert choose_edits("unpaired", {}, (looked, looked), False, CPU, 60).crop == {200: 128}.get(size, crop)
