import pytest
import torch
from torch import nn

from rivals.engine.game import Duel
from rivals.engine.health import calm_down, critic_advantage, diagnosis, finite, rollback_words
from rivals.engine.train import NonFiniteError, Training, anneal
from rivals.engine.types import Batch, Verdict


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, z, cond=None):
        return z[:, :1] * 0 + self.shift


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.drop = nn.Dropout(0.9)

    def forward(self, x, cond=None):
        return Verdict((self.drop(x * self.scale), self.drop(x * self.scale)))


def training():
    game = Duel(Generator(), Critic(), latent=1, generator_terms={}, critic_terms={})
    optimizers = tuple(torch.optim.Adam(part.parameters(), 0.1) for part in (game.generator, game.critic))
    return Training.of(game, optimizers)


def test_the_advantage_is_the_share_of_held_out_samples_ranked_above_fakes():
    game = training().game
    game.train()
    assert critic_advantage(game, Batch(torch.tensor([[2.0], [0.5], [0.0], [-0.9]]))) == 0.625  # fakes are 0
    assert game.critic.drop.training


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["generator", "critic", "average"])
def test_a_weight_that_is_no_number_is_seen_wherever_it_is(where, value):
    it = training()
    assert finite(it)
    module = it.average if where == "average" else getattr(it.game, where)
    with torch.no_grad():
        next(module.parameters()).fill_(value)
    assert not finite(it)


def test_calming_down_halves_both_rates_for_good_and_takes_another_stream():
    it = training()
    anneal(it.optimizers, 0.5)
    calm_down(it)
    calm_down(it)
    anneal(it.optimizers, 0.5)
    assert [o.param_groups[0]["lr"] for o in it.optimizers] == [pytest.approx(0.1 / 8)] * 2
    assert it.stream == 2


def error(step=7, **losses):
    return NonFiniteError("critic", step, {name: torch.tensor(value) for name, value in losses.items()})


def test_a_rollback_says_what_happened_and_what_was_done():
    words = rollback_words(error(adversarial=0.5, r1=float("nan")), 3, 2)
    assert "critic's loss is not finite at step 7 (adversarial 0.5, r1 nan)" in words
    assert "went back to step 3" in words
    assert "time 2 of 3" in words


def test_a_diagnosis_names_the_term_and_the_remedy():
    nan = float("nan")
    errors = [error(3, adversarial=nan), error(5, adversarial=nan), error(9, adversarial=0.1, r1=nan)]
    assert "steps 3, 5, 9" in diagnosis(errors, "32-true")
    assert "the penalty r1 blew up first" in diagnosis(errors, "32-true")
    assert "--precision" in diagnosis(errors, "16-mixed")
    assert "learning rate is too high" in diagnosis([error(adversarial=nan)] * 3, "32-true")
