"""What rows are asked for in training: their own values, or values drawn as CTGAN draws them."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.parallel import own_rows
from rivals.engine.recipe import Recipe, from_plain

from .layout import Layout

Mix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Asking:
    """How often, and of what, rows are asked for values: a table's own choices in `Recipe.data`.

    Args:
        nothing: share of the rows that are asked for nothing.
        several: share of the others that are asked for two columns or three, each as often.
        balanced: training by sampling (Xu et al., 2019, section 4.3): the value of the first column that is asked for
            is drawn by the logarithm of its frequency, and the row from all that have it. Each row is asked for nothing
            that it does not fulfil, so the game under a condition is the same.
        modes: ask for modes of numbers too, not for categories alone.
    """

    nothing: float = 0.5
    several: float = 0.2
    balanced: bool = False
    modes: bool = True

    def __post_init__(self) -> None:
        if not (0 <= self.nothing <= 1 and 0 <= self.several <= 1):
            raise RequestError(
                f"shares of rows lie between 0 and 1, not data.nothing={self.nothing}, data.several={self.several}"
            )

    def places(self, layout: Layout) -> Tensor:
        """Which softmaxes are asked for, (softmaxes,) bool: all, where there are no others than modes."""
        named = torch.tensor([segment.role == "category" for segment in layout.softmaxes], dtype=torch.bool)
        return torch.ones_like(named) if self.modes or not named.any() else named

    def columns(self, count: int, places: Tensor) -> tuple[Tensor, Tensor]:
        """Which softmaxes each of `count` rows is asked for, (count, softmaxes) bool, and which first, (count,)."""
        draws = own_rows(torch.rand, count, 1 + len(places))
        if not len(places):
            return draws[:, 1:] > 0, torch.zeros(count, dtype=torch.long)
        rest = (1 - self.nothing) * self.several
        edges = (self.nothing, 1 - rest, 1 - rest / 2)
        most = sum((draws[:, :1] >= edge).int() for edge in edges)
        rank = torch.where(places, draws[:, 1:], 2.0).argsort(1).argsort(1)  # each column as likely
        return (rank < most) & places, rank.argmin(1)


def asking_of(recipe: Recipe) -> Asking:
    """What a recipe says of it.

    Raises:
        RequestError: there is no such choice, or it does not go with differential privacy.
    """
    asking: Asking = from_plain(Asking, dict(recipe.data), "data")
    if asking.balanced and recipe.privacy is not None:
        raise RequestError("with --epsilon every row must be as likely as any other: --set data.balanced=false")
    return asking


class Balanced(NamedTuple):
    """Rows by the slots that they take, to be drawn by value.

    Attributes:
        rows: (softmaxes, n) int32, the rows in the order of each softmax's slots.
        first, counts: (places,) int64, where a slot's rows begin in that order, and how many there are.
        chance: (places,) float64, running in each softmax from its number to one more.
    """

    rows: Tensor
    first: Tensor
    counts: Tensor
    chance: Tensor

    @classmethod
    def of(cls, slots: Tensor, train: Tensor, layout: Layout) -> "Balanced":
        """Look all rows up once. Slots (n, softmaxes) of any integers, train (m,) int64 of them to draw from."""
        rows, first, counts, chance = [], [], [], []
        for number, segment in enumerate(layout.softmaxes):
            own = slots[train, number]
            held = own.long().bincount(minlength=segment.width)
            rows.append(train[own.argsort(stable=True)].int())
            first.append(held.cumsum(0) - held)
            counts.append(held)
            summed = held.double().log1p().cumsum(0)
            chance.append(number + summed / summed[-1])
        return cls(torch.stack(rows), *map(torch.cat, (first, counts, chance)))

    def draw(self, columns: Tensor) -> Tensor:
        """A row for each softmax asked for, (n,): its slot by the logarithm of how many rows have it, then a row."""
        draws = own_rows(torch.rand, len(columns), 2).double()
        place = torch.searchsorted(self.chance, columns + draws[:, 0], right=True).clamp(max=len(self.chance) - 1)
        at = (draws[:, 1] * self.counts[place]).long()
        return self.rows[columns, self.first[place] + at].long()


def mix_of(asking: Asking, shares: Tensor, layout: Layout) -> Mix:
    """What a model that knows no row without a wish is asked for instead: each softmax's slots by true frequency.

    Args:
        asking: as the model was trained.
        shares: (width,) of the slots in the data.
        layout: of the row.

    Returns:
        The shares of each softmax's slots, none for those that are not asked for; nothing at all where rows were asked
        for nothing at times.
    """
    if asking.nothing > 0:
        return ()
    parts = ((s, shares[s.start : s.start + s.width].tolist()) for s in layout.softmaxes)
    open_ = asking.places(layout).tolist()
    return tuple(tuple(part) if asked else () for (_, part), asked in zip(parts, open_, strict=True))


def drawn_from(mix: Mix, count: int) -> Tensor:
    """One slot of one softmax for each of `count` rows, (count, softmaxes) int64; -1 elsewhere."""
    open_ = torch.tensor([place for place, shares in enumerate(mix) if shares])
    columns = open_[torch.randint(len(open_), (count,))]
    asked = torch.full((count, len(mix)), -1)
    for place in open_.tolist():
        here = torch.nonzero(columns == place).flatten()
        shares = torch.tensor(mix[place], dtype=torch.float64)
        if len(here):
            asked[here, place] = torch.multinomial(shares, len(here), replacement=True)
    return asked


def data_of(asking: Asking) -> dict[str, Any]:
    """As plain values for a recipe."""
    return asdict(asking)
