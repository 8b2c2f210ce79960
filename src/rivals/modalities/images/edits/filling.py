"""Holes filled smoothly from what is around them: where a network for holes begins."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

ROUNDS = 10  # of conjugate gradients at each size: with four times as many, photographs come back no better
LEAST = 1e-6  # of what is divided by


@torch.no_grad()
def filled(pictures: Tensor, mask: Tensor) -> Tensor:
    """Pictures whose holes bend as little as they can: their Laplacian's squares are least (Damelin and Hoang, 2018).

    The answer at half the size is where each size begins (Gortler et al., 1996, The Lumigraph, section 3.4): known
    pixels are averaged again and again, until one is left; then each level fills the holes of the one above it, and
    some rounds of conjugate gradients smooth them.

    Args:
        pictures: (n, channels, h, w) in [-1, 1]; what is in holes counts for nothing.
        mask: (n, 1, h, w), 1 in holes, 0 elsewhere; a picture that is all hole becomes grey.

    Returns:
        (n, channels, h, w) in [-1, 1], which outside of holes are the pictures.
    """
    weight = 1 - mask
    levels = [(pictures * weight, weight)]
    while max(levels[-1][0].shape[2:]) > 1:
        colours, weight = (avg_pool2d(x, 2, ceil_mode=True) for x in levels[-1])
        surer = (4 * weight).clamp(max=1) / weight.clamp(min=LEAST)  # of four pixels one that is known is enough
        levels.append((colours * surer, weight * surer))
    colours, weight = levels.pop()
    found = colours / weight.clamp(min=LEAST)
    for colours, weight in reversed(levels):
        larger = interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)
        found = colours + (1 - weight) * larger[..., : colours.shape[2], : colours.shape[3]]
        found = relaxed(found, (weight == 0).to(found), ROUNDS)
    return found.clamp(-1, 1)


def relaxed(x: Tensor, free: Tensor, rounds: int) -> Tensor:
    """Conjugate gradients towards the least sum of the Laplacian's squares, (n, c, h, w), each channel by itself.

    Args:
        x: where to begin.
        free: (n, 1, h, w), 1 where x may change, 0 elsewhere.
        rounds: how many steps.
    """
    left = -free * laplacian(laplacian(x))
    way, square = left, total(left * left)
    for _ in range(rounds):
        bent = free * laplacian(laplacian(way))
        step = square / total(way * bent).clamp(min=LEAST**2)
        x, left = x + step * way, left - step * bent
        square, before = total(left * left), square
        way = left + square / before.clamp(min=LEAST**2) * way
    return x


def laplacian(x: Tensor) -> Tensor:
    """How much the four neighbours of each pixel lie above it, (n, c, h, w); a neighbour beyond the border does not."""
    wide = pad(x, (1, 1, 1, 1), mode="replicate")
    return wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1] + wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:] - 4 * x


def total(x: Tensor) -> Tensor:
    """(n, c, h, w) -> the sum of each channel, (n, c, 1, 1)."""
    return x.sum((2, 3), keepdim=True)
