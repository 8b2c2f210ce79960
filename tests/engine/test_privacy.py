import copy
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from rivals.engine import privacy
from rivals.engine.accountant import Plan, noise_multiplier
from rivals.engine.audit import audit, planted, risen
from rivals.engine.checkpoint import newest_checkpoint, restore, save_checkpoint
from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError
from rivals.engine.game import Duel
from rivals.engine.ledger import Ledger, Privacy
from rivals.engine.losses import LOSSES
from rivals.engine.privacy import Private, clipped_sum, pair_gradients, poisson_rows, still, turns
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Budget
from rivals.engine.secret import random_of
from rivals.engine.terms import TERMS, Term, adversarial
from rivals.engine.train import Now, Pace, Training, players, rounds, single_device, update
from rivals.engine.types import Batch, Verdict, each

SECRET = bytes(range(32))
CPU = torch.device("cpu")
WIDTH, LATENT, CLASSES = 5, 3, 2


class Record(NamedTuple):
    numbers: torch.Tensor
    kind: torch.Tensor


class Critic(nn.Module):
    """A perceptron of two members with class logits, told the class."""

    def __init__(self, width=WIDTH, hidden=8, norm=nn.Identity):
        super().__init__()
        self.first = nn.Linear(width + CLASSES, hidden)
        self.norm = norm()
        self.members = nn.ModuleList(nn.Linear(hidden, 1) for _ in range(2))
        self.classes = nn.Linear(hidden, CLASSES)

    def forward(self, x, cond=None):
        told = x.new_zeros(len(x), CLASSES) if cond is None else torch.eye(CLASSES)[cond]
        hidden = torch.tanh(self.norm(self.first(torch.cat([x, told], 1))))
        return Verdict(tuple(member(hidden) for member in self.members), (hidden,), self.classes(hidden))


class Generator(nn.Module):
    def __init__(self, width=WIDTH, norm=True):
        super().__init__()
        self.linear = nn.Linear(LATENT + CLASSES, width)
        self.norm = nn.BatchNorm1d(width) if norm else nn.Identity()

    def forward(self, z, cond=None):
        told = z.new_zeros(len(z), CLASSES) if cond is None else torch.eye(CLASSES)[cond]
        return self.norm(self.linear(torch.cat([z, told], 1)))


def game(loss="logistic", terms=(), *, critic=None, generator=None, seed=0, **more):
    torch.manual_seed(seed)
    critic_half, _ = adversarial(LOSSES[loss])
    _, generator_half = adversarial(LOSSES["wasserstein"])
    return Duel(
        generator or Generator(),
        critic or Critic(),
        latent=LATENT,
        generator_terms={"adversarial": Term(generator_half)},
        critic_terms={"adversarial": Term(critic_half), **{name: Term(TERMS[name], 0.7) for name in terms}},
        **more,
    )


def begun(duel, *, lr=0.05, critic_lr=0.05):
    return Training.of(
        duel, (torch.optim.Adam(duel.generator.parameters(), lr), torch.optim.SGD(duel.critic.parameters(), critic_lr))
    )


def table(rows=200, seed=1, width=WIDTH):
    torch.manual_seed(seed)
    numbers, labels = torch.randn(rows, width), torch.randint(CLASSES, (rows,))
    return Dataset(lambda at: Batch(numbers[at], labels[at]), torch.arange(rows), torch.arange(0))


def settled(rows=200, *, batch=20, rounds=10, critic_steps=2, sigma=1.0, clip=1.0):
    return Private(Plan(rows, batch, rounds, critic_steps, clip, sigma, Ledger(3.0, 1e-6, rows)), SECRET)


def labels(count):
    return torch.randint(CLASSES, (count,))


def played(training, private, data, steps, **pace):
    pace = Pace(critic_steps=private.plan.critic_steps, share_fakes=False, **pace)
    batches = private.batches(data, CPU, training.step * pace.batches, labels)
    return list(rounds(training, batches, Budget(steps), pace=pace, update_critic=private.update))


def weights(module):
    return torch.cat([part.detach().flatten() for part in module.parameters()]).clone()


def flat(gradients):
    return torch.cat([part.flatten(1) for part in gradients.values()], 1)


def now(duel, **more):
    return Now(duel.play, None, Pace(), 0, 0.0, **more)


