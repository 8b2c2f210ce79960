"""Networks for edited pictures: any size goes in, the right one comes out, and gradients come back."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode

from rivals.engine.build import build_network
from rivals.engine.errors import RequestError
from rivals.engine.recipe import Use
from rivals.engine.types import Round
from rivals.modalities.images.edits.catalogue import GENERATORS
from rivals.modalities.images.edits.critics import PatchCritic, ScalesCritic, UNetCritic
from rivals.modalities.images.edits.edsr import EDSR
from rivals.modalities.images.edits.filling import filled
from rivals.modalities.images.edits.folded import FoldedEditor
from rivals.modalities.images.edits.fourier import FourierEditor, Spectral
from rivals.modalities.images.edits.translate import Edited, UNet
from rivals.modalities.images.edits.upscale import RRDB, Compact, weights

SHAPE = (3, 32, 32)
SMALL = {
    "rrdb": lambda scale: RRDB(SHAPE, 3, scale, width=8, blocks=1, growth=4),
    "compact": lambda scale: Compact(SHAPE, 3, scale, width=8, depth=2),
    "edsr": lambda scale: EDSR(SHAPE, 3, scale, width=8, blocks=2),
    "edsr, coarse": lambda scale: EDSR(SHAPE, 3, scale, width=8, blocks=2, coarse=2),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_pictures_of_any_size_are_enlarged(name, scale, size):
    network = SMALL[name](scale)
    given = torch.rand(2, 3, *size) * 2 - 1
    made = network(torch.zeros(2, 0), given)
    assert made.shape == (2, 3, scale * size[0], scale * size[1])
    made.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_new_compact_network_repeats_pixels():
    given = torch.rand(1, 3, 4, 5) * 2 - 1
    made = SMALL["compact"](2)(torch.zeros(1, 0), given)
    torch.testing.assert_close(made, given.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("name", ["edsr", "edsr, coarse"])
@pytest.mark.parametrize("scale", [1, 3, 4])
def test_a_new_edsr_is_the_bicubic_filter(name, scale):
    given = torch.rand(1, 3, 7, 9) * 2 - 1
    made = SMALL[name](scale)(torch.zeros(1, 0), given)
    torch.testing.assert_close(made, interpolate(given, scale_factor=scale, mode="bicubic"))


def test_there_may_be_no_coarse_blocks_but_not_fewer():
    common = {"shape": SHAPE, "seen": 3, "scale": 1}
    network = build_network(Use("edsr", {"width": 8, "coarse": 0}), GENERATORS, "generator", **common)
    assert not any("coarse" in name for name in network.state_dict())
    with pytest.raises(RequestError, match="coarse must be at least 0, not -1"):
        build_network(Use("edsr", {"coarse": -1}), GENERATORS, "generator", **common)
    with pytest.raises(RequestError, match="blocks must be at least 1, not 0"):
        build_network(Use("edsr", {"blocks": 0}), GENERATORS, "generator", **common)


def test_coarse_blocks_see_further_for_little_work():
    torch.manual_seed(0)
    reach, work = {}, {}
    for coarse in (0, 2):
        network = EDSR(SHAPE, 3, width=8, blocks=2, coarse=coarse)
        for part in network.parameters():
            nn.init.normal_(part, std=0.2)
        given = torch.zeros(1, 3, 128, 128, requires_grad=True)
        with FlopCounterMode(display=False) as counted:
            made = network(torch.zeros(1, 0), given)
        (gradient,) = torch.autograd.grad(made[0, :, 64, 64].sum(), given)
        reach[coarse] = int((gradient.abs().sum((0, 1, 2)).nonzero() - 64).abs().max())
        work[coarse] = counted.get_total_flops()
    assert reach[0] < 16
    assert reach[2] > 32
    assert work[2] < 1.1 * work[0]


def test_one_channel_is_added_to_all_that_edsr_makes():
    given = torch.rand(2, 1, 7, 9) * 2 - 1
    torch.testing.assert_close(EDSR(SHAPE, 1, width=8, blocks=1)(torch.zeros(2, 0), given), given.expand(2, 3, 7, 9))
    with pytest.raises(ValueError, match="not 2 for 3"):
        EDSR(SHAPE, 2)


def test_published_sizes():
    """16.70 M parameters: ESRGAN's 23 blocks; 1.21 M: Real-ESRGAN's `general` of 32 convolutions of 64.

    EDSR's baseline has 16 blocks of 64; here pixels are folded out of its last convolution.
    """
    with torch.device("meta"):
        baseline = EDSR(SHAPE, 3, 2)
        large = RRDB(SHAPE, 3, blocks=23)
        general = Compact(SHAPE, 3, width=64, depth=32)
    assert sum(p.numel() for p in large.parameters()) == 16_697_987
    assert sum(p.numel() for p in baseline.parameters()) == 3 * 64 * 9 + 64 + 32 * (64 * 64 * 9 + 64) + 64 * 12 * 9 + 12
    assert sum(p.numel() for p in general.parameters()) == 1_213_296


def test_names_are_those_that_other_programs_read():
    names = set(weights(SMALL["rrdb"](4)))
    assert {"conv_first.weight", "body.0.rdb1.conv1.weight", "body.0.rdb3.conv5.bias", "conv_last.bias"} <= names
    assert set(weights(SMALL["compact"](4))) == {
        "body.0.weight", "body.0.bias", "body.1.weight", "body.2.weight", "body.2.bias", "body.3.weight",
        "body.4.weight", "body.4.bias", "body.5.weight", "body.6.weight", "body.6.bias",
    }  # fmt: skip


def test_a_scale_that_rrdb_has_not_is_refused():
    with pytest.raises(ValueError, match="1, 2 or 4"):
        RRDB(SHAPE, 3, 3)


@pytest.mark.parametrize("size", [(32, 32), (21, 30)])
@pytest.mark.parametrize(("name", "most", "maps"), [("resnet", 1.0, 5), ("folded", 1.5, 3)])
def test_an_editor_keeps_the_size_and_shows_its_features(name, most, maps, size):
    network = trained(GENERATORS[name](SHAPE, 3, width=8, blocks=2, projected=16))
    given = torch.rand(2, 3, *size) * 2 - 1
    made = network(torch.zeros(2, 0), given)
    assert isinstance(made, Edited)
    assert made.picture.shape == given.shape
    assert made.picture.abs().max() <= most
    assert len(made.features) == len(network.heads) == maps
    assert [m.shape[1] for m in made.features] == [head[0].in_features for head in network.heads]
    for seen, again in zip(made.features, made.look(given), strict=True):
        torch.testing.assert_close(seen, again)
    torch.testing.assert_close(made.edit(given).picture, made.picture)


def trained(network):
    """With weights where a new network has none."""
    for weight in network.parameters():
        if not weight.abs().sum():
            torch.nn.init.normal_(weight, std=0.1)
    return network


@pytest.mark.parametrize(("name", "options"), [("resnet", {"residual": True}), ("folded", {})])
def test_a_new_editor_that_adds_changes_nothing_and_learns(name, options):
    network = GENERATORS[name](SHAPE, 3, width=8, blocks=2, **options)
    given = torch.rand(1, 3, 21, 30) * 2 - 1
    made = network(torch.zeros(1, 0), given).picture
    assert torch.equal(made, given)
    made.square().mean().backward()
    layer = network.last if name == "folded" else network.decoder[-1]
    assert layer.weight.grad.abs().sum() > 0


def test_a_grey_picture_can_be_given_to_a_folded_editor_of_colours():
    made = FoldedEditor(SHAPE, 1, width=8, blocks=1, watched=False)(torch.zeros(1, 0), torch.rand(1, 1, 32, 32))
    assert made.picture.shape == (1, *SHAPE)
    assert made.features == ()
    with pytest.raises(ValueError, match="not 2 for 3"):
        FoldedEditor(SHAPE, 2)


@pytest.mark.parametrize("name", ["resnet", "folded"])
def test_the_first_watched_map_is_the_picture(name):
    given = torch.rand(1, 3, 32, 32)
    network = GENERATORS[name](SHAPE, 3, width=8, blocks=2)
    assert network(torch.zeros(1, 0), given).features[0] is given
    assert torch.equal(network.look(given.flip(3))[0], given.flip(3))  # FastCUT compares mirrored maps


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (19, 27)])
def test_unets_keep_the_size(residual, size):
    network = UNet((1, 32, 32), 2, width=4, depth=3, residual=residual)
    given = torch.rand(2, 2, *size) * 2 - 1
    made = network(torch.zeros(2, 0), given)
    assert made.shape == (2, 1, *size)
    if residual:  # a new one changes nothing
        torch.testing.assert_close(made, given[:, :1])


def test_a_spectral_layer_sees_the_whole_picture():
    layer = Spectral(16)
    x = torch.randn(1, 16, 8, 8, requires_grad=True)
    layer(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).float().mean() > 0.9


def test_filled_pictures_keep_what_was_there():
    network = FourierEditor(SHAPE, 4, width=4, blocks=1)
    given = torch.rand(2, 3, 24, 20) * 2 - 1
    mask = torch.zeros(2, 1, 24, 20)
    mask[..., 4:9, 3:7] = 1
    made = network(torch.zeros(2, 0), torch.cat([given * (1 - mask), mask], 1))
    kept = (mask == 0).expand_as(made)
    assert torch.equal(made[kept], given[kept])
    assert not torch.equal(made[~kept], given[~kept])


def test_a_new_network_for_holes_fills_them_smoothly_and_learns():
    torch.manual_seed(0)  # of so few features, a rectifier may let nothing through at first
    network = FourierEditor(SHAPE, 4, width=8, blocks=2)
    mask = torch.zeros(1, 1, 21, 30)
    mask[..., 4:9, 3:7] = 1
    given = torch.rand(1, 3, 21, 30) * 2 - 1
    smooth = filled(given * (1 - mask), mask)
    made = network(torch.zeros(1, 0), torch.cat([given * (1 - mask), mask], 1))
    torch.testing.assert_close(made, torch.where(mask > 0, smooth, given))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.zeros(1, 0), torch.cat([given * (1 - mask), mask], 1)).square().mean().backward()
        optimizer.step()
    assert all(part.grad.abs().sum() > 0 for part in network.parameters() if part.ndim > 1)


def test_a_network_for_holes_wants_a_mask():
    with pytest.raises(ValueError, match="4 channels, not 3"):
        FourierEditor(SHAPE, 3)


@pytest.mark.parametrize("kind", [PatchCritic, ScalesCritic, UNetCritic])
@pytest.mark.parametrize("conditional", [False, True])
def test_critics_take_any_size_and_see_the_condition(kind, conditional):
    critic = kind((3, 48, 48), 3, conditional, width=4)
    pictures, cond = torch.rand(2, 3, 60, 53), torch.rand(2, 3, 30, 27)
    verdict = critic(pictures, cond)
    assert all(part.shape[:2] == (2, 1) for part in verdict.logits)
    assert verdict.features
    other = critic(pictures, torch.rand(2, 3, 30, 27))
    assert torch.equal(verdict.logits[0], other.logits[0]) is not conditional
    assert critic(torch.rand(1, 3, 96, 96), torch.rand(1, 3, 96, 96)).logits[0].shape[2] > 1


def test_pictures_too_small_to_judge_are_refused():
    with pytest.raises(ValueError, match="need pictures of 24 pixels"):
        ScalesCritic((3, 40, 40))


def test_a_patch_critic_sees_seventy_pixels():
    critic = PatchCritic((1, 128, 128), width=2)
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    logits = critic(x).logits[0]
    logits[0, 0, 7, 7].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_penalties_go_through_the_critics():
    from rivals.engine.terms import r1

    for kind in (PatchCritic, ScalesCritic, UNetCritic):
        critic = kind((3, 48, 48), width=4)
        real = torch.rand(2, 3, 48, 48, requires_grad=True)
        r1(Round(critic, real, real, None, real, torch.zeros(2, 0))).backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in critic.parameters())
