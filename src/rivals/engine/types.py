"""The values that flow through a game: samples, batches, verdicts and rounds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

Sample = Tensor | tuple[Tensor, ...]
"""One batch of data as the critic sees it: a tensor, or a named tuple of tensors (graphs, records)."""


class Batch(NamedTuple):
    """Real samples and what they are conditioned on (a label, a photo, a spectrogram), if anything."""

    real: Sample
    cond: Tensor | None = None


class Verdict(NamedTuple):
    """What a critic says of a batch.

    One tensor of logits per member, features if it shows them, and as `aux` any further reading: class logits, a
    predicted property, a recovered code.
    """

    logits: tuple[Tensor, ...]
    features: tuple[Tensor, ...] = ()
    aux: Tensor | None = None


Critic = Callable[[Sample, Tensor | None], Verdict]


@dataclass(frozen=True)
class Round:
    """One round of the game, read by every loss term. The critic is asked only when a term looks.

    `raw` is what the generator returned, `fake` what the critic is shown of it, `z` the noise both came from. Where
    `joined`, real and fake are shown in one pass, which is faster and the same unless the critic couples a batch.
    """

    critic: Critic
    real: Sample
    fake: Sample
    cond: Tensor | None
    raw: Any
    z: Tensor
    joined: bool = False

    @cached_property
    def on_real(self) -> Verdict:
        """The critic's verdict on the real samples."""
        return self.on_both[0] if self.joined else self.critic(self.real, self.cond)

    @cached_property
    def on_fake(self) -> Verdict:
        """The critic's verdict on the fakes."""
        return self.on_both[1] if self.joined else self.critic(self.fake, self.cond)

    @cached_property
    def on_both(self) -> tuple[Verdict, Verdict]:
        """Both verdicts, of one pass over real and fake together."""
        both = each(lambda real, fake: torch.cat([real, fake]), self.real, self.fake)
        cond = None if self.cond is None else torch.cat([self.cond, self.cond])
        return halves(self.critic(both, cond))


def halves(verdict: Verdict) -> tuple[Verdict, Verdict]:
    """A verdict on as many samples of one kind as of another (or on packs of them), as two."""

    def half(number: int) -> Verdict:
        def cut(part: Tensor) -> Tensor:
            return part.chunk(2)[number]

        aux = None if verdict.aux is None else cut(verdict.aux)
        return Verdict(tuple(map(cut, verdict.logits)), tuple(map(cut, verdict.features)), aux)

    return half(0), half(1)


def squared_gradient(logits: tuple[Tensor, ...], sample: Sample) -> Tensor:
    """Squared norm of the summed logits' gradient, differentiable: one for each sample, or pack of samples (n,)."""
    total = torch.stack([part.float().sum() for part in logits]).sum()
    inputs = [part for part in leaves(sample) if part.requires_grad]
    gradients = torch.autograd.grad(total, inputs, create_graph=True)
    packs = len(logits[0])  # a pack's gradient is that of all its samples
    return torch.stack([gradient.float().square().reshape(packs, -1).sum(1) for gradient in gradients]).sum(0)


def leaves(sample: Sample) -> tuple[Tensor, ...]:
    """The tensors of a sample, whatever its kind."""
    return (sample,) if isinstance(sample, Tensor) else tuple(sample)


def size(sample: Sample) -> int:
    """How many items a sample holds."""
    return len(leaves(sample)[0])


def each(function: Callable[..., Tensor], sample: Sample, *others: Sample) -> Sample:
    """Apply `function` tensor by tensor and put the results back in the shape of `sample`."""
    parts = [function(*group) for group in zip(leaves(sample), *map(leaves, others), strict=True)]
    if isinstance(sample, Tensor):
        return parts[0]
    make = getattr(type(sample), "_make", tuple)  # a named tuple stays what it is
    return make(parts)


def leaf(sample: Sample) -> Sample:
    """Cut the sample off from what made it, ready for gradients with respect to it."""
    return each(point, sample)


def point(part: Tensor) -> Tensor:
    """A tensor to take gradients at, cut off from what made it.

    Inside `torch.func` (see `privacy.py`) no tensor can be marked so: there the samples come marked, and all that is
    made of them is.
    """
    if torch._C._functorch.is_functorch_wrapped_tensor(part):
        return part
    return part.detach().requires_grad_(part.is_floating_point())