def one_at_a_time(duel, pairs):
    """Each pair's gradient by ordinary back-propagation."""
    found = []
    for at in range(len(pairs.z)):
        own = slice(at, at + 1)
        cond = None if pairs.cond is None else pairs.cond[own]
        real, fake = (each(lambda part, own=own: part[own], side) for side in (pairs.real, pairs.fake))
        duel.zero_grad()
        losses = duel.critic_loss(replace(pairs, real=real, fake=fake, cond=cond, raw=None, z=pairs.z[own]), 0, 0.0)
        torch.stack(list(losses.values())).sum().backward()
        gradients = [p.new_zeros(p.shape) if p.grad is None else p.grad for p in duel.critic.parameters()]
        found.append(torch.cat([part.flatten() for part in gradients]))
    return torch.stack(found)


@pytest.fixture
def _same_mix(monkeypatch):
    """Points between real and fake at one place, since each way draws its own."""
    monkeypatch.setattr(
        "rivals.engine.terms.own_rows", lambda draw, count, *shape, device=None: torch.full((count,), 0.3)
    )


ALL_TERMS = ("r1", "r2", "gradient_penalty", "classify_real", "classify_fake", "feature_matching")


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.usefixtures("_same_mix")
def test_pair_gradients_are_those_of_one_pair_at_a_time(loss, joined, monkeypatch):
    monkeypatch.setattr(privacy, "CHUNK", 3 * 100)  # some pairs at a time
    duel = game(loss, ALL_TERMS, joined=joined)
    with torch.no_grad(), still(duel.generator):
        pairs = duel.play(table().cut(torch.arange(7)))
    chunks = list(pair_gradients(players(begun(duel))[1], pairs, 0, 0.0))
    assert len(chunks) > 1
    got = torch.cat([flat(chunk) for chunk in chunks])
    torch.testing.assert_close(got, one_at_a_time(duel, pairs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["convolution", "record"])
@pytest.mark.usefixtures("_same_mix")
def test_so_are_those_of_pictures_and_of_records(kind):
    class Pictures(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), nn.Flatten(), nn.Linear(16, 1))

        def forward(self, x, cond=None):
            return Verdict((self.body(x),))

    class Records(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.table = nn.Linear(4, 6), nn.Embedding(3, 6)

        def forward(self, x, cond=None):
            return Verdict((torch.tanh(self.linear(x.numbers) + self.table(x.kind)).sum(1, keepdim=True),))

    def sample(count):
        if kind == "convolution":
            return torch.randn(count, 1, 4, 4)
        return Record(torch.randn(count, 4), torch.randint(3, (count,)))

    duel = game(
        "relativistic", ("r1", "r2", "gradient_penalty"), critic=Pictures() if kind == "convolution" else Records()
    )
    pairs = replace(duel.play(table().cut(torch.arange(6))), real=sample(6), fake=sample(6), cond=None)
    (chunk,) = pair_gradients(players(begun(duel))[1], pairs, 0, 0.0)
    torch.testing.assert_close(flat(chunk), one_at_a_time(duel, pairs), rtol=1e-4, atol=1e-6)


def test_without_noise_and_with_a_wide_clip_it_is_the_ordinary_step():
    batch, gradients = table().cut(torch.arange(30)), []
    for private in (False, True):
        torch.manual_seed(0)
        duel = game("relativistic", ("r1", "r2"), generator=Generator(norm=False))
        training = begun(duel, critic_lr=0.0)
        side, other = players(training)[::-1]
        if private:
            settled(batch=30, sigma=1e-30, clip=1e6).update(side, other, batch, now(duel))
        else:
            torch.manual_seed(int(random_of(SECRET, "step", 0, 0).integers(2**63)))
            update(side, other, batch, now(duel)._replace(fabric=single_device(training)))
        gradients.append([part.grad for part in duel.critic.parameters()])
    for ordinary, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, torch.zeros_like(ours) if ordinary is None else ordinary, rtol=1e-4, atol=1e-6)


