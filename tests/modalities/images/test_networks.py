import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.layers.condition import CONDITIONS
from rivals.modalities.images import Images
from rivals.modalities.images.networks import ConvGenerator, crop, doublings, stage_widths, start_size

sizes = st.integers(4, 70)
NAMES = ("dcgan", "mlp", "r3gan")  # the others have tests of their own


def options(make, **wanted):
    return {name: value for name, value in wanted.items() if name in inspect.signature(make).parameters}


def labels_of(classes):
    return torch.tensor([0, classes - 1, 1]) if classes else None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(
    height=sizes,
    width=sizes,
    channels=st.integers(1, 4),
    classes=st.sampled_from([0, 3]),
    norm=st.sampled_from(["batch", "none"]),
)
def test_a_generator_makes_the_exact_shape_and_all_of_it_learns(name, height, width, channels, classes, norm):
    make = Images.generators[name]
    network = make((channels, height, width), latent=5, classes=classes, **options(make, width=4, norm=norm))
    made = network(torch.randn(3, 5), labels_of(classes))
    assert made.shape == (3, channels, height, width)
    assert torch.isfinite(made).all()
    (made * torch.randn_like(made)).sum().backward()
    for part, parameter in network.named_parameters():
        # a block begins as the identity: what is before its last convolution learns from the second step on
        assert parameter.grad is not None, part
        assert torch.isfinite(parameter.grad).all(), part


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(
    height=sizes, width=sizes, channels=st.integers(1, 4), classes=st.sampled_from([0, 3]),
    condition=st.sampled_from(CONDITIONS), norm=st.sampled_from(["batch", "none"]),
)  # fmt: skip
def test_a_critic_judges_every_shape_under_every_condition(name, height, width, channels, classes, condition, norm):
    make = Images.critics[name]
    network = make((channels, height, width), classes=classes, condition=condition, **options(make, width=4, norm=norm))
    x = torch.randn(3, channels, height, width, requires_grad=True)
    verdict = network(x, labels_of(classes))
    (logits,) = verdict.logits
    assert logits.shape == (3, 1)
    assert verdict.features[0].shape[0] == 3
    assert (verdict.aux is not None) == (condition == "auxiliary" and classes > 0)
    total = logits.sum() + (0 if verdict.aux is None else verdict.aux.square().sum())
    total.backward()
    assert torch.isfinite(x.grad).all()
    for part, parameter in network.named_parameters():
        assert parameter.grad is not None, part
        assert torch.isfinite(parameter.grad).all(), part


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [0, 3])
def test_every_weight_of_a_generator_moves_the_picture(name, classes):
    torch.manual_seed(0)
    make = Images.generators[name]
    network = make((2, 16, 12), latent=5, classes=classes, **options(make, width=4, norm="none"))
    with torch.no_grad():
        for part in network.parameters():
            part.add_(0.02 * torch.randn_like(part))
    network(torch.randn(8, 5), torch.arange(8) % 3 if classes else None).square().sum().backward()
    assert [n for n, p in network.named_parameters() if not p.grad.abs().max() > 0] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_logit_of_an_item_does_not_hang_on_its_neighbours_without_batch_norm(name, condition):
    make = Images.critics[name]
    network = make((1, 9, 11), classes=3, condition=condition, **options(make, width=4, norm="none")).eval()
    x, cond = torch.randn(4, 1, 9, 11), torch.tensor([0, 1, 2, 0])
    whole = network(x, cond).logits[0]
    torch.testing.assert_close(network(x[1:2], cond[1:2]).logits[0], whole[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("condition", ["concat", "projection"])
def test_a_conditional_critic_hears_the_label(name, condition):
    torch.manual_seed(0)
    make = Images.critics[name]
    network = make((1, 8, 8), classes=3, condition=condition, **options(make, width=4, norm="none")).eval()
    with torch.no_grad():
        for part in network.parameters():
            part.add_(0.05 * torch.randn_like(part))
    x = torch.randn(1, 1, 8, 8)
    assert not torch.equal(network(x, torch.tensor([0])).logits[0], network(x, torch.tensor([1])).logits[0])


@given(sizes, sizes)
def test_the_start_covers_the_size_with_less_than_a_doubling_to_spare(height, width):
    start, times = start_size(height, width), 2 ** doublings(height, width)
    for begin, wanted in zip(start, (height, width), strict=True):
        assert 0 <= begin * times - wanted < times
    assert min(start) >= 3


def test_cropping_takes_the_middle():
    x = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 1, 4, 5)
    assert crop(x, 2, 3)[0, 0].tolist() == [[1, 2, 3], [1, 2, 3]]


def test_widths_double_at_most_eightfold():
    assert stage_widths(3, 6) == [3, 6, 12, 24, 24, 24]


@pytest.mark.parametrize("size", [16, 28, 32, 64])
@pytest.mark.parametrize("width", [8, 24, 48])
def test_without_normalisation_the_first_pictures_differ(size, width):
    torch.manual_seed(0)
    generator = ConvGenerator((1, size, size), latent=64, classes=10, width=width, norm="none")
    pictures = generator(torch.randn(128, 64), torch.arange(128) % 10)
    assert float(pictures.detach().std(0).mean()) > 0.2  # nearly all alike with weights of variance 1 / fan_in
