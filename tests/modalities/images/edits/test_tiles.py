from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from rivals.engine.build import build_network
from rivals.engine.errors import RequestError
from rivals.engine.recipe import Use
from rivals.modalities.images.edits import reach, tiles
from rivals.modalities.images.edits.ensemble import SelfEnsemble
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.tiles import Plan
from rivals.modalities.images.edits.ways import editor, way
from rivals.modalities.images.edits.whole import Editor


def noise(height, width, channels=3, kind=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)


def smooth(height, width, seed=0):
    """Something like a photograph: blurred noise with edges."""
    x = torch.from_numpy(noise(height // 8 + 2, width // 8 + 2, seed=seed)).permute(2, 0, 1)[None].float()
    x = nn.functional.interpolate(x, size=(height, width), mode="bicubic").clamp(0, 255)
    x[..., height // 3 :, : width // 2] = 255 - x[..., height // 3 :, : width // 2]
    return x[0].permute(1, 2, 0).round().byte().numpy()


def joined(work, picture, scale, plan):
    return np.concatenate(list(tiles.tiled(work, picture, scale, plan)))


def network_of(name, options, task="denoise", **more):
    edits = Edits(task, **more)
    torch.manual_seed(3)
    network = build_network(Use(name, options), edits.generators, "generator", latent=0, **edits.common()).eval()
    for part in network.modules():  # first weights are small: what a trained network sees far away would be lost
        if isinstance(part, nn.Conv2d) and part.kernel_size != (1, 1):
            nn.init.orthogonal_(part.weight, 1.2)
    return network.requires_grad_(False), edits


def blur(reach_):
    """An edit that sees so many pixels, and nothing else; the border is repeated."""

    def work(part):
        x = torch.from_numpy(part.astype(np.float32)).permute(2, 0, 1)[None]
        x = nn.functional.avg_pool2d(nn.functional.pad(x, (reach_,) * 4, mode="replicate"), 2 * reach_ + 1, 1)
        return x[0].permute(1, 2, 0).numpy()

    return work


@settings(max_examples=60)
@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(20, 60), st.integers(20, 60),
    st.integers(2, 8), st.integers(0, 5), st.integers(1, 4), st.integers(1, 3),
)  # fmt: skip
def test_pieces_of_a_local_edit_are_the_whole_to_the_bit(height, width, tall, wide, halo, blend, multiple, scale):
    """With halos beyond what is seen and blended, whatever the sizes."""
    halo = -(-halo // multiple) * multiple
    blend = min(blend, halo - 1)
    picture = noise(height, width)
    inner = blur(halo - blend)

    def work(part):
        return inner(part).repeat(scale, 0).repeat(scale, 1)

    made = joined(work, picture, scale, Plan(tall, wide, halo, blend, multiple))
    assert made.dtype == picture.dtype
    np.testing.assert_array_equal(made, np.rint(work(picture)).astype(np.uint8))


@settings(max_examples=60)
@given(st.integers(1, 3000), st.integers(40, 300), st.integers(0, 9), st.sampled_from([1, 2, 4, 8, 16]))
def test_borders_are_multiples_in_order_and_pieces_no_larger_than_allowed(length, most, halo, multiple):
    halo = -(-halo // multiple) * multiple
    assume(most >= 2 * halo + multiple)  # as `planned` sees to
    plan = Plan(most, most, halo, 0, multiple)
    cuts = tiles.borders(length, most, plan)
    assert cuts[0] == 0
    assert cuts[-1] == length
    assert all(cut % multiple == 0 for cut in cuts[:-1])
    assert cuts == sorted(set(cuts))
    if len(cuts) > 2:
        assert max(b - a for a, b in pairwise(cuts)) + 2 * halo <= most


@pytest.mark.parametrize("size", [(700, 500), (500, 3000), (60, 9000), (9000, 60)])
@pytest.mark.parametrize("pixels", [20_000, 60_000, 200_000])
def test_a_plan_keeps_to_its_pixels_and_computes_little_twice(size, pixels):
    plan = tiles.planned(*size, pixels, Plan(0, 0, 16, 8, 4))
    assert plan.height * plan.width <= pixels
    twice = tiles.computed(size[0], plan.height, plan) * tiles.computed(size[1], plan.width, plan) / (size[0] * size[1])
    assert 1 < twice < 2.5 if size[0] * size[1] > pixels else twice == 1


def test_pieces_that_would_be_all_halo_are_refused():
    with pytest.raises(RequestError, match="too small for overlaps of 32"):
        tiles.planned(500, 500, 60 * 60, Plan(0, 0, 32, 8, 1))


def test_blending_a_step_gives_a_ramp():
    """Two pieces that disagree fade into each other: no step larger than the ramp's, none at all beside it."""
    calls = []

    def work(part):
        calls.append(part.shape)
        return np.full(part.shape, 200.0 if len(calls) > 1 else 100.0, np.float32)

    made = joined(work, noise(10, 100, 1), 1, Plan(10, 70, 20, 10))[:, :, 0].astype(int)
    assert len(calls) == 4 or len(calls) == 2 or len(calls) == 3
    line = made[5]
    assert line[0] == 100
    assert line[-1] == 200
    assert np.abs(np.diff(line)).max() <= 5 + 1  # a hundred levels over twenty pixels
    assert (made == line).all()


CASES = [
    ("compact", {"width": 8, "depth": 4}, {"task": "super-resolution", "scale": 2}),
    ("rrdb", {"width": 8, "blocks": 1, "growth": 4}, {"task": "super-resolution", "scale": 4}),
    ("rrdb", {"width": 8, "blocks": 1, "growth": 4}, {"task": "super-resolution", "scale": 2}),
    ("rrdb", {"width": 8, "blocks": 2, "growth": 4}, {}),
    ("edsr", {"width": 8, "blocks": 2}, {}),
    ("edsr", {"width": 8, "blocks": 2, "coarse": 1}, {}),
    ("folded", {"width": 8, "blocks": 2}, {"task": "unpaired"}),
    ("unet", {"width": 8, "depth": 3}, {}),
    ("unet", {"width": 4, "depth": 4, "norm": "batch"}, {}),
    ("resnet", {"width": 4, "blocks": 2, "norm": "batch"}, {"task": "unpaired"}),
]


TURNED = [case for case in CASES if case[0] != "folded" and case[2].get("task") != "unpaired"]


@pytest.mark.parametrize(
    ("name", "options", "more", "ensemble"),
    [(*case, False) for case in CASES] + [(*case, True) for case in TURNED],
)
@pytest.mark.parametrize("size", [(203, 318), (330, 131)])
def test_tiled_is_untiled_for_networks_that_see_so_far(name, options, more, ensemble, size):
    network, edits = network_of(name, options, **more)
    network = SelfEnsemble(network, edits) if ensemble else network
    picture = smooth(*size)
    whole = Editor(network, edits, way(edits, 3), 1.0)
    work, plan = whole.planned(picture, 144 * 144)
    assert tiles.pieces(*size, plan) >= 3
    made = joined(work, picture, edits.scale, plan)
    wanted = np.rint(editor(network, edits, way(edits, 3))(picture))
    assert made.shape == (edits.scale * size[0], edits.scale * size[1], 3)
    assert wanted.std() > 5  # there is something to differ in
    if edits.scale == 1:
        assert (wanted - picture).std() > 5  # and what is only handed through is not it
    assert np.abs(made - wanted).max() < 2


def test_statistics_of_one_piece_are_those_of_the_picture():
    """Instance norm through the shared statistics of a whole picture is instance norm."""
    for norm in ("instance", "layer"):
        network, edits = network_of("resnet", {"width": 4, "blocks": 2, "norm": norm}, task="unpaired")
        shared = reach.with_shared_statistics(network)
        x = torch.from_numpy(smooth(64, 80)).permute(2, 0, 1)[None].float() / 127.5 - 1
        z = x.new_zeros(1, 0)
        wanted = edits.show(network(z, x))
        torch.testing.assert_close(edits.show(shared(z, x)), wanted, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(edits.show(shared(z, x[..., :32, :32])).shape, torch.Size([1, 3, 32, 32]))
        assert reach.normalises_wholes(network)
        assert not reach.normalises_wholes(shared.decoder[3])


def test_pieces_of_an_instance_normed_network_show_no_seam():
    """They are not the untiled picture to the level, but where two meet nothing is steeper than in the untiled one."""
    network, edits = network_of("resnet", {"width": 4, "blocks": 2}, task="unpaired")
    picture = smooth(256, 384)
    whole = Editor(network, edits, way(edits, 3), 1.0)
    work, plan = whole.planned(picture, 192 * 192)
    assert tiles.pieces(256, 384, plan) >= 4
    made = joined(work, picture, 1, plan).astype(float)
    at_once = np.rint(work(picture))  # by the same statistics
    assert np.abs(made - at_once).max() < 2
    assert np.abs(made - editor(network, edits, way(edits, 3))(picture)).mean() < 40  # of the same picture


def test_holes_are_filled_in_pieces_and_all_else_is_the_original():
    network, edits = network_of("fourier", {"width": 4, "blocks": 1}, task="inpaint", seen=4)
    picture = smooth(200, 300)
    mask = np.zeros((200, 300, 1), np.uint8)
    mask[40:90, 30:250] = 255
    mask[150:170, 100:110] = 255
    whole = Editor(network, edits, way(edits, 3), 1.0)
    given = np.dstack([picture, mask])
    work, plan = whole.planned(given, 128 * 128)
    made = joined(work, given, 1, plan)
    kept = mask[..., 0] == 0
    np.testing.assert_array_equal(made[kept], picture[kept])
    assert (made[~kept] != picture[~kept]).mean() > 0.5


def test_strips_that_show_how_far_a_network_looks_cut_holes_in_two():
    """What lies in a hole comes from its far side too: a piece that cuts it has to have much around its own part."""
    picture = smooth(300, 900)
    mask = np.zeros((300, 900, 1), np.uint8)
    mask[100:140, 300:700] = 255
    network, edits = network_of("fourier", {"width": 4, "blocks": 1}, task="inpaint", seen=4)
    for part in network.last.parameters():
        torch.nn.init.zeros_(part)  # the smooth filling alone
    whole = Editor(network, edits, way(edits, 3), 1.0)
    given = np.dstack([picture, mask])
    work, plan = whole.planned(given, 200 * 200)
    assert plan.halo >= 20  # half of what is missing from top to bottom
    made = joined(work, given, 1, plan).astype(int)
    once = np.rint(editor(network, edits, way(edits, 3))(given)).astype(int)
    assert np.abs(made - once).max() < 30  # 35 with a halo of four pixels


def test_how_far_an_edit_looks_is_found():
    strips = [noise(32, 256, seed=seed) for seed in range(2)]
    assert reach.looks(blur(6), strips, 64, 1) == 6
    assert reach.looks(blur(0), strips, 64, 1) == 0
    strips[0][:, :64] = 255
    assert reach.looks(lambda part: part - part.mean() + 99.0, strips, 64, 1) is None


@pytest.mark.parametrize(("name", "options", "more"), CASES)
def test_a_nan_spreads_no_further_than_halos_reach_in_the_worst_case(name, options, more):
    """Pieces begin at multiples of what a network says: shifted by it, a picture gives the same, shifted."""
    network, edits = network_of(name, options, **more)
    step = reach.multiple_of(network)
    x = torch.from_numpy(smooth(48, 256)).permute(2, 0, 1)[None].float() / 127.5 - 1
    z = x.new_zeros(1, 0)
    whole, part = (edits.show(network(z, each)) for each in (x, x[..., 3 * step :]))
    middle = slice(-32 * edits.scale, -16 * edits.scale)
    torch.testing.assert_close(part[..., middle], whole[..., middle], atol=2e-3, rtol=0)


def test_memory_of_a_pixel_is_that_of_the_largest_moment():
    """Two layers of 1x1 convolutions: input, output and the kernels' copies of both are alive at once."""

    class Plain(nn.Module):
        multiple = 1

        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 64, 1)

        def forward(self, z, cond):
            return self.layer(cond).mean(1, keepdim=True).expand(-1, 3, -1, -1)

    edits = Edits("denoise")
    each = reach.bytes_a_pixel(editor(Plain(), edits, way(edits, 3)), noise(64, 64))
    least = 4 * (3 + 64 + 64)  # floats: both, and a kernel's copy of what it makes
    assert least <= each <= reach.SPARE * (least + 4 * 2 * 16)
