"""The scripts that the docs show run as they stand."""

import re
from pathlib import Path

import torch

DOCS = Path(__file__).parents[1] / "docs"


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.S)


def test_own_script_learns_all_eight_points_of_the_ring():
    (script,) = blocks("own-script.md")
    place: dict = {}
    exec(compile(script, "own-script.md", "exec"), place)
    points = place["points"].detach()
    angle = torch.arange(8) * torch.pi / 4
    centres = torch.stack([angle.cos(), angle.sin()], 1)
    distance, mode = torch.cdist(points, centres).min(1)
    near = distance < 0.2
    assert near.float().mean() > 0.7
    assert len(mode[near].unique()) == 8


def test_own_script_is_about_thirty_lines():
    (script,) = blocks("own-script.md")
    lines = [line for line in script.splitlines() if line.strip()]
    assert len(lines) <= 34
