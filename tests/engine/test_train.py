from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from rivals.engine.build import build_game, build_optimizers
from rivals.engine.errors import RequestError
from rivals.engine.game import Duel
from rivals.engine.losses import LOSSES
from rivals.engine.recipe import change
from rivals.engine.schedule import Budget, Curve
from rivals.engine.terms import Term, adversarial
from rivals.engine.train import (
    NonFiniteError,
    Now,
    Pace,
    Training,
    anneal,
    follow,
    held_still,
    pieces,
    players,
    rounds,
    seed_round,
    single_device,
    update,
)
from rivals.engine.types import Batch, Verdict
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe


def begun(method="r3gan", *, classes=0, dropout=True, norm=True):
    images = Images(8, 8, 1, 8, tuple("abc"[:classes]), (4,) * classes)
    recipe = replace(choose_recipe(images, method, torch.device("cpu"), None, 9).recipe, batch=6)
    if not norm:
        recipe = change(recipe, "generator.options.norm", "none")
    game = build_game(recipe, images)
    if not dropout:
        for part in game.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
    return Training.of(game, build_optimizers(recipe, game)), recipe


def data(count=6, classes=0, seed=0):
    torch.manual_seed(seed)
    return Batch(torch.rand(count, 1, 8, 8) * 2 - 1, torch.randint(classes, (count,)) if classes else None)


def now(training, pace):
    return Now(training.game.play, single_device(training), pace, 0, 0.0)


def weights(module):
    return torch.cat([part.detach().flatten() for part in module.parameters()]).clone()


@pytest.mark.parametrize("most", [1, 2, 4, 5])
@pytest.mark.parametrize("classes", [0, 3])
def test_a_batch_in_pieces_has_the_gradient_of_the_whole(most, classes, monkeypatch):
    training, _ = begun("r3gan", classes=classes, norm=False)  # batch norm sees a piece, not the whole
    noise = torch.randn(6, 64)
    batch = data(classes=classes)
    grads = []
    for micro in (None, most):
        at = [0]

        def same_noise(draw, count, *shape, device=None, at=at):
            at[0] += count
            return noise[at[0] - count : at[0]]

        monkeypatch.setattr("rivals.engine.game.own_rows", same_noise)
        for side, other in (players(training), players(training)[::-1]):
            at[0] = 0
            before = {name: part.clone() for name, part in side.module.state_dict().items()}
            rate, side.optimizer.param_groups[0]["lr"] = side.optimizer.param_groups[0]["lr"], 0.0
            update(side, other, batch, now(training, Pace(micro_batch=micro)))
            side.optimizer.param_groups[0]["lr"] = rate
            side.module.load_state_dict(before)
            grads.append(torch.cat([part.grad.flatten() for part in side.module.parameters()]))
    for whole, parts in zip(grads[:2], grads[2:], strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_pieces_cover_the_batch_with_their_labels_and_shares():
    batch = data(7, classes=3)
    found = list(pieces(batch, 3))
    assert [len(part.real) for part, _ in found] == [3, 3, 1]
    assert sum(share for _, share in found) == pytest.approx(1)
    assert torch.equal(torch.cat([part.real for part, _ in found]), batch.real)
    assert torch.equal(torch.cat([part.cond for part, _ in found]), batch.cond)


def test_a_gradient_is_clipped_to_its_largest_norm():
    training, _ = begun()
    side, other = players(training)[::-1]
    update(side, other, data(), now(training, Pace()))
    free = torch.cat([part.grad.flatten() for part in side.module.parameters()]).norm()
    training, _ = begun()
    side, other = players(training)[::-1]
    update(side, other, data(), now(training, Pace(clip=float(free) / 10)))
    clipped = torch.cat([part.grad.flatten() for part in side.module.parameters()]).norm()
    assert float(clipped) <= float(free) / 10 * 1.001


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_critic_takes_its_turns_each_on_a_batch_of_its_own(steps, share):
    training, _ = begun("hinge")
    taken = []
    turns = {"critic": 0, "generator": 0}
    for name, optimizer in zip(("generator", "critic"), training.optimizers, strict=True):
        optimizer.register_step_post_hook(lambda *args, name=name: turns.__setitem__(name, turns[name] + 1))

    def stream():
        while True:
            taken.append(len(taken))
            yield data(seed=len(taken))

    played = list(rounds(training, stream(), Budget(steps=2), pace=Pace(critic_steps=steps, share_fakes=share)))
    assert len(played) == 2
    assert turns == {"critic": 2 * steps, "generator": 2}
    assert len(taken) == 2 * (steps + (not share)) == 2 * Pace(critic_steps=steps, share_fakes=share).batches


@pytest.mark.parametrize("micro", [None, 2])
def test_shared_fakes_are_made_once_and_a_batch_in_pieces_shares_none(micro):
    training, _ = begun()
    made = []
    training.game.generator.register_forward_hook(lambda *args: made.append(1))
    list(rounds(training, iter(data, None), Budget(steps=1), pace=Pace(critic_steps=2, micro_batch=micro)))
    assert len(made) == (2 if micro is None else 3 * 3)


def test_a_generator_that_learns_from_shared_fakes_gets_the_gradient_of_its_own_round():
    grads = []
    for share in (True, False):
        training, _ = begun()
        noise = torch.randn(6, 64, generator=torch.Generator().manual_seed(3))
        training.game.generator.register_forward_pre_hook(lambda module, args, z=noise: (z, *args[1:]))
        list(rounds(training, iter(data, None), Budget(steps=1), pace=Pace(share_fakes=share)))
        grads.append(torch.cat([part.grad.flatten() for part in training.game.generator.parameters()]))
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-5, atol=1e-8)


