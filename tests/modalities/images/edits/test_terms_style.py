"""Taking over a style: Gram matrices and content against a computation by hand, whatever the layers are."""

import numpy as np
import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.engine.types import Round
from rivals.modalities.images.edits import terms_style


def round_of(fake, real, cond=None):
    return Round(lambda *_: None, real, fake, cond, fake, fake)


def picture(seed, size=8):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(autouse=True)
def _plain_layers(monkeypatch):
    """Layers that anybody can compute: the picture, its square, itself again turned round, and its negative."""
    monkeypatch.setattr(terms_style, "maps", lambda x: [x, x.square(), x.flip(2), -x])


def gram(x):
    """Mean products of channels over places, by loops."""
    channels, height, width = x.shape
    return np.array(
        [[sum(x[a, i, j] * x[b, i, j] for i in range(height) for j in range(width)) / (height * width)
          for b in range(channels)] for a in range(channels)]
    )  # fmt: skip


def test_style_is_the_relative_distance_of_gram_matrices():
    fake, real = picture(0), picture(1)
    expected = []
    for layer in (lambda x: x, np.square, lambda x: x, lambda x: -x):  # turning round changes no mean product
        made, wanted = ([gram(layer(x)) for x in some.double().numpy()] for some in (fake, real))
        mean = sum(wanted) / len(wanted)
        expected.append(np.mean([((one - mean) ** 2).sum() for one in made]) / (mean**2).sum())
    assert float(terms_style.style(round_of(fake, real))) == pytest.approx(np.mean(expected), rel=1e-5)


def test_style_does_not_care_where_things_are():
    real = picture(1)[:1]
    moved = real.flatten(2)[:, :, torch.randperm(64, generator=torch.Generator().manual_seed(0))].reshape(real.shape)
    assert float(terms_style.style(round_of(moved, real))) == pytest.approx(0, abs=1e-9)
    assert float(terms_style.subject(round_of(moved, real, real))) > 0.1


def test_the_subject_is_that_of_what_was_given():
    given = picture(2)
    assert float(terms_style.subject(round_of(given, picture(1), given))) == 0
    assert float(terms_style.subject(round_of(3 * given, picture(1), given))) == pytest.approx(0, abs=1e-6)
    one, two = (x.flip(2) / x.square().mean(1, keepdim=True).sqrt().flip(2) for x in (picture(0), given))
    value = float(terms_style.subject(round_of(picture(0), picture(1), given)))
    assert value == pytest.approx(float((one - two).abs().mean()), rel=1e-5)
    with pytest.raises(RequestError, match="subject needs a picture to edit"):
        terms_style.subject(round_of(given, given))


def test_gradients_reach_the_fake_and_not_the_real():
    fake, real = picture(0).requires_grad_(), picture(1).requires_grad_()
    (terms_style.style(round_of(fake, real)) + terms_style.subject(round_of(fake, real, picture(2)))).backward()
    assert fake.grad.abs().sum() > 0
    assert real.grad is None
