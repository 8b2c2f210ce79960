"""How a picture meets a model: what the network is given of it, and how what it makes goes back into the picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from rivals.engine.errors import RequestError

from .modality import Edits, edit
from .reach import multiple_of
from .tasks import TASKS, grey
from .tiles import Work

LEAST = 16  # pixels of a side that a network is given; smaller pictures are continued


@dataclass(frozen=True)
class Way:
    """For pictures of one number of channels.

    Args:
        channels: of what comes out, 1 or 3.
        given: pictures (n, c, h, w) in [-1, 1], a mask in {0, 1} behind them where holes are filled -> what the network
            is given.
        back: the same pictures, and what the network made (n, made, scale h, scale w) -> (n, channels, scale h, ...).
        words: what a person should know of it.
        holes: whether the last channel of pictures is a mask.
    """

    channels: int
    given: Callable[[Tensor], Tensor]
    back: Callable[[Tensor, Tensor], Tensor]
    words: tuple[str, ...] = ()
    holes: bool = False


def way(edits: Edits, channels: int) -> Way:
    """How pictures of 1 (grey) or 3 (colour) channels meet a model.

    Raises:
        RequestError: they can't.
    """
    if edits.task == "inpaint":
        return filling(edits, channels)
    if edits.task == "colourise":
        return Way(3, lambda x: grey(x) if channels == 3 else x, coloured)
    if edits.seen == 3:
        back = back_to_grey if channels == 1 and edits.channels == 3 and edits.task in TASKS else as_made
        return Way(1 if back is back_to_grey else edits.channels, lambda x: x.expand(-1, 3, -1, -1), back)
    if channels == 1:
        return Way(edits.channels, lambda x: x, as_made)
    if edits.channels == 1 and edits.task in TASKS:
        words = ("the model is one of grey pictures: it edited the luma, and the colours stay as they were",)
        return Way(3, grey, recoloured, words)
    return Way(edits.channels, grey, as_made, ("the model sees grey pictures: colours were not looked at",))


def filling(edits: Edits, channels: int) -> Way:
    """Holes are filled: nothing else of a picture changes, to the bit."""
    if edits.channels == 1 and channels == 3:
        raise RequestError("this model fills holes of grey pictures, and what lies in a hole has no colour to keep")

    def given(x: Tensor) -> Tensor:
        mask = x[:, -1:]
        return torch.cat([(x[:, :-1] * (1 - mask)).expand(-1, edits.channels, -1, -1), mask], 1)

    def back(x: Tensor, made: Tensor) -> Tensor:
        found = grey(made) if channels < made.shape[1] else made
        return torch.where(x[:, -1:] > 0, found, x[:, :-1])

    return Way(channels, given, back, holes=True)


def as_made(x: Tensor, made: Tensor) -> Tensor:
    """What the network made, and nothing else."""
    del x
    return made


def back_to_grey(x: Tensor, made: Tensor) -> Tensor:
    """The luma of what a colour network made of a grey picture."""
    del x
    return grey(made)


def recoloured(x: Tensor, made: Tensor) -> Tensor:
    """The colours of a picture around a new luma: their differences from the luma are kept, enlarged with it."""
    colour = x - grey(x)
    if made.shape[2:] != x.shape[2:]:
        colour = interpolate(colour, size=made.shape[2:], mode="bicubic", align_corners=False)
    return made + colour


def coloured(x: Tensor, made: Tensor) -> Tensor:
    """The colours of what a network made around the luma that was given, so that no detail is lost."""
    return made - grey(made) + (grey(x) if x.shape[1] == 3 else x)


def editor(network: nn.Module, edits: Edits, how: Way, *, back: bool = False) -> Work:
    """What edits a piece of a picture: (h, w, c) -> (scale h, scale w, channels), of the same range of levels.

    `back` is the other way round, of a network that goes both ways.
    """
    least = max(LEAST, 2 * multiple_of(network))
    device = next(network.parameters()).device

    def work(part: np.ndarray) -> np.ndarray:
        x = tensor_of(part, how.holes)
        if how.holes and not x[:, -1].any():
            return part[..., : how.channels].astype(np.float32)
        more = [max(least - side, 0) for side in x.shape[2:]]
        if any(more):
            x = pad(x, (0, more[1], 0, more[0]), mode="replicate")
        made = how.back(x, edit(network, edits, how.given(x).to(device), back=back).float().cpu())
        made = made[..., : edits.scale * part.shape[0], : edits.scale * part.shape[1]]
        levels = made[0].add(1).mul_(np.iinfo(part.dtype).max / 2).clamp_(0, np.iinfo(part.dtype).max)
        return levels.permute(1, 2, 0).numpy()

    return work


def tensor_of(part: np.ndarray, holes: bool) -> Tensor:
    """A piece (h, w, c) as a batch of one (1, c, h, w) in [-1, 1], its mask in {0, 1}."""
    x = torch.from_numpy(part.transpose(2, 0, 1).astype(np.float32))[None]
    x.mul_(2 / np.iinfo(part.dtype).max).sub_(1)
    if holes:
        x[:, -1] = (x[:, -1] > 0).float()
    return x