def test_the_critics_weights_are_clipped_and_the_generators_are_not():
    training, _ = begun()
    batch = data()
    list(rounds(training, iter(lambda: batch, None), Budget(steps=2), pace=Pace(clip_weights=0.01)))
    assert float(weights(training.game.critic).abs().max()) == pytest.approx(0.01)
    assert float(weights(training.game.generator).abs().max()) > 0.05


def test_the_second_beta_follows_its_curve():
    training, _ = begun()
    batch = data()
    pace = Pace(beta2=Curve(0.9, 0.99, "linear"))
    list(rounds(training, iter(lambda: batch, None), Budget(steps=2), pace=pace))
    assert training.optimizers[1].param_groups[0]["betas"] == (0.0, pytest.approx(0.945))


def test_the_running_average_equals_its_closed_form_and_copies_buffers():
    model = nn.BatchNorm1d(2)
    kept = nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.running_mean.fill_(5.0)
    for _ in range(4):
        follow(kept, model, decay=0.8)
    assert kept.weight.tolist() == pytest.approx([1 * 0.8**4 + 3 * (1 - 0.8**4)] * 2)
    assert kept.running_mean.tolist() == [5.0, 5.0]


@pytest.mark.parametrize(("half_life", "ramp"), [(30.0, 1e9), (1e9, 0.5), (0.0, 0.05)])
def test_a_half_life_of_so_many_samples_halves_the_past(half_life, ramp):
    training, _ = begun()
    pace = Pace(average_half_life=Curve(half_life), average_ramp=ramp)
    expected = weights(training.average)
    batch = data()
    for step, _ in enumerate(rounds(training, iter(lambda: batch, None), Budget(steps=3), pace=pace)):
        life = min(half_life, ramp * 6 * (step + 1))
        decay = 0.5 ** (6 / life) if life else 0.0
        expected = decay * expected + (1 - decay) * weights(training.game.generator)
    torch.testing.assert_close(weights(training.average), expected, rtol=1e-5, atol=1e-6)


def test_random_numbers_of_a_round_depend_on_seed_and_step_alone():
    def drawn(*place):
        seed_round(*place)
        return torch.rand(4).tolist()

    places = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    first = [drawn(*place) for place in places]
    torch.rand(100)
    assert [drawn(*place) for place in reversed(places)] == first[::-1]
    assert len({tuple(row) for row in first}) == 4


