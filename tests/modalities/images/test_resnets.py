import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from rivals.engine.errors import RequestError
from rivals.layers.attention import SelfAttention
from rivals.layers.condition import CONDITIONS
from rivals.modalities.images.resnets import (
    BigCritic,
    BigGenerator,
    DownBlock,
    ResnetCritic,
    ResnetGenerator,
    UpBlock,
    nearest,
    one_hot,
    orthogonal,
)

sides = st.integers(8, 40)
GENERATORS = {
    "sngan": (ResnetGenerator, {}),
    "sagan": (ResnetGenerator, {"attention": True}),
    "big": (BigGenerator, {}),
}
CRITICS = {"sngan": (ResnetCritic, {}), "sagan": (ResnetCritic, {"attention": True}), "big": (BigCritic, {})}
each_generator = pytest.mark.parametrize("name", GENERATORS)
each_critic = pytest.mark.parametrize("name", CRITICS)


def generator(name, shape=(2, 12, 16), **given):
    make, more = GENERATORS[name]
    return make(shape, **{"latent": 7, "width": 4, **more, **given})


def critic(name, shape=(2, 12, 16), **given):
    make, more = CRITICS[name]
    return make(shape, **{"width": 4, **more, **given})


def parameters(network):
    return sum(part.numel() for part in network.parameters())


def add_spectral_norm(network):
    for part in list(network.modules()):
        if isinstance(part, nn.Conv2d | nn.Linear | nn.Embedding):
            spectral_norm(part)
    return network


def asked(classes, batch=3):
    return torch.arange(batch) % classes if classes else None


@each_generator
@settings(max_examples=12)
@given(height=sides, width=sides, channels=st.integers(1, 4), classes=st.sampled_from([0, 3]))
def test_a_generator_makes_any_shape_in_range_and_one_at_a_time_when_done(name, height, width, channels, classes):
    network = generator(name, (channels, height, width), classes=classes)
    made = network(torch.randn(3, 7), asked(classes))
    assert made.shape == (3, channels, height, width)
    assert made.abs().max() <= 1
    made.square().sum().backward()
    assert all(torch.isfinite(part.grad).all() for part in network.parameters())
    assert network.eval()(torch.randn(1, 7), asked(classes, 1)).shape == (1, channels, height, width)


