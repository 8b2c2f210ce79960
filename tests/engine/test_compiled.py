from dataclasses import replace

import pytest
import torch

from rivals.engine.build import build_game
from rivals.engine.compiled import compile_parts
from rivals.engine.types import Batch
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

IMAGES = Images(8, 8, 1)


def begun(method):
    recipe = replace(choose_recipe(IMAGES, method, torch.device("cpu"), None, 3).recipe, batch=4)
    torch.manual_seed(0)
    return build_game(recipe, IMAGES), Batch(torch.rand(4, 1, 8, 8))


def backend(monkeypatch, function):
    compiled = []

    def stand_in(module, *args, **kwargs):
        compiled.append(module)
        module._compiled_call_impl = lambda *a, **k: function(module, *a, **k)

    monkeypatch.setattr(torch.nn.Module, "compile", stand_in)
    return compiled


PARTS = {"r3gan": "generator", "wgan-gp": "generator", "lsgan": "generator and critic"}


@pytest.mark.parametrize(("method", "parts"), PARTS.items())
def test_a_critic_under_a_penalty_is_left_alone(method, parts, monkeypatch):
    game, batch = begun(method)
    compiled = backend(monkeypatch, lambda module, *a, **k: module.forward(*a, **k))
    assert compile_parts(game, batch) == f"compiled: {parts}"
    assert (game.critic in compiled) == ("critic" in parts)


def test_a_compiler_that_fails_is_told_once_and_leaves_everything_as_it_was(monkeypatch):
    game, batch = begun("dcgan")
    before = {name: part.clone() for name, part in game.state_dict().items()}

    def broken(*args, **kwargs):
        raise RuntimeError("no\nC compiler")

    backend(monkeypatch, broken)
    words = compile_parts(game, batch)
    assert words == "torch.compile failed, so nothing is compiled: no C compiler"
    assert all(torch.equal(part, before[name]) for name, part in game.state_dict().items())
    assert torch.isfinite(game.play(batch).on_fake.logits[0]).all()


def test_a_trial_changes_no_weight_buffer_or_random_number(monkeypatch):
    game, batch = begun("dcgan")
    backend(monkeypatch, lambda module, *a, **k: module.forward(*a, **k))
    before = {name: part.clone() for name, part in game.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    compile_parts(game, batch)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(part, before[name]) for name, part in game.state_dict().items())
    assert all(part.grad is None for part in game.parameters())
