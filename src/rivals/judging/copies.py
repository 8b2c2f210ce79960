"""Which samples are training pictures: a search over shifts, and a limit set by pictures nobody can have copied.

The plain distance to the nearest training picture fails twice: a copy moved by one pixel is far away, and an honest "1"
is near to some other "1". So every sample is laid over the training pictures at all shifts of a few pixels, and what
counts is the largest local difference left over: a copy, even a noisy or darker one, differs nowhere by much, while two
different pictures that agree nearly everywhere (the same face in another shirt) differ clearly somewhere.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .interval import Interval

_CELLS, _DIRECTIONS = 8, 32  # the rough look: means of 8x8 cells, their first principal directions
_CANDIDATES = 12  # training pictures that are compared at full size
_AT_ONCE = 2**23  # numbers held at a time: 32 MiB of float32
_LEAST = 50  # held-out pictures that a limit can be set by
_STEEPEST = 20.0  # of the held-out pictures' tail: with few of them a steeper one is chance


@dataclass(frozen=True)
class Matches:
    """The training picture most like each sample.

    Attributes:
        which: (n,) its row.
        shift: (n, 2) how far the sample lies down and right of it, in pixels.
        deviation: (n,) the largest difference, averaged over 3x3 pixels, in standard deviations of the sample's
            brightness; infinite for samples of one colour, which can't be told from anything.
        residual: (n,) the share of the sample's variance that the training picture leaves unexplained, 0 to 1.
    """

    which: Tensor
    shift: Tensor
    deviation: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Copies:
    """Which samples are copies of training pictures, and how far that can be trusted.

    Attributes:
        flags: (n,) whether the sample is reported as a copy.
        matches: the training picture most like each sample, copy or not.
        limit: samples whose deviation is below are copies.
        share: the flagged share of the samples, 0 to 1, with its 95 % interval (Wilson).
        expected: how many false alarms there should be among the samples.
        tested: held-out pictures that had no part in setting the limit.
        alarms: those of them that the limit reports. More than a few mean that the held-out pictures repeat training
            pictures: compare `share` with `alarms / tested`.
    """

    flags: Tensor
    matches: Matches
    limit: float
    share: Interval
    expected: float
    tested: int
    alarms: int


def copies(samples: Tensor, train: Tensor, held_out: Tensor, *, shift: int = 2, expected: float = 0.1) -> Copies:
    """Find the samples that are training pictures, shifted or not, with few false alarms.

    Every other held-out picture sets the limit: the lower tail of their deviations from the training pictures is taken
    for a power law, as distances to the nearest of many points have one, is fitted between its quantiles 0.5 % and 5 %
    (higher ones for fewer than 600 pictures) and is extrapolated to where `expected` of `len(samples)` fall. A few
    training pictures among the held-out ones (under 0.5 %) lower the limit, but don't void it. The other half of the
    held-out pictures tests it.

    Found: copies moved by up to `shift` pixels both ways, with another brightness or contrast of the whole picture,
    slight noise, a little blur or light compression; moved by parts of a pixel, most of them. Not found: mirrored,
    turned, scaled or recoloured copies, and copies of a part. Where held-out pictures differ from training pictures in
    a few pixels only (drawings put together of few parts), the limit is low, and noisy or compressed copies are missed.
    The outermost `shift` pixels aren't compared, and so can't tell two pictures apart.

    `expected` holds for sources that don't repeat pictures. Of 5,000 held-out pictures of Fashion-MNIST 4 are reported:
    they equal a training picture up to 4 to 43 of 255 levels. Look at the pairs before calling a generator a copier.

    Args:
        samples: (n, c, h, w), uint8, or floating-point in [-1, 1].
        train: (m, c, h, w), likewise; uint8 takes the least memory.
        held_out: (k, c, h, w) pictures of the same source that the generator has not seen, 100 or more.
        shift: in pixels, 0 or more.
        expected: false alarms among all samples, on average.

    Raises:
        ValueError: shapes that don't agree, values that are not finite, or too few held-out pictures.
    """
    if len(held_out) < 2 * _LEAST:
        raise ValueError(f"{2 * _LEAST} held-out pictures or more are needed to set a limit, got {len(held_out)}")
    ours = matches(samples, train, shift=shift)
    control = matches(held_out, train, shift=shift).deviation
    limit = tail(control[::2], expected / len(samples))
    flags = ours.deviation < limit
    tested = control[1::2]
    share = wilson(int(flags.sum()), len(flags))
    return Copies(flags, ours, limit, share, expected, len(tested), int((tested < limit).sum()))


def tail(values: Tensor, share: float) -> float:
    """The value below which a `share` of draws should fall, by a power law through two low quantiles of `values`.

    >>> u = torch.arange(1, 10_001) / 10_000  # of u^(1/4), a share of x⁴ is below x
    >>> round(tail(u**0.25, 1e-6) / 1e-6**0.25, 1)
    1.0
    """
    low = max(0.005, 3 / len(values))
    high = min(10 * low, 0.5)
    at_low, at_high = values.double().quantile(torch.tensor([low, high], dtype=torch.float64)).tolist()
    if at_low <= 0 or not math.isfinite(at_high):
        return 0.0  # held-out pictures are training pictures, or have no contrast: nothing can be told
    steepness = min(math.log(high / low) / max(math.log(at_high / at_low), 1e-9), _STEEPEST)
    return at_low * min(share / low, 1.0) ** (1 / steepness)


def wilson(count: int, total: int, z: float = 1.959964) -> Interval:
    """A share and its 95 % interval (Wilson 1927), which is right for none and for few.

    >>> wilson(0, 100)
    Interval(value=0.0, low=0.0, high=0.036993, level=0.95)
    """
    share = count / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low, high = ((middle + sign * half) / (1 + z * z / total) for sign in (-1, 1))
    return Interval(share, round(max(low, 0.0), 6), round(min(high, 1.0), 6))


def matches(samples: Tensor, train: Tensor, *, shift: int = 2) -> Matches:
    """The training picture most like each sample (n, c, h, w) over all shifts up to `shift` pixels both ways.

    Likeness is the correlation of the pixels that overlap under all shifts. Candidates come from a rough look: 8x8
    means, reduced to 32 principal directions of the training pictures, by one matrix product for all shifts; the best
    twelve are compared at full size. Memory does not grow with the number of samples; 10,000 samples against 60,000
    training pictures of 32x32 are about 1e12 multiplications: minutes on two cores.

    Raises:
        ValueError: shapes that don't agree, or values that are not finite.
    """
    _check(samples, train, shift)
    rough = torch.cat([_rough(_moved(_real(part), shift, (shift,)))[:, 0] for part in train.split(1_000)])
    centre = rough.mean(0)
    spread = rough - centre
    turn = torch.linalg.eigh(spread.T @ spread).eigenvectors[:, -_DIRECTIONS:]
    keys = spread @ turn  # (m, directions)
    keys = torch.cat([keys, -keys.square().sum(1, keepdim=True) / 2, torch.ones(len(keys), 1)], 1)
    all_shifts = (2 * shift + 1) ** 2
    step = max(1, _AT_ONCE // max(all_shifts * samples[0].numel(), _CANDIDATES * samples[0].numel(), len(train)))
    found = []
    for part in samples.split(step):
        moved = _moved(_real(part), shift, range(2 * shift + 1))  # (b, shifts, c, h', w')
        queries = (_rough(moved) - centre) @ turn
        queries = torch.cat([queries, torch.ones_like(queries[..., :1]), -queries.square().sum(-1, True) / 2], -1)
        which = _most_alike(queries, keys)
        found.append(_closest(moved, _real(train[which]), which, shift))
    return Matches(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _most_alike(queries: Tensor, keys: Tensor) -> Tensor:
    """The keys (m, d) nearest to any of the shifted queries (b, shifts, d): rows (b, candidates), in no order."""
    b, shifts, d = queries.shape
    width = max(1, _AT_ONCE // (8 * b * shifts))  # the product of one step stays in the cache
    flat = queries.reshape(-1, d)
    like = torch.cat([(flat @ some.T).view(b, shifts, -1).amax(1) for some in keys.split(width)], 1)
    return like.topk(min(_CANDIDATES, len(keys)), sorted=False).indices


def _closest(moved: Tensor, theirs: Tensor, which: Tensor, shift: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of the candidates (b, k, c, h, w) the one most like the sample: its row, the shift, deviation and residual."""
    flat = moved.flatten(2)  # (b, shifts, pixels)
    like, at = (_unit(flat) @ _unit(_moved(theirs.flatten(0, 1), shift, (shift,)).reshape(*which.shape, -1)).mT).max(1)
    best = like.argmax(1)  # of (b, k)
    one = torch.arange(len(best))
    at = at[one, best]
    ours = flat[one, at] - flat[one, at].mean(1, keepdim=True)  # (b, pixels)
    near = range(max(shift - 1, 0), min(shift + 1, 2 * shift) + 1)
    parts = _moved(theirs[one, best], shift, near).flatten(2)  # (b, 9, pixels)
    rest = ours - _explained(ours, parts - parts.mean(2, keepdim=True))
    variance = ours.square().mean(1)
    blank = variance < 1e-6
    local = F.avg_pool2d(rest.reshape(-1, *moved.shape[2:]), 3, 1).flatten(1).abs().amax(1)
    deviation = (local / variance.sqrt()).masked_fill(blank, math.inf)
    residual = (rest.square().mean(1) / variance).masked_fill(blank, 1.0)
    side = 2 * shift + 1
    return which[one, best], torch.stack([at // side - shift, at % side - shift], 1), deviation, residual


def _explained(ours: Tensor, parts: Tensor) -> Tensor:
    """The combination of each row's parts (b, k, pixels) that is nearest to it (b, pixels).

    The parts are a training picture and its neighbours by one pixel, so a combination is any filter of 3x3: another
    contrast, a part of a pixel's shift, a little blur. In float64, with a ridge for pictures that vary one way only.
    """
    a, b = parts.double(), ours.double()
    square = a @ a.mT
    size = square.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] + 1e-9
    ridge = 1e-7 * size * torch.eye(parts.shape[1], dtype=a.dtype)
    weights = torch.linalg.solve(square + ridge, a @ b[..., None])  # (b, k, 1)
    return (weights.mT @ a)[:, 0].to(ours.dtype)


def _moved(pictures: Tensor, shift: int, starts: range | tuple[int, ...]) -> Tensor:
    """Windows (n, starts², c, h - 2 shift, w - 2 shift) of pictures (n, c, h, w), row by row of starts."""
    height, width = (side - 2 * shift for side in pictures.shape[-2:])
    return torch.stack([pictures[..., y : y + height, x : x + width] for y in starts for x in starts], 1)


def _rough(windows: Tensor) -> Tensor:
    """Windows (n, s, c, h, w) as means of 8x8 cells less their mean, of length 1: (n, s, c x 64)."""
    cells = (min(_CELLS, windows.shape[-2]), min(_CELLS, windows.shape[-1]))
    return _unit(F.adaptive_avg_pool2d(windows.flatten(0, 1), cells).reshape(*windows.shape[:2], -1))


def _unit(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(-1, keepdim=True)
    return centred / centred.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def _real(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1 if pictures.dtype == torch.uint8 else pictures.float()


def _check(samples: Tensor, train: Tensor, shift: int) -> None:
    if samples.ndim != 4 or train.ndim != 4 or samples.shape[1:] != train.shape[1:] or not len(samples) * len(train):
        raise ValueError(
            "samples and training pictures have shape (count, channels, height, width) and agree in all but the "
            f"count, got {tuple(samples.shape)} and {tuple(train.shape)}"
        )
    if shift < 0 or min(samples.shape[2:]) < 2 * shift + 3:
        raise ValueError(f"a shift of {shift} leaves nothing to compare of pictures of {tuple(samples.shape[2:])}")
    for name, pictures in (("sample", samples), ("training picture", train)):
        bad = sum(int((~part.isfinite()).flatten(1).any(1).sum()) for part in pictures.split(1_000))
        if bad:
            raise ValueError(f"{bad} of {len(pictures)} {name}s have values that are not finite (NaN or infinite)")
