"""The two sides of a verdict on pictures: samples of a model or pictures of a source, had part by part."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rivals.engine.model import Model
from rivals.engine.types import leaves

from .cache import Pictures, cut

PART = 250  # pictures at a time: what memory holds of them

FITTED = "scaled (Lanczos, with antialiasing) until they cover that size, the middle cut out"
CHANNELS = {1: "grey", 2: "grey with alpha", 3: "colour", 4: "colour with alpha"}


@dataclass(frozen=True)
class Side:
    """Pictures that can be had by parts of `PART`, in any order and by any process.

    Args:
        name: as the person named it.
        content: sha256 of what the pictures are made from and which of them.
        count: how many.
        part: number -> pictures (up to PART, channels, height, width) in [-1, 1], as a file of 8 or 16 bits holds them.
        labels: class numbers (count,), or None.
        classes: what the labels count.
        weights: for the score card.
        state: for the score card.
        conditions: for the score card.
        drawn: whether they come from a model, in random order.
        keep: whether their features may be kept on disk by `content`.
        pick: some pictures by number, where they can be had without making whole parts.
    """

    name: str
    content: str
    count: int
    part: Callable[[int], Tensor]
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    weights: str = "not known"
    state: str = "as given"
    conditions: str = "not known"
    drawn: bool = False
    keep: bool = True
    pick: Callable[[Tensor], Tensor] | None = None

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.count // PART)

    def size(self, number: int) -> int:
        """How many pictures a part has."""
        return min(PART, self.count - number * PART)

    def take(self, rows: Tensor) -> Tensor:
        """Some pictures by number, (len(rows), channels, height, width); each part they lie in is made once."""
        if self.pick is not None:
            return self.pick(rows)
        made = {number: self.part(number) for number in (rows // PART).unique().tolist()}
        return torch.stack([made[row // PART][row % PART] for row in rows.tolist()])


def of_pictures(pictures: Pictures, rows: Tensor, name: str) -> Side:
    """Rows of a set of pictures."""
    chosen = hashlib.sha256(pictures.content.encode() + rows.numpy().astype("<i8").tobytes())
    labels = None if pictures.labels is None else pictures.labels[rows]
    return Side(
        name,
        chosen.hexdigest(),
        len(rows),
        lambda number: cut(pictures, rows[number * PART : (number + 1) * PART]),
        labels,
        pictures.classes if labels is not None else (),
        conditions="classes as the pictures have them" if labels is not None else "none",
        pick=lambda some: cut(pictures, rows[some]),
    )


def of_model(
    model: Model, count: int, *, seed: int, name: str = "samples", state: str = "last", keep: bool = False
) -> Side:
    """Samples of a model: each part has a seed of its own, so that any part can be drawn without the others.

    Features are kept on disk only where `keep` says that the generator was loaded: its saved state is all of it then.
    """
    images: Any = model.modality

    def draw(number: int) -> tuple[Tensor | None, Tensor]:
        size = min(PART, count - number * PART)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1_000_003 * number)
            cond = images.condition(None, size)
            return cond, torch.randn(size, model.latent)

    def part(number: int) -> Tensor:
        cond, z = draw(number)
        return rounded(leaves(model.from_noise(z, cond, seed=seed + number))[0], images.bits)

    labels = [draw(number)[0] for number in range(-(-count // PART))] if images.classes else []
    made = hashlib.sha256(f"{model.name} {images} {model.generator} {model.latent} {seed} {count}".encode())
    for key, value in sorted(model.network.state_dict().items()):
        made.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        made.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return Side(
        name,
        made.hexdigest(),
        count,
        part,
        torch.cat(labels) if labels else None,  # type: ignore[arg-type]
        images.classes,
        "running average",
        state,
        "classes as frequent as in the training data" if images.classes else "none",
        True,
        keep,
    )


def rounded(sample: Tensor, bits: int) -> Tensor:
    """A sample as a file would hold it: within [-1, 1], rounded to `bits` bits."""
    top = 127.5 if bits == 8 else 32767.5
    return sample.clamp(-1, 1).add(1).mul(top).round().div(top).sub(1)


def widened(side: Side, channels: int) -> Side:
    """The side with grey repeated in three channels and opaque alpha added, where the other side has more channels."""

    def part(number: int) -> Tensor:
        pictures = side.part(number)
        colour, alpha = pictures.split([(pictures.shape[1] - 1) // 2 * 2 + 1, (pictures.shape[1] - 1) % 2], 1)
        if channels >= 3:
            colour = colour.expand(-1, 3, -1, -1)
        if channels % 2 == 0:
            colour = torch.cat([colour, alpha if alpha.shape[1] else torch.ones_like(colour[:, :1])], 1)
        return colour

    content = hashlib.sha256(f"{side.content} as {channels}".encode()).hexdigest()
    return replace(side, part=part, content=content, pick=None)


def resized(side: Side, height: int, width: int) -> Side:
    """The side's pictures brought to another size."""

    def part(number: int) -> Tensor:
        return F.interpolate(side.part(number), (height, width), mode="bilinear", antialias=True, align_corners=False)

    content = hashlib.sha256(f"{side.content} at {height} {width}".encode()).hexdigest()
    return replace(side, part=part, content=content, pick=None)


