"""What edits pictures without having learned anything, to be put beside a model: nothing, filters, inpainting."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from .degrade import blurred, gaussian
from .measures import psnr
from .modality import Edits
from .scores import as_given

Editor = Callable[[Tensor], Tensor]
"""What is given (1, seen, h, w) in [-1, 1] -> an edited picture (1, channels, scale h, scale w) in [-1, 1]."""

Pair = tuple[Tensor, Tensor]
"""What is given and the true picture, (1, seen, h, w) and (1, channels, H, W) in [-1, 1]."""

STRENGTHS = (0.4, 0.6, 0.8, 1.0, 1.2)  # of non-local means, in deviations of the noise
PATCH, REACH = 5, 8  # pixels: patches that it compares, and how far it looks for them
RADIUS = 3  # pixels around a hole's border that Telea's method looks at


@dataclass(frozen=True)
class Baseline:
    """A way to edit without learning.

    Args:
        name: of it, as tables show it.
        make: what was asked of the pictures and a few pairs to tune it on -> the way.
        needs: the module that it needs, and the package that brings it; nothing of those that need none.
    """

    name: str
    make: Callable[[Edits, Sequence[Pair]], Editor]
    needs: tuple[str, str] | None = None


def baselines(edits: Edits, tuning: Sequence[Pair]) -> tuple[dict[str, Editor], list[str]]:
    """The baselines of a task by name, and a line for each that is left out since its library is not installed.

    Args:
        edits: what is asked of pictures.
        tuning: pairs that a baseline with a strength is tuned on, none of those that it is judged by.
    """
    found, missing = {}, []
    for baseline in BASELINES.get(edits.task, (NOTHING,)):
        if baseline.needs is None or find_spec(baseline.needs[0]):
            found[baseline.name] = baseline.make(edits, tuning)
        else:
            missing.append(f"{baseline.name} is left out: pip install 'rivals[baselines]' brings {baseline.needs[1]}")
    return found, missing


def grown(edits: Edits, given: Tensor) -> list[int]:
    """Height and width of what is made."""
    return [edits.scale * side for side in given.shape[2:]]


def nothing(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """What is given, as it is; small pictures enlarged by the bicubic filter."""
    del tuning
    return lambda given: as_given(given, edits.channels, grown(edits, given))


def nearest(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """Every pixel repeated."""
    del tuning
    return lambda given: interpolate(given, size=grown(edits, given), mode="nearest").clamp(-1, 1)


def median(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """The median of 3 x 3 pixels, channel by channel."""
    del edits, tuning

    def edit(given: Tensor) -> Tensor:
        around = pad(given, (1, 1, 1, 1), mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1)
        return around.flatten(4).median(4).values.clamp(-1, 1)

    return edit


def unsharp(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """What a Gaussian of 1.5 pixels takes away, added once more."""
    del edits, tuning
    kernel = gaussian(11, (1.5, 1.5))
    return lambda given: (2 * given - blurred(given, kernel)).clamp(-1, 1)


def non_local_means(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """Non-local means (Buades et al., 2005) of scikit-image, with the noise estimated picture by picture.

    Its strength is the one of `STRENGTHS` with the highest mean PSNR on the pairs for tuning.
    """
    del edits
    ways = [partial(denoised, strength=strength) for strength in STRENGTHS]
    if not tuning:
        return ways[2]
    return max(ways, key=lambda way: sum(float(psnr(way(given), true)) for given, true in tuning))


def denoised(given: Tensor, strength: float) -> Tensor:
    """Non-local means of a picture (1, c, h, w), its strength in deviations of the noise."""
    from skimage.restoration import denoise_nl_means

    sigma, noisy = noise_of(given), as_pixels(given)
    made = denoise_nl_means(
        noisy,
        patch_size=PATCH,
        patch_distance=REACH,
        h=max(strength * sigma, 1e-6),
        sigma=sigma,
        fast_mode=True,
        channel_axis=-1,
    )
    return of_pixels(made.reshape(noisy.shape))  # it drops a single channel


def noise_of(x: Tensor) -> float:
    """The deviation of white noise in a picture (1, c, h, w) in [-1, 1], as a share of the whole range from 0 to 1.

    From the median size of the diagonal details of the Haar wavelet (Donoho and Johnstone, 1994), mean over channels.
    """
    even = x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
    details = (even[..., ::2, ::2] - even[..., 1::2, ::2] - even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 2
    return float(details.abs().flatten(2).median(2).values.mean()) / 0.6745 / 2


def mean_colour(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """Holes filled with the mean colour of what is known."""
    del edits, tuning

    def edit(given: Tensor) -> Tensor:
        picture, mask = given[:, :-1], given[:, -1:]
        known = 1 - mask
        colour = (picture * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
        return (picture * known + colour * mask).clamp(-1, 1)

    return edit


def telea(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """Fast marching from the border of each hole (Telea, 2004), by OpenCV."""
    del edits, tuning

    def edit(given: Tensor) -> Tensor:
        import cv2

        pixels = (as_pixels(given[:, :-1]) * 255).round().clip(0, 255).astype(np.uint8)
        holes = (given[0, -1].numpy() > 0.5).astype(np.uint8)
        made = cv2.inpaint(np.ascontiguousarray(pixels), holes, RADIUS, cv2.INPAINT_TELEA)
        return of_pixels(made.reshape(pixels.shape).astype(np.float64) / 255)

    return edit


def biharmonic(edits: Edits, tuning: Sequence[Pair]) -> Editor:
    """Holes filled with the smoothest continuation of what is around them (Damelin and Hoang, 2018), scikit-image."""
    del edits, tuning

    def edit(given: Tensor) -> Tensor:
        from skimage.restoration import inpaint_biharmonic

        holes = given[0, -1].numpy() > 0.5
        return of_pixels(inpaint_biharmonic(as_pixels(given[:, :-1]), holes, channel_axis=-1))

    return edit


def as_pixels(x: Tensor) -> np.ndarray:
    """A picture (1, c, h, w) in [-1, 1] as (h, w, c) float64 in [0, 1]; noise beyond stays, as a network sees it."""
    return ((x[0].double() + 1) / 2).permute(1, 2, 0).numpy()


def of_pixels(pixels: np.ndarray) -> Tensor:
    """And back, float32."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float().mul(2).sub(1).clamp(-1, 1)


