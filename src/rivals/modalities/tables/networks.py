"""Networks for rows: perceptrons that are told what was asked for."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from rivals.engine.types import Verdict
from rivals.layers.dropout import Dropout
from rivals.layers.leaky import LeakyReLU
from rivals.layers.linear import Linear

from .layout import Layout, with_given
from .told import Told, asked_places
from .values import Reading, Values


class Row(NamedTuple):
    """What generators of rows return: (n, width) before the squashing, where everything is, and how soft it is shown.

    `tau` is the temperature of the Gumbel-softmax.
    """

    values: Tensor
    layout: Layout
    tau: float = 0.5


class Residual(nn.Module):
    """A layer whose output stands beside its input, as in CTGAN's generator (Xu et al., 2019, section 4.4)."""

    def __init__(self, inputs: int, places: int, width: int, norm: str) -> None:
        super().__init__()
        self.linear = Told(inputs, places, width)
        self.norm: nn.Module = nn.Identity()
        if norm != "none":
            self.norm = nn.BatchNorm1d(width) if norm == "batch" else nn.LayerNorm(width)

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        """(n, inputs), the places asked for -> (n, width + inputs)."""
        return torch.cat([self.norm(self.linear(x, asked)).relu(), x], 1)


class RowGenerator(nn.Module):
    """Noise and what is asked for, to rows.

    Args:
        shape: (width,) of a row.
        layout: of the row.
        latent: width of the noise.
        width, depth: of the hidden layers.
        norm: "batch", "layer" or "none".
        tau: temperature that softmaxes are shown at.
        given: put what is asked for into the row as it is: of numbers and dates always, so that nothing but the rest
            has to be made for it, and once trained of categories too, which training has to find by the term "asked".
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        layout: Layout,
        latent: int,
        width: int = 256,
        depth: int = 2,
        norm: str = "batch",
        tau: float = 0.5,
        given: bool = False,
    ) -> None:
        super().__init__()
        self.layout, self.tau, self.given = layout, tau, given
        places = layout.width - len(layout.scalars)
        self.body = nn.ModuleList(Residual(latent + number * width, places, width, norm) for number in range(depth))
        self.head = Told(latent + depth * width, places, shape[0])

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Row:
        """Z (n, latent), cond (n, softmaxes) int64 or None -> rows."""
        asked = torch.empty(len(z), 0, dtype=torch.long) if cond is None else asked_places(cond, self.layout)
        x = z
        for part in self.body:
            x = part(x, asked)
        values = self.head(x, asked)
        if self.given and cond is not None:
            values = with_given(values, cond, self.layout, categories=not self.training)
        return Row(values, self.layout, self.tau)


class Guess(nn.Module):
    """How far one column is from what all others tell of it: four layers of 256, as in CTAB-GAN+ (Zhao et al., 2024).

    Args:
        layout: of a row.
        target: the column.
        width: of the hidden layers.

    Raises a ValueError where there is no such column, or no other.
    """

    own: Tensor
    others: Tensor

    def __init__(self, layout: Layout, target: str, width: int = 256) -> None:
        super().__init__()
        places = [(s.start + place, s.column == target) for s in layout.segments for place in range(s.width)]
        own, others = ([place for place, is_own in places if is_own is wanted] for wanted in (True, False))
        if not own or not others:
            known = ", ".join(dict.fromkeys(repr(segment.column) for segment in layout.segments))
            raise ValueError(f"no column {target!r} is learned beside others; there are {known}")
        self.register_buffer("own", torch.tensor(own), persistent=False)
        self.register_buffer("others", torch.tensor(others), persistent=False)
        self.parts = [(s.kind, s.width) for s in layout.segments if s.column == target]
        layers: list[nn.Module] = []
        for number in range(4):
            inputs = len(others) if number == 0 else width
            layers += [Linear(inputs, width), nn.LeakyReLU(0.2), Dropout(0.5)]
        self.body = nn.Sequential(*layers, nn.Linear(width, len(own)))

    def forward(self, rows: Tensor) -> Tensor:
        """(n, width of a row) -> (n,): cross-entropy of the column's slots and smooth L1 of its scalars, their mean.

        Both the column and the others have a gradient.
        """
        told, true = self.body(rows[:, self.others]), rows[:, self.own]
        widths = [width for _, width in self.parts]
        losses = [
            -(shares * logits.log_softmax(1)).sum(1) if kind == "softmax" else smooth_l1(logits, shares)
            for (kind, _), logits, shares in zip(self.parts, told.split(widths, 1), true.split(widths, 1), strict=True)
        ]
        return torch.stack(losses).mean(0)


def smooth_l1(told: Tensor, true: Tensor) -> Tensor:
    """Of one number a row: (n, 1), (n, 1) -> (n,)."""
    return smooth_l1_loss(told[:, 0].tanh(), true[:, 0], reduction="none")


class RowCritic(nn.Module):
    """Rows, or packs of them, with what was asked for, to a logit.

    Args:
        shape: (width,) of a row, times the rows of a pack.
        layout: of one row.
        width, depth: of the hidden layers.
        dropout: share of features that is left out in training.
        target: a column that a network beside tells from the others, for the term "downstream"; not for packs.
        numbers: show it the columns' values beside their modes.
        readings: of the columns of numbers.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        layout: Layout,
        width: int = 256,
        depth: int = 2,
        dropout: float = 0.0,
        target: str | None = None,
        numbers: bool = False,
        readings: Sequence[Reading] = (),
    ) -> None:
        super().__init__()
        self.layout = layout
        self.pack = shape[0] // layout.width
        if target is not None and self.pack > 1:
            raise ValueError("a target is told from single rows, not from packs")
        self.target = target
        self.guess = None if target is None else Guess(layout, target)
        self.values = Values(layout, readings) if numbers and readings else None
        shown = len(readings) if self.values else 0
        self.places = layout.width - len(layout.scalars)
        self.first = Told(shape[0] + self.pack * shown, self.pack * self.places, width)
        layers: list[nn.Module] = []
        for number in range(depth):
            layers += [Linear(width, width)] if number else []
            layers += [LeakyReLU(0.2), Dropout(dropout)] if dropout else [LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, 1)

    def forward(self, sample: Tensor, cond: Tensor | None = None) -> Verdict:
        """Sample (n, pack * width), cond (n, pack * softmaxes) int64 or None -> logits (n, 1), features (n, hidden).

        With a target, `aux` is how far each row's is from what its other columns tell, (n,).
        """
        if cond is None:
            cond = torch.full((len(sample), self.pack * len(self.layout.softmaxes)), -1, device=sample.device)
        asked = asked_places(cond.reshape(len(sample), self.pack, len(self.layout.softmaxes)), self.layout)
        before = self.places * torch.arange(self.pack, device=cond.device)[:, None]  # those of the pack's rows before
        asked = torch.where(asked < self.places, asked + before, self.pack * self.places).flatten(1)
        shown = sample
        if self.values is not None:
            numbers = self.values(sample.reshape(-1, self.layout.width)).reshape(len(sample), -1)
            shown = torch.cat([sample, numbers], 1)
        features = self.body(self.first(shown, asked))
        return Verdict((self.head(features),), (features,), None if self.guess is None else self.guess(sample))


GENERATORS = {"rows": RowGenerator}
CRITICS = {"rows": RowCritic}
