"""Terms for edited pictures, against closed forms and by what they are for."""

import math

import pytest
import torch
from torch import nn

from rivals.engine.errors import RequestError
from rivals.engine.types import Round
from rivals.modalities.images.edits import terms
from rivals.modalities.images.edits.translate import ResnetEditor
from rivals.modalities.images.measures import ms_ssim


def round_of(fake, real=None, cond=None, raw=None):
    return Round(lambda *_: None, fake if real is None else real, fake, cond, fake if raw is None else raw, fake)


def picture(seed=0, size=48):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_charbonnier_is_a_smooth_distance():
    a = picture()
    assert float(terms.charbonnier(round_of(a, a))) == pytest.approx(1e-3)
    assert float(terms.charbonnier(round_of(a + 0.5, a))) == pytest.approx(math.sqrt(0.25 + 1e-6), rel=1e-4)


def test_structure_is_one_less_ms_ssim():
    a = picture()
    b = (0.8 * a + 0.2 * picture(1)).requires_grad_()
    found = terms.structure(round_of(b, a))
    torch.testing.assert_close(found, 1 - ms_ssim(b, a).mean())
    found.backward()
    assert torch.isfinite(b.grad).all()
    assert float(terms.structure(round_of(a, a))) == pytest.approx(0, abs=1e-6)


def test_opposed_structure_still_has_a_gradient():
    a = picture()
    b = (-a).requires_grad_()
    terms.structure(round_of(b, a)).backward()
    assert torch.isfinite(b.grad).all()
    with pytest.raises(RequestError, match="at least 11 pixels"):
        terms.structure(round_of(a[..., :9, :9], a[..., :9, :9]))


def test_steps_are_counted_once():
    x = torch.zeros(1, 1, 4, 4)
    x[..., 2:, :] = 1
    assert float(terms.smooth(round_of(x))) == pytest.approx(1 / 3)


def test_contrast_of_vectors_that_are_alike_only_at_their_place():
    same = torch.eye(16).reshape(1, 16, 4, 4)
    found = float(terms.contrast([same], [same], [nn.Identity()]))
    assert found == pytest.approx(math.log1p(15 * math.exp(-1 / terms.TEMPERATURE)), abs=1e-6)
    torch.manual_seed(0)
    flat = torch.ones(1, 8, 4, 4)
    assert float(terms.contrast([flat], [flat], [nn.Identity()])) == pytest.approx(math.log(16), rel=1e-4)


def test_contrast_is_the_published_one_by_loops():
    """Park et al., 2020, eq. 3: -log of each query's share of the softmax by hand, negatives from its own picture."""
    torch.manual_seed(0)
    made, given = torch.randn(2, 6, 3, 4), torch.randn(2, 6, 3, 4)
    head = nn.Linear(6, 5)
    losses = []
    for query, key in zip(made, given, strict=True):
        q, k = (head(x.flatten(1).T).detach().double().numpy() for x in (query, key))
        for place in range(12):
            cosines = [float(q[place] @ other / (q[place] @ q[place] * (other @ other)) ** 0.5) for other in k]
            shares = [math.exp(cosine / 0.07) for cosine in cosines]
            losses.append(-math.log(shares[place] / sum(shares)))
    found = float(terms.contrast([made], [given], [head]).detach())
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_mirrored_contrast_is_the_same_for_a_network_that_mirrors_along():
    network = ResnetEditor((3, 16, 16), 3, width=4, blocks=2, projected=8)
    for part in network.modules():  # filters that are their own mirror images
        if isinstance(part, nn.Conv2d):
            part.weight.data = (part.weight.data + part.weight.data.flip(3)) / 2
    cond = picture(size=16)
    raw = network(torch.zeros(2, 0), cond)
    game_round = round_of(raw.picture, picture(3, 16), cond, raw)
    with torch.no_grad():
        plain = float(terms.patch_nce(game_round))
        values = []
        for seed in range(8):
            torch.manual_seed(seed)
            mirrored = float(torch.rand(())) >= 0.5
            torch.manual_seed(seed)
            values.append((mirrored, float(terms.flip_nce(game_round))))
    assert {mirrored for mirrored, _ in values} == {True, False}
    for _, value in values:  # all 256 places are compared, whatever their order
        assert value == pytest.approx(plain, rel=1e-3)


def test_no_gradient_goes_into_the_originals():
    made, given = (torch.randn(1, 4, 3, 3, requires_grad=True) for _ in range(2))
    terms.contrast([made], [given], [nn.Identity()]).backward()
    assert given.grad is None
    assert made.grad.abs().sum() > 0


def test_terms_that_look_inside_the_generator():
    network = ResnetEditor((3, 32, 32), 3, width=4, blocks=2, projected=8)
    cond = picture(size=32)
    raw = network(torch.zeros(2, 0), cond)
    game_round = round_of(raw.picture, picture(3, 32), cond, raw)
    for name in ("patch_nce", "identity_nce", "identity", "colour", "content"):
        network.zero_grad()
        value = terms.TERMS[name](game_round)
        value.backward(retain_graph=True)
        assert torch.isfinite(value)
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters()), name


def test_what_a_term_needs_is_said():
    x = picture()
    with pytest.raises(RequestError, match="patch_nce needs a generator that shows its features"):
        terms.patch_nce(round_of(x))
    with pytest.raises(RequestError, match="colour needs a picture"):
        terms.colour(round_of(x))


def test_content_compares_at_the_size_of_the_original():
    x = torch.arange(64.0).reshape(1, 1, 8, 8) / 64
    small = x.reshape(1, 1, 4, 2, 4, 2).mean((3, 5))
    assert float(terms.content(round_of(x, cond=small))) == pytest.approx(0, abs=1e-6)
