"""The encoded row: scalars first, then one softmax segment after the other; and what turns logits into such rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

FAR = 60.0  # logits up to which powers are taken as they are
SURE = 30.0  # a logit that no noise of the Gumbel distribution turns round: a chance of 1e-26


@dataclass(frozen=True)
class Segment:
    """A run of places of the encoded row that belong together.

    Args:
        column: the column they belong to.
        start: the first place.
        width: how many places; 1 for a scalar, at least 2 for a softmax.
        kind: "scalar", a number in [-1, 1], or "softmax", a one-hot.
        role: what it says of the column: "value" and "mode" of numbers, "category", and of dates "day", "day mode",
            "time", "time mode", "weekday", "month", "day of month".
    """

    column: str
    start: int
    width: int
    kind: Literal["scalar", "softmax"]
    role: str


class Part(NamedTuple):
    """A segment before it has its place; a width of 0 is a scalar."""

    role: str
    width: int = 0


@dataclass(frozen=True)
class Layout:
    """Where everything of an encoded row is. All scalars come before all softmax segments, without gaps."""

    segments: tuple[Segment, ...]

    @cached_property
    def width(self) -> int:
        """Places of a row."""
        return self.segments[-1].start + self.segments[-1].width if self.segments else 0

    @cached_property
    def scalars(self) -> tuple[Segment, ...]:
        """The segments of single numbers: places 0, 1, 2, ..."""
        return tuple(segment for segment in self.segments if segment.kind == "scalar")

    @cached_property
    def softmaxes(self) -> tuple[Segment, ...]:
        """The segments of one-hots."""
        return tuple(segment for segment in self.segments if segment.kind == "softmax")


def layout_of(parts: Iterable[tuple[str, Part]]) -> Layout:
    """The layout of (column, part), in the order given within the scalars and within the softmaxes."""
    parts = list(parts)
    ordered = [item for item in parts if not item[1].width] + [item for item in parts if item[1].width]
    starts = accumulate((max(part.width, 1) for _, part in ordered), initial=0)
    return Layout(
        tuple(
            Segment(column, start, max(part.width, 1), "softmax" if part.width else "scalar", part.role)
            for (column, part), start in zip(ordered, starts, strict=False)
        )
    )


class _Places(NamedTuple):
    """A layout's softmax places as tensors, counted from the first of them."""

    scalars: int
    segment: Tensor  # (places,) which softmax a place belongs to
    within: Tensor  # (places,) which slot of it the place is
    starts: Tensor  # (softmaxes,) the first place of each
    member: Tensor  # (places, softmaxes) 1 where the place belongs to the softmax
    derived: Tensor  # (places,) whether it is of a mode or part of a date, not of a category


@lru_cache(maxsize=32)  # asked for at every step; the same layout always has the same places
@torch.inference_mode(False)  # made while sampling, they would be refused when training
def _places(layout: Layout, device: torch.device, dtype: torch.dtype) -> _Places:
    widths = torch.tensor([segment.width for segment in layout.softmaxes], dtype=torch.long)
    starts = widths.cumsum(0) - widths
    segment = torch.arange(len(widths)).repeat_interleave(widths)
    member = segment[:, None] == torch.arange(len(widths))
    within = torch.arange(len(segment)) - starts[segment]
    derived = torch.tensor([part.role != "category" for part in layout.softmaxes], dtype=torch.bool)[segment]
    tensors = (segment.to(device), within.to(device), starts.to(device), member.to(device, dtype), derived.to(device))
    return _Places(len(layout.scalars), *tensors)


def relax(raw: Tensor, layout: Layout, tau: float, hard: bool = False) -> Tensor:
    """What the critic sees of a generator's output: tanh of scalars, Gumbel-softmax of segments (Jang et al., 2017).

    All segments at once, twice differentiable. The noise comes from torch's own generator of random numbers.

    Args:
        raw: (n, width), the generator's output.
        layout: of the row.
        tau: temperature, above 0; the smaller, the nearer to one-hots.
        hard: exact one-hots, with the gradient of the soft ones (straight through).

    Returns:
        (n, width): scalars in [-1, 1], every softmax segment sums to 1.
    """
    raw, places = _ready(raw, layout)
    scalars, logits = raw.split([places.scalars, raw.shape[1] - places.scalars], 1)
    chance = torch.rand_like(logits).clamp_min_(torch.finfo(logits.dtype).tiny)
    noise = chance.log_().neg_().log_().neg_()  # four times as fast on a CPU as torch's exponential_
    with torch.autocast(raw.device.type, enabled=False):  # sums of shares in half precision are no shares
        noisy = (logits + noise) / tau
        powers = (noisy - _largest(noisy, places).index_select(1, places.segment)).exp()
        soft = powers * ((powers @ places.member).reciprocal() @ places.member.T)
    if hard:
        one_hot = torch.zeros_like(soft).scatter_(1, _first_largest(soft.detach(), places) + places.starts, 1.0)
        soft = one_hot + (soft - soft.detach())
    return torch.cat([scalars.tanh(), soft], 1)


