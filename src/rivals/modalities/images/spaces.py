"""What every feature space of pictures shares: its description, its input, and embedding some at a time."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Barrier

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GPU_BATCHES = 16  # a GPU takes that many CPU batches at once


@dataclass(frozen=True)
class Extractor:
    """One feature space: `embed` maps pictures (n, c, h, w) in [-1, 1] to features (n, dimensions) in float32.

    `classify` maps the same pictures to logits (n, classes), where the space knows classes. Both take 1 to 4 channels
    (grey, grey and alpha, RGB, RGBA) of any size, work in small batches on the device of the pictures, and give no
    gradients. `digest` is the SHA-256 of the weights, `resizer` says how pictures are brought to the network's size.
    `head` maps features to the same logits, so that pictures are read once for both. `layers` gives what some layers
    of the network make of pictures, (n, channels, h, w) each, for `measures.layer_distance`.
    `quick` and `full` are the samples of a verdict during training and after it: what two CPU cores embed in a few
    seconds, and in less than a minute.
    """

    name: str
    digest: str
    dimensions: int
    embed: Callable[[Tensor], Tensor]
    classify: Callable[[Tensor], Tensor] | None
    classes: tuple[str, ...]
    resizer: str
    quick: int = 2_000
    full: int = 10_000
    head: Callable[[Tensor], Tensor] | None = None
    layers: Callable[[Tensor], Sequence[Tensor]] | None = None


def in_batches(
    network: nn.Module, read: Callable[[Tensor], Tensor], prepare: Callable[[Tensor], Tensor], *, batch: int
) -> Callable[[Tensor], Tensor]:
    """`read` of prepared pictures, some at a time, without gradients, with the network held still where they are.

    `batch` is a CPU's: as many as stay in its cache. With 96 x 96 pixels, batches of 16 went 2.0 times as fast as of
    256 on one core. A CPU takes as many batches side by side as it has threads, each with one thread: layers of small
    pictures are too small to be shared out (1.4 to 1.9 times as fast with two threads, with the same numbers).
    """
    network.eval().requires_grad_(False)

    def apply(pictures: Tensor) -> Tensor:
        check_pictures(pictures)
        network.to(pictures.device)
        some = batch if pictures.device.type == "cpu" else GPU_BATCHES * batch
        parts = pictures.split(some)
        workers = min(torch.get_num_threads(), len(parts)) if pictures.device.type == "cpu" else 1
        return torch.cat(list(side_by_side(one, parts, workers)))

    def one(part: Tensor) -> Tensor:
        with torch.inference_mode():
            found = read(prepare(part.float()))
        return found.clone()  # outside, so that what comes out is an ordinary tensor

    return apply


def side_by_side(work: Callable[[Tensor], Tensor], parts: Sequence[Tensor], workers: int) -> Iterator[Tensor]:
    """What `work` makes of each part, in their order, by so many threads that share nothing out among themselves."""
    return map(work, parts) if workers < 2 else threads(workers).map(work, parts)


@lru_cache
def threads(workers: int) -> ThreadPoolExecutor:
    """So many threads of one core each; they are kept, since the first batch of a new one takes half as long again."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    ready = Barrier(workers)
    list(pool.map(lambda _: ready.wait(), range(workers)))
    torch.set_num_threads(before)  # what threads to come will take for granted
    return pool


os.register_at_fork(after_in_child=threads.cache_clear)  # a child has none of its parent's threads


def check_pictures(pictures: Tensor) -> None:
    """Refuse what is no batch of pictures.

    Raises:
        ValueError: the shape or the kind of number is wrong.
    """
    if pictures.ndim != 4 or not 1 <= pictures.shape[1] <= 4 or len(pictures) < 1:
        raise ValueError(f"pictures have shape (count, 1 to 4 channels, height, width), got {tuple(pictures.shape)}")
    if not pictures.is_floating_point():
        raise ValueError(f"pictures are floating-point numbers in [-1, 1], got {pictures.dtype}")


def coloured(pictures: Tensor) -> Tensor:
    """Pictures (n, 1 to 4, h, w) in [-1, 1] as RGB, put on white by their alpha, grey repeated: (n, 3, h, w)."""
    return on_white(pictures).expand(-1, 3, -1, -1)


def on_white(pictures: Tensor) -> Tensor:
    """Pictures (n, 1 to 4, h, w) in [-1, 1] without alpha: (n, 1 or 3, h, w)."""
    if pictures.shape[1] in (1, 3):
        return pictures
    alpha = (pictures[:, -1:] + 1) / 2
    return pictures[:, :-1] * alpha + (1 - alpha)  # white is 1


def resized(pictures: Tensor, *, size: int, colour: bool) -> Tensor:
    """Pictures (n, 1 to 4, h, w) in [-1, 1] as RGB or grey ones of size x size, put on white by their alpha."""
    pictures = coloured(pictures) if colour else on_white(pictures).mean(1, keepdim=True)
    if pictures.shape[2:] == (size, size):
        return pictures
    return F.interpolate(pictures, (size, size), mode="bilinear", antialias=True, align_corners=False)


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its filters laid out as CPUs and GPUs convolve fastest; the same numbers up to rounding."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs


def digest(network: nn.Module) -> str:
    """The SHA-256 of the weights: names, shapes and little-endian values, in the order of the names."""
    total = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        array = value.cpu().contiguous().numpy()
        total.update(f"{name} {array.dtype.name} {array.shape}".encode())
        total.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()
