"""Loss terms for rows, beside those that every modality has."""

import torch
from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.terms import given
from rivals.engine.types import Round, leaves

from .layout import log_softmax_segments


def asked(r: Round) -> Tensor:
    """Cross-entropy of the slots that were asked for, over all that were (Xu et al., 2019, section 4.3), a scalar."""
    if r.cond is None:
        return r.raw.values.new_zeros(())
    layout = r.raw.layout
    told = log_softmax_segments(r.raw.values, layout)
    starts = torch.tensor([segment.start for segment in layout.softmaxes], device=told.device)
    given = r.cond >= 0
    picked = told.gather(1, r.cond.clamp(min=0) + starts)
    return -(picked * given).sum() / given.sum().clamp(min=1)


def marginals(r: Round) -> Tensor:
    """Summed squared difference of the batch's mean rows, fake and real: keeps the shares of categories in place."""
    real, fake = leaves(r.real)[0], leaves(r.fake)[0]
    return (fake.mean(0) - real.detach().mean(0)).square().sum()


def information(r: Round) -> Tensor:
    """Distance of the mean, and of the deviation, of the critic's features (Zhao et al., 2021, CTAB-GAN, section 3.2).

    Both distances are Euclidean, over the last hidden layer.
    """
    if not r.on_fake.features:
        raise RequestError("information needs a critic that shows its features, and this one shows none")
    fake, real = r.on_fake.features[-1], r.on_real.features[-1].detach()
    return (fake.mean(0) - real.mean(0)).norm() + (fake.std(0) - real.std(0)).norm()


def taught(r: Round) -> Tensor:
    """How far the network beside the critic is from the real rows' target (the critic's half of `downstream`)."""
    return given(r.on_real.aux, TARGET).mean()


def downstream(r: Round) -> Tensor:
    """How far fakes' target is from what a network that learned from real rows tells of it (Zhao et al., 2024)."""
    return given(r.on_fake.aux, TARGET).mean()


def pairs(r: Round) -> Tensor:
    """Refuse: the tables that the term compares with are counted where there is a budget for it (see `pairs.py`)."""
    raise RequestError("pairs needs noisy tables of the columns, which only --epsilon counts: leave the term out")


TARGET = "a target (--set critic.options.target=COLUMN)"
TERMS = {
    "asked": asked,
    "downstream": downstream,
    "information": information,
    "marginals": marginals,
    "pairs": pairs,
    "taught": taught,
}
