"""Adversarial losses: pairs of pure, elementwise functions on logits."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, sigmoid
from torch.nn.functional import relu, softplus


class Loss(NamedTuple):
    """What each side minimises, given the logits `(real, fake)` of one batch, elementwise.

    `relativistic` says that the generator's half reads the real logits too.

    >>> import torch
    >>> wasserstein.critic(torch.tensor([1.0]), torch.tensor([3.0]))
    tensor([2.])
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    relativistic: bool = False


def _logistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real) + softplus(fake)


logistic = Loss(_logistic_critic, lambda _, fake: softplus(-fake))
"""Binary cross-entropy with the non-saturating generator half (Goodfellow et al., 2014, section 3)."""

minimax = Loss(_logistic_critic, lambda _, fake: -softplus(fake))
"""The value function of 2014 itself: the generator minimises log(1 - D(G(z))), which saturates (eq. 1)."""

hinge = Loss(lambda real, fake: relu(1 - real) + relu(1 + fake), lambda _, fake: -fake)
"""The hinge (Lim and Ye, 2017; Miyato et al., 2018, eq. 16 and 17)."""

least_squares = Loss(
    lambda real, fake: ((real - 1).square() + fake.square()) / 2, lambda _, fake: (fake - 1).square() / 2
)
"""Least squares with targets 0 and 1 (Mao et al., 2017, eq. 9)."""

wasserstein = Loss(lambda real, fake: fake - real, lambda _, fake: -fake)
"""The Kantorovich dual; needs a critic that is kept Lipschitz by a penalty (Arjovsky et al., 2017)."""

score_difference = Loss(lambda real, fake: sigmoid(fake) - sigmoid(real), lambda _, fake: -sigmoid(fake))
"""The difference of scores between 0 and 1: the total variation (Nowozin et al., 2016, table 6, T = tanh(v)/2 with v
half the logit). Unlike `wasserstein` it lies between -1 and 1 without a penalty; it saturates where the critic is sure.
"""

relativistic = Loss(
    lambda real, fake: softplus(fake - real), lambda real, fake: softplus(real - fake), relativistic=True
)
"""Each fake against the real sample beside it (Jolicoeur-Martineau, 2019; Huang et al., 2024, eq. 2)."""

relativistic_average = Loss(
    lambda real, fake: softplus(fake.mean() - real) + softplus(fake - real.mean()),
    lambda real, fake: softplus(real.mean() - fake) + softplus(real - fake.mean()),
    relativistic=True,
)
"""Each sample against the mean of the other side (Jolicoeur-Martineau, 2019, RaSGAN). Couples the batch."""

LOSSES = {
    "hinge": hinge,
    "least_squares": least_squares,
    "logistic": logistic,
    "minimax": minimax,
    "relativistic": relativistic,
    "relativistic_average": relativistic_average,
    "score_difference": score_difference,
    "wasserstein": wasserstein,
}
