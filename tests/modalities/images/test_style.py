from itertools import pairwise

import pytest
import torch
from torch import nn

from rivals.engine.terms import r1
from rivals.engine.types import Round
from rivals.layers.condition import CONDITIONS
from rivals.modalities.images.style import Mapping, StyleCritic, StyledLayer, StyleGenerator, smooth

SIZES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 64), (4, 9, 13)]


def count(network):
    return sum(part.numel() for part in network.parameters())


def test_at_256_both_have_the_published_number_of_parameters():
    with torch.device("meta"):
        generator, critic = StyleGenerator((3, 256, 256)), StyleCritic((3, 256, 256))
        assert critic(generator(torch.randn(4, 512)).picture).logits[0].shape == (4, 1)
    assert count(generator) == 24_767_458  # 24.77M
    assert count(critic) == 24_001_089  # 24.00M


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("classes", [0, 3])
def test_the_generator_makes_every_size_and_every_weight_learns(shape, classes):
    torch.manual_seed(0)
    generator = StyleGenerator(shape, latent=5, classes=classes, width=4, mapping_layers=2)
    made = generator(torch.randn(3, 5), torch.tensor([0, 2, 1]) if classes else None)
    assert made.picture.shape == (3, *shape)
    assert made.picture.std().item() == pytest.approx(1, abs=0.8)
    made.picture.square().sum().backward()
    silent = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_r1_passes_through_the_critic_at_every_size_to_every_weight_before_the_head(shape, condition):
    torch.manual_seed(0)
    critic = StyleCritic(shape, classes=3, condition=condition, width=4)
    real, cond = torch.randn(4, *shape, requires_grad=True), torch.tensor([0, 2, 1, 0])
    loss = r1(Round(critic, real, real, cond, real, real))
    loss.backward()
    assert loss > 0
    shifts = ("bias", "planes.embed.weight", "classify.weight", "classify.bias")  # piecewise constant in these
    silent = [n for n, p in critic.named_parameters() if not n.endswith(shifts) and not p.grad.abs().max() > 0]
    assert silent == []


def test_r1_is_the_gradient_by_differences():
    torch.manual_seed(1)
    critic = StyleCritic((1, 8, 8), width=2).double()
    real = torch.randn(2, 1, 8, 8).double().requires_grad_()
    found = r1(Round(critic, real, real, None, real, real)).item()
    step, total = 1e-4, 0.0  # the deviation is taken in float32
    with torch.no_grad():
        for at in range(real.numel()):
            shift = torch.zeros(real.numel()).double()
            shift[at] = step
            shift = shift.view_as(real)
            total += ((critic(real + shift).logits[0] - critic(real - shift).logits[0]).sum() / (2 * step)).item() ** 2
    assert found == pytest.approx(total / len(real) / 2, rel=1e-3)


def test_one_sample_alone_can_be_judged():
    critic = StyleCritic((3, 9, 13), width=4).eval()
    assert torch.isfinite(critic(torch.randn(1, 3, 9, 13)).logits[0]).all()


def test_the_critic_sees_a_batch_of_copies():
    torch.manual_seed(0)
    critic, x = StyleCritic((1, 8, 8), width=4), torch.randn(4, 1, 8, 8)
    alone, copies = critic(x).logits[0][0], critic(x[:1].expand(4, -1, -1, -1)).logits[0][0]
    assert not torch.equal(alone, copies)


@pytest.mark.parametrize("train", [True, False])
def test_the_same_seed_makes_the_same_pictures_with_the_same_noise(train):
    torch.manual_seed(0)
    generator, z = StyleGenerator((1, 8, 8), latent=4, width=4, mapping_layers=2).train(train), torch.randn(2, 4)
    with torch.no_grad():
        for name, part in generator.named_parameters():
            if name.endswith("strength"):
                part.fill_(1.0)

        def made(seed):
            torch.manual_seed(seed)
            return generator(z).picture

        assert torch.equal(made(1), made(1))
        assert not torch.equal(made(1), made(2))


def test_only_the_direction_of_z_counts():
    mapping, z = Mapping(6, 0, 2), torch.randn(3, 6)
    torch.testing.assert_close(mapping(z, None), mapping(7 * z, None))


def test_a_class_changes_the_style():
    mapping, z = Mapping(6, 3, 2), torch.randn(1, 6).expand(3, -1)
    styles = mapping(z, torch.tensor([0, 1, 2]))
    assert all(not torch.equal(a, b) for a, b in pairwise(styles))


def test_noise_is_one_plane_for_all_channels_scaled_by_the_learned_strength():
    layer = StyledLayer(3, 3, style=2)
    nn.init.zeros_(layer.conv.conv.weight)
    nn.init.constant_(layer.strength, 0.5)
    torch.manual_seed(3)
    made = layer(torch.randn(4, 3, 6, 6), torch.randn(4, 2))
    torch.manual_seed(3)
    torch.randn(4, 3, 6, 6), torch.randn(4, 2)
    noise = 0.5 * torch.randn(4, 1, 6, 6)
    expected = torch.where(noise > 0, noise, 0.2 * noise) * 2**0.5
    torch.testing.assert_close(made, expected.expand(-1, 3, -1, -1))


def test_smoothing_is_the_published_filter():
    tap = torch.tensor([1.0, 3, 3, 1]) / 8
    kernel = (tap[:, None] * tap).expand(1, 1, 4, 4)
    x = torch.randn(2, 1, 6, 8)
    torch.testing.assert_close(smooth(x), torch.nn.functional.conv2d(x, kernel, padding=2))
