"""A linear classifier on features: what a space knows of classes, taught in a second."""

from collections.abc import Callable

import torch
from torch import Tensor


def linear_probe(features: Tensor, labels: Tensor, classes: int, *, decay: float = 1e-3) -> Callable[[Tensor], Tensor]:
    """Multinomial logistic regression on standardised features (n, d); gives class numbers (m,) for others (m, d)."""
    mean, deviation = features.mean(0), features.std(0).clamp_min(1e-6)
    rows = (features - mean) / deviation
    weight = torch.zeros(classes, rows.shape[1], dtype=rows.dtype, requires_grad=True)
    bias = torch.zeros(classes, dtype=rows.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(rows @ weight.T + bias, labels) + decay * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    fixed, offset = weight.detach(), bias.detach()
    return lambda others: (((others - mean) / deviation) @ fixed.T + offset).argmax(1)
