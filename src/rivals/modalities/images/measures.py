"""Direct measures of pictures, without a classifier: likeness of two, spectrum, colours.

Pictures are floats (n, c, h, w) in [-1, 1] with 1 to 4 channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of Wang et al., finest first
WINDOW, SIGMA = 11, 1.5
_STABLE = (0.01**2, 0.03**2)  # (K L)² of luminance and of contrast; L = 1
_LEVELS = 256  # of a histogram


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Multi-scale structural similarity of pairs of pictures (Wang, Simoncelli and Bovik 2003): (n,), 1 for equal ones.

    Each of `a` (n, c, h, w) against its counterpart in `b`. Contrast and structure are compared at every scale and
    luminance at the coarsest, under an 11x11 Gaussian window (sigma 1.5, no padding, K 0.01 and 0.03), each scale half
    as large as the one before by 2x2 means; the mean over the channels. Where structure is opposed (a negative mean),
    the scale counts as 0, since a fractional power of it has no value.

    The five scales of the paper need pictures of 176 pixels and more. Smaller ones have fewer, as many as leave 11
    pixels (`scales`: two at 32, three at 64), with the paper's weights of those brought to 1 in all, so numbers of
    different sizes can't be compared.

    Raises:
        ValueError: other shapes, or fewer than 11 pixels.
    """
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"pairs of pictures have equal shapes (n, c, h, w), got {tuple(a.shape)} and {tuple(b.shape)}")
    a, b = (a + 1) / 2, (b + 1) / 2  # luminance is a ratio: it needs black at 0
    count = scales(min(a.shape[2:]))
    weights = torch.tensor(SCALES[:count], dtype=a.dtype, device=a.device)
    parts = []
    for scale in range(count):
        whole, structure = similarity(a, b)  # (n, c)
        parts.append(whole if scale == count - 1 else structure)
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    powers = (weights / weights.sum())[:, None, None]
    return (torch.stack(parts).clamp_min(0) ** powers).prod(0).mean(1)