def draw(raw: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """What a row of `relax` stands for, drawn at once: slots by their probabilities, with one random number each.

    Returns:
        Scalars (n, scalars) in [-1, 1], slots (n, softmaxes) int64.
    """
    raw, places = _ready(raw, layout)
    scalars, logits = raw.split([places.scalars, raw.shape[1] - places.scalars], 1)
    if not layout.softmaxes:
        return scalars.tanh(), places.starts.expand(len(raw), -1)
    if not (logits.abs() < FAR).all():
        logits = logits - _largest(logits, places).index_select(1, places.segment)
    powers = logits.exp()
    shares = powers * ((powers @ places.member).reciprocal() @ places.member.T)
    sums = shares.double().cumsum(1)
    high = sums[:, _ends(places)]  # within its own borders, or rounding would let chance fall into a neighbour
    low = pad(high[:, :-1], (1, 0))
    sought = low + (high - low) * torch.rand(high.shape, device=raw.device, dtype=torch.float64)
    slots = (torch.searchsorted(sums, sought, right=True) - places.starts).clamp_min(0)
    return scalars.tanh(), slots.minimum(places.within[_ends(places)])


def _ends(places: _Places) -> Tensor:
    """The last place of each softmax."""
    return torch.cat([places.starts[1:], places.starts.new_tensor([len(places.segment)])]) - 1


def log_softmax_segments(raw: Tensor, layout: Layout) -> Tensor:
    """The log-probabilities of all slots, for a term that asks for a value: (n, width) -> (n, width).

    Scalars have none and are 0.
    """
    raw, places = _ready(raw, layout)
    scalars, logits = raw.split([places.scalars, raw.shape[1] - places.scalars], 1)
    with torch.autocast(raw.device.type, enabled=False):
        centred = logits - _largest(logits, places).index_select(1, places.segment)
        sums = centred.exp() @ places.member
        return torch.cat([torch.zeros_like(scalars), centred - sums.log() @ places.member.T], 1)


def with_given(raw: Tensor, cond: Tensor, layout: Layout, categories: bool = True) -> Tensor:
    """Logits in which every segment that is asked for says what was asked, whatever noise is added: `SURE` or -`SURE`.

    Args:
        raw: (n, width).
        cond: (n, softmaxes) int64 slots, -1 where nothing is asked.
        layout: of the row.
        categories: in those of categories too, not in modes and parts of dates alone.
    """
    raw, places = _ready(raw, layout)
    scalars, logits = raw.split([places.scalars, raw.shape[1] - places.scalars], 1)
    asked = cond.index_select(1, places.segment)
    sure = torch.where(places.within == asked, SURE, -SURE).to(logits.dtype)
    put = (asked >= 0) & (places.derived | categories)
    return torch.cat([scalars, torch.where(put, sure, logits)], 1)


def one_hots(scalars: Tensor, slots: Tensor, layout: Layout) -> Tensor:
    """Rows of scalars, (n, scalars), and of one-hots at slots, (n, softmaxes) integers: (n, width) float32."""
    rows = torch.zeros(len(scalars), layout.width, device=scalars.device)
    rows[:, : scalars.shape[1]] = scalars
    return rows.scatter_(1, places_of(slots, layout), 1.0)


def places_of(slots: Tensor, layout: Layout) -> Tensor:
    """Where in a row of one-hots the ones are, for slots (n, softmaxes) of integers: (n, softmaxes) int64."""
    places = _places(layout, slots.device, torch.float32)
    return slots.long() + (places.starts + places.scalars)


def _ready(raw: Tensor, layout: Layout) -> tuple[Tensor, _Places]:
    if raw.ndim != 2 or raw.shape[1] != layout.width:
        raise ValueError(f"rows of shape {tuple(raw.shape)} don't fit a layout of width {layout.width}")
    raw = raw if raw.dtype in (torch.float32, torch.float64) else raw.float()
    return raw, _places(layout, raw.device, raw.dtype)


def _largest(logits: Tensor, places: _Places) -> Tensor:
    """The largest value of each segment, (n, softmaxes), a constant: a softmax does not depend on it."""
    lowest = logits.new_full((len(logits), len(places.starts)), -torch.inf)
    return lowest.scatter_reduce_(1, places.segment.expand(len(logits), -1), logits.detach(), "amax")


def _first_largest(values: Tensor, places: _Places) -> Tensor:
    """The first slot of each segment that holds its largest value: (n, softmaxes) int64."""
    top = values == _largest(values, places).index_select(1, places.segment)
    slots = places.within.where(top, len(places.within))
    return slots.new_full((len(values), len(places.starts)), len(places.within)).scatter_reduce_(
        1, places.segment.expand(len(values), -1), slots, "amin"
    )
