"""A user's own feature space: any function `module:function` from pictures to features."""

import hashlib
import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from rivals.engine.errors import RequestError

from .spaces import Extractor, check_pictures, coloured

UNKNOWN = "unknown"
BATCH = 64
SIDE = 64  # of the pictures that a function is tried on


def users_own(name: str) -> Extractor:
    """The space of `module:function`, a function from pictures to features.

    The function takes RGB pictures (n, 3, h, w) in [-1, 1], float32, of any n, h and w, and gives finite numbers
    (n, dimensions): the same ones each time, whatever other pictures come with a picture. Resizing is its own work.
    The module is looked for where Python looks, and in the folder that the command runs in. Its file's SHA-256 is the
    space's, so that a changed file is another space; what the file imports and loads is not in it.

    Raises:
        RequestError: there is no such function, or it keeps its promises not.
    """
    function = _imported(name)
    source = _source(function)
    digest = UNKNOWN if source is None else hashlib.sha256(source.read_bytes()).hexdigest()
    dimensions = _tried(name, function)

    def embed(pictures: Tensor) -> Tensor:
        check_pictures(pictures)
        return torch.cat([_asked(name, function, part.float(), dimensions) for part in pictures.split(BATCH)])

    return Extractor(
        name=f"{name}-{digest[:8]}",
        digest=digest,
        dimensions=dimensions,
        embed=embed,
        classify=None,
        classes=(),
        resizer="the function's own",
        quick=500,
        full=5_000,
    )


def _imported(name: str) -> Callable[[Tensor], Tensor]:
    module, _, function = name.partition(":")
    before = list(sys.path)
    sys.path.append(str(Path.cwd()))  # a command installed by pip does not look there
    try:
        found = getattr(import_module(module), function)
    except Exception as error:  # a module of one's own can fail in any way
        reason = " ".join(str(error).split())
        raise RequestError(f"no feature space {name!r}: {type(error).__name__}: {reason}") from error
    finally:
        sys.path[:] = before
    if not callable(found):
        raise RequestError(f"the feature space {name!r} is not a function but of type {type(found).__name__}")
    return found


def _source(function: Callable[[Tensor], Tensor]) -> Path | None:
    """The file that a function is written in."""
    try:
        found = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # built in, or an object
        found = getattr(sys.modules.get(type(function).__module__), "__file__", None)
    return Path(found) if found and Path(found).is_file() else None


def _tried(name: str, function: Callable[[Tensor], Tensor]) -> int:
    """How many features the function gives, if it does what it has to."""
    pictures = torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first = _asked(name, function, pictures, None)
    if not torch.equal(first, _asked(name, function, pictures, None)):
        raise RequestError(f"the feature space {name!r} gives other features for the same pictures when asked again")
    alone = _asked(name, function, pictures[:1], first.shape[1])
    if not torch.allclose(first[:1], alone, rtol=1e-2, atol=1e-3 * float(first.abs().max())):
        raise RequestError(
            f"the feature space {name!r} gives features that depend on which pictures come together: is a network in "
            "it in training mode?"
        )
    return first.shape[1]


def _asked(name: str, function: Callable[[Tensor], Tensor], pictures: Tensor, dimensions: int | None) -> Tensor:
    """Features (n, dimensions) in float32.

    Raises:
        RequestError: the function failed, or gave something else.
    """
    try:
        with torch.no_grad():
            found = function(coloured(pictures))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise RequestError(
            f"the feature space {name!r} failed on pictures {tuple(pictures.shape)}: {reason}"
        ) from error
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(pictures) or found.shape[1] < 1:
        what = f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise RequestError(
            f"the feature space {name!r} must give a tensor ({len(pictures)}, features), and gave {what}"
        )
    if dimensions is not None and found.shape[1] != dimensions:
        raise RequestError(f"the feature space {name!r} gave {dimensions} features before, and now {found.shape[1]}")
    if not found.isfinite().all():
        raise RequestError(f"the feature space {name!r} gave numbers that are not finite")
    return found.detach().to(torch.float32)
