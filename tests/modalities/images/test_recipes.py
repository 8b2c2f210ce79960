from dataclasses import replace

import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.engine.gamma import gamma_for
from rivals.engine.method import Method
from rivals.engine.methods import METHODS
from rivals.engine.needs import rounds_a_second
from rivals.engine.recipe import change
from rivals.engine.schedule import Curve, Weight
from rivals.modalities.images import Images
from rivals.modalities.images.cache import cut, load, survey
from rivals.modalities.images.frames import choose_frame
from rivals.modalities.images.recipes import (
    choose_augment,
    choose_recipe,
    needs,
    settled,
    with_gamma,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
IMAGES = Images(16, 16, 3)
LABELLED = Images(16, 16, 3, 8, ("a", "b"), (2, 2))


def test_pictures_of_one_size_are_kept(make_pictures):
    frame, why = choose_frame(survey(make_pictures(size=20)), CPU, 10)
    assert frame == (20, 20, 3)
    assert "kept" in why


@pytest.mark.parametrize(
    ("minutes", "device", "side"), [(3, CPU, 32), (10, CPU, 64), (None, CPU, 64), (10, CUDA, 90), (120, CUDA, 90)]
)
def test_larger_pictures_are_brought_to_what_the_time_allows(minutes, device, side, make_pictures):
    frame, why = choose_frame(survey(make_pictures(size=90, count=8)), device, minutes)
    assert frame[:2] == (side, side)
    assert why


@pytest.mark.parametrize("method", METHODS)
def test_a_recipe_takes_over_what_was_published(method):
    recipe, published = choose_recipe(LABELLED, method, CPU, None, 5).recipe, METHODS[method]
    assert (recipe.loss, recipe.critic_steps, recipe.spectral) == (
        published.loss,
        published.critic_steps,
        published.spectral,
    )
    assert (recipe.generator_spectral, recipe.clip_weights, recipe.pack) == (
        published.generator_spectral,
        published.clip_weights,
        published.pack,
    )
    assert set(recipe.critic_terms) == set(published.critic_terms)
    for name, weight in published.critic_terms.items():
        every = 2 if recipe.generator.name == "dcgan" and {"r1", "r2"} <= set(published.critic_terms) else weight.every
        assert recipe.critic_terms[name] == replace(weight, every=every)
    assert recipe.generator_terms == published.generator_terms
    assert recipe.optimizer.betas == published.optimizer.betas
    assert recipe.critic_optimizer == published.critic_optimizer
    assert recipe.batch == (published.batch or 32)


def test_gamma_is_measured_on_the_pictures_unless_it_is_given(make_pictures):
    pictures = load(survey(make_pictures(count=40)), height=8, width=8, channels=3)
    recipe = choose_recipe(IMAGES, "r3gan", CPU, 5, None).recipe
    gamma, told = gamma_for(cut(pictures, pictures.train)), []
    terms = with_gamma(recipe, pictures, ["critic_terms.r1.every"], told.append).critic_terms
    assert terms["r1"].start == terms["r2"].start == pytest.approx(gamma, rel=1e-2)
    assert terms["r1"].stop == pytest.approx(gamma / 10, rel=1e-2)
    assert f"gamma {gamma:g} for r1 and r2" in told[0]["words"]
    terms = with_gamma(recipe, pictures, ["critic_terms.r1"], told.append).critic_terms
    assert (terms["r1"].start, terms["r2"].start) == (1.0, pytest.approx(gamma, rel=1e-2))
    other = choose_recipe(IMAGES, "hinge", CPU, 5, None).recipe
    assert with_gamma(other, pictures, [], told.append) is other
    assert len(told) == 2


@pytest.mark.parametrize("method", METHODS)
def test_classes_bring_a_condition_and_none_bring_none(method):
    told = choose_recipe(LABELLED, method, CPU, 5, None).recipe.critic.options["condition"]
    assert told == METHODS[method].condition or told in ("projection", "concat")
    if METHODS[method].needs_labels:
        with pytest.raises(RequestError, match=f"method '{method}' needs labels, and these pictures have none"):
            choose_recipe(IMAGES, method, CPU, 5, None)
    else:
        assert "condition" not in choose_recipe(IMAGES, method, CPU, 5, None).recipe.critic.options


def test_few_pictures_are_augmented_the_more_the_fewer_they_are_and_many_are_not():
    few, why = choose_augment(METHODS["r3gan"], 500)
    assert (few.operations, few.target, few.strength) == (("slight", "cutout"), None, Curve(0.6))
    assert "500 pictures are few" in why
    strengths = [choose_augment(METHODS["r3gan"], count)[0].strength.start for count in (1_000, 4_000, 29_999)]
    assert strengths == [0.6, pytest.approx(0.36, abs=0.01), 0.0]
    assert choose_augment(METHODS["r3gan"], 60_000)[0].operations == ()
    assert choose_augment(METHODS["r3gan"], None)[0].operations == ()
    own, why = choose_augment(METHODS["fastgan"], 60_000)
    assert (own.operations, own.target) == (("diffaugment",), None)
    assert "as published" in why


def test_the_penalties_of_few_pictures_keep_their_weight():
    def r1(pictures):
        return choose_recipe(LABELLED, "r3gan", CPU, 5, None, pictures=pictures).recipe.critic_terms["r1"]

    assert (r1(500).stop, r1(60_000).stop) == (None, 0.1)
    assert r1(500).start == r1(60_000).start


def test_a_method_of_ones_own_is_taken_as_it_is_given():
    own = Method(loss="hinge", critic_terms={"lecam": Weight(0.3)}, batch=12, norm=("batch", "none"))
    recipe = choose_recipe(LABELLED, "mine", CPU, 5, None, own=own).recipe
    assert (recipe.method, recipe.loss, recipe.batch) == ("mine", "hinge", 12)
    assert recipe.critic_terms == {"lecam": Weight(0.3)}


def test_every_choice_has_its_reason():
    reasons = choose_recipe(IMAGES, "r3gan", CPU, 10, None).reasons
    assert len(reasons) == 5
    assert all(reasons)


def test_needs_are_counted_on_the_networks_themselves():
    from rivals.engine.build import build_game

    for method in set(METHODS) - {"projected"}:  # a frozen network's weights are no parameters
        recipe = choose_recipe(LABELLED, method, CPU, 5, None).recipe
        game, needed = build_game(recipe, LABELLED), needs(recipe, LABELLED)
        assert needed.generator.parameters == sum(p.numel() for p in game.generator.parameters())
        assert needed.critic.parameters == sum(p.numel() for p in game.critic.parameters() if p.requires_grad)
        assert rounds_a_second(needed, 8, 1e9) == pytest.approx(2 * rounds_a_second(needed, 16, 1e9))
        assert needs(change(recipe, "micro_batch", "4"), LABELLED).memory < needed.memory


def test_an_auxiliary_condition_brings_its_terms_but_keeps_given_ones():
    recipe = change(choose_recipe(LABELLED, "r3gan", CPU, 5, None).recipe, "critic.options.condition", "auxiliary")
    recipe = settled(change(recipe, "critic_terms.classify_real", "0.5"), LABELLED)
    assert recipe.critic_terms["classify_real"].start == 0.5
    assert recipe.generator_terms["classify_fake"].start == 1.0


@pytest.mark.parametrize("condition", ["projection", "concat", "auxiliary"])
def test_a_condition_without_classes_is_refused(condition):
    recipe = change(choose_recipe(IMAGES, "r3gan", CPU, 5, None).recipe, "critic.options.condition", condition)
    with pytest.raises(RequestError, match="these pictures have none"):
        settled(recipe, IMAGES)
