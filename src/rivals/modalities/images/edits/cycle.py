"""Two games at once, each the way back of the other: pictures of one kind into another, and of that into the first.

CycleGAN (Zhu et al., 2017) is two duels whose generators meet in two terms. It needs no game of its own: a generator
of two networks, a critic of two, and a sample of two pictures are a duel like any other. Losses are averages over a
critic's members, which here are the two critics; each sees its own kind of picture and has its own weights. So saving,
resuming, penalties, several processes and everything that looks on work as they do for one.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from rivals.engine.errors import RequestError
from rivals.engine.types import Round, Verdict

from .critics import PatchCritic
from .folded import FoldedEditor
from .translate import ResnetEditor


class Pair(NamedTuple):
    """A picture of each kind: of that which is wanted, `there`, and of that which is given, `back`."""

    there: Tensor
    back: Tensor


class Cycle(NamedTuple):
    """What a generator of two networks returns: both pictures it made, what from, and its two ways to make more."""

    picture: Pair
    given: Pair  # of which `there` was made of `back`, and `back` of `there`
    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


class CycleGenerator(nn.Module):
    """Two networks: `there` makes pictures of the second kind of the first kind's, `back` the other way round.

    Args:
        shape: (channels, height, width) of the second kind.
        seen: channels of the first kind.
        width: features at full size; 64 as published.
        blocks: residual blocks; 9 as published for 256 pixels, 6 for 128.
        norm: "instance", "batch", "layer" or "none".
        folded: two `FoldedEditor`s, for pictures of equal channels; these have no normalisation.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int,
        width: int = 32,
        blocks: int = 6,
        norm: str = "instance",
        folded: bool = False,
    ) -> None:
        super().__init__()
        self.kinds = (seen, shape[0])
        self.there: FoldedEditor | ResnetEditor
        self.back: FoldedEditor | ResnetEditor
        if folded:
            self.there = FoldedEditor(shape, seen, width, blocks, watched=False)
            self.back = FoldedEditor((seen, *shape[1:]), shape[0], width, blocks, watched=False)
        else:
            self.there = ResnetEditor(shape, seen, width, blocks, norm, watched=None)
            self.back = ResnetEditor((seen, *shape[1:]), shape[0], width, blocks, norm, watched=None)

    def forward(self, z: Tensor, cond: Tensor) -> Cycle:
        """Z (n, 0), cond (n, seen + channels, h, w): a picture of each kind, the first kind first; in [-1, 1]."""
        del z
        first, second = cond.split(self.kinds, 1)
        return Cycle(Pair(self.make(first), self.make_back(second)), Pair(second, first), self.make, self.make_back)

    def make(self, first: Tensor) -> Tensor:
        """Pictures of the first kind (n, seen, h, w) -> of the second (n, channels, h, w)."""
        return self.there.edit(first).picture

    def make_back(self, second: Tensor) -> Tensor:
        """Pictures of the second kind (n, channels, h, w) -> of the first (n, seen, h, w)."""
        return self.back.edit(second).picture


class CycleCritic(nn.Module):
    """A critic for each kind of picture.

    Args:
        shape: (channels, height, width) of the second kind.
        seen: channels of the first kind.
        width, halvings, norm: of each, as of `PatchCritic`.
    """

    def __init__(
        self, shape: tuple[int, int, int], seen: int, width: int = 64, halvings: int = 3, norm: str = "none"
    ) -> None:
        super().__init__()
        self.there = PatchCritic(shape, width=width, halvings=halvings, norm=norm)
        self.back = PatchCritic((seen, *shape[1:]), width=width, halvings=halvings, norm=norm)

    def forward(self, sample: Pair, cond: Tensor | None = None) -> Verdict:
        """A pair of pictures -> logits of both critics, and their features; neither sees what they were made of."""
        del cond
        verdicts = (self.there(sample.there), self.back(sample.back))
        features = tuple(part for verdict in verdicts for part in verdict.features)
        return Verdict(tuple(verdict.logits[0] for verdict in verdicts), features)


def both_ways(r: Round, what: str) -> Cycle:
    """What the generator returned, if it goes both ways."""
    if not isinstance(r.raw, Cycle):
        raise RequestError(f"{what} needs a generator that goes both ways, such as 'cycle'")
    return r.raw


def cycle(r: Round) -> Tensor:
    """There and back again should be the same picture, both ways: a sum of two (Zhu et al., 2017, eq. 2)."""
    raw = both_ways(r, "cycle")
    again = Pair(raw.there(raw.picture.back), raw.back(raw.picture.there))
    return l1_loss(again.there, raw.given.there) + l1_loss(again.back, raw.given.back)


def identity_both(r: Round) -> Tensor:
    """Pictures that are already of the wanted kind stay as they are: a sum of two (Zhu et al., 2017, section 5.2)."""
    raw = both_ways(r, "identity_both")
    same = Pair(raw.there(raw.given.there), raw.back(raw.given.back))
    return l1_loss(same.there, raw.given.there) + l1_loss(same.back, raw.given.back)


TERMS = {"cycle": cycle, "identity_both": identity_both}
