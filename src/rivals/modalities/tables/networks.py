"""Networks for rows: perceptrons that are told what was asked for."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rivals.engine.types import Verdict

from .layout import Layout


class Row(NamedTuple):
    """What generators of rows return: (n, width) before the squashing, where everything is, and how soft it is shown.

    `tau` is the temperature of the Gumbel-softmax.
    """

    values: Tensor
    layout: Layout
    tau: float = 0.5


def asked_places(cond: Tensor, layout: Layout) -> Tensor:
    """What was asked for, as ones: (n, softmaxes) slots, -1 where nothing is asked -> (n, softmax places) float32."""
    starts = torch.tensor([segment.start for segment in layout.softmaxes], device=cond.device) - len(layout.scalars)
    places = torch.zeros(len(cond), layout.width - len(layout.scalars) + 1, device=cond.device)
    where = torch.where(cond >= 0, cond + starts, places.shape[1] - 1)  # the last place takes what nobody asked
    return places.scatter_(1, where, 1.0)[:, :-1]


class Residual(nn.Module):
    """A layer whose output stands beside its input, as in CTGAN's generator (Xu et al., 2019, section 4.4)."""

    def __init__(self, inputs: int, width: int, norm: str) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width)
        self.norm: nn.Module = nn.Identity()
        if norm != "none":
            self.norm = nn.BatchNorm1d(width) if norm == "batch" else nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, width + inputs)."""
        return torch.cat([self.norm(self.linear(x)).relu(), x], 1)


class RowGenerator(nn.Module):
    """Noise and what is asked for, to rows.

    Args:
        shape: (width,) of a row.
        layout: of the row.
        latent: width of the noise.
        width, depth: of the hidden layers.
        norm: "batch", "layer" or "none".
        tau: temperature that softmaxes are shown at.
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
    ) -> None:
        super().__init__()
        self.layout, self.tau = layout, tau
        inputs = latent + shape[0] - len(layout.scalars)
        self.body = nn.Sequential(*(Residual(inputs + number * width, width, norm) for number in range(depth)))
        self.head = nn.Linear(inputs + depth * width, shape[0])

    def forward(self, z: Tensor, cond: Tensor | None = None) -> Row:
        """Z (n, latent), cond (n, softmaxes) int64 or None -> rows."""
        if cond is None:
            cond = torch.full((len(z), len(self.layout.softmaxes)), -1, device=z.device)
        asked = asked_places(cond, self.layout)
        return Row(self.head(self.body(torch.cat([z, asked], 1))), self.layout, self.tau)


class RowCritic(nn.Module):
    """Rows, or packs of them, with what was asked for, to a logit.

    Args:
        shape: (width,) of a row, times the rows of a pack.
        layout: of one row.
        width, depth: of the hidden layers.
        dropout: share of features that is left out in training.
    """

    def __init__(
        self, shape: tuple[int, ...], layout: Layout, width: int = 256, depth: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layout = layout
        self.pack = shape[0] // layout.width
        inputs = shape[0] + self.pack * (layout.width - len(layout.scalars))
        layers: list[nn.Module] = []
        for number in range(depth):
            layers += [nn.Linear(inputs if number == 0 else width, width), nn.LeakyReLU(0.2)]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, 1)

    def forward(self, sample: Tensor, cond: Tensor | None = None) -> Verdict:
        """Sample (n, pack * width), cond (n, pack * softmaxes) int64 or None -> logits (n, 1), features (n, hidden)."""
        if cond is None:
            cond = torch.full((len(sample), self.pack * len(self.layout.softmaxes)), -1, device=sample.device)
        rows = cond.reshape(-1, len(self.layout.softmaxes))
        asked = asked_places(rows, self.layout).reshape(len(sample), -1)
        features = self.body(torch.cat([sample, asked.to(sample.dtype)], 1))
        return Verdict((self.head(features),), (features,))


GENERATORS = {"rows": RowGenerator}
CRITICS = {"rows": RowCritic}