def test_a_training_cut_in_two_plays_the_same_rounds():
    batch = data()
    whole, _ = begun("gan")
    list(rounds(whole, iter(lambda: batch, None), Budget(steps=4), seed=3))
    halves, _ = begun("gan")
    for played in rounds(halves, iter(lambda: batch, None), Budget(steps=4), seed=3):
        if played.step == 1:
            break
    torch.rand(17)
    list(rounds(halves, iter(lambda: batch, None), Budget(steps=4), seed=3))
    assert torch.equal(weights(whole.game), weights(halves.game))
    assert whole.step == halves.step == 4


class Numb(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x, cond=None):
        return Verdict((self.linear(x),))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", ["critic", "generator"])
def test_a_loss_that_is_no_number_is_an_error_before_any_weight_of_that_side_moves(side, bad):
    critic_half, generator_half = adversarial(LOSSES["logistic"])
    terms = {"critic": {"adversarial": Term(critic_half)}, "generator": {"adversarial": Term(generator_half)}}
    terms[side]["broken"] = Term(lambda r: r.on_fake.logits[0].sum() * bad)

    class Maker(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, z, cond=None):
            return self.linear(z)

    game = Duel(Maker(), Numb(), latent=3, critic_terms=terms["critic"], generator_terms=terms["generator"])
    optimizers = tuple(torch.optim.Adam(part.parameters(), 0.1) for part in (game.generator, game.critic))
    training = Training.of(game, optimizers)
    before = weights(getattr(game, side))
    with pytest.raises(NonFiniteError, match=f"the {side}'s loss is not finite at step") as told:
        next(rounds(training, iter(lambda: Batch(torch.ones(4, 2)), None), Budget(steps=3)))
    assert told.value.side == side
    assert set(told.value.values) == {"adversarial", "broken"}
    assert torch.equal(before, weights(getattr(game, side)))
    assert training.step == 0
    assert all(part.requires_grad for part in game.parameters())


def test_no_terms_means_no_step():
    training, _ = begun()
    training.game.generator_terms = {}
    before = weights(training.game.generator)
    batch = data()
    (played,) = rounds(training, iter(lambda: batch, None), Budget(steps=1))
    assert torch.equal(before, weights(training.game.generator))
    assert not any(name.startswith("generator") for name in played.losses)


def test_a_module_held_still_gets_its_own_frozen_parts_back_as_they_were():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[0].requires_grad_(False)
    with held_still(module):
        assert not any(part.requires_grad for part in module.parameters())
    assert [part.requires_grad for part in module.parameters()] == [False, False, True, True]


def test_rates_follow_the_curve_from_where_they_began():
    training, recipe = begun()
    lr = recipe.optimizer.lr
    anneal(training.optimizers, 0.5)
    anneal(training.optimizers, 0.25)
    assert [o.param_groups[0]["lr"] for o in training.optimizers] == [pytest.approx(lr / 4)] * 2
    batch = data()
    list(rounds(training, iter(lambda: batch, None), Budget(steps=2), pace=Pace(anneal=Curve(1, 0, "linear"))))
    assert training.optimizers[0].param_groups[0]["lr"] == pytest.approx(lr / 2)


def test_a_penalty_through_a_layer_without_second_derivatives_is_refused_in_one_line():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        @once_differentiable
        def backward(ctx, gradient):
            return 2 * gradient

    training, _ = begun("r3gan")
    whole = training.game.critic.forward
    training.game.critic.forward = lambda x, cond=None: whole(Once.apply(x), cond)
    batch = data()
    with pytest.raises(RequestError, match="the critic's terms take a gradient of a gradient, which a layer"):
        list(rounds(training, iter(lambda: batch, None), Budget(steps=1)))


def test_other_errors_of_a_network_are_left_as_they_are():
    training, _ = begun("r3gan")
    training.game.critic.forward = lambda x, cond=None: 1 / 0
    with pytest.raises(ZeroDivisionError):
        list(rounds(training, iter(data, None), Budget(steps=1)))
