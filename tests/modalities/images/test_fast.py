import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from rivals.engine.errors import RequestError
from rivals.engine.terms import r1
from rivals.engine.types import Round
from rivals.layers.condition import CONDITIONS
from rivals.modalities.images.fast import Decoder, Excite, FastCritic, FastGenerator, PatchHead, quarter, resized

SIZES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 64), (4, 9, 13)]


def test_excitation_is_a_gate_for_each_channel_from_the_coarse_features():
    torch.manual_seed(0)
    layer = Excite(3, 5)
    low, high = torch.randn(2, 3, 8, 12), torch.randn(2, 5, 32, 48)
    pooled = low.unfold(2, 2, 2).unfold(3, 3, 3).mean((-2, -1))  # 4x4
    first, second = layer.gate[1], layer.gate[3]
    hidden = torch.einsum("bchw,ochw->bo", pooled, first.weight) + first.bias
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    gates = torch.sigmoid(hidden @ second.weight[:, :, 0, 0].T + second.bias)
    torch.testing.assert_close(layer(low, high), high * gates[:, :, None, None])


@pytest.mark.parametrize(
    ("size", "gap", "links"), [(8, 1, 1), (16, 1, 2), (32, 2, 2), (64, 3, 2), (128, 4, 2), (256, 4, 3)]
)
def test_which_stages_excite_which(size, gap, links):
    with torch.device("meta"):
        generator = FastGenerator((3, size, size))
        assert generator(torch.randn(2, 256)).shape == (2, 3, size, size)
    assert (generator.gap, len(generator.skips)) == (gap, links)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("classes", [0, 3])
def test_the_generator_makes_every_size_and_every_weight_learns(shape, classes):
    torch.manual_seed(0)
    generator = FastGenerator(shape, latent=5, classes=classes, width=4)
    made = generator(torch.randn(3, 5), torch.tensor([0, 2, 1]) if classes else None)
    assert made.shape == (3, *shape)
    assert made.abs().max() <= 1
    made.square().sum().backward()
    assert [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert generator.eval()(torch.randn(1, 5), torch.tensor([1]) if classes else None).shape == (1, *shape)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_r1_passes_through_the_critic_and_the_drawings_have_the_size_of_what_they_draw(shape, condition):
    torch.manual_seed(0)
    critic = FastCritic(shape, classes=3, condition=condition, width=4)
    real, cond = torch.randn(3, *shape, requires_grad=True), torch.tensor([0, 2, 1])
    game_round = Round(critic, real, real, cond, real, real)
    loss = r1(game_round)
    loss.backward()
    assert loss > 0
    assert critic.stem[0].weight.grad.abs().max() > 0
    whole, whole_seen, part, part_seen = game_round.on_real.features
    assert whole.shape == whole_seen.shape
    assert part.shape == part_seen.shape
    assert not whole_seen.requires_grad
    verdict = critic.eval()(real[:1], cond[:1])
    assert verdict.features == ()
    assert (verdict.aux is not None) == (condition == "auxiliary")


def test_the_critic_draws_128_pixels_at_256_and_judges_25_patches_as_published():
    with torch.device("meta"):
        verdict = FastCritic((3, 256, 256))(torch.randn(2, 3, 256, 256))
    assert [tuple(part.shape) for part in verdict.features] == 4 * [(2, 3, 128, 128)]
    assert verdict.logits[0].shape == (2, 25)


def test_without_batch_norm_a_sample_is_judged_alone():
    critic, x = FastCritic((1, 9, 11), width=4, norm="none"), torch.randn(3, 1, 9, 11)
    torch.testing.assert_close(critic(x[1:2]).logits[0], critic(x).logits[0][1:2], rtol=1e-4, atol=1e-5)


def test_an_unknown_condition_or_norm_is_refused():
    with pytest.raises(RequestError, match="no condition 'film'"):
        FastCritic((1, 8, 8), classes=2, condition="film")
    with pytest.raises(RequestError, match="no normalisation 'group'"):
        FastCritic((1, 8, 8), norm="group")


@pytest.mark.parametrize("condition", ["concat", "projection"])
def test_the_critic_hears_the_label(condition):
    torch.manual_seed(0)
    critic, x = FastCritic((1, 8, 8), classes=3, condition=condition, width=4).eval(), torch.randn(1, 1, 8, 8)
    assert not torch.equal(critic(x, torch.tensor([0])).logits[0], critic(x, torch.tensor([1])).logits[0])


def test_patch_logits_are_those_of_a_convolution():
    torch.manual_seed(0)
    head, x = PatchHead(3, (6, 7), 0, "none"), torch.randn(2, 3, 6, 7)
    linear = head.head.logit
    expected = F.conv2d(x, linear.weight.view(1, 3, 4, 4), linear.bias)
    torch.testing.assert_close(head(x, None).logits[0], expected.flatten(1))


def test_patches_of_a_sample_share_its_label():
    torch.manual_seed(0)
    head, x = PatchHead(2, (5, 5), 3, "projection"), torch.randn(1, 2, 5, 5).expand(2, -1, -1, -1)
    first, second = head(x, torch.tensor([0, 2])).logits[0]
    patches = F.unfold(x[:1], 4)[0].T
    difference = patches @ (head.head.project.weight[0] - head.head.project.weight[2])
    torch.testing.assert_close(first - second, difference, rtol=1e-4, atol=1e-5)


@given(height=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=20)
def test_quarters_are_the_four_corners_and_cover_all(height, width):
    x = torch.arange(float(height * width)).view(1, 1, height, width).expand(4, -1, -1, -1)
    corners = quarter(x, torch.arange(4))
    assert corners.shape == (4, 1, (height + 1) // 2, (width + 1) // 2)
    assert set(corners.flatten().tolist()) == set(range(height * width))
    assert [corners[at, 0].flatten()[end].item() for at, end in [(0, 0), (3, -1)]] == [0, height * width - 1]
    assert corners[1, 0, 0, -1] == width - 1
    assert corners[2, 0, -1, 0] == (height - 1) * width


def test_the_part_drawn_is_the_part_seen():
    torch.manual_seed(0)
    critic = FastCritic((1, 16, 16), width=4)
    x = torch.zeros(64, 1, 16, 16)
    x[:, :, :8, 8:] = 1  # one corner
    middle = F.avg_pool2d(x, 2).expand(-1, 3, -1, -1)
    critic.part = torch.nn.Identity()
    critic.whole = torch.nn.Identity()
    _, _, part, seen = critic.draw(middle, middle, x)
    torch.testing.assert_close(part[:, :1], seen)
    assert 0.1 < seen.mean() < 0.4  # corners at random


def test_what_was_seen_is_smoothed_when_it_shrinks():
    x = (torch.arange(16).view(1, 1, 1, 16) % 2).float().expand(1, 1, 16, 16)
    assert (resized(x, torch.zeros(1, 1, 4, 4)) - 0.5).abs().max() < 0.2


@pytest.mark.parametrize(("times", "size"), [(0, 3), (2, 12), (4, 48), (6, 48)])
def test_a_decoder_doubles_at_most_four_times(times, size):
    with torch.device("meta"):
        assert Decoder(32, 3, times, "batch")(torch.randn(2, 32, 3, 3)).shape == (2, 3, size, size)
