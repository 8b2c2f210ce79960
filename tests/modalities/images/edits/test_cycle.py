"""Two-way games: one duel of two networks and two critics is CycleGAN's two games, term by term."""

from dataclasses import asdict, replace

import pytest
import torch
from torch.nn.functional import l1_loss, mse_loss

from rivals.engine.build import build_game
from rivals.engine.errors import RequestError
from rivals.engine.needs import needs_of
from rivals.engine.types import Batch, Round
from rivals.modalities.images.edits import cycle
from rivals.modalities.images.edits.cycle import CycleGenerator, Pair
from rivals.modalities.images.edits.methods_translate import TRANSLATION
from rivals.modalities.images.edits.modality import Edits, edit
from rivals.modalities.images.edits.recipes_translate import choose_recipe

EDITS = Edits("unpaired", crop=32, damage={"shorter": 36, "ways": 2}, back=True)


def recipe():
    """As published, which is as on a GPU, but small."""
    found = choose_recipe(EDITS, "cyclegan", TRANSLATION["cyclegan"], torch.device("cuda"), None, 4).recipe
    small = {"width": 4, "blocks": 1, "norm": "instance"}
    critic = {"width": 4, "halvings": 2, "norm": "instance"}
    return replace(
        found,
        data=asdict(EDITS),
        generator=replace(found.generator, options=small),
        critic=replace(found.critic, options=critic),
    )


def pictures(seed, channels=3, size=32):
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_its_losses_are_those_of_two_games_computed_by_hand():
    """Zhu et al., 2017: least squares both ways, halved for the critics, and lambda 10, with identity 0.5 lambda."""
    game = build_game(recipe(), EDITS)
    a, b = pictures(1), pictures(2)
    played = game.play(Batch(Pair(b, a), torch.cat([a, b], 1)))
    there, back = game.generator.there, game.generator.back
    fake_b, fake_a = there.edit(a).picture, back.edit(b).picture
    judge_b, judge_a = (
        lambda x, critic=critic: critic(x).logits[0] for critic in (game.critic.there, game.critic.back)
    )
    ones, zeros = torch.ones_like(judge_b(b)), torch.zeros_like(judge_b(b))

    found = game.generator_loss(played, 0, 0.0)
    by_hand = {
        "adversarial": mse_loss(judge_b(fake_b), ones) + mse_loss(judge_a(fake_a), ones),
        "cycle": 10 * (l1_loss(back.edit(fake_b).picture, a) + l1_loss(there.edit(fake_a).picture, b)),
        "identity_both": 5 * (l1_loss(there.edit(b).picture, b) + l1_loss(back.edit(a).picture, a)),
    }
    assert set(found) == set(by_hand)
    for name, value in by_hand.items():
        torch.testing.assert_close(found[name], value, msg=name)

    found = game.critic_loss(played, 0, 0.0)
    two = [
        (mse_loss(judge(real), ones) + mse_loss(judge(fake.detach()), zeros)) / 2
        for judge, real, fake in ((judge_b, b, fake_b), (judge_a, a, fake_a))
    ]
    torch.testing.assert_close(found["adversarial"], two[0] + two[1])


def test_gradients_of_the_cycle_reach_both_networks_and_each_critic_its_own():
    game = build_game(recipe(), EDITS)
    a, b = pictures(1), pictures(2)
    played = game.play(Batch(Pair(b, a), torch.cat([a, b], 1)))
    sum(game.generator_loss(played, 0, 0.0).values()).backward()
    assert all(part.grad is not None and part.grad.abs().sum() > 0 for name, part in game.generator.named_parameters()
               if name.endswith("weight"))  # fmt: skip


def test_folded_it_begins_by_changing_nothing_either_way():
    network = CycleGenerator((3, 32, 32), 3, width=4, blocks=1, folded=True)
    one, two = pictures(1), pictures(2)
    both = network(torch.zeros(2, 0), torch.cat([one, two], 1))
    assert torch.equal(both.picture.there, one)
    assert torch.equal(both.picture.back, two)
    with pytest.raises(ValueError, match="as many channels as it makes"):
        CycleGenerator((3, 32, 32), 1, folded=True)


def test_it_edits_either_way_with_different_channels_and_any_size():
    edits = replace(EDITS, channels=3, seen=1)
    network = CycleGenerator((3, 32, 32), 1, width=4, blocks=1)
    one, two = pictures(1, 1, 29), pictures(2, 3, 29)
    there, back = edit(network, edits, one), edit(network, edits, two, back=True)
    assert there.shape == (2, 3, 29, 29)
    assert back.shape == (2, 1, 29, 29)
    both = network(torch.zeros(2, 0), torch.cat([one, two], 1))
    torch.testing.assert_close(both.picture.there, there)
    torch.testing.assert_close(both.picture.back, back)
    with pytest.raises(RequestError, match="goes one way only"):
        edit(network, replace(edits, back=False), two, back=True)


def test_what_it_takes_is_counted_for_a_sample_of_two():
    needed = needs_of(recipe(), EDITS, None, torch.zeros(2, 6, 32, 32))
    game = build_game(recipe(), EDITS)
    assert needed.critic.parameters == sum(part.numel() for part in game.critic.parameters())
    assert needed.generator.flops > 0


@pytest.mark.parametrize("name", ["cycle", "identity_both"])
def test_terms_of_two_ways_need_a_network_of_two(name):
    x = pictures(0)
    with pytest.raises(RequestError, match=f"{name} needs a generator that goes both ways"):
        cycle.TERMS[name](Round(lambda *_: None, x, x, x, x, x))