def scales(side: int) -> int:
    """How many scales of MS-SSIM pictures of that side have.

    >>> scales(28), scales(32), scales(64), scales(176), scales(1024)
    (2, 2, 3, 5, 5)
    """
    found = sum(side // 2**scale >= WINDOW for scale in range(len(SCALES)))
    if not found:
        raise ValueError(f"structural similarity needs pictures of {WINDOW} pixels or more, got {side}")
    return found


def similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Means over the picture, by channel: of SSIM, and of its contrast and structure alone; (n, c) each."""
    channels = a.shape[1]
    distance = torch.arange(WINDOW, dtype=a.dtype, device=a.device) - WINDOW // 2
    line = torch.exp(-distance.square() / (2 * SIGMA**2))
    line = (line / line.sum()).expand(channels, 1, 1, -1)

    def blurred(x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(x, line, groups=channels), line.mT, groups=channels)

    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a.square(), blurred(b * b) - mean_b.square()
    both = blurred(a * b) - mean_a * mean_b
    c1, c2 = _STABLE
    structure = (2 * both + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    return (luminance * structure).mean((2, 3)), structure.mean((2, 3))


def similarity_within(
    pictures: Tensor, labels: Tensor | None = None, *, pairs: int = 200, seed: int = 0
) -> dict[int, float]:
    """The mean MS-SSIM of random pairs of different pictures of a class, by class (Odena et al. 2017, section 4.2).

    High is uniform: a class whose samples are more alike than real ones of it has partly collapsed. Without labels all
    are class 0; classes of one picture are left out.
    """
    labels = torch.zeros(len(pictures), dtype=torch.int64) if labels is None else labels
    rng = torch.Generator().manual_seed(seed)
    found = {}
    for number in labels.unique().tolist():
        rows = (labels == number).nonzero()[:, 0]
        if len(rows) < 2:
            continue
        first = torch.randint(len(rows), (pairs,), generator=rng)
        second = (first + torch.randint(1, len(rows), (pairs,), generator=rng)) % len(rows)  # never the same
        found[number] = float(ms_ssim(pictures[rows[first]], pictures[rows[second]]).mean())
    return found


def spectrum(pictures: Tensor) -> Tensor:
    """The mean power at each frequency, averaged over directions (Durall et al. 2020, arXiv 2003.01826).

    Of the grey picture (mean of channels, alpha too) less its mean, under a Hann window, which keeps opposite borders
    that don't meet from counting as detail.

    Returns:
        (min(h, w) // 2 + 1,) float64: power by cycles over the shorter side, each the mean over a ring one cycle wide.
        What lies beyond, in the corners, is left out.
    """
    return spectra(pictures).mean(0)


def spectra(pictures: Tensor) -> Tensor:
    """The `spectrum` of each picture, (n, min(h, w) // 2 + 1) float64."""
    _check(pictures)
    height, width = pictures.shape[2:]
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    side = min(height, width)
    across = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]) * side
    ring = across.round().long()
    twice = torch.full(ring.shape, 2.0, dtype=torch.float64)  # what rfft2 leaves out
    twice[:, 0] = 1.0
    if width % 2 == 0:
        twice[:, -1] = 1.0
    kept = ring <= side // 2
    rings, weights = ring[kept], twice[kept]
    count = torch.zeros(side // 2 + 1, dtype=torch.float64).index_add_(0, rings, weights)
    found = []
    for part in pictures.split(500):
        grey = part.float().mean(1)
        grey = (grey - grey.mean((1, 2), keepdim=True)) * window
        power = torch.fft.rfft2(grey, norm="ortho").abs().double().square()[:, kept] * weights
        found.append(torch.zeros(len(part), len(count), dtype=torch.float64).index_add_(1, rings, power) / count)
    return torch.cat(found)


def spectrum_distance(a: Tensor, b: Tensor) -> float:
    """How far the spectra of two sets of pictures of one size are apart: the mean over frequencies of |difference|, dB.

    Frequency 0 is left out, since the mean of every picture is taken away. It has no direction in noise: put the number
    for two sets of real pictures of the same counts beside it.
    """
    if a.shape[2:] != b.shape[2:]:
        raise ValueError(f"spectra need pictures of one size, got {tuple(a.shape[2:])} and {tuple(b.shape[2:])}")
    return apart_in_decibels(spectra(a), spectra(b))


def apart_in_decibels(a: Tensor, b: Tensor) -> float:
    """The mean over frequencies of |difference| between the means of two sets of `spectra`, in dB."""
    least = 1e-12  # -120 dB, far below 8 bits
    ours, theirs = (10 * each.mean(0)[1:].clamp_min(least).log10() for each in (a, b))
    return float((ours - theirs).abs().mean())


@dataclass(frozen=True)
class Colours:
    """The pixels of a set, position aside: means (c), deviations (c) and correlations (c, c) of its channels."""

    mean: Tensor
    deviation: Tensor
    correlation: Tensor


def colours(pictures: Tensor) -> Colours:
    """What colours the pictures of a set have, in float64. A channel without variance correlates with nothing: 0."""
    _check(pictures)
    channels = pictures.shape[1]
    total, square, count = torch.zeros(channels, dtype=torch.float64), torch.zeros(channels, channels).double(), 0
    for part in pictures.split(500):
        pixels = part.double().movedim(1, 0).flatten(1)  # (c, pixels)
        total, square, count = total + pixels.sum(1), square + pixels @ pixels.T, count + pixels.shape[1]
    mean = total / count
    covariance = square / count - torch.outer(mean, mean)
    deviation = covariance.diagonal().clamp_min(0).sqrt()
    scale = torch.outer(deviation, deviation)
    return Colours(mean, deviation, torch.where(scale > 1e-12, covariance / scale.clamp_min(1e-12), 0.0))


def colour_distance(a: Tensor, b: Tensor) -> float:
    """How far the brightness of pixels in two sets is apart: Wasserstein-1 in 8-bit levels, the mean over channels.

    Position and the other channels aside: how many levels a pixel value has to be moved on average to turn one
    histogram into the other. 0 to 255; the pictures may have different sizes, not different channels.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"colours need as many channels on both sides, got {a.shape[1]} and {b.shape[1]}")
    return apart_in_levels(histograms(a), histograms(b))


def apart_in_levels(a: Tensor, b: Tensor) -> float:
    """`colour_distance` of two sets of `histograms`."""
    ours, theirs = (each.mean(0).cumsum(1) for each in (a, b))
    return float((ours - theirs).abs().sum(1).mean())


def histograms(pictures: Tensor) -> Tensor:
    """Shares of the 8-bit levels in each picture's channels, (n, c, 256) float64."""
    _check(pictures)
    count, channels = pictures.shape[:2]
    found = torch.empty(count, channels, _LEVELS, dtype=torch.float64)
    for part, rows in zip(pictures.split(100), found.split(100), strict=True):
        levels = ((part.float() + 1) * 127.5).round().clamp(0, 255).long().flatten(2)
        start = _LEVELS * torch.arange(len(part) * channels).view(len(part), channels, 1)
        counts = torch.bincount((levels + start).flatten(), minlength=rows.numel())
        rows.copy_(counts.view_as(rows).double() / levels.shape[2])
    return found


Layers = Callable[[Tensor], Sequence[Tensor]]


def layers_of(network: nn.Module, names: Sequence[str], prepare: Callable[[Tensor], Tensor] | None = None) -> Layers:
    """What the submodules of those names give, (n, channels, h, w) each, when `network` is asked about pictures.

    The network goes where the pictures are; `prepare` brings them to what it reads.

    Names are those of `network.named_modules()`, for instance "features.1". Raises a ValueError for an unknown one.
    """
    known = dict(network.named_modules())
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"the network has no part {missing[0]!r}; it has {', '.join(filter(None, known))}")

    def apply(pictures: Tensor) -> list[Tensor]:
        found: dict[str, Tensor] = {}
        # A copy, since the next module may rectify in place.
        hooks = [
            known[name].register_forward_hook(lambda _, __, out, name=name: found.update({name: out.clone()}))
            for name in names
        ]
        try:
            with torch.no_grad():
                network.to(pictures.device)(pictures if prepare is None else prepare(pictures))
        finally:
            for hook in hooks:
                hook.remove()
        return [found[name] for name in names]

    return apply


def layer_distance(a: Tensor, b: Tensor, layers: Layers) -> Tensor:
    """How far pairs of pictures are apart in the layers of a network: (n,), 0 for equal ones.

    As the unweighted baseline of Zhang et al. 2018 (arXiv 1801.03924, eq. 1 with w = 1): at each layer the channels of
    every place are brought to length 1, and the squared differences are summed over channels, averaged over places
    and summed over layers. It is not LPIPS, whose weights are fitted to what people see and whose networks are AlexNet,
    VGG or SqueezeNet: name the network and the layers with the number.

    Args:
        a: (n, c, h, w), as the network wants them.
        b: likewise.
        layers: gives (n, channels, h, w) each, for instance `layers_of(...)`.
    """
    if a.shape != b.shape:
        raise ValueError(f"pairs of pictures have equal shapes, got {tuple(a.shape)} and {tuple(b.shape)}")
    parts = []
    for ours, theirs in zip(layers(a), layers(b), strict=True):
        apart = F.normalize(ours, dim=1, eps=1e-10) - F.normalize(theirs, dim=1, eps=1e-10)
        parts.append(apart.square().sum(1).mean((1, 2)))
    return torch.stack(parts).sum(0)


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or len(pictures) < 1 or not pictures.is_floating_point():
        raise ValueError(
            f"pictures are floats (n, c, h, w) in [-1, 1], got {pictures.dtype} of shape {tuple(pictures.shape)}"
        )
    if not all(bool(part.isfinite().all()) for part in pictures.split(500)):
        raise ValueError("some pictures have values that are not finite (NaN or infinite)")
