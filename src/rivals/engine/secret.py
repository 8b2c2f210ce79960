"""The secret that private training draws its samples and its noise from.

Whoever knows the noise can take it off again, so it must not follow from a recipe's seed, which is public. A run draws
32 random bytes from the operating system and keeps them in a file of its own that only its owner can read, in its
folder and nowhere else: not in the recipe, the log, the model or the ledger. A run that was interrupted goes on
with the same bytes, so that it plays the very rounds that it would have played, and none is released twice with other
noise. At the end of training the file is removed. Until then it must stay as private as the data; don't share a run's
folder before. The numbers come from Philox (Salmon et al., 2011) under a key of 128 bits: nothing is known that tells
them from random ones, but it was not made for cryptography.
"""

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np

from .errors import RequestError

LENGTH = 32  # bytes
SECRET = ".secret"  # the file's name in a run's folder


def random_of(secret: bytes, *place: str | int) -> np.random.Generator:
    """The random numbers of one place: a pure function of the secret and the place's name.

    >>> random_of(bytes(32), "noise", 3).integers(1000) == random_of(bytes(32), "noise", 3).integers(1000)
    True
    """
    digest = hmac.digest(secret, repr(place).encode(), "sha256")
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], np.uint64)))


def bound_secret(secret: bytes, *settled: str) -> bytes:
    """A secret for one table under one recipe: with anything else it is another, so no noise hides two things.

    Args:
        secret: as it is kept.
        settled: what the noise will hide, and how, in words.
    """
    return hmac.digest(secret, repr(settled).encode(), "sha256")


def mark_of(secret: bytes) -> str:
    """A name for a secret that tells nothing of it, to know it again by."""
    return f"keyed-{hmac.digest(secret, b'mark', 'sha256').hex()}"


def kept_secret(path: Path) -> bytes:
    """The secret in a file, or a new one, written there so that only its owner can read it.

    Raises:
        RequestError: the file holds something else.
    """
    with suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(LENGTH))
            file.flush()
            os.fsync(file.fileno())
    with suppress(OSError, ValueError):
        found = bytes.fromhex(path.read_text(encoding="ascii"))
        if len(found) == LENGTH:
            return found
    raise RequestError(f"{path} does not hold the secret of this private training; start again in a new --out")
