"""`self`: a feature space learned on the spot from the pictures that are judged in it.

Where pictures have classes, a small network learns to name them (as the shipped judge of digits did); where they have
none, to tell each picture from all others through changes that leave it itself (SimCLR, Chen et al. 2020, arXiv
2002.05709). In both cases it also redraws each picture at 8 x 8 pixels from its features, so that features keep where
things are and which colours they have, which naming alone forgets.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from rivals.engine import store
from rivals.engine.data import batch_rows
from rivals.engine.errors import RequestError
from rivals.engine.files import write_whole

from .augment import augment
from .cache import Pictures, cut
from .spaces import Extractor, channels_last, digest, in_batches, resized

VERSION = 1  # of the learning below: another version is another space
SEED = 0
LEAST = 64  # pictures to learn from
WIDTHS = (16, 48, 96, 128)
FEATURES = 128
REDRAWN = 8  # pixels
LIKELY = 20  # training pictures of a class, on average, for naming to be worth learning

Tell = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Lesson:
    """How the network learns. Views are made by `operations`, each with probability `strength`."""

    steps: int = 600
    batch: int = 64
    rate: float = 2e-3
    decay: float = 0.02
    temperature: float = 0.2
    redraw: float = 10.0
    operations: tuple[str, ...] = ("shift", "cutout")
    strength: float = 0.5


class OwnNet(nn.Module):
    """Strided convolutions to 4 x 4 places, then 128 features: (n, 3, side, side) -> (n, 128) -> (n, outputs).

    Args:
        side: 32 or 64.
        outputs: of the last layer: classes, or the numbers in which views are compared.
    """

    def __init__(self, side: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        narrow, size = 3, side
        for wide in WIDTHS[: (side // 4).bit_length() - 1]:
            conv = nn.Conv2d(narrow, wide, 4 if narrow == 3 else 3, 2, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(wide), nn.ReLU(inplace=True)]
            narrow, size = wide, size // 2
        self.features = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(narrow * size * size, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU()
        )
        self.head = nn.Linear(FEATURES, outputs)
        self.redraw = nn.Linear(FEATURES, 3 * REDRAWN**2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, outputs)."""
        return self.head(self.features(x))


