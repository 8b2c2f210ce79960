"""Loss terms that know that samples are pictures."""

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from rivals.engine.types import Round, Sample, Verdict, each

from .augment import augment

MOVED = ("xint",)
"""What a critic should not mind: Zhao et al. also flip, which digits and letters don't survive."""


def consistency(r: Round) -> Tensor:
    """How much the critic's logits change when its samples are moved by a few pixels.

    The mean squared difference on real samples plus that on fakes: balanced consistency regularization (Zhao et al.,
    2020, "Improved Consistency Regularization for GANs", algorithm 1, both weights 1; the paper's 10 is for the term).
    """

    def changed(sample: Sample, before: Verdict) -> Tensor:
        after = r.critic(each(lambda part: augment(part, MOVED, 1.0), sample), r.cond)
        pairs = zip(after.logits, before.logits, strict=True)
        return torch.stack([mse_loss(a.float(), b.float()) for a, b in pairs]).mean()

    return changed(r.real, r.on_real) + changed(r.fake, r.on_fake)