@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=6, max_size=30).map(
        lambda v: v[: len(v) // 6 * 6]
    ),
    st.floats(1e-3, 1e3),
)
def test_no_pair_weighs_more_than_the_clip_whatever_its_gradient(values, clip):
    rows = torch.tensor(values, dtype=torch.float32).view(-1, 6)
    for row in rows:
        parts = {"a": row[None, :2], "b": row[None, 2:].view(1, 2, 2)}
        got = clipped_sum(iter([parts]), clip, {"a": torch.zeros(2), "b": torch.zeros(2, 2)})
        norm = torch.cat([got["a"], got["b"].flatten()]).double().norm()
        assert norm <= clip * (1 + 1e-5)
        if row.isfinite().all() and 0 < row.double().norm() <= clip * (1 - 1e-5) and row.double().norm() > 1e-15:
            torch.testing.assert_close(got["a"], row[:2])
    parts = {"a": rows[:, :2], "b": rows[:, 2:].unflatten(1, (2, 2))}
    together = clipped_sum(iter([parts]), clip, {"a": torch.zeros(2), "b": torch.zeros(2, 2)})
    alone = [
        clipped_sum(
            iter([{n: p[i : i + 1] for n, p in parts.items()}]), clip, {"a": torch.zeros(2), "b": torch.zeros(2, 2)}
        )
        for i in range(len(rows))
    ]
    torch.testing.assert_close(together["a"], sum(one["a"] for one in alone), rtol=1e-4, atol=1e-4 * clip)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_the_noise_is_sigma_times_clip_over_the_expected_batch_however_many_rows_come(count):
    batch = table().cut(torch.arange(count))
    gradients = []
    for sigma in (3.0, 1e-30):
        torch.manual_seed(0)
        duel = game(critic=Critic(hidden=400))
        side, other = players(begun(duel))[::-1]
        settled(batch=20, sigma=sigma, clip=0.25).update(side, other, batch, now(duel))
        gradients.append(torch.cat([part.grad.flatten() for part in duel.critic.parameters()]))
    noise = gradients[0] - gradients[1]
    wanted = 3.0 * 0.25 / 20
    assert float(noise.std()) == pytest.approx(wanted, rel=5 / math.sqrt(2 * len(noise)))
    assert abs(float(noise.mean())) < 5 * wanted / math.sqrt(len(noise))
    assert float(gradients[1].norm()) <= count * 0.25 / 20 * (1 + 1e-5) + 1e-30
    assert (float(gradients[1].norm()) > 0.001) == (count > 0)


