from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.types import Round, Verdict
from rivals.modalities.images.fast import FastCritic
from rivals.modalities.images.style import StyleGenerator
from rivals.modalities.images.terms_style import PathLength, path_lengths, reconstruct


class Raw(NamedTuple):
    picture: Tensor
    styles: Tensor


def of(raw, critic=None, real=None):
    return Round(critic, real, getattr(raw, "picture", raw), None, raw, torch.zeros(1))


def linear(batch=3, shape=(2, 4, 5), width=3):
    matrix = torch.randn(width, 2 * 4 * 5)
    styles = torch.randn(batch, width, requires_grad=True)
    return Raw((styles @ matrix).view(batch, *shape), styles), matrix


def test_lengths_are_those_of_the_jacobian_times_noise():
    torch.manual_seed(0)
    raw, matrix = linear()
    torch.manual_seed(5)
    found = path_lengths(*raw)
    torch.manual_seed(5)
    y = torch.randn(3, 2, 4, 5).flatten(1) / 20**0.5
    torch.testing.assert_close(found, (y @ matrix.T).norm(dim=1))


def test_lengths_of_a_whole_generator_are_those_of_its_explicit_jacobian():
    torch.manual_seed(0)
    generator = StyleGenerator((1, 8, 8), latent=3, width=2, mapping_layers=1).double()
    w = generator.mapping(torch.randn(1, 3).double(), None).detach().requires_grad_()
    generator.mapping = Fixed(w)
    raw = generator(torch.zeros(1, 3).double())
    torch.manual_seed(5)
    found = path_lengths(*raw)
    torch.manual_seed(5)
    y = torch.randn(1, 1, 8, 8).double() / 8

    def picture(style):
        generator.mapping = Fixed(style)
        return generator(torch.zeros(1, 3).double()).picture.flatten()

    jacobian = torch.autograd.functional.jacobian(picture, w)[:, 0]  # (64, 3)
    torch.testing.assert_close(found[0].double(), (jacobian.T @ y.flatten()).norm(), rtol=1e-5, atol=1e-7)


class Fixed(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w = w

    def forward(self, z, cond):
        return self.w


def test_the_penalty_is_the_squared_distance_to_the_running_mean():
    torch.manual_seed(0)
    term, mean = PathLength(), 0.0
    for seed in range(3):
        raw, _ = linear()
        torch.manual_seed(seed)
        found = term(of(raw))
        torch.manual_seed(seed)
        lengths = path_lengths(*raw)
        mean = 0.99 * mean + 0.01 * lengths.mean().item()
        assert term.mean.item() == pytest.approx(mean, rel=1e-5)
        assert found.item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-5)
    assert not term.mean.requires_grad
    assert set(term.state_dict()) == {"mean"}


def test_the_penalty_teaches_the_whole_generator():
    torch.manual_seed(0)
    generator = StyleGenerator((3, 16, 16), latent=4, width=2, mapping_layers=2)
    PathLength()(of(generator(torch.randn(2, 4)))).backward()
    taught = {n for n, p in generator.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert {n for n, _ in generator.named_parameters() if n.endswith("weight")} <= taught


def test_descending_the_penalty_evens_out_the_lengths():
    torch.manual_seed(0)
    matrix = nn.Parameter(torch.randn(2, 16))
    term, optimizer = PathLength(), torch.optim.SGD([matrix], 0.05)
    term.mean.fill_(3.0)
    before = None
    for _ in range(150):
        styles = torch.zeros(16, 2, requires_grad=True)
        loss = term(of(Raw((styles @ matrix).view(16, 1, 4, 4), styles)))
        before = loss.item() if before is None else before
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < before / 2


def test_a_generator_without_styles_is_told_so():
    with pytest.raises(RequestError, match="path_length needs a generator that shows its styles"):
        PathLength()(of(torch.zeros(2, 1, 8, 8)))


def test_reconstruction_is_the_mean_absolute_difference_of_each_pair():
    a, b, c, d = (torch.randn(2, 1, 4, 4) for _ in range(4))
    r = of(None, lambda x, cond: Verdict((x,), (a, b, c, d)), torch.zeros(2, 1))
    torch.testing.assert_close(reconstruct(r), ((a - b).abs().mean() + (c - d).abs().mean()) / 2)


@pytest.mark.parametrize("features", [(), (torch.zeros(2, 3),), (torch.zeros(2, 3), torch.zeros(2, 4))])
def test_a_critic_that_draws_nothing_is_told_so(features):
    r = of(None, lambda x, cond: Verdict((x,), features), torch.zeros(2, 1))
    with pytest.raises(RequestError, match="reconstruct needs a critic"):
        reconstruct(r)


def test_the_critic_learns_to_draw_what_it_saw():
    torch.manual_seed(0)
    critic, real = FastCritic((1, 16, 16), width=8), torch.rand(8, 1, 1, 1) * 2 - 1
    real = real.expand(-1, 1, 16, 16).contiguous()
    optimizer = torch.optim.Adam(critic.parameters(), 5e-3)
    losses = []
    for _ in range(60):
        loss = reconstruct(of(None, critic, real))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
