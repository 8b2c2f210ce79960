import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from rivals.engine.build import build_game, build_optimizers, build_pace
from rivals.engine.methods import METHODS
from rivals.engine.schedule import Budget
from rivals.engine.train import Now, Training, players, rounds, single_device, update
from rivals.engine.types import Batch
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

CPU = torch.device("cpu")


def tiny(method, channels=1, classes=0, *, size=8, **changes):
    images = Images(size, size, channels, 8, tuple("abc"[:classes]), (4,) * classes)
    recipe = replace(choose_recipe(images, method, CPU, None, 3).recipe, batch=6, **changes)
    torch.manual_seed(1)
    labels = torch.randint(classes, (6,)) if classes else None
    return images, recipe, Batch(torch.rand(6, channels, size, size) * 2 - 1, labels)


def state(module):
    return {name: part.detach().clone() for name, part in module.named_parameters()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


LIGHT = {name: of for name, of in METHODS.items() if name != "projected"}  # its frozen network has tests of its own
KINDS = [(method, *kind) for method, of in LIGHT.items() for kind in ((1, 0), (3, 3)) if kind[1] or not of.needs_labels]


@pytest.mark.parametrize(("method", "channels", "classes"), KINDS)
def test_each_side_moves_on_its_own_turn_only_and_every_parameter_gets_a_gradient(method, channels, classes):
    images, recipe, batch = tiny(method, channels, classes)
    game = build_game(recipe, images)
    training = Training.of(game, build_optimizers(recipe, game))
    generator, critic = players(training)
    fabric, pace = single_device(training), build_pace(recipe)
    reached = {"generator": set(), "critic": set()}
    for step in range(3):
        for side, other in ((critic, generator), (generator, critic)):
            mine, theirs = state(side.module), state(other.module)
            losses = update(side, other, batch, Now(game.play, fabric, pace, step, step / 3))
            assert all(torch.isfinite(loss) for loss in losses.values())
            terms = getattr(game, f"{side.name}_terms")
            assert set(losses) == {f"{side.name}/{name}" for name, term in terms.items() if step % term.every == 0}
            assert not same(mine, state(side.module)), f"the {side.name} stood still"
            assert same(theirs, state(other.module)), f"the {other.name} moved on the {side.name}'s turn"
            reached[side.name] |= {
                name for name, p in side.module.named_parameters() if p.grad is not None and p.grad.abs().max() > 0
            }
    for side in (critic, generator):
        missed = {name for name, _ in side.module.named_parameters()} - reached[side.name]
        # a logit's bias cancels between real and fake (under the hinge while all logits are within the margins), and a
        # bias right before batch norm
        shifts = ("hinge", "relativistic", "relativistic_average", "wasserstein")
        free = {"head.logit.bias"} if side.name == "critic" and recipe.loss in shifts else set()
        free |= (
            {"first.bias"} if side.name == "generator" and recipe.generator.options.get("norm") == "batch" else set()
        )
        assert missed <= free, f"the {side.name}'s {sorted(missed)} never got a gradient"


@pytest.mark.parametrize("method", [name for name, of in LIGHT.items() if not of.needs_labels])
def test_every_method_plays_three_rounds_and_ends(method):
    images, recipe, batch = tiny(method)
    game = build_game(recipe, images)
    training = Training.of(game, build_optimizers(recipe, game))
    before = state(training.average)
    played = list(rounds(training, iter(lambda: batch, None), Budget(steps=3), pace=build_pace(recipe)))
    assert [each.step for each in played] == [0, 1, 2] or [each.step for each in played] == [1, 2, 3]
    assert not same(before, state(training.average))


def test_r3gans_gradients_equal_the_formula_written_by_hand():
    images, recipe, batch = tiny("r3gan", 3, critic_terms=METHODS["r3gan"].critic_terms)
    game = build_game(recipe, images)

    def critic(x):
        return game.critic(x, None).logits[0]

    torch.manual_seed(5)
    total = torch.stack(list(game.critic_loss(game.play(batch), 0, 0.0).values())).sum()
    composed = torch.autograd.grad(total, list(game.critic.parameters()))

    torch.manual_seed(5)
    fake = game.generator(torch.randn(6, recipe.latent), None).detach().requires_grad_()
    real = batch.real.clone().requires_grad_()
    on_real, on_fake = critic(real), critic(fake)
    penalty = sum(
        torch.autograd.grad(logits.sum(), x, create_graph=True)[0].square().flatten(1).sum(1).mean() / 2
        for logits, x in ((on_real, real), (on_fake, fake))
    )
    by_hand = torch.autograd.grad(
        nn.functional.softplus(on_fake - on_real).mean() + penalty, list(game.critic.parameters())
    )
    for one, other in zip(composed, by_hand, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)

    torch.manual_seed(6)
    (loss,) = game.generator_loss(game.play(batch), 0, 0.0).values()
    composed = torch.autograd.grad(loss, list(game.generator.parameters()))
    torch.manual_seed(6)
    fake = game.generator(torch.randn(6, recipe.latent), None)
    by_hand = torch.autograd.grad(
        nn.functional.softplus(critic(batch.real) - critic(fake)).mean(), list(game.generator.parameters())
    )
    for one, other in zip(composed, by_hand, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_classic_gan_has_the_classic_shapes():
    images, recipe, _ = tiny("gan", size=28)
    game = build_game(recipe, images)

    def sizes(module):
        linear = [part for part in module.modules() if isinstance(part, nn.Linear)]
        return [linear[0].in_features, *(part.out_features for part in linear)]

    assert sizes(game.generator) == [100, 256, 512, 1024, 784]
    assert sizes(game.critic) == [784, 1024, 512, 256, 1]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_cites_its_paper_and_formula(method):
    assert re.search(r"\w+( et al\.)?, 20\d\d, [A-Z\w]", method.paper)
    assert method.url.startswith("https://arxiv.org/abs/")
    assert method.formula.startswith("D: ")
    assert ";  G: " in method.formula
