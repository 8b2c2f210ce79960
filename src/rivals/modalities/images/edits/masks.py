"""Holes in pictures, for learning to fill them: seeded strokes and boxes."""

import math

import torch
from torch import Tensor

from .degrade import Range

CORNERS = 8  # of a line, at most
LONG = 2.0  # parts of a line, and sides of boxes, over how thick lines are


def strokes(count: int, height: int, width: int, share: float, thick: Range, random: torch.Generator) -> Tensor:
    """Masks (count, 1, height, width) of thick polylines, 1 where there is a hole.

    Lines are drawn until at least `share` of a mask's pixels is covered, of up to eight bends, as in free-form
    inpainting (Yu et al., 2019; Suvorov et al., 2022). How large they are does not depend on the picture, so that
    pictures are judged on holes like those of the crops that are learned from.

    `share` lies in (0, 0.9]; `thick` is in pixels, least and most, and parts between two bends are twice that long.
    """
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    made = torch.zeros(count, 1, height, width)
    for mask in made:
        while mask.mean() < share:
            radius = float(torch.empty(1).uniform_(*thick, generator=random)) / 2
            y, x = (torch.rand(2, generator=random) * torch.tensor([height, width])).tolist()
            angle = 2 * math.pi * float(torch.rand(1, generator=random))
            for _ in range(int(torch.randint(2, CORNERS, (1,), generator=random))):
                angle += float(torch.randn(1, generator=random)) * 0.9
                length = LONG * float(torch.empty(1).uniform_(*thick, generator=random))
                end = (y + length * math.sin(angle), x + length * math.cos(angle))
                down, across = (box(pair, radius) for pair in ((y, end[0]), (x, end[1])))
                near = near_segment(rows[down], columns[:, across], (y, x), end) <= radius
                mask[0, down, across][near] = 1
                y, x = min(max(end[0], 0.0), float(height)), min(max(end[1], 0.0), float(width))
                if mask.mean() >= share:
                    break
    return made


def box(pair: tuple[float, float], radius: float) -> slice:
    """Where a part of a line between two places may lie: all else need not be looked at."""
    return slice(max(int(min(pair) - radius) - 1, 0), max(int(max(pair) + radius) + 2, 0))


def near_segment(rows: Tensor, columns: Tensor, begin: tuple[float, float], end: tuple[float, float]) -> Tensor:
    """Distance of every pixel's middle from a line between two points (row, column), (height, width)."""
    along = (end[0] - begin[0], end[1] - begin[1])
    squared = along[0] ** 2 + along[1] ** 2 or 1e-9
    place = ((rows - begin[0]) * along[0] + (columns - begin[1]) * along[1]) / squared
    place = place.clamp(0, 1)
    return torch.hypot(rows - begin[0] - place * along[0], columns - begin[1] - place * along[1])


def boxes(count: int, height: int, width: int, share: float, thick: Range, random: torch.Generator) -> Tensor:
    """Masks (count, 1, height, width) of upright boxes, 1 where there is a hole, until `share` of the pixels is.

    Sides are twice as long as `strokes` are thick.
    """
    made = torch.zeros(count, 1, height, width)
    for mask in made:
        while mask.mean() < share:
            tall, wide = (
                min(max(round(LONG * float(torch.empty(1).uniform_(*thick, generator=random))), 1), side)
                for side in (height, width)
            )
            top = int(torch.randint(0, height - tall + 1, (1,), generator=random))
            left = int(torch.randint(0, width - wide + 1, (1,), generator=random))
            mask[0, top : top + tall, left : left + wide] = 1
    return made
