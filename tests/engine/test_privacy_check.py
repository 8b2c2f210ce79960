from dataclasses import replace

import pytest
import torch
from torch import nn

from rivals.engine.augment import Augment
from rivals.engine.build import build_game, build_pace
from rivals.engine.errors import RequestError
from rivals.engine.ledger import Privacy
from rivals.engine.losses import LOSSES
from rivals.engine.privacy_check import blind, check_game, check_recipe
from rivals.engine.recipe import change
from rivals.engine.schedule import Weight
from rivals.engine.types import Batch
from rivals.layers.minibatch import MinibatchDeviation
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

IMAGES = Images(8, 8, 1, 8, ("a", "b"), (4, 4))


def recipe(method="r3gan"):
    chosen = choose_recipe(IMAGES, method, torch.device("cpu"), None, 9).recipe
    chosen = replace(chosen, minutes=None, steps=10, batch=4, augment=Augment(), privacy=Privacy(3.0))
    return change(chosen, "critic.options.norm", "layer") if "norm" in chosen.critic.options else chosen


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pack": 2}, "pack: a pack mixes several rows"),
        ({"augment": Augment(("flip",))}, "augment: "),
        ({"loss": "relativistic_average"}, "take relativistic"),
        ({"until": "fd<5"}, "until: it stops by scores on real rows"),
        ({"minutes": 1.0}, "minutes: "),
        ({"compile": True}, "compile: "),
        ({"precision": "bf16-mixed"}, "precision bf16-mixed"),
    ],
)
def test_settings_that_look_at_rows_uncharged_or_tie_them_together_are_refused(changes, words):
    asked = replace(recipe(), **changes)
    with pytest.raises(RequestError, match=words):
        build_game(asked, IMAGES)
    check_recipe(recipe())


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr("rivals.engine.privacy_check.processes", lambda: (0, 2))
    with pytest.raises(RequestError, match="processes: a private training plays in one"):
        check_recipe(recipe())


@pytest.mark.parametrize("term", ["lecam", "dragan"])
def test_terms_that_remember_rows_or_need_a_batch_are_refused(term):
    asked = recipe()
    asked = replace(asked, critic_terms={**asked.critic_terms, term: Weight(1.0)})
    with pytest.raises(RequestError, match=f"no term '{term}'"):
        build_game(asked, IMAGES)


@pytest.mark.parametrize("term", ["pixels", "feature_matching", "classify_real"])
def test_terms_that_show_rows_to_the_generator_are_refused(term):
    asked = recipe("acgan" if term == "classify_real" else "r3gan")
    if term == "feature_matching":
        game = build_game(asked, IMAGES)
        if not game.critic(torch.zeros(1, 1, 8, 8), torch.tensor([0])).features:
            pytest.skip("this critic shows no features")
    asked = replace(asked, critic_terms={}, generator_terms={term: Weight(1.0)})
    with pytest.raises(RequestError, match=f"no term '{term}' for the generator"):
        build_game(asked, IMAGES)


def test_terms_that_read_fakes_alone_are_not():
    asked = replace(recipe("acgan"), generator_terms={"classify_fake": Weight(1.0)})
    assert set(build_game(asked, IMAGES).generator_terms) == {"adversarial", "classify_fake"}


@pytest.mark.parametrize("part", [nn.BatchNorm1d(3), nn.BatchNorm2d(3), MinibatchDeviation()])
def test_a_critic_that_ties_a_batch_together_is_refused(part):
    game = build_game(recipe(), IMAGES)
    game.critic.extra = part
    with pytest.raises(RequestError, match=f"{type(part).__name__} ties a batch together"):
        check_game(game)


def test_a_generator_may_have_batch_norm_with_running_statistics_only():
    game = build_game(recipe(), IMAGES)
    game.generator.extra = nn.BatchNorm1d(3)
    check_game(game)
    game.generator.extra = nn.BatchNorm1d(3, track_running_stats=False)
    with pytest.raises(RequestError, match="without running statistics"):
        check_game(game)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_no_generators_half_reads_real_logits_and_the_critics_stays(loss):
    chosen = blind(LOSSES[loss])
    nothing, fake = torch.full((3,), float("nan")), torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    assert torch.isfinite(chosen.generator(nothing if LOSSES[loss].relativistic else fake, fake)).all()
    assert not chosen.relativistic
    assert chosen.critic is LOSSES[loss].critic
    if not LOSSES[loss].relativistic:
        assert chosen is LOSSES[loss]


def test_where_fakes_are_far_behind_a_blind_generator_has_the_gradient_of_a_relativistic_one():
    fake = torch.tensor([-40.0, -50.0], requires_grad=True)
    gradients = [
        torch.autograd.grad(loss.generator(torch.zeros(2), fake).sum(), fake)[0]
        for loss in (LOSSES["relativistic"], blind(LOSSES["relativistic"]))
    ]
    torch.testing.assert_close(*gradients)


def test_a_private_game_makes_fakes_of_its_own_for_the_generator():
    assert not build_pace(recipe()).shares
    assert build_pace(replace(recipe(), privacy=None)).shares
    game = build_game(recipe(), IMAGES)
    nothing = Batch(torch.full((4, 1, 8, 8), float("nan")), torch.tensor([0, 1, 0, 1]))
    losses = game.generator_loss(game.play(nothing), 0, 0.0)
    assert torch.isfinite(losses["adversarial"])
