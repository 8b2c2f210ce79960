"""Loss terms for edited pictures, beside those that every modality has."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, l1_loss, normalize

from rivals.engine.errors import RequestError
from rivals.engine.parallel import own_rows
from rivals.engine.types import Round, leaves
from rivals.modalities.images.measures import SCALES, WINDOW, scales, similarity

from .translate import Edited

PATCHES, TEMPERATURE = 256, 0.07  # of PatchNCE, as published


def charbonnier(r: Round) -> Tensor:
    """A smooth absolute difference of fake and real, which must be paired: sqrt(d^2 + 1e-6) (Lai et al., 2017)."""
    fake, real = leaves(r.fake)[0], leaves(r.real)[0]
    return ((fake - real).square() + 1e-6).sqrt().mean()


def structure(r: Round) -> Tensor:
    """1 - MS-SSIM of a paired fake and real (Wang et al., 2003; Zhao et al., 2017, as a loss); crops from 11 pixels on.

    A size at which structure is opposed counts as 0.01 rather than 0, so that there is a way out.
    """
    fake, real = ((leaves(x)[0] + 1) / 2 for x in (r.fake, r.real))
    if min(fake.shape[2:]) < WINDOW:
        raise RequestError(f"structure needs crops of at least {WINDOW} pixels, not {min(fake.shape[2:])}")
    count = scales(min(fake.shape[2:]))
    total = sum(SCALES[:count])
    product = fake.new_ones(fake.shape[:2])
    for size, weight in enumerate(SCALES[:count], 1):
        whole, alone = similarity(fake, real)
        product = product * (whole if size == count else alone).clamp(min=0.01) ** (weight / total)
        fake, real = avg_pool2d(fake, 2), avg_pool2d(real, 2)
    return 1 - product.mean()


def smooth(r: Round) -> Tensor:
    """Total variation of the fake: the mean absolute step to the pixel below and to the right."""
    x = leaves(r.fake)[0]
    return (x[..., 1:, :] - x[..., :-1, :]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()


def edited(r: Round, what: str) -> Edited:
    """What the generator returned, if it shows its features."""
    if not isinstance(r.raw, Edited):
        raise RequestError(f"{what} needs a generator that shows its features, such as 'resnet' or 'folded'")
    return r.raw


def identity(r: Round) -> Tensor:
    """Pictures that are already of the wanted kind should stay as they are (Zhu et al., 2017, section 5.2)."""
    real = leaves(r.real)[0].detach()
    return l1_loss(edited(r, "identity").edit(real).picture, real)


def patch_nce(r: Round) -> Tensor:
    """Every patch of the fake should tell from which patch of its original it was made (Park et al., 2020, eq. 4)."""
    raw = edited(r, "patch_nce")
    return contrast(raw.look(leaves(r.fake)[0]), raw.features, raw.heads)


def identity_nce(r: Round) -> Tensor:
    """The same for pictures that are already of the wanted kind, given to the generator (Park et al., 2020, eq. 5)."""
    again = edited(r, "identity_nce").edit(leaves(r.real)[0].detach())
    return contrast(again.look(again.picture), again.features, again.heads)


def flip_nce(r: Round) -> Tensor:
    """As `patch_nce`, every other time for a mirrored original: what is made of it is to be the mirror image.

    The equivariance that FastCUT asks for (Park et al., 2020, appendix C).
    """
    raw = edited(r, "flip_nce")
    made = raw.look(leaves(r.fake)[0])
    if r.cond is None or float(torch.rand(())) < 0.5:
        return contrast(made, raw.features, raw.heads)
    return contrast([part.flip(3) for part in made], raw.look(r.cond.flip(3)), raw.heads)


def contrast(made: Sequence[Tensor], given: Sequence[Tensor], heads: Iterable[nn.Module]) -> Tensor:
    """Mean cross-entropy over maps of finding each of some places of `made` among the same places of `given`.

    Args:
        made: maps (n, channels, h, w) of edited pictures.
        given: likewise, of the originals; no gradient goes into them.
        heads: to the vectors that are compared, (..., channels) -> (..., width), one for each map.
    """
    losses = []
    for one, other, head in zip(made, given, heads, strict=True):
        count, channels, height, width = one.shape
        places = own_rows(torch.rand, count, height * width, device=one.device).argsort(1)[:, :PATCHES]
        asked, told = (
            normalize(head(x.flatten(2).gather(2, places[:, None].expand(-1, channels, -1)).mT).float(), dim=2)
            for x in (one, other)
        )
        logits = asked @ told.detach().mT / TEMPERATURE
        right = torch.arange(places.shape[1], device=one.device).expand(count, -1)
        losses.append(cross_entropy(logits.flatten(0, 1), right.flatten()))
    return torch.stack(losses).mean()


def colour(r: Round) -> Tensor:
    """How far the mean colour of each fake lies from that of what it was made from: holds drifting colours."""
    fake = leaves(r.fake)[0]
    if r.cond is None or r.cond.shape[1] < fake.shape[1]:
        raise RequestError("colour needs a picture to edit, and the game has none")
    return l1_loss(fake.mean((2, 3)), r.cond[:, : fake.shape[1]].mean((2, 3)))


def content(r: Round) -> Tensor:
    """Mean absolute difference between the fake, made small, and what it was made from."""
    fake = leaves(r.fake)[0]
    if r.cond is None or r.cond.shape[1] < fake.shape[1]:
        raise RequestError("content needs a picture to edit, and the game has none")
    small = interpolate(fake, size=r.cond.shape[2:], mode="area") if fake.shape[2:] != r.cond.shape[2:] else fake
    return l1_loss(small, r.cond[:, : fake.shape[1]])


TERMS = {
    "charbonnier": charbonnier,
    "colour": colour,
    "content": content,
    "flip_nce": flip_nce,
    "identity": identity,
    "identity_nce": identity_nce,
    "patch_nce": patch_nce,
    "smooth": smooth,
    "structure": structure,
}