@each_critic
@settings(max_examples=12)
@given(
    height=sides, width=sides, channels=st.integers(1, 4),
    classes=st.sampled_from([0, 3]), condition=st.sampled_from(CONDITIONS),
)  # fmt: skip
def test_r1_goes_through_every_critic(name, height, width, channels, classes, condition):
    torch.manual_seed(0)
    network = critic(name, (channels, height, width), classes=classes, condition=condition)
    for part in network.modules():
        if isinstance(part, SelfAttention):
            nn.init.constant_(part.gain, 0.5)
    x = torch.randn(3, channels, height, width, requires_grad=True)
    verdict = network(x, asked(classes))
    assert verdict.logits[0].shape == (3, 1)
    assert (verdict.aux is not None) == (classes > 0 and condition == "auxiliary")
    (gradient,) = torch.autograd.grad(verdict.logits[0].sum(), x, create_graph=True)
    gradient.square().sum().backward()
    for part, parameter in network.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), part
    reached = {n for n, p in network.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert {n for n, _ in network.named_parameters() if n.startswith("stages") and n.endswith("weight")} <= reached
    assert "head.logit.weight" in reached


@each_critic
@pytest.mark.parametrize("size", [(8, 8), (9, 11), (33, 8), (17, 21)])
def test_every_pixel_is_seen(name, size):
    torch.manual_seed(0)
    x = torch.randn(1, 1, *size, requires_grad=True)
    critic(name, (1, *size), width=16)(x).logits[0].sum().backward()
    assert (x.grad != 0).all()


@each_critic
def test_a_critic_judges_each_sample_alone(name):
    network = critic(name)
    x = torch.randn(4, 2, 12, 16)
    rows = torch.cat([network(row[None]).logits[0] for row in x])
    torch.testing.assert_close(network(x).logits[0], rows, rtol=1e-4, atol=1e-4)


@each_generator
@pytest.mark.parametrize(("classes", "device"), [(0, "cpu"), (3, "cpu"), (3, "meta")])
def test_a_generator_takes_spectral_norm(name, classes, device):
    with torch.device(device):
        network = add_spectral_norm(generator(name, (2, 9, 8), classes=classes))
        made = network(torch.randn(2, 7), torch.tensor([0, 1]) if classes else None)
    assert made.shape == (2, 2, 9, 8)
    assert made.device.type == device
    if device == "cpu":
        made.sum().backward()
        assert all(torch.isfinite(part.grad).all() for part in network.parameters())


@each_critic
@pytest.mark.parametrize(
    ("condition", "device"), [*((condition, "cpu") for condition in CONDITIONS), ("projection", "meta")]
)
def test_a_critic_takes_spectral_norm_and_r1_together(name, condition, device):
    with torch.device(device):
        network = add_spectral_norm(critic(name, (2, 9, 8), classes=3, condition=condition))
        x = torch.randn(2, 2, 9, 8, requires_grad=True)
        logits = network(x, torch.tensor([0, 2])).logits[0]
    assert logits.shape == (2, 1)
    if device == "cpu":
        (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        gradient.square().sum().backward()
        assert all(torch.isfinite(part.grad).all() for part in network.parameters() if part.grad is not None)


@each_generator
def test_z_and_the_label_change_the_picture_and_a_missing_label_is_asked_for(name):
    torch.manual_seed(0)
    network = generator(name, classes=3).eval()
    z = torch.randn(1, 7)
    made = network(z, torch.tensor([0]))
    assert not torch.equal(made, network(z, torch.tensor([1])))
    assert not torch.equal(made, network(-z, torch.tensor([0])))
    with pytest.raises(RequestError, match="3 classes"):
        network(z)


def test_every_piece_of_z_reaches_a_stage_of_its_own():
    torch.manual_seed(0)
    network = BigGenerator((3, 32, 32), latent=7, width=4)
    assert network.pieces == [2, 2, 2, 1]
    assert [block.norms[0].linear.in_features for block in network.stages.blocks] == [2, 2, 1]
    z = torch.randn(2, 7, requires_grad=True)
    network.eval()(z).square().sum().backward()
    assert (z.grad != 0).all()


def test_z_too_small_to_be_cut_is_refused():
    with pytest.raises(RequestError, match=r"latent 3 .* 4 pieces"):
        BigGenerator((3, 32, 32), latent=3)


def test_sngan_at_32_pixels_has_the_published_size():
    """Counted by hand from Miyato et al., 2018, table 4: 4.28M and 1.05M; with 10 classes 4.30M and 1.06M."""
    up = 2 * (9 * 256 * 256 + 256) + (256 * 256 + 256) + 4 * 256
    assert parameters(ResnetGenerator((3, 32, 32))) == 129 * 16 * 256 + 3 * up + 512 + 27 * 256 + 3 == 4_276_739
    conv = 9 * 128 * 128 + 128
    first, half, plain = (27 * 128 + 128) + conv + 4 * 128, 2 * conv + 129 * 128, 2 * conv
    assert parameters(ResnetCritic((3, 32, 32))) == first + half + 2 * plain + 129 == 1_053_825
    assert parameters(ResnetGenerator((3, 32, 32), classes=10)) == 4_276_739 - 3 * 4 * 256 + 3 * 4 * 256 * 10
    assert parameters(ResnetCritic((3, 32, 32), classes=10)) == 1_053_825 + 10 * 128


def test_sagan_at_32_pixels_has_the_published_size():
    """4.39M and 1.08M with 10 classes: one attention, of 5/4 of its channels squared, on each side."""
    with_labels = {"classes": 10, "attention": True}
    assert parameters(ResnetGenerator((3, 32, 32), **with_labels)) == 4_304_387 + 256**2 * 5 // 4 + 1
    assert parameters(ResnetCritic((3, 32, 32), **with_labels)) == 1_055_105 + 128**2 * 5 // 4 + 1


@pytest.mark.parametrize(("size", "up", "down"), [(32, 16, 16), (64, 16, 16), (24, 12, 12), (8, 8, 4), (128, 16, 16)])
def test_attention_is_at_the_map_nearest_to_16_pixels(size, up, down):
    seen = []
    networks = generator("big", (1, size, size), latent=9, width=1), critic("big", (1, size, size), width=1)
    for network in networks:
        (attention,) = [part for part in network.modules() if isinstance(part, SelfAttention)]
        attention.register_forward_hook(lambda _, args, __: seen.append(args[0].shape[2]))
    networks[0].eval()(torch.randn(1, 9))
    networks[1](torch.randn(1, 1, size, size))
    assert seen == [up, down]


def test_the_nearest_side_is_nearest_in_ratio():
    assert nearest([10, 26], 16) == 0  # 10 is 1.6 times too small, 26 1.625 times too large
    assert nearest([8, 32], 16) == 0


@pytest.mark.parametrize("size", [4, 9])
def test_an_up_block_is_its_formula(size):
    torch.manual_seed(0)
    block, x = UpBlock(3, 5, vector=2).eval(), torch.randn(2, 3, size, size)
    vector = torch.randn(2, 2)
    norm, second = block.norms
    inside = block.first(F.interpolate(F.relu(norm(x, vector)), scale_factor=2))
    expected = block.second(F.relu(second(inside, vector))) + block.shortcut(F.interpolate(x, scale_factor=2))
    torch.testing.assert_close(block(x, vector), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("size", [6, 20])
def test_a_down_block_is_its_formula_and_leaves_its_input_alone(raw, size):
    torch.manual_seed(0)
    block, x = DownBlock(3, 5, raw=raw), torch.randn(2, 3, size, size)
    before = x.clone()
    inside = block.second(F.relu(block.first(x if raw else F.relu(x))))
    expected = F.avg_pool2d(inside + block.shortcut(x), 2)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(x, before)


def test_big_networks_begin_orthogonal():
    network = BigGenerator((3, 16, 16), classes=5, width=4, embedding=12)
    product = network.embed.weight @ network.embed.weight.T
    torch.testing.assert_close(product, torch.eye(5), atol=1e-5, rtol=0)
    for part in critic("big").modules():
        if isinstance(part, nn.Conv2d):
            flat = part.weight.detach().flatten(1)
            small = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
            torch.testing.assert_close(small, torch.eye(len(small)), atol=1e-5, rtol=0)
            assert part.bias is None or not part.bias.any()
    untouched = nn.BatchNorm2d(3)
    orthogonal(untouched)
    assert torch.equal(untouched.weight, torch.ones(3))


def test_one_hot_is_torchs():
    labels = torch.tensor([2, 0, 1, 2])
    assert torch.equal(one_hot(labels, 4).long(), F.one_hot(labels, 4))


@each_generator
def test_pictures_keep_the_fast_memory_format(name):
    made = generator(name, (3, 16, 16)).eval()(torch.randn(2, 7))
    assert made.is_contiguous(memory_format=torch.channels_last)
