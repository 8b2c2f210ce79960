"""Terms for taking over a style: how a picture is painted, and what is to be seen in it, in the layers of a network."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from rivals.engine.errors import RequestError
from rivals.engine.types import Round, leaves

from .perceptual import maps, unit

SUBJECT = slice(2, 4)  # of the layers: an eighth and a sixteenth of the size, where things are but not how they shine


def grams(layers: Sequence[Tensor]) -> list[Tensor]:
    """For each layer (n, channels, h, w), how its channels go together: mean products over places (n, c, c)."""
    flat = [layer.flatten(2) for layer in layers]
    return [x @ x.mT / x.shape[2] for x in flat]


def style(r: Round) -> Tensor:
    """How channels go together in each fake, against the mean of what is real (Gatys et al., 2016, eq. 4).

    In the layers of EfficientNet-Lite0 rather than of VGG19; squared differences of Gram matrices over the squares of
    the wanted ones, so that every layer counts alike. Nothing of where things are is compared.
    """
    fake, real = leaves(r.fake)[0], leaves(r.real)[0]
    with torch.autocast(fake.device.type, enabled=False):
        with torch.no_grad():
            wanted = [gram.mean(0) for gram in grams(maps(real))]
        made = grams(maps(fake))
    apart = [(a - b).square().sum((1, 2)).mean() / b.square().sum() for a, b in zip(made, wanted, strict=True)]
    return torch.stack(apart).mean()


def subject(r: Round) -> Tensor:
    """What is to be seen in a fake, against the picture that it was made from (Johnson et al., 2016, section 3.2).

    The mean absolute difference in the middle layers of EfficientNet-Lite0, the channels at each place scaled to a root
    mean square of one.
    """
    fake = leaves(r.fake)[0]
    if r.cond is None or r.cond.shape[2:] != fake.shape[2:]:
        raise RequestError("subject needs a picture to edit, of the size of what is made")
    with torch.autocast(fake.device.type, enabled=False):
        with torch.no_grad():
            given = [unit(x) for x in maps(r.cond)[SUBJECT]]
        return torch.stack([l1_loss(unit(x), y) for x, y in zip(maps(fake)[SUBJECT], given, strict=True)]).mean()


TERMS = {"style": style, "subject": subject}
