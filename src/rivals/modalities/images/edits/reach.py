"""What a network needs to edit in pieces: memory for a pixel, how far it looks, statistics that all pieces share."""

import copy
import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.utils._python_dispatch import TorchDispatchMode  # as torch's own counter of operations uses it
from torch.utils._pytree import tree_leaves

from .tiles import Work

SPARE = 1.4  # of what tensors take: what an allocator keeps, and what isn't seen here
BLOCK = 16  # channels
SHOWN = 0.25  # levels of 255 below which nobody sees a difference


class Live(TorchDispatchMode):
    """Watches how many bytes of tensors are alive at once; `peak` is the most there were.

    A convolution is counted with a second copy of what goes in and comes out: CPU kernels make one in a layout of their
    own, with channels in blocks of 16.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: Counter[int] = Counter()
        self.now = self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and count what it makes."""
        out = function(*args, **(kwargs or {}))
        made = [part for part in tree_leaves(out) if isinstance(part, Tensor)]
        for part in made:
            self.meet(part)
        copied = 0
        if "conv" in str(function):
            copied = sum(part.nbytes * -(-part.shape[1] // BLOCK) * BLOCK // part.shape[1] for part in (args[0], *made))
        self.peak = max(self.peak, self.now + copied)
        return out

    def meet(self, part: Tensor) -> None:
        """Count a tensor's memory until no tensor looks at it any more."""
        storage = part.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        if not self.held[key]:
            self.now += size
        self.held[key] += 1
        weakref.finalize(part, self.leave, key, size)

    def leave(self, key: int, size: int) -> None:
        """One tensor fewer."""
        self.held[key] -= 1
        if not self.held[key]:
            self.now -= size


def bytes_a_pixel(work: Work, sample: np.ndarray) -> float:
    """Memory that editing takes for a pixel of what is given, found by editing a small sample (h, w, channels)."""
    with Live() as live:
        work(sample)
    return SPARE * live.peak / (sample.shape[0] * sample.shape[1])


def looks(work: Work, strips: Sequence[np.ndarray], cut: int, scale: int) -> int | None:
    """How far a network looks, in pixels of what is given: measured on strips of the picture that it is to edit.

    Each strip is edited whole and without its first columns. What differs shows how far the border is felt.

    Args:
        work: what edits a piece.
        strips: (h, w, channels) each, w larger than `cut`.
        cut: columns that are taken away; a multiple of what the network halves by.
        scale: by which pieces become larger.

    Returns:
        The distance from which on nothing differs by a quarter of a level (of 255), None if there is no such distance
        in the nearer half of the strips.
    """
    most, room = 0, 0
    for strip in strips:
        top = np.iinfo(strip.dtype).max
        differs = np.abs(work(strip)[:, scale * cut :] - work(strip[:, cut:])).max((0, 2))
        seen = np.flatnonzero(differs > SHOWN * top / 255)
        most = max(most, 0 if not len(seen) else int(seen[-1]) // scale + 1)
        room = strip.shape[1] - cut
    return most if most <= room // 2 else None


class Shared(nn.Module):
    """Group normalisation by the statistics of the first batch that it sees, over the whole of it."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.norm = norm
        self.mean: Tensor | None = None
        self.variance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> the same shape."""
        if self.mean is None:
            groups = x.unflatten(1, (self.norm.num_groups, -1))
            variance, mean = torch.var_mean(groups, (0, 2, 3, 4), unbiased=False)
            each = x.shape[1] // self.norm.num_groups
            self.mean, self.variance = mean.repeat_interleave(each), variance.repeat_interleave(each)
        weight, bias = self.norm.weight, self.norm.bias
        return batch_norm(x, self.mean, self.variance, weight, bias, False, 0.0, self.norm.eps)


def normalises_wholes(network: nn.Module) -> bool:
    """Whether a network normalises by statistics of the picture it sees."""
    return any(isinstance(part, nn.GroupNorm) for part in network.modules())


def with_shared_statistics(network: nn.Module) -> nn.Module:
    """A copy that normalises by the statistics of the first batch that it sees, over the whole of it, ever after.

    So the pieces of a picture are normalised alike. The result is not quite that of the whole picture at once: the
    statistics are those of the pieces in that batch.
    """
    made = copy.deepcopy(network)
    for part in list(made.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(part, name, Shared(child))
    return made


def multiple_of(network: nn.Module) -> int:
    """What a network wants its pieces to begin at multiples of; a large power of two where it doesn't say."""
    return max((int(part.multiple) for part in network.modules() if hasattr(part, "multiple")), default=64)  # type: ignore[arg-type]
