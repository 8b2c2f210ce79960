"""Networks, terms, conditions and calibration of rows."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from rivals.engine.build import build_game
from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Weight
from rivals.engine.types import Batch, Round, Verdict
from rivals.modalities.tables.calibrate import calibrated, shares_of
from rivals.modalities.tables.columns import Column
from rivals.modalities.tables.encode import Compact, Encoders
from rivals.modalities.tables.encode_categories import CategoryEncoder
from rivals.modalities.tables.encode_numbers import NumberEncoder
from rivals.modalities.tables.layout import log_softmax_segments, one_hots, relax
from rivals.modalities.tables.modality import Tables, dataset
from rivals.modalities.tables.networks import Guess, Row, RowCritic, RowGenerator
from rivals.modalities.tables.terms import asked, information, marginals


def tables(categories=(3, 4)):
    """A number of two modes and some columns of categories."""
    number = NumberEncoder("x", 0.0, 10.0, 0.0, 0.0, 0.0, (2.0, 8.0), (2.0, 2.0), (0.5, 0.5))
    named = {f"c{place}": size for place, size in enumerate(categories)}
    columns = [Column("x", "number", low=0.0, high=10.0)]
    columns += [
        Column(name, "category", rows=60, categories=tuple(f"v{k}" for k in range(size)), counts=(60 // size,) * size)
        for name, size in named.items()
    ]
    return Tables(
        tuple(columns), Encoders((number,), (), tuple(CategoryEncoder(name, size) for name, size in named.items()))
    )


def compact_of(modality, count, seed=0):
    random = torch.Generator().manual_seed(seed)
    layout = modality.encoders.layout
    slots = [torch.randint(segment.width, (count,), generator=random) for segment in layout.softmaxes]
    return Compact(torch.rand(count, len(layout.scalars), generator=random) * 2 - 1, torch.stack(slots, 1).byte())


def shared(modality):
    """What every generator is told."""
    return {name: modality.common()[name] for name in ("shape", "layout")}


def test_rows_of_a_batch_fulfil_their_own_conditions_and_some_are_asked_for_nothing():
    modality = tables()
    compact = compact_of(modality, 4000)
    data = dataset(modality, compact, torch.arange(4000), torch.arange(0))
    torch.manual_seed(0)
    real, cond = data.cut(torch.arange(4000))
    given = cond >= 0
    assert torch.equal(torch.where(given, compact.slots.long(), -1), cond)
    counts = given.sum(1).bincount(minlength=4) / 4000
    assert counts[0] == pytest.approx(0.5, abs=0.03)
    assert counts[1] == pytest.approx(0.4, abs=0.03)
    assert given.float().mean(0).std() < 0.03  # each column as often
    assert torch.equal(real, modality.encoders.rows(compact, torch.arange(4000)))


def test_the_asked_term_is_the_cross_entropy_of_what_was_asked():
    modality = tables()
    layout = modality.encoders.layout
    values = torch.randn(5, layout.width, dtype=torch.float64)
    cond = torch.tensor([[0, -1, -1], [-1, 2, 3], [-1, -1, -1], [1, 0, -1], [-1, -1, 2]])
    want, first = [], len(layout.scalars)
    for row in range(5):
        for place, segment in enumerate(layout.softmaxes):
            if cond[row, place] >= 0:
                logits = values[row, segment.start : segment.start + segment.width]
                want.append(F.cross_entropy(logits[None], cond[row, place : place + 1]))
    assert first == 1
    found = asked(Round(None, None, None, cond, Row(values, layout), None))
    assert found.item() == pytest.approx(torch.stack(want).mean().item(), rel=1e-9)
    assert asked(Round(None, None, None, cond.fill_(-1), Row(values, layout), None)) == 0


def test_marginals_are_zero_for_equal_means_and_information_for_equal_features():
    x = torch.randn(6, 4)
    order = torch.randperm(6)
    shown = {id(x): x}

    def critic(sample, cond):
        return Verdict((sample[:, :1],), (shown.get(id(sample), sample),))

    same = Round(critic, x, x[order], None, None, None)
    assert marginals(same) == pytest.approx(0, abs=1e-10)
    assert information(same) == pytest.approx(0, abs=1e-6)
    moved = Round(critic, x, x + 1, None, None, None)
    assert marginals(moved).item() == pytest.approx(4, rel=1e-5)
    assert information(moved).item() == pytest.approx(2, rel=1e-5)  # (1, 1, 1, 1) is 2 long, deviations are equal
    with pytest.raises(RequestError, match="shows its features"):
        information(Round(lambda s, c: Verdict((s[:, :1],)), x, x, None, None, None))


@pytest.mark.parametrize("pack", [1, 5])
def test_packs_are_judged_with_the_conditions_of_all_their_rows(pack):
    modality = tables()
    use = Use("rows", {"width": 16})
    recipe = Recipe(modality="tables", generator=use, critic=use, latent=6, batch=10, pack=pack)
    game = build_game(recipe, modality)
    data = dataset(modality, compact_of(modality, 10), torch.arange(10), torch.arange(0))
    real, cond = data.cut(torch.arange(10))
    played = game.play(Batch(real, cond))
    assert played.on_real.logits[0].shape == (10 // pack, 1)
    other = torch.where(cond >= 0, (cond + 1) % 2, 0)
    assert not torch.equal(game.critic(real, other).logits[0], game.critic(real, cond).logits[0])


def test_a_critic_without_conditions_is_one_that_is_asked_for_nothing():
    modality = tables()
    critic = RowCritic(**modality.common(), width=8)
    x = torch.randn(4, modality.encoders.layout.width)
    assert torch.equal(critic(x).logits[0], critic(x, modality.condition(None, 4)).logits[0])


def test_calibration_gives_every_slot_its_share_and_leaves_the_given_model_alone():
    modality = tables((3, 50))
    torch.manual_seed(1)
    network = RowGenerator(**shared(modality), latent=6, width=16).eval()
    model = Model(network, modality, "tables", Use("rows", {"width": 16}), 6, {})
    before = network.head.bias.clone()
    compact = compact_of(modality, 5000)
    compact.slots[:, 2] = (torch.rand(5000) ** 4 * 50).byte()  # some far rarer than others
    wanted = shares_of(compact.slots, modality.encoders.layout)
    found = calibrated(model, wanted)
    every = one_hots(compact.scalars, compact.slots, modality.encoders.layout).mean(0)
    first = len(modality.encoders.layout.scalars)
    torch.testing.assert_close(wanted[first:], every[first:])
    assert torch.equal(network.head.bias, before)
    values = found.network(torch.randn(20_000, 6)).values
    shares = log_softmax_segments(values, modality.encoders.layout).exp().mean(0)[first:].detach()
    assert torch.allclose(shares, wanted[first:], rtol=0.1, atol=1e-4)
    assert wanted[first:].sum() == pytest.approx(3)


def test_what_is_given_stands_in_every_row_and_the_rest_is_still_made():
    modality = tables()
    layout = modality.encoders.layout
    torch.manual_seed(0)
    network = RowGenerator(**shared(modality), latent=6, width=16, given=True).eval()
    cond = torch.full((2000, 3), -1)
    cond[:1000, 1], cond[500:, 2] = 2, 3
    row = network(torch.randn(2000, 6), cond)
    shown = relax(row.values, layout, row.tau)
    second, third = layout.softmaxes[1:]
    assert (shown[:1000, second.start + 2] > 1 - 1e-6).all()
    assert (shown[500:, third.start + 3] > 1 - 1e-6).all()
    assert shown[1000:, second.start : second.start + 3].argmax(1).unique().tolist() == [0, 1, 2]
    assert asked(Round(None, None, None, cond, row, None)).item() == pytest.approx(0, abs=1e-6)
    shown[:, : second.start].sum().backward()
    assert network.head.weight.grad.abs().sum() > 0


def test_in_training_modes_are_given_and_categories_have_to_be_found():
    modality = tables()
    layout = modality.encoders.layout
    network = RowGenerator(**shared(modality), latent=6, width=16, given=True)
    cond = torch.tensor([[1, 2, -1]]).expand(50, -1)
    row = network(torch.randn(50, 6), cond)
    mode, category = layout.softmaxes[:2]
    assert (relax(row.values, layout, 0.5)[:, mode.start + 1] > 1 - 1e-6).all()
    logits = row.values[:, category.start : category.start + 3]
    want = F.cross_entropy(logits, cond[:, 1]) / 2  # two slots a row are asked for, one stands there already
    assert asked(Round(None, None, None, cond, row, None)).item() == pytest.approx(want.item(), rel=1e-5)


def test_the_downstream_term_teaches_a_network_on_real_rows_and_the_generator_by_it():
    modality = tables((3, 4))
    layout = modality.encoders.layout
    torch.manual_seed(0)
    guess = Guess(layout, "c1", width=8).eval()
    rows = modality.encoders.rows(compact_of(modality, 50), torch.arange(50))
    first = layout.softmaxes[-1].start
    logits = guess.body(rows[:, :first])
    want = F.cross_entropy(logits, rows[:, first:].argmax(1), reduction="none")
    assert torch.allclose(guess(rows), want, atol=1e-6)
    number = Guess(layout, "x", width=8).eval()
    told = number.body(rows[:, 3:])  # a scalar and two modes come first
    want = F.smooth_l1_loss(told[:, 0].tanh(), rows[:, 0], reduction="none")
    want = (want + F.cross_entropy(told[:, 1:], rows[:, 1:3].argmax(1), reduction="none")) / 2
    assert torch.allclose(number(rows), want, atol=1e-6)
    with pytest.raises(ValueError, match="no column 'c9'"):
        Guess(layout, "c9")


def test_both_halves_of_the_downstream_term_reach_the_side_they_are_for():
    modality = tables()
    use = Use("rows", {"width": 16})
    recipe = Recipe(
        modality="tables", generator=use, critic=Use("rows", {"width": 16, "target": "c1"}), latent=6, batch=10,
        critic_terms={"taught": Weight(1.0)}, generator_terms={"downstream": Weight(1.0)},
    )  # fmt: skip
    game = build_game(recipe, modality)
    data = dataset(modality, compact_of(modality, 10), torch.arange(10), torch.arange(0))
    played = game.play(data.cut(torch.arange(10)))
    game.critic_loss(played, 0, 0.0)["taught"].backward()
    assert all(part.grad.abs().sum() > 0 for part in game.critic.guess.parameters())
    assert all(part.grad is None for part in game.generator.parameters())
    game.generator_loss(game.play(data.cut(torch.arange(10))), 0, 0.0)["downstream"].backward()
    assert game.generator.head.weight.grad.abs().sum() > 0
    untold = build_game(replace(recipe, critic=use), modality)
    with pytest.raises(RequestError, match="needs a target"):
        untold.critic_loss(untold.play(data.cut(torch.arange(10))), 0, 0.0)


def test_a_critic_that_sees_numbers_sees_those_of_all_rows_of_a_pack():
    modality = tables()
    critic = RowCritic((2 * modality.encoders.layout.width,), modality.encoders.layout, width=8)
    seeing = RowCritic(
        (2 * modality.encoders.layout.width,), modality.encoders.layout, width=8, numbers=True,
        readings=modality.common()["readings"],
    )  # fmt: skip
    assert seeing.first.in_features == critic.first.in_features + 2
    assert seeing(torch.randn(6, 2 * modality.encoders.layout.width)).logits[0].shape == (6, 1)
