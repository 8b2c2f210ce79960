"""The random numbers of an augmentation."""

from typing import NamedTuple

import torch
from torch import Tensor

EACH = 3  # numbers that one operation may use a picture


class Luck(NamedTuple):
    """What one operation draws: numbers (3, batch) that are 0 where it is not applied, and `on` (batch,), 0 or 1.

    `uniform` is in [-1, 1), `normal` standard normal. Both come from the same draw: an operation uses one of them.
    """

    uniform: Tensor
    normal: Tensor
    on: Tensor


def lucks(drawn: Tensor, strength: float | Tensor) -> list[Luck]:
    """One for each operation, from uniform numbers in [0, 1), (batch, operations, 4): one says if, three say how.

    Normal numbers are cut off at 4.9 deviations.
    """
    first, *others = drawn.permute(2, 1, 0)  # (operations, batch) each
    on = (first < strength).to(drawn.dtype)
    uniform = 2 * torch.stack(others, 1) - 1
    gate = on[:, None]
    return [Luck(*parts) for parts in zip(uniform * gate, normal(uniform) * gate, on, strict=True)]


def normal(uniform: Tensor) -> Tensor:
    """Uniform in [-1, 1) -> standard normal, by the inverse of its distribution."""
    return torch.erfinv(uniform.clamp(-1 + 1e-6, 1 - 1e-6)) * 2**0.5
