"""Pictures of a finished run for its report: a final sheet, an interpolation, nearest neighbours; and animations."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.files import write_whole
from rivals.engine.model import Model
from rivals.engine.types import leaves
from rivals.judging.verdict_page import write_verdict_page

from .cache import uncut
from .judged import Judged
from .modality import Images, grid, png


def write_pictures(folder: Path, images: Images, judged: Judged, model: Model) -> None:
    """The sheets of a run's report, and the points of its clouds, in the folder `pictures` of a run's."""
    place = folder / "pictures"
    place.mkdir(exist_ok=True)
    judge = judged.judge
    write_whole(place / "final.png", final_sheet(images, model))
    walks = [leaves(model.interpolate(48, seed=seed, wish=wish))[0] for seed, wish in enumerate(walk_wishes(images))]
    write_whole(place / "interpolation.gif", gif(side_by_side(walks), frames_a_second=12))
    samples, near = judge.neighbours(model)
    rows = torch.cat([samples[:, None], near], 1)  # (count, 1 + k, channels, height, width)
    write_whole(place / "neighbours.png", images.sheet(rows.flatten(0, 1), columns=2 * rows.shape[1]))
    for name, ends in zip(("best", "worst"), judged.ends(), strict=True):
        write_whole(place / f"{name}.png", images.sheet(ends))
    write_whole(place / "clouds.json", json.dumps(judged.clouds()).encode())


def write_verdict(path: Path, judged: Judged) -> Path:
    """The page of a verdict."""
    sheets = {"samples": png(grid(uncut(judged.samples(), 8), 10, 48))}
    for name, ends in zip(("best", "worst"), judged.ends(), strict=True):
        sheets[name] = png(grid(uncut(ends, 8), 10, 48))
    copies = judged.copies()
    if copies is not None:
        rows = torch.cat([copies[0][:, None], copies[1]], 1)  # (count, 1 + k, channels, height, width)
        sheets["copies"] = png(grid(uncut(rows.flatten(0, 1), 8), 2 * rows.shape[1], 48))
    return write_verdict_page(path, judged.verdict, sheets, judged.clouds())


def final_sheet(images: Images, model: Model, *, columns: int = 10, seed: int = 1) -> bytes:
    """A hundred samples; a column for each of the first ten classes where there are classes."""
    if not images.classes:
        return images.sheet(leaves(model.sample(columns * columns, seed=seed))[0], columns)
    shown = min(len(images.classes), columns)
    noise = torch.randn(10 * shown, model.latent, generator=torch.Generator().manual_seed(seed))
    return images.sheet(leaves(model.from_noise(noise, torch.arange(10 * shown) % shown))[0], shown)


def walk_wishes(images: Images) -> list[str | None]:
    """What six walks beside each other show: the first classes, or six times whatever comes."""
    return [*images.classes[:10]] if images.classes else [None] * 6


def side_by_side(walks: list[Tensor]) -> Tensor:
    """Walks (frames, channels, height, width) beside each other, (frames, channels, height, walks * width)."""
    return torch.cat(walks, 3)


def gif(frames: Tensor, *, frames_a_second: int = 12, least: int = 48) -> bytes:
    """Frames (n, channels, height, width) in [-1, 1] as an endless GIF."""
    pictures = [Image.fromarray(frame) for frame in colour_frames(frames, least)]
    file = io.BytesIO()
    pictures[0].save(
        file, "GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / frames_a_second), loop=0
    )
    return file.getvalue()


def mp4(frames: Tensor, *, frames_a_second: int = 24, least: int = 128) -> bytes:
    """Frames (n, channels, height, width) in [-1, 1] as an MP4 (H.264).

    Raises:
        RequestError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise RequestError("an MP4 needs PyAV: pip install 'rivals[video]', or ask for a .gif") from None
    pictures = colour_frames(frames, least)
    height, width = (size - size % 2 for size in pictures.shape[1:3])  # H.264 wants even sizes
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=frames_a_second)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def colour_frames(frames: Tensor, least: int) -> np.ndarray:
    """Frames as (n, h, w, 3) uint8, enlarged by a whole factor to `least` pixels of height, alpha over white."""
    pictures = uncut(frames, 8)
    factor = max(-(-least // pictures.shape[1]), 1)
    pictures = pictures.repeat(factor, 1).repeat(factor, 2)
    if pictures.shape[3] in (2, 4):
        alpha = pictures[..., -1:].astype(np.float32) / 255
        pictures = (pictures[..., :-1] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pictures, (*pictures.shape[:3], 3)))
