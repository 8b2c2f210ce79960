"""What is measured of edited pictures, each beside the true one; and what tells that a network has gone astray."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rivals.judging.interval import bootstrap
from rivals.modalities.images.measures import ms_ssim
from rivals.modalities.images.pretrained import LARGER, installed

from .degrade import blurred, gaussian
from .measures import psnr, ssim

SECOND = "perceptual_larger"
MOST_DECIBELS = 100.0  # what a picture counts that equals the true one: a mean of infinities says nothing


class Scores(NamedTuple):
    """Means over pictures, and where they would lie with other pictures: name -> number, name -> [low, high]."""

    scores: dict[str, float]
    intervals: dict[str, list[float]]


def first_score() -> str:
    """The score that states are chosen by: "perceptual", or "dissimilarity" where no feature network is installed."""
    return "perceptual" if installed() else "dissimilarity"


def score_names() -> tuple[str, ...]:
    """The main scores of pictures that have a true one beside them, the first of which is to be low."""
    return first_score(), "psnr", "ssim"


def unlikeness(a: Tensor, b: Tensor) -> Tensor:
    """How unlike pairs of pictures (n, c, h, w) in [-1, 1] are: (n,) float64, 0 for equal ones.

    The distance in the layers of EfficientNet-Lite0 where it is installed (not LPIPS: nothing in it is fitted to what
    people see), else 1 - MS-SSIM (Wang et al., 2003).
    """
    if not installed():
        return 1 - ms_ssim(a.double(), b.double())
    from .perceptual import perceptual_distance

    with torch.no_grad():
        return perceptual_distance(a.float(), b.float()).double()


def second_opinion(made: Tensor, true: Tensor) -> dict[str, Tensor]:
    """The distance in a larger network of the same family, through which nothing is trained: name -> (n,) float64.

    Nothing where it is not installed.
    """
    if not (installed() and installed(LARGER)):
        return {}
    from .perceptual import perceptual_distance

    with torch.no_grad():
        return {SECOND: perceptual_distance(made.float(), true.float(), LARGER).double()}


def beside_true(made: Tensor, true: Tensor, scale: int) -> dict[str, Tensor]:
    """Each made picture (n, c, h, w) in [-1, 1] against the true one: name -> (n,) float64.

    PSNR and SSIM are of all channels, rounded to 8 bits; where pictures are enlarged, a border as wide as the scale is
    left out, and the same is given for luma alone, as papers do both.
    """
    crop = scale if scale > 1 else 0
    found = {
        first_score(): unlikeness(made, true),
        "psnr": psnr(made, true, crop=crop).clamp(max=MOST_DECIBELS),
        "ssim": ssim(made, true, crop=crop),
    }
    if scale > 1 and made.shape[1] == 3:
        found["psnr_y"] = psnr(made, true, crop=crop, on_luma=True).clamp(max=MOST_DECIBELS)
        found["ssim_y"] = ssim(made, true, crop=crop, on_luma=True)
    return found


def as_given(given: Tensor, channels: int, size: Sequence[int]) -> Tensor:
    """What is given (n, seen, ...) as a picture (n, channels, *size) in [-1, 1], for looking at and comparing.

    Small ones are enlarged (bicubic), a mask beside the picture is left out, grey is repeated, and colours become grey
    by their mean.
    """
    if given.shape[1] == channels + 1:  # a mask comes last
        given = given[:, :channels]
    elif given.shape[1] != channels:
        given = given.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if given.shape[2:] != tuple(size):
        given = interpolate(given, size=list(size), mode="bicubic", align_corners=False, antialias=True)
    return given.clamp(-1, 1)


def detail(x: Tensor) -> float:
    """The energy of a picture's fine detail: the mean square of what a Gaussian of one pixel takes away."""
    return float((x - blurred(x, gaussian(5, (1.0, 1.0)))).square().mean())


def ratio(over: float, under: float) -> float:
    """One number in units of another; 1 where both are nothing, 100 where only the other is."""
    if under > 1e-12:
        return over / under
    return 100.0 if over > 1e-12 else 1.0


def guards(made: Sequence[Tensor], given: Sequence[Tensor], true: Sequence[Tensor]) -> dict[str, float]:
    """What tells that a network has gone astray, whatever its scores; sequences of pictures (1, c, h, w) in [-1, 1].

    Returns:
        "colour_drift": levels of 255 between the mean colours of what is made and what is true; "sharpness": fine
        detail of what is made, in units of the true pictures'; "change": how far what is made lies from what was given,
        in units of how far the true one lies from it.
    """
    colours = [torch.cat([x.double().mean((2, 3)) for x in some]).mean(0) for some in (made, true)]
    fine = [sum(map(detail, some)) for some in (made, true)]
    way = [sum(float((x - y).abs().mean()) for x, y in zip(some, given, strict=True)) for some in (made, true)]
    return {
        "colour_drift": 127.5 * float((colours[0] - colours[1]).abs().mean()),
        "sharpness": ratio(*fine),
        "change": ratio(*way),
    }


def guards_unpaired(made: Sequence[Tensor], given: Sequence[Tensor], wanted: Sequence[Tensor]) -> dict[str, float]:
    """What tells that a network has gone astray; pictures (1, c, h, w) in [-1, 1], the first two in the same order.

    Returns:
        "colour_drift": levels of 255 from the mean colour of what is made to the nearest between those of what was
        given and of what is wanted; "sharpness": fine detail of what is made, in units of the richer of both kinds;
        "change": how far what is made lies from what was given, in units of how far wanted pictures lie from it.
    """
    channels = made[0].shape[1]
    given = [as_given(x, channels, x.shape[2:]) for x in given]
    fake, start, stop = (torch.cat([x.double().mean((2, 3)) for x in some]).mean(0) for some in (made, given, wanted))
    way = stop - start
    part = float(((fake - start) @ way / way.square().sum().clamp(min=1e-12)).clamp(0, 1))
    fine = [sum(map(detail, some)) / len(some) for some in (made, given, wanted)]
    return {
        "colour_drift": 127.5 * float((fake - start - part * way).abs().mean()),
        "sharpness": ratio(fine[0], max(fine[1:])),
        "change": ratio(
            mean_apart(made, given), mean_apart([wanted[n % len(wanted)] for n in range(len(given))], given)
        ),
    }


def mean_apart(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """The mean absolute difference of pictures in the same order, where both of a pair have pixels."""
    apart = []
    for x, y in zip(some, others, strict=True):
        height, width = (min(pair) for pair in zip(x.shape[2:], y.shape[2:], strict=True))
        apart.append(float((x[..., :height, :width] - y[..., :height, :width]).abs().mean()))
    return sum(apart) / len(apart)


def mean_scores(values: Mapping[str, Tensor], seed: int = 0) -> Scores:
    """Means of each picture's scores (n,), with 95 % intervals over other pictures from four on."""
    scores = {name: float(each.mean()) for name, each in values.items()}
    spans = {name: bootstrap(torch.mean, each, seed=seed) for name, each in values.items() if len(each) >= 4}
    return Scores(scores, {name: [span.low, span.high] for name, span in spans.items()})


def ahead(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], seed: int = 0) -> dict[str, list[float]]:
    """Ours less theirs on the same pictures: name -> [mean, low, high], or the mean alone for fewer than four."""
    found = {}
    for name, each in ours.items():
        apart = each - theirs[name]
        span = bootstrap(torch.mean, apart, seed=seed) if len(apart) >= 4 else None
        found[name] = [float(apart.mean())] if span is None else [span.value, span.low, span.high]
    return found