def renumbered(side: Side, classes: tuple[str, ...]) -> Side:
    """The side with its labels as numbers of other classes, by name; without labels where a name is unknown there."""
    if side.labels is None or side.classes == classes:
        return side
    if not set(side.classes) <= set(classes):
        return replace(side, labels=None, classes=())
    numbers = torch.tensor([classes.index(name) for name in side.classes])
    return replace(side, labels=numbers[side.labels], classes=classes)


def fitting_words(sizes: Sequence[str], size: tuple[int, int], whose: str) -> list[str]:
    """What is done to pictures of such sizes ("64x48" ...) to bring them to (height, width), if anything."""
    height, width = size
    if list(sizes) == [f"{width}x{height}"]:
        return []
    told = ", ".join(sizes[:3]) + (" and others" if len(sizes) > 3 else "")
    return [f"{whose} ({told}) were brought to {width}x{height}: {FITTED}."]


def channel_words(fake: int, real: int, used: int) -> list[str]:
    """What is done where the sides differ in channels: both are brought to `used`."""
    if fake == real:
        return []
    more = "grey is repeated in three channels and missing alpha is opaque"
    how = more if used >= max(fake, real) else "colour is turned to grey and alpha put over white as in training"
    found = f"The fakes are {CHANNELS[fake]}, the real pictures {CHANNELS[real]}"
    return [f"{found}; both are taken as {CHANNELS[used]}: {how}."]


def class_words(fake: Sequence[str], real: Sequence[str]) -> list[str]:
    """What can't be said because the classes of the sides don't match."""
    if not fake or not real or set(fake) == set(real):
        return []
    first, second = (", ".join(names[:4]) + (" ..." if len(names) > 4 else "") for names in (fake, real))
    if not set(fake) & set(real):
        return [f"The labels don't match (fakes: {first}; real: {second}), so nothing is said class by class."]
    missing, more = sorted(set(real) - set(fake)), sorted(set(fake) - set(real))
    told = [
        *([f"missing from the fakes: {', '.join(missing)}"] if missing else []),
        *([f"only among the fakes: {', '.join(more)}"] if more else []),
    ]
    return [f"The labels match in part ({'; '.join(told)}); only the common classes are judged one by one."]


def skipped_words(pictures: Pictures, whose: str) -> list[str]:
    """How many files could not be used, and why."""
    found = pictures.found
    return [
        f"Skipped {count} {whose} file{'s' * (count > 1)} in {found.source}: {reason}, such as "
        f"{found.examples.get(reason, '?')}."
        for reason, count in found.skipped.items()
    ]
