"""Categories as slots of a softmax, the rare ones of very many in shared slots."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .columns import Typed
from .layout import Part


@dataclass(frozen=True)
class CategoryEncoder:
    """One column of categories: a softmax with a slot a category, then the shared slots, then missing.

    A column with more categories than slots gives the most frequent ones slots of their own. The others are in
    clusters, each one slot; which member a row gets is drawn when decoding, by how often each was seen. Every category
    keeps its share, and what the members of a cluster have in common is learned; what tells them apart within it is
    lost: a member no longer depends on the row's other columns. No array is as wide as there are categories times rows.

    Args:
        column: its name.
        categories: how many there are, the most frequent first.
        clusters: of each category past those with slots of their own, the cluster it is in, from 0.
        counts: of the same, how often each was seen.
        missing: whether missing is a slot.
    """

    column: str
    categories: int
    clusters: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    missing: bool = False

    @property
    def own(self) -> int:
        """Categories with a slot of their own: codes and slots below this are the same."""
        return self.categories - len(self.clusters)

    @cached_property
    def slots(self) -> int:
        """Of the softmax."""
        return self.own + max(self.clusters, default=-1) + 1 + self.missing

    def parts(self) -> tuple[Part, ...]:
        """The segment, if there is more than one slot."""
        return (Part("category", self.slots),) if self.slots > 1 else ()

    def slot_of(self, codes: np.ndarray) -> np.ndarray:
        """The slot of each code, (n,); -1, missing, is the last, or the first in a column that knows no missing."""
        slots = np.where(codes < 0, self.slots - 1 if self.missing else 0, codes)
        shared = codes >= self.own
        slots[shared] = self.own + self._clusters[codes[shared] - self.own]
        return slots

    def encode(self, typed: Typed, draws: np.ndarray) -> list[np.ndarray]:
        """Cells as slots, (n,); nothing is drawn."""
        assert typed.codes is not None
        return [self.slot_of(typed.codes)] if self.parts() else []

    def decode(self, arrays: Sequence[np.ndarray], draws: np.ndarray) -> Typed:
        """The cells of slots; `draws`, (n,) in [0, 1), choose the members of clusters."""
        slots = arrays[0] if self.parts() else np.zeros(len(draws), np.int64)
        codes = slots.astype(np.int32)
        if self.missing:
            codes[slots == self.slots - 1] = -1
        shared = np.flatnonzero(codes >= self.own)
        if len(shared):
            members, bounds, summed = self._members
            cluster = codes[shared] - self.own
            mass = np.concatenate([[0.0], summed])[bounds]
            wanted = mass[cluster] + draws[shared] * (mass[cluster + 1] - mass[cluster])
            places = np.clip(np.searchsorted(summed, wanted, "right"), bounds[cluster], bounds[cluster + 1] - 1)
            codes[shared] = self.own + members[places]
        return Typed(None, codes)

    @cached_property
    def _clusters(self) -> np.ndarray:
        return np.array(self.clusters, np.int64)

    @cached_property
    def _members(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The shared categories cluster by cluster, where each cluster begins and ends, and the running count."""
        members = np.argsort(self._clusters, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(self._clusters))])
        return members, bounds, np.cumsum(np.array(self.counts, np.float64)[members])


def shares(categories: int, missing: bool, most_slots: int) -> tuple[int, int]:
    """How many categories get a slot of their own, and how many slots the others share: a quarter of all slots.

    >>> shares(40, True, 256), shares(300_000, False, 256)
    ((40, 0), (192, 64))
    """
    slots = most_slots - missing
    if categories <= slots:
        return categories, 0
    return slots - slots // 4, slots // 4
