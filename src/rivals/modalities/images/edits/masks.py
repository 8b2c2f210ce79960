"""Holes in pictures, for learning to fill them: seeded strokes and boxes."""

import math

import torch
from torch import Tensor

CORNERS = 8  # of a line, at most


def strokes(count: int, height: int, width: int, share: float, random: torch.Generator) -> Tensor:
    """Masks (count, 1, height, width) of thick polylines, 1 where there is a hole.

    Lines are drawn until at least `share` of a mask's pixels is covered: of up to eight bends, a twentieth
    to a fifth of the shorter side thick, as in free-form inpainting (Yu et al., 2019; Suvorov et al., 2022).

    `share` lies in (0, 0.9].
    """
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    side = min(height, width)
    made = torch.zeros(count, 1, height, width)
    for mask in made:
        while mask.mean() < share:
            thick = side * float(torch.empty(1).uniform_(0.05, 0.2, generator=random)) / 2
            y, x = (torch.rand(2, generator=random) * torch.tensor([height, width])).tolist()
            angle = 2 * math.pi * float(torch.rand(1, generator=random))
            for _ in range(int(torch.randint(2, CORNERS, (1,), generator=random))):
                angle += float(torch.randn(1, generator=random)) * 0.9
                length = side * float(torch.empty(1).uniform_(0.1, 0.35, generator=random))
                end = (y + length * math.sin(angle), x + length * math.cos(angle))
                mask[0][near_segment(rows, columns, (y, x), end) <= thick] = 1
                y, x = min(max(end[0], 0.0), float(height)), min(max(end[1], 0.0), float(width))
                if mask.mean() >= share:
                    break
    return made


def near_segment(rows: Tensor, columns: Tensor, begin: tuple[float, float], end: tuple[float, float]) -> Tensor:
    """Distance of every pixel's middle from a line between two points (row, column), (height, width)."""
    along = (end[0] - begin[0], end[1] - begin[1])
    squared = along[0] ** 2 + along[1] ** 2 or 1e-9
    place = ((rows - begin[0]) * along[0] + (columns - begin[1]) * along[1]) / squared
    place = place.clamp(0, 1)
    return torch.hypot(rows - begin[0] - place * along[0], columns - begin[1] - place * along[1])


def boxes(count: int, height: int, width: int, share: float, random: torch.Generator) -> Tensor:
    """Masks (count, 1, height, width) of upright boxes, 1 where there is a hole, until `share` of the pixels is."""
    made = torch.zeros(count, 1, height, width)
    for mask in made:
        while mask.mean() < share:
            tall, wide = (
                max(round(side * float(torch.empty(1).uniform_(0.1, 0.5, generator=random))), 1)
                for side in (height, width)
            )
            top = int(torch.randint(0, height - tall + 1, (1,), generator=random))
            left = int(torch.randint(0, width - wide + 1, (1,), generator=random))
            mask[0, top : top + tall, left : left + wide] = 1
    return made
