"""A linear layer for perceptrons on a CPU, by the faster of torch's two libraries for products."""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear` by `linear`; for layers that are at least some dozens wide, since smaller ones gain nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """X (n, inputs) -> (n, outputs)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What `torch.nn.functional.linear` gives, as often differentiable, up to the order in which it is summed.

    For single precision on a CPU torch asks MKL, which leaves the wide registers of AMD's processors unused; oneDNN,
    which torch has for convolutions, takes half the time there. So oneDNN makes the product where there are such
    registers (AVX-512), and its gradients too. Everywhere else, inside `torch.func`, `torch.compile` and autocast, and
    where `torch.backends.mkldnn` is switched off, this is torch's own. Gradients are those of backward passes: forward
    mode has none. oneDNN keeps about a megabyte for every number of rows that it has seen.

    Args:
        x: (n, inputs).
        weight: (outputs, inputs).
        bias: (outputs,) or None.
    """
    if fits(x, weight, bias) and quick():
        return _Linear.apply(x, weight, bias)
    return F.linear(x, weight, bias)


def fits(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether oneDNN can make this product; it checks little itself, so all else is torch's, wrong shapes too."""
    given = (x, weight) if bias is None else (x, weight, bias)
    if not all(part.device.type == "cpu" and part.dtype == torch.float32 and part.numel() for part in given):
        return False
    if any(part.layout != torch.strided for part in given):
        return False
    matching = x.ndim == weight.ndim == 2 and x.shape[1] == weight.shape[1]
    return matching and (bias is None or bias.shape == weight.shape[:1])


def quick() -> bool:
    """Whether oneDNN is to be asked, here and now."""
    if torch.compiler.is_compiling():  # before all else, which a compiler can't look into
        return False
    transformed = torch._C._functorch.maybe_current_level() is not None
    allowed = wide() and bool(torch.backends.mkldnn.enabled)
    return allowed and not (transformed or torch.is_autocast_enabled("cpu"))


@cache
def wide() -> bool:
    """Whether this processor has AVX-512, and this torch oneDNN with the product that `torch.compile` also takes."""
    there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return there and torch.backends.cpu.get_cpu_capability() == "AVX512"


class _Linear(torch.autograd.Function):
    """X @ weight.T + bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (slope,), (x, weight) = slopes, ctx.saved_tensors
        return (
            _Back.apply(slope, weight) if wanted(ctx, 0) else None,
            linear(slope.T, x.T) if wanted(ctx, 1) else None,
            slope.sum(0) if wanted(ctx, 2) else None,
        )


class _Back(torch.autograd.Function):
    """Slope @ weight, the gradient at the input. The one for the weight lies as the weight does, which saves a copy."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(slope, weight)
        return product(slope, weight.T)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (second,), (slope, weight) = slopes, ctx.saved_tensors
        return (
            linear(second, weight) if wanted(ctx, 0) else None,
            linear(slope.T, second.T) if wanted(ctx, 1) else None,
        )


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Rows (n, d) by rows (m, d): (n, m), by oneDNN, which takes no strides of a bias.

    It takes any strides of the rows, but is a thousand times slower where the second ones lie in pieces.
    """
    b = b if b.is_contiguous() or b.T.is_contiguous() else b.contiguous()
    return torch.ops.mkldnn._linear_pointwise(a, b, None if bias is None else bias.contiguous(), "none", [], "")


def wanted(ctx: Any, place: int) -> bool:
    """Whether the pass that is running asks for this input's gradient.

    Torch's own layers leave out what is not asked for, such as a critic's weights in a penalty's inner gradient; to one
    of ours it only says which inputs could have gradients.
    """
    if not ctx.needs_input_grad[place]:
        return False
    try:
        return torch._C._will_engine_execute_node(ctx.next_functions[place][0])
    except RuntimeError:  # it can't tell of a leaf that `torch.autograd.grad` was given
        return True
