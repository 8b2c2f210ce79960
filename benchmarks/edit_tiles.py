"""Pictures edited in pieces: how far from the picture edited at once, and how much memory 12 megapixels take.

python benchmarks/edit_tiles.py [likeness | memory]
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from common import write_result
from rivals.engine.build import build_network
from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images.edits import tasks, tiles
from rivals.modalities.images.edits.data import damaged, seeds
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.ways import editor, way
from rivals.modalities.images.edits.whole import Editor, with_mask

PROTOCOL = (
    "The picture is a mosaic of the two photographs of scikit-learn (china, flower; 640 x 427), each mirrored in turn: "
    "2.2 and 12.0 megapixels, 8 bits. Networks are narrow, but for edsr, which is that of ten "
    "minutes; they learned 150 steps of 4 crops of 64 pixels by L1 alone: "
    "enough that they do what their task asks. likeness: a picture of 2.2 megapixels edited at once and in pieces; "
    "differences in levels of 255 over all pixels, borders too; seam: how much the difference changes from pixel to "
    "pixel where two pieces meet, over how much it does elsewhere (1 is no seam). memory: rivals.edit from a file to a "
    "file in a process of its own; VmHWM of /proc/self/status at the end, with Python and torch; seconds of wall time"
)
STEPS, BATCH, CROP = 150, 4, 64
PIXELS = 360 * 360  # of a piece
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "super-resolution x2, compact": ("compact", {"width": 16, "depth": 6}, {"task": "super-resolution", "scale": 2}),
    "super-resolution x2, rrdb": (
        "rrdb",
        {"width": 16, "blocks": 2, "growth": 8},
        {"task": "super-resolution", "scale": 2},
    ),
    "denoise, edsr": ("edsr", {"width": 48, "blocks": 8, "coarse": 4}, {"task": "denoise"}),
    "denoise, unet": ("unet", {"width": 8, "residual": True}, {"task": "denoise"}),
    "denoise, resnet of batch norm": ("resnet", {"width": 8, "blocks": 4, "norm": "batch"}, {"task": "denoise"}),
    "denoise, resnet of instance norm": ("resnet", {"width": 8, "blocks": 4}, {"task": "denoise"}),
    "inpaint, fourier": ("fourier", {"width": 8}, {"task": "inpaint", "seen": 4}),
}  # fmt: skip
MEMORIES = [
    ("denoise, edsr", "2GB", "12 megapixels.jpg", "made.jpg"),
    ("denoise, unet", "1GB", "12 megapixels.png", "made.png"),
    ("denoise, unet", "2GB", "12 megapixels.jpg", "made.jpg"),
    ("denoise, resnet of instance norm", "1GB", "12 megapixels.jpg", "made.jpg"),
    ("super-resolution x2, compact", "1GB", "12 megapixels.jpg", "made.png"),
]
CHILD = (
    "import sys, time, json, rivals\n"
    "began = time.perf_counter()\n"
    "rivals.edit(sys.argv[1], sys.argv[2], out=sys.argv[3], memory=sys.argv[4])\n"
    "lines = open('/proc/self/status').read().splitlines()\n"
    "peak = next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
    "print(json.dumps({'seconds': round(time.perf_counter() - began, 1), 'peak_mb': round(peak / 1024)}))\n"
)


def mosaic(height: int, width: int) -> np.ndarray:
    """Photographs beside and below each other, mirrored in turn, (height, width, 3) uint8."""
    pair = np.concatenate([load_sample_image("china.jpg"), load_sample_image("flower.jpg")[:, ::-1]], 1)
    square = np.concatenate([pair, pair[::-1, ::-1]])
    times = (-(-height // square.shape[0]), -(-width // square.shape[1]), 1)
    return np.tile(square, times)[:height, :width].copy()


def learned(name: str) -> Model:
    """A network that learned its task for some steps."""
    generator, options, values = CASES[name]
    edits = Edits(**values, damage=tasks.settings(values["task"], {}))
    use = Use(generator, options)
    torch.manual_seed(0)
    network = build_network(use, edits.generators, "generator", latent=0, **edits.common())
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    picture = torch.from_numpy(mosaic(427, 1280)).permute(2, 0, 1).float() / 127.5 - 1
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        places = zip(random.integers(0, 427 - CROP, BATCH), random.integers(0, 1280 - CROP, BATCH), strict=True)
        real = torch.stack([picture[:, y : y + CROP, x : x + CROP] for y, x in places])
        given = damaged(real, edits, seeds(BATCH))
        loss = (edits.show(network(given.new_zeros(BATCH, 0), given)) - real).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Model(network.eval().requires_grad_(False), edits, "edits", use, 0, {"loss": float(loss.detach())})


def likeness(model: Model) -> dict[str, Any]:
    """A picture in pieces against the same at once."""
    picture = mosaic(1281, 1708)
    holes = None
    if model.modality.task == "inpaint":
        holes = np.zeros(picture.shape[:2], bool)
        for number in range(12):
            top, left = 100 * number, (397 * number) % 1400
            holes[top : top + 30 + 8 * number, left : left + 250] = True
    whole = Editor.of(model.network, model.modality, 3)
    given, scale = with_mask(picture, holes, whole.how), model.modality.scale
    began = time.perf_counter()
    once = np.rint(editor(model.network, model.modality, way(model.modality, 3))(given)).astype(np.uint8)
    at_once = time.perf_counter() - began
    began = time.perf_counter()
    work, plan = whole.planned(given, PIXELS)
    made = np.concatenate(list(tiles.tiled(work, given, scale, plan)))
    seconds = time.perf_counter() - began
    differs = made.astype(np.int16) - once
    return {
        "loss_at_the_end": round(model.about["loss"], 4),
        "pieces": tiles.pieces(*given.shape[:2], plan),
        "halo": plan.halo,
        "blend": plan.blend,
        "bytes_a_pixel": round(whole.pixel),
        "seconds_at_once": round(at_once, 1),
        "seconds_in_pieces": round(seconds, 1),
        "largest_difference": int(np.abs(differs).max()),
        "mean_difference": round(float(np.abs(differs).mean()), 4),
        "share_of_2_or_more": round(float((np.abs(differs) >= 2).mean()), 6),
        "seam": seam(differs, scale, plan),
    }


def seam(differs: np.ndarray, scale: int, plan: tiles.Plan) -> float | None:
    """Steps of the difference within the blend of two pieces beside each other, over steps elsewhere."""
    steps = np.abs(np.diff(differs.astype(np.float32), axis=1)).mean((0, 2))
    near = np.zeros(len(steps), bool)
    for border in tiles.borders(differs.shape[1] // scale, plan.width, plan)[1:-1]:
        near[scale * (border - plan.blend) : scale * (border + plan.blend)] = True
    if not near.any() or not steps[~near].mean():
        return None
    return round(float(steps[near].mean() / steps[~near].mean()), 3)


def memory(models: dict[str, Model]) -> list[dict[str, Any]]:
    """Twelve megapixels from file to file."""
    results = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        picture = Image.fromarray(mosaic(3000, 4000))
        picture.save(folder / "12 megapixels.png", compress_level=1)
        picture.save(folder / "12 megapixels.jpg", quality=92)
        for name, most, source, target in MEMORIES:
            models[name].save(folder / "model")
            place = folder / f"{len(results)} {target}"
            words = [str(folder / "model"), str(folder / source), str(place), most]
            done = subprocess.run(
                [sys.executable, "-c", CHILD, *words], capture_output=True, text=True, check=True
            )  # fmt: skip
            results.append({"model": name, "memory": most, "from": source, "to": target, **json.loads(done.stdout)})
            print(results[-1], flush=True)
    return results


def main() -> None:
    """Measure, and write the result."""
    parts = sys.argv[1:] or ["likeness", "memory"]
    models = {name: learned(name) for name in CASES if "likeness" in parts or name in {each[0] for each in MEMORIES}}
    result: dict[str, Any] = {"protocol": PROTOCOL}
    if "likeness" in parts:
        result["likeness"] = {}
        for name, model in models.items():
            result["likeness"][name] = likeness(model)
            print(name, result["likeness"][name], flush=True)
    if "memory" in parts:
        result["memory"] = memory(models)
    write_result("edit_tiles" if len(parts) == 2 else f"edit_tiles_{parts[0]}", result)


if __name__ == "__main__":
    main()
