"""Feature spaces for pictures, by name: what a verdict on pictures measures distances in.

A distance means nothing without its space, so every space carries the hash of its weights and says in words how
pictures are brought to its size. All but `inception` work without a network connection, and that one only fetches its
weights when it is asked for by name.
"""

import difflib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from rivals.engine.errors import RequestError

from .cache import Pictures
from .inception import inception
from .own import own
from .pretrained import efficientnet, installed
from .spaces import Extractor
from .spaces_small import RANDOM_SEED, DigitsNet, RandomNet, digits, random
from .users import users_own

__all__ = ["EXTRACTORS", "RANDOM_SEED", "DigitsNet", "Extractor", "RandomNet", "check", "choose", "extractor"]

Tell = Callable[[Mapping[str, Any]], None]

SELF = "self"
SMALL, LARGE = "efficientnet@64", "efficientnet@128"  # defaults for pictures that are no digits, by their size

EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "digits": digits,
    "random": random,
    SMALL: partial(efficientnet, 64, quick=1_000, full=10_000),
    LARGE: partial(efficientnet, 128, quick=500, full=5_000),
    "efficientnet": efficientnet,
    "inception": inception,
}
"""Spaces that need nothing but their name. There are besides: `self`, `inception:FILE` and `module:function`."""


def extractor(name: str, pictures: Pictures | None = None, *, tell: Tell = lambda entry: None) -> Extractor:
    """The feature space of that name, loaded once.

    Args:
        name: of EXTRACTORS; `self`, which is learned from `pictures`; `inception:FILE` with the file of its weights;
            or `module:function`, a function of the user's (see `users.users_own`).
        pictures: what `self` learns from; the other spaces don't look at them.
        tell: told how far a download or the learning is.

    Raises:
        RequestError: there is no such space, or what it needs is not there.

    >>> extractor("random").dimensions
    256
    """
    if name == SELF:
        if pictures is None:
            raise RequestError("the feature space 'self' is learned from the pictures, and there are none yet")
        return own(pictures, tell=tell)
    first, colon, rest = name.partition(":")
    if first == "inception":
        what = "the weights of Inception"
        return inception(
            rest or None,
            progress=lambda done, total: tell({"kind": "fetching", "what": what, "done": done, "total": total}),
        )
    if colon and name not in EXTRACTORS:
        return _users(name)
    if name not in EXTRACTORS:
        known = [*EXTRACTORS, SELF]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise RequestError(
            f"no feature space {name!r}: the known ones are {', '.join(known)} and module:function; nearest: {close}"
        )
    return _loaded(name)


def check(name: str) -> str:
    """The name itself, if its space is known and has what it needs, as far as that can be told without pictures.

    Raises:
        RequestError: it can't be had.
    """
    if name != SELF:
        extractor(name)
    return name


def choose(source_kind: str, device: str = "cpu", side: int = 64) -> str:
    """The space to judge pictures in when nobody named one.

    Digits are judged by the digits classifier; other pictures by the pretrained network where it is installed, at 64 or
    128 pixels (benchmarks/spaces.py: a core embeds a thousand a second at 64, a fifth of that at 128); else by the
    random one.

    Args:
        source_kind: of the pictures, as found.
        device: where they are embedded; the space is the same everywhere, so that verdicts can be compared.
        side: the longer side of most pictures, in pixels.

    >>> choose("digits")
    'digits'
    """
    del device
    if source_kind == "digits":
        return "digits"
    if not installed():
        return "random"
    return SMALL if side <= 64 else LARGE


def reason(space: str) -> str:
    """Why the default is what it is, in words, where that is worth knowing; empty where nothing is missing."""
    if space != "random" or installed():
        return ""
    return (
        "judged in the feature space 'random', which sees texture and colour but no objects: "
        "pip install 'rivals[features]' for one that was trained on photos"
    )


@lru_cache
def _loaded(name: str) -> Extractor:
    return EXTRACTORS[name]()


_users = lru_cache(users_own)
