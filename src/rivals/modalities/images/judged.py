"""A verdict on pictures with what a page shows beside it: samples, copies, the best, the worst, and the clouds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rivals.engine.data import spread
from rivals.judging.clouds import flattened
from rivals.judging.compare import nearest

from .copying import first_rows
from .sides import PART, Side

if TYPE_CHECKING:
    from .judge import PicturesJudge

SHOWN = 1_000  # samples among which the best and the worst are looked for


@dataclass(frozen=True)
class Judged:
    """A verdict and what a page shows beside it.

    Args:
        verdict: JSON-ready values.
        fake: the side that was judged.
        rows: its features (n, d).
        judge: who judged.
    """

    verdict: dict[str, Any]
    fake: Side
    rows: Tensor
    judge: "PicturesJudge"

    def samples(self, most: int = 100) -> Tensor:
        """The first samples of a model; of pictures, which may be sorted, evenly spread ones."""
        return self.fake.take(first_rows(self.fake, most))

    def ends(self, count: int = 20) -> tuple[Tensor, Tensor]:
        """The best and the worst of the first samples, by their realism (Kynkäänniemi et al. 2019, eq. 3).

        That is the distance to a real picture as a share of the distance from there to its own third neighbour, for the
        real picture where it is least: so plain pictures, which lie close together, don't win by that.
        """
        rows, real = self.rows[:SHOWN], self.judge.held_out
        near, which = nearest(rows, real, k=min(10, len(real)))
        around = nearest(real, real, k=min(4, len(real)))[0][:, -1].clamp_min(1e-12)
        order = (near / around[which]).min(1).values.argsort()
        count = min(count, len(rows) // 2)
        return self.fake.take(order[:count]), self.fake.take(order[-count:].flip(0))

    def copies(self, count: int = 12, k: int = 3) -> tuple[Tensor, Tensor] | None:
        """Samples with their nearest training pictures: flagged ones first, then others; None without any training."""
        if self.judge.training is None or not len(self.judge.train):
            return None
        memory = self.verdict["memorisation"]
        flagged = torch.tensor(memory.get("rows", []), dtype=torch.long)[: count // 2]
        others = first_rows(self.fake, max(PART, 2 * count))
        others = others[~torch.isin(others, flagged)]
        rows = torch.cat([flagged, spread(others, count - len(flagged))])
        near = self.judge.nearest_training(self.rows[rows], k)
        if len(flagged):  # what it is a copy of comes first
            near[: len(flagged), 0] = self.judge.training.take(torch.tensor(memory["matches"][: len(flagged)]))
        return self.fake.take(rows), near

    def clouds(self) -> dict[str, Any]:
        """Both sets of features in a plane."""
        return flattened(self.rows, self.judge.held_out)
