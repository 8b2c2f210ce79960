"""What the labels of a source mean, once it is known which of its rows are pictures."""

import numpy as np

from .sources import Listing


def class_names(listing: Listing, usable: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], str]:
    """Decide what the labels of the usable rows mean.

    Classes need two members: where most have one, they are names rather than classes.

    Args:
        listing: The source.
        usable: (n,) rows that are pictures.

    Returns:
        (n,) int64 labels of those rows, with -1 for a stray that belongs to no class; the classes, empty if there are
        none; and a note if labels were left out.
    """
    labels = listing.labels[usable].astype(np.int64)
    nothing = (np.full(len(usable), -1, np.int64), ())
    counts = np.bincount(labels[labels >= 0], minlength=len(listing.classes))
    used = np.flatnonzero(counts)
    strays = int((labels < 0).sum())
    if not len(used) or (listing.by_folder and (len(used) < 2 or strays > max(3, len(usable) // 50))):
        return (*nothing, "")
    if not listing.by_folder and strays:
        return (*nothing, f"labels left out: {strays} pictures have none")
    names = [listing.classes[c] for c in used]
    parts = {"train", "test", "val", "valid", "validation"}
    if listing.by_folder and parts.issuperset(name.lower() for name in names):
        return (*nothing, f"labels left out: the folders {' and '.join(sorted(names))} are parts, not classes")
    if (counts[used] == 1).sum() * 2 > len(used):
        every = "every class has" if (counts[used] == 1).all() else "most classes have"
        return (*nothing, f"labels left out: {every} one picture")
    order = sorted(range(len(used)), key=lambda at: _natural(names[at])) if listing.by_folder else range(len(used))
    place = np.full(len(listing.classes) + 1, -1, np.int64)  # the last entry is where -1 points
    place[used[list(order)]] = np.arange(len(used))
    return place[labels], tuple(names[at] for at in order), ""


def _natural(name: str) -> tuple[int, int, str]:
    """Sort numbers as numbers: 2 before 10."""
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)