def matched(pictures: Sequence[Tensor], like: Sequence[Tensor]) -> Iterator[Tensor]:
    """Each picture (1, c, h, w) with the histogram of one of some others, channel by channel, in turn.

    Every level goes to the one that as large a share of the other picture lies below (Gonzalez and Woods, section 3.3).
    """
    for number, picture in enumerate(pictures):
        other = like[number % len(like)]
        channels = [
            alike(one, other[0, min(place, other.shape[1] - 1)]) for place, one in enumerate(picture[0].unbind())
        ]
        yield torch.stack(channels)[None]


def alike(values: Tensor, like: Tensor) -> Tensor:
    """Numbers with the distribution of others, in their own order; equal ones stay equal."""
    levels, places, counts = np.unique(values.numpy(), return_inverse=True, return_counts=True)
    wanted, many = np.unique(like.numpy(), return_counts=True)
    ranks, known = (np.cumsum(each) / each.sum() for each in (counts, many))
    made = np.interp(ranks, known, wanted)[places].astype(np.float32)
    del levels
    return torch.from_numpy(made.reshape(values.shape))


NOTHING = Baseline("nothing done", nothing)
MEDIAN = Baseline("median filter", median)
SKIMAGE, OPENCV = ("skimage", "scikit-image"), ("cv2", "opencv-python-headless")
MEANS = Baseline("non-local means", non_local_means, SKIMAGE)

BASELINES: Mapping[str, tuple[Baseline, ...]] = {
    "super-resolution": (Baseline("nearest", nearest), Baseline("bicubic", nothing)),
    "denoise": (NOTHING, MEDIAN, MEANS),
    "deblur": (NOTHING, Baseline("unsharp mask", unsharp)),
    "deblock": (NOTHING, MEDIAN, MEANS),
    "inpaint": (
        Baseline("mean colour", mean_colour),
        Baseline("Telea", telea, OPENCV),
        Baseline("biharmonic", biharmonic, SKIMAGE),
    ),
}
"""What each task is put beside; the others beside nothing done."""
