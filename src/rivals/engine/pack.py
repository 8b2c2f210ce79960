"""Packs: a critic that sees several samples of one side at once (Lin et al., 2018, PacGAN)."""

from torch import Tensor, nn

from .errors import RequestError
from .types import Sample, Verdict, each, size


def packed(sample: Sample, pack: int) -> Sample:
    """Samples (n, channels, ...) as packs (n / pack, pack * channels, ...).

    Raises:
        RequestError: n is no multiple of `pack`.
    """
    if size(sample) % pack:
        raise RequestError(f"{size(sample)} samples can't be made up of packs of {pack}")
    return each(lambda part: part.reshape(-1, pack * part.shape[1], *part.shape[2:]), sample)


class Packed(nn.Module):
    """A critic for packs, shown single samples: one verdict for each `pack` of them.

    Conditions that are rows of numbers are packed like the samples; class numbers can't be.
    """

    def __init__(self, critic: nn.Module, pack: int) -> None:
        super().__init__()
        self.critic, self.pack = critic, pack

    def forward(self, sample: Sample, cond: Tensor | None = None) -> Verdict:
        """(batch, channels, ...) -> Verdict on (batch / pack) packs."""
        if cond is not None and cond.ndim < 2:
            raise RequestError("packs take no labels: leave pack at 1, or the labels out")
        both = None if cond is None else cond.reshape(len(cond) // self.pack, self.pack * cond.shape[1])
        verdict: Verdict = self.critic(packed(sample, self.pack), both)
        return verdict