def test_every_critic_step_has_noise_of_its_own_and_a_place_always_the_same():
    private = settled()
    found = {}
    for at in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        duel = game()
        side, other = players(begun(duel))[::-1]
        empty = privacy.none_of(table().cut(torch.arange(2)))
        private.update(side, other, empty, now(duel)._replace(step=at[0], turn=at[1]))
        drawn = weights(duel.critic)
        assert torch.equal(found.setdefault(at, drawn), drawn)
    drawn = list(found.values())
    assert not any(torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_each_row_is_in_a_sample_with_the_same_probability_whatever_the_others_do():
    count, rate, times = 40, 0.15, 6000
    drawn = np.zeros((times, count))
    for at in range(times):
        rows = poisson_rows(count, rate, random_of(SECRET, "rows", at))
        assert len(set(rows.tolist())) == len(rows)
        drawn[at, rows] = 1
    spread = math.sqrt(rate * (1 - rate) / times)
    assert np.abs(drawn.mean(0) - rate).max() < 5 * spread
    assert drawn.sum(1).var() == pytest.approx(count * rate * (1 - rate), rel=0.1)  # 0 for batches of a fixed size
    pairs = np.cov(drawn.T)[~np.eye(count, dtype=bool)]
    assert abs(pairs.mean()) < 5 * rate * (1 - rate) / math.sqrt(times * len(pairs))
    assert poisson_rows(7, 1.0, random_of(SECRET)).tolist() == list(range(7))


def test_batches_are_samples_of_rows_for_the_critic_and_then_one_blank():
    private = settled(rows=30, batch=2, critic_steps=2)
    data = table(30)
    batches = private.batches(data, CPU, 0, labels)
    sizes = set()
    for _ in range(20):
        for _ in range(2):
            batch = next(batches)
            sizes.add(len(batch.real))
            assert batch.real.shape[1:] == (WIDTH,)
            assert len(batch.real) == len(batch.cond)
            assert torch.isfinite(batch.real).all()
        batch = next(batches)
        assert batch.real.shape == (2, WIDTH)
        assert batch.real.isnan().all()
        assert batch.cond.shape == (2,)
    assert 0 in sizes
    assert len(sizes) > 3
    later = private.batches(data, CPU, 7, labels)
    again = private.batches(data, CPU, 0, labels)
    for _ in range(7):
        next(again)
    for _ in range(6):
        for one, other in zip(next(later), next(again), strict=True):
            torch.testing.assert_close(one, other, equal_nan=True, rtol=0, atol=0)


def test_what_a_cut_draws_comes_from_the_secret_and_not_from_the_public_seed():
    def cut(at):
        return Batch(torch.rand(len(at), WIDTH))

    data = Dataset(cut, torch.arange(200), torch.arange(0))
    found = []
    for seed, private in ((1, settled()), (2, settled()), (1, Private(settled().plan, bytes(32)))):
        torch.manual_seed(seed)
        batches = private.batches(data, CPU, 0, labels)
        next(batches)
        found.append(next(batches).real)
    assert torch.equal(found[0], found[1])
    assert found[0].shape != found[2].shape or not torch.equal(found[0], found[2])


def test_a_run_that_goes_on_from_a_checkpoint_is_bit_identical(tmp_path):
    data, private = table(), settled()
    whole = begun(game("relativistic", ("r1", "r2")))
    played(whole, private, data, 6)
    first = begun(game("relativistic", ("r1", "r2")))
    played(first, private, data, 3)
    save_checkpoint(tmp_path, first, {})
    second = begun(game("relativistic", ("r1", "r2"), seed=5))
    restore(second, newest_checkpoint(tmp_path))
    torch.manual_seed(123)
    played(second, private, data, 6)
    for one, other in zip(whole.game.state_dict().values(), second.game.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(weights(whole.average), weights(second.average))
    another = begun(game("relativistic", ("r1", "r2")))
    played(another, Private(private.plan, bytes(32)), data, 6)
    assert not torch.equal(weights(whole.game), weights(another.game))


def test_all_that_the_generator_learns_comes_through_the_critic():
    found = []
    for seed in (1, 2):
        training = begun(game("relativistic", ("r1", "r2")), critic_lr=0.0)
        made = played(training, settled(), table(seed=seed), 4)
        assert set(made[0].losses) == {"generator/adversarial"}  # the critic's would tell of the rows
        found.append(torch.cat([weights(training.game.generator), weights(training.average)]))
        assert all(torch.isfinite(part).all() for part in training.game.state_dict().values())
    assert torch.equal(*found)
    assert not torch.equal(found[0][: len(found[0]) // 2], weights(game().generator))


def test_a_fake_does_not_depend_on_the_other_rows_and_nothing_remembers_them():
    duel = game()
    cond, z = torch.tensor([0, 1, 1, 0]), torch.randn(4, LATENT)
    duel.generator(z, cond)
    before = copy.deepcopy(duel.generator.state_dict())
    with torch.no_grad(), still(duel.generator):
        torch.testing.assert_close(duel.generator(z[:1], cond[:1]), duel.generator(z, cond)[:1])
        duel.generator.norm.running_mean += 1  # whatever a layer remembers
    assert duel.generator.norm.training
    assert all(torch.equal(part, before[name]) for name, part in duel.generator.state_dict().items())


def test_spectral_norms_take_one_step_a_turn_however_many_pairs_there_are(monkeypatch):
    found = []
    for count, chunk in ((0, 2**23), (1, 2**23), (20, 2**23), (20, 1)):
        monkeypatch.setattr(privacy, "CHUNK", chunk)
        torch.manual_seed(0)
        critic = Critic()
        parametrizations.spectral_norm(critic.first, n_power_iterations=1)
        norm = critic.first.parametrizations.weight
        with torch.no_grad():
            norm.original.copy_(torch.randn(norm.original.shape))  # the vectors are those of other weights
        before = norm[0]._u.clone()
        duel = game(critic=critic)
        side, other = players(begun(duel, critic_lr=0.0))[::-1]
        settled().update(side, other, table().cut(torch.arange(count)), now(duel))
        assert not torch.allclose(norm[0]._u, before, atol=1e-3)
        assert norm.training
        found.append(norm[0]._u.clone())
    assert all(torch.equal(one, found[0]) for one in found)


def test_a_private_step_leaves_the_random_numbers_of_the_round_alone():
    duel = game()
    side, other = players(begun(duel))[::-1]
    batch = table().cut(torch.arange(9))
    before = torch.get_rng_state()
    settled().update(side, other, batch, now(duel))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_row_that_is_not_a_number_weighs_nothing():
    rows = torch.randn(50, WIDTH)
    rows[::7] = float("nan")
    data = Dataset(
        lambda at: Batch(rows[at], torch.zeros(len(at), dtype=torch.long)), torch.arange(50), torch.arange(0)
    )
    training = begun(game("logistic", ("r1",)))
    played(training, settled(50), data, 5)
    assert torch.isfinite(weights(training.game)).all()


@pytest.mark.parametrize(
    ("more", "words"),
    [({"step": 10}, "all 10 rounds"), ({"turn": 2}, "all 10 rounds"), ({"stream": 1}, "can't go back")],
)
def test_steps_that_are_not_charged_are_not_played(more, words):
    duel = game()
    side, other = players(begun(duel))[::-1]
    before = weights(duel.critic)
    with pytest.raises(RequestError, match=words):
        settled().update(side, other, table().cut(torch.arange(4)), now(duel)._replace(**more))
    assert torch.equal(weights(duel.critic), before)


def test_a_recipe_with_privacy_is_never_trained_without_its_plan():
    recipe = Recipe(modality="m", generator=Use("g"), critic=Use("c"), batch=20, steps=10, privacy=Privacy(3.0))
    none = SimpleNamespace(condition=lambda wish, count: labels(count))
    for asked, private in ((recipe, None), (replace(recipe, privacy=None), settled())):
        with pytest.raises(RequestError, match="needs its plan and its secret"):
            turns(asked, private, table(), none, CPU, 0)
    private = settled()
    drawn, step = turns(recipe, private, table(), none, CPU, 0)
    assert step == private.update
    torch.testing.assert_close(next(drawn).real, next(private.batches(table(), CPU, 0, labels)).real)
    drawn, step = turns(replace(recipe, privacy=None), None, table(), none, CPU, 0)
    assert (len(next(drawn).real), step) == (20, None)


def test_another_table_than_was_planned_for_is_refused():
    with pytest.raises(RequestError, match="plan is for 200 rows, and there are 150"):
        next(settled().batches(table(150), CPU, 0, labels))


def test_a_layer_that_torch_can_not_take_pair_by_pair_is_said_in_one_line():
    class Choosy(Critic):
        def forward(self, x, cond=None):
            return super().forward(x if float(x.sum()) > 0 else -x, cond)

    duel = game(critic=Choosy())
    side, other = players(begun(duel))[::-1]
    with pytest.raises(RequestError, match="pair by pair"):
        settled().update(side, other, table().cut(torch.arange(4)), now(duel))


class Line(nn.Module):
    """The critic in which a planted row shows most: one weight for each of them."""

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, x, cond=None):
        return Verdict((self.linear(x),))


def audited(sigma, coins, *, rows=200, batch=60, steps=40):
    """A game with planted rows, each in a direction that no other row and no fake has, and what it proves."""
    real = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    real = torch.cat([real, torch.zeros(rows, len(coins))], 1)
    canaries = Batch(torch.cat([torch.zeros(len(coins), 4), 4 * torch.eye(len(coins))], 1))
    data = planted(Dataset(lambda at: Batch(real[at]), torch.arange(rows), torch.arange(0)), canaries, coins)
    width = 4 + len(coins)
    duel = game(critic=Line(width), generator=Generator(width, norm=False))
    with torch.no_grad():
        duel.generator.linear.weight[4:] = duel.generator.linear.bias[4:] = 0
    before = copy.deepcopy(duel.critic)
    training = begun(duel, lr=1e-5, critic_lr=0.5)
    count = len(data.train)
    played(training, Private(Plan(count, batch, steps, 1, 1.0, sigma, Ledger(1.0, 1e-6, count)), SECRET), data, steps)
    return audit(risen(duel.critic, before, canaries), coins.numpy(), 1e-6)


def test_planted_rows_prove_less_than_epsilon_and_more_once_the_noise_is_off():
    coins = torch.rand(100, generator=torch.Generator().manual_seed(4)) < 0.5
    epsilon = 1.0
    sigma = noise_multiplier(epsilon, 1e-6, 60 / (200 + int(coins.sum())), 40)
    assert audited(sigma, coins).epsilon < epsilon
    assert audited(1e-9, coins).epsilon > 2 * epsilon