def own(
    pictures: Pictures, *, tell: Tell = lambda entry: None, lesson: Lesson = Lesson(), seed: int = SEED
) -> Extractor:
    """The space `self`: 128 features of a network trained on the training part of these pictures.

    It takes seconds to a few minutes once; the weights are then kept by the pictures' content, the version of this code
    and the seed. The same machine with the same number of threads learns the same weights; others learn others, since
    sums are rounded in another order: hence the weights' hash in the name, and distances are comparable only where it
    is equal. What it is worth: it sees what sets these pictures apart from one another, at 64 x 64 pixels at most,
    but it has never seen anything else. It orders lost groups, turned palettes, shuffled blocks and repeated pictures
    well, and hardly sees slight noise and blur (benchmarks/spaces.py), or what no training picture shows. Since it
    knows the training pictures themselves, they lie a little otherwise in it than held-out ones.

    Args:
        pictures: learned from `train` alone; held-out ones are never looked at.
        tell: called with {"kind": "learning", "what", "done", "total"} as it goes on.
        lesson: how it learns.
        seed: of weights, order and views.

    Raises:
        RequestError: too few pictures.
    """
    if len(pictures.train) < LEAST:
        raise RequestError(
            f"the feature space 'self' learns from the pictures, and {len(pictures.train)} are too few ({LEAST} at "
            "least): take --features random"
        )
    side = 32 if max(pictures.pixels.shape[2:]) <= 32 else 64
    named = names_classes(pictures)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = OwnNet(side, len(pictures.classes) if named else FEATURES // 2)
    kept = store.home(None) / "spaces" / f"self-{_key(pictures, lesson, seed)}.safetensors"
    if not _recalled(network, kept):
        learn(network, pictures, lesson, seed=seed, side=side, tell=tell)
        with store.writing(kept.parent, 4_000_000):
            kept.parent.mkdir(parents=True, exist_ok=True)
            plain = {name: value.contiguous() for name, value in network.state_dict().items()}
            write_whole(kept, safetensors.torch.save(plain))
    found = digest(network)
    channels_last(network)
    prepare = partial(resized, size=side, colour=True)
    how = "naming its classes" if named else "telling pictures apart"
    return Extractor(
        name=f"self-{found[:8]}",
        digest=found,
        dimensions=FEATURES,
        embed=in_batches(network, network.features, prepare, batch=64),
        classify=in_batches(network, network, prepare, batch=64) if named else None,
        classes=pictures.classes if named else (),
        head=network.head if named else None,
        resizer=f"{side}x{side} RGB: alpha over white, grey repeated, bilinear with antialiasing (torch); the network "
        f"learned by {how}",
    )


def names_classes(pictures: Pictures) -> bool:
    """Whether there are classes with pictures enough to learn their names."""
    return pictures.labels is not None and 2 <= len(pictures.classes) <= len(pictures.train) // LIKELY


def learn(network: OwnNet, pictures: Pictures, lesson: Lesson, *, seed: int, side: int, tell: Tell) -> None:
    """Train the network in place, on the CPU; the program's own random numbers stay as they are."""
    named = names_classes(pictures)
    draw = partial(torch.rand, generator=torch.Generator().manual_seed(seed))
    view = partial(augment, operations=lesson.operations, strength=lesson.strength, draw=draw)
    with torch.inference_mode(False), torch.enable_grad():
        network.train()
        channels_last(network)
        optimizer = torch.optim.AdamW(network.parameters(), lr=lesson.rate, weight_decay=lesson.decay)
        plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, lesson.rate, total_steps=lesson.steps, pct_start=0.2)
        for step in range(lesson.steps):
            rows = pictures.train[batch_rows(len(pictures.train), lesson.batch, step, seed)]
            real = resized(cut(pictures, rows), size=side, colour=True).contiguous()
            if named:
                assert pictures.labels is not None
                loss = naming(network, view(real), pictures.labels[rows], lesson)
            else:
                loss = telling_apart(network, [view(real), view(real)], lesson)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            plan.step()
            if step % 5 == 4 or step + 1 == lesson.steps:
                tell({"kind": "learning", "what": "the feature space", "done": step + 1, "total": lesson.steps})
    network.eval()


def naming(network: OwnNet, view: Tensor, labels: Tensor, lesson: Lesson) -> Tensor:
    """The loss where there are classes: cross-entropy and redrawing."""
    features = network.features(view.contiguous(memory_format=torch.channels_last))
    return F.cross_entropy(network.head(features), labels) + lesson.redraw * redrawing(network, features, view)


def telling_apart(network: OwnNet, views: Sequence[Tensor], lesson: Lesson) -> Tensor:
    """The loss without classes: of 2n - 1 other views, which is of the same picture? (NT-Xent); and redrawing."""
    both = torch.cat(list(views)).contiguous(memory_format=torch.channels_last)
    features = network.features(both)
    points = F.normalize(network.head(features), dim=1)
    alike = points @ points.T / lesson.temperature
    alike = alike.masked_fill(torch.eye(len(both), dtype=torch.bool), float("-inf"))  # nobody is his own partner
    partner = torch.arange(len(both)).roll(len(both) // 2)
    return F.cross_entropy(alike, partner) + lesson.redraw * redrawing(network, features, both)


def redrawing(network: OwnNet, features: Tensor, view: Tensor) -> Tensor:
    """How far the view's 8 x 8 means are from what the features say of them: the mean square."""
    wanted = F.adaptive_avg_pool2d(view.contiguous(), REDRAWN).flatten(1)
    return F.mse_loss(network.redraw(features), wanted)


def _key(pictures: Pictures, lesson: Lesson, seed: int) -> str:
    """What the weights depend on."""
    total = hashlib.sha256(repr((VERSION, pictures.content, lesson, seed, FEATURES, WIDTHS)).encode())
    total.update(pictures.train.numpy().astype("<i8").tobytes())
    return total.hexdigest()


def _recalled(network: OwnNet, kept: Path) -> bool:
    """Whether the weights were there and fit."""
    try:
        network.load_state_dict(safetensors.torch.load_file(kept))
    except (OSError, SafetensorError, RuntimeError):
        return False
    return True
