import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rivals.engine.errors import RequestError
from rivals.engine.pack import Packed, packed
from rivals.engine.types import Verdict


@given(packs=st.integers(1, 4), pack=st.integers(1, 4), channels=st.integers(1, 3), fast=st.booleans())
def test_neighbours_are_joined_by_their_channels(packs, pack, channels, fast):
    x = torch.randn(packs * pack, channels, 3, 2)
    if fast:
        x = x.contiguous(memory_format=torch.channels_last)
    made = packed(x, pack)
    assert made.shape == (packs, pack * channels, 3, 2)
    for i in range(packs):
        assert torch.equal(made[i], torch.cat([x[i * pack + j] for j in range(pack)]))


@given(packs=st.integers(1, 4), pack=st.integers(2, 5), rest=st.integers(1, 4))
def test_a_batch_that_is_no_multiple_is_refused(packs, pack, rest):
    count = packs * pack + min(rest, pack - 1)
    with pytest.raises(RequestError, match=f"{count} samples.*packs of {pack}"):
        packed(torch.zeros(count, 1, 2, 2), pack)


class Sum(nn.Module):
    """A critic that shows what it saw."""

    def forward(self, sample, cond=None):
        return Verdict((sample.flatten(1).sum(1, keepdim=True),), (sample,))


def test_a_packed_critic_judges_packs():
    x = torch.randn(6, 2, 3, 3)
    verdict = Packed(Sum(), 3)(x, None)
    torch.testing.assert_close(verdict.logits[0], x.flatten(1).sum(1).view(2, 3).sum(1, keepdim=True))
    assert verdict.features[0].shape == (2, 6, 3, 3)


def test_packs_take_no_labels():
    with pytest.raises(RequestError, match="labels"):
        Packed(Sum(), 2)(torch.zeros(4, 1, 2, 2), torch.zeros(4, dtype=torch.int64))
