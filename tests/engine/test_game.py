from dataclasses import replace

import pytest
import torch
from torch import nn

from rivals.engine.game import Duel
from rivals.engine.losses import LOSSES
from rivals.engine.terms import Term, adversarial, pixels, r1, r2
from rivals.engine.types import Batch, Verdict


class Generator(nn.Module):
    def __init__(self, latent=2):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(latent, 3)), nn.Parameter(torch.zeros(3))

    def forward(self, z, cond=None):
        made = z @ self.weight + self.bias
        return made if cond is None else made + cond[:, None]


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.asked = []

    def forward(self, x, cond=None):
        self.asked.append((x, cond))
        return Verdict((self.linear(x),))


def duel(**more):
    critic_half, generator_half = adversarial(LOSSES["logistic"])
    terms = {
        "generator_terms": {"adversarial": Term(generator_half)},
        "critic_terms": {"adversarial": Term(critic_half), "r1": Term(r1, 0.5)},
    }
    return Duel(Generator(more.get("latent", 2)), Critic(), **{"latent": 2, **terms, **more})


BATCH = Batch(torch.ones(4, 3), torch.arange(4.0))


def test_there_is_one_fake_for_each_real_sample_under_the_same_condition():
    game = duel()
    played = game.play(BATCH)
    assert played.fake.shape == BATCH.real.shape
    torch.testing.assert_close(played.raw, game.generator(played.z, BATCH.cond))


def test_nobody_asks_the_critic_until_a_term_looks():
    game = duel()
    played = game.play(BATCH)
    assert game.critic.asked == []
    assert played.on_real is played.on_real
    assert len(game.critic.asked) == 1


def test_the_critics_loss_reaches_no_generator():
    game = duel()
    torch.stack(list(game.critic_loss(game.play(BATCH), 0, 0.0).values())).sum().backward()
    assert all(p.grad is None for p in game.generator.parameters())
    assert all(p.grad is not None for p in game.critic.parameters())


def test_terms_come_by_name_and_none_when_none_is_given():
    game = duel(generator_terms={})
    assert set(game.critic_loss(game.play(BATCH), 0, 0.0)) == {"adversarial", "r1"}
    assert game.generator_loss(game.play(BATCH), 0, 0.0) == {}


def test_noise_of_width_zero_is_a_width_like_any_other():
    game = duel(latent=0, generator_terms={"pixels": Term(pixels)})
    played = game.play(BATCH)
    assert played.z.shape == (4, 0)
    assert torch.isfinite(game.generator_loss(played, 0, 0.0)["pixels"])


def test_the_critic_sees_what_show_makes_and_terms_may_read_the_raw():
    game = duel(show=torch.tanh)
    played = game.play(BATCH)
    torch.testing.assert_close(played.fake, torch.tanh(played.raw))


def test_real_and_fake_are_augmented_with_their_conditions():
    game = duel(augment=lambda sample, cond, strength: (2 * sample, cond + 1))
    played = game.play(BATCH)
    _ = played.on_real, played.on_fake
    (real, cond), (fake, _) = game.critic.asked
    torch.testing.assert_close(real, 2 * BATCH.real)
    torch.testing.assert_close(fake, 2 * played.fake)
    torch.testing.assert_close(cond, BATCH.cond + 1)


def test_penalties_are_taken_through_the_augmentation():
    plain, doubled = duel(), duel(augment=lambda sample, cond, strength: (2 * sample, cond))
    doubled.load_state_dict(plain.state_dict())
    one, two = (float(game.critic_loss(game.play(BATCH), 0, 0.0)["r1"].detach()) for game in (plain, doubled))
    assert two == pytest.approx(4 * one, rel=1e-5)


@pytest.mark.parametrize("terms", [(r1,), (r1, r2), ()])
def test_real_and_fake_in_one_pass_give_the_losses_and_gradients_of_two(terms):
    critic_half, _ = adversarial(LOSSES["relativistic"])
    critic_terms = {"adversarial": Term(critic_half), **{term.__name__: Term(term, 0.7) for term in terms}}
    apart, joined = (duel(critic_terms=critic_terms, joined=way) for way in (False, True))
    for game in (apart, joined):
        game.critic = Curved()
    joined.load_state_dict(apart.state_dict())
    torch.manual_seed(1)
    played = apart.play(BATCH)
    found = []
    for game in (apart, joined):
        losses = game.critic_loss(replace(played, critic=game.judge), 0, 0.0)
        torch.stack(list(losses.values())).sum().backward()
        grads = torch.cat([part.grad.flatten() for part in game.critic.parameters()])
        found.append((torch.stack(list(losses.values())).detach(), grads))
    torch.testing.assert_close(found[0], found[1])
    assert (apart.critic.passes, joined.critic.passes) == (2, 1)


class Curved(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        self.passes = 0

    def forward(self, x, cond=None):
        self.passes += 1
        return Verdict((self.layers(x + cond[:, None]),))


def test_a_term_with_a_memory_is_saved_with_the_game():
    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, r):
            self.seen += 1
            return r.on_fake.logits[0].mean()

    critic_half, _ = adversarial(LOSSES["logistic"])
    game = duel(critic_terms={"adversarial": Term(critic_half), "memory": Term(Memory())})
    game.critic_loss(game.play(BATCH), 0, 0.0)
    assert float(game.state_dict()["memories.critic_memory.seen"]) == 1
