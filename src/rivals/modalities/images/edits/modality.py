"""The modality of edited pictures: what is asked of a picture travels inside every saved model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.terms import Measure
from rivals.engine.types import Sample, each, leaves
from rivals.modalities.images.augment import augment, resolve
from rivals.modalities.images.cache import uncut
from rivals.modalities.images.modality import png

from .catalogue import CRITICS, GENERATORS, TERMS

FREE = ("unpaired", "style")  # tasks whose pictures have no true one, and whose critics see no original


@dataclass(frozen=True)
class Edits:
    """One way to edit pictures; samples are pictures (batch, channels, height, width), float32 in [-1, 1].

    Networks see crops while they learn, and are fully convolutional: they edit pictures of any size. A condition is
    what is given to be edited, (batch, seen, height / scale, width / scale).

    Args:
        task: a name in `tasks.TASKS`, or "pairs", "unpaired", "style".
        channels: of what is made: 1 grey, 3 colour.
        seen: channels of what is given: a mask comes last.
        scale: by which pictures become larger.
        crop: pixels of a side of what is made while learning.
        damage: settings of the task's damage; of tasks without, of how pictures are brought to the network
            (`recipes_translate.SETTINGS`).
        back: whether the network also goes the other way round (of a cycle).
    """

    task: str
    channels: int = 3
    seen: int = 3
    scale: int = 1
    crop: int = 96
    damage: Mapping[str, Any] = field(default_factory=dict)
    back: bool = False

    suffix: ClassVar[str] = ".png"
    generators: ClassVar[Mapping[str, Callable[..., nn.Module]]] = GENERATORS
    critics: ClassVar[Mapping[str, Callable[..., nn.Module]]] = CRITICS
    terms: ClassVar[Mapping[str, Measure | type[nn.Module]]] = TERMS

    def common(self) -> Mapping[str, Any]:
        """What every network is told: the shape of a crop, what is given for it, and by how much it grows."""
        return {"shape": (self.channels, self.crop, self.crop), "seen": self.seen, "scale": self.scale}

    def show(self, raw: Any) -> Sample:
        """Pictures are what generators make, some with more beside them."""
        return getattr(raw, "picture", raw)

    def operations(self, names: Sequence[str]) -> tuple[str, ...]:
        """The augmenting operations that these names, or names of groups, stand for.

        Raises:
            RequestError: pictures are compared with others at the same places, and only one of them would be moved.
        """
        if names and self.task not in FREE:
            raise RequestError(f"{self.task} compares pictures place by place: leave augment.operations out")
        return resolve(names)

    def augment(self, sample: Sample, operations: Sequence[str], strength: Tensor) -> Sample:
        """Pictures (batch, channels, height, width), each through each operation with probability `strength`."""
        return each(lambda part: augment(part, operations, strength), sample)

    def condition(self, wish: str | None, count: int) -> Tensor | None:
        """There is nothing to edit out of nothing.

        Raises:
            RequestError: always.
        """
        del wish, count
        raise RequestError("this model edits pictures rather than making new ones: rivals edit RUN picture.jpg")

    def render(self, sample: Sample) -> Iterator[bytes]:
        """Each picture as a PNG file."""
        for picture in uncut(leaves(sample)[0], 8):
            yield png(picture)


@torch.inference_mode()
def edit(network: nn.Module, edits: Edits, given: Tensor, *, back: bool = False) -> Tensor:
    """What a network makes of what is given, (n, seen, h, w) -> (n, channels, scale h, scale w), clamped to [-1, 1].

    Any sides of at least one pixel; nothing is cut into pieces here (see `tiles.py`).

    Args:
        network: the generator.
        edits: what it was trained for.
        given: in [-1, 1].
        back: the other way round, (n, channels, h, w) -> (n, seen, h, w), of a network that goes both ways.

    Raises:
        RequestError: it goes one way only.
    """
    if back and not edits.back:
        raise RequestError("this model goes one way only; a method that goes both ways is cyclegan")
    if edits.back:
        way: Any = network.make_back if back else network.make
        return way(given).clamp(-1, 1)
    raw = network(given.new_zeros(len(given), 0), given)
    return leaves(edits.show(raw))[0].clamp(-1, 1)
