"""Loss terms: functions from a round to one number. A side minimises a weighted sum of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, l1_loss

from .errors import RequestError
from .losses import Loss
from .parallel import own_rows
from .types import Round, Sample, Verdict, each, leaves, size

Measure = Callable[[Round], Tensor]


@dataclass(frozen=True)
class Term:
    """A measure, how much it counts, and how often it is taken (a lazy term counts `every` times over)."""

    measure: Measure
    weight: Callable[[float], float] | float = 1.0
    every: int = 1


def weigh(terms: Mapping[str, Term], game_round: Round, step: int, progress: float) -> dict[str, Tensor]:
    """The terms that are due at this step, weighted. A term of weight zero is never computed."""
    losses = {}
    for name, term in terms.items():
        weight = term.weight(progress) if callable(term.weight) else term.weight
        if weight and step % term.every == 0:
            losses[name] = weight * term.every * term.measure(game_round)
    return losses


def adversarial(loss: Loss) -> tuple[Measure, Measure]:
    """The critic's and the generator's half of `loss`, in float32, averaged over the critic's members."""

    def average(half: Callable[[Tensor, Tensor], Tensor], real: Verdict, fake: Verdict) -> Tensor:
        pairs = zip(real.logits, fake.logits, strict=True)
        return torch.stack([half(a.float(), b.float()).mean() for a, b in pairs]).mean()

    def critic(r: Round) -> Tensor:
        return average(loss.critic, r.on_real, r.on_fake)

    def generator(r: Round) -> Tensor:
        return average(loss.generator, r.on_real if loss.relativistic else r.on_fake, r.on_fake)

    return critic, generator


def squared_gradient(logits: tuple[Tensor, ...], sample: Sample) -> Tensor:
    """Squared norm of each sample's gradient of the summed logits, shape (batch,), differentiable."""
    total = torch.stack([part.float().sum() for part in logits]).sum()
    inputs = [part for part in leaves(sample) if part.requires_grad]
    gradients = torch.autograd.grad(total, inputs, create_graph=True)
    return torch.stack([gradient.float().square().flatten(1).sum(1) for gradient in gradients]).sum(0)


def r1(r: Round) -> Tensor:
    """Half the squared gradient on real samples: weight it with gamma (Mescheder et al., 2018, eq. 9)."""
    return squared_gradient(r.on_real.logits, r.real).mean() / 2


def r2(r: Round) -> Tensor:
    """Half the squared gradient on fakes: weight it with gamma (Mescheder et al., 2018, eq. 10)."""
    return squared_gradient(r.on_fake.logits, r.fake).mean() / 2


def gradient_penalty(r: Round) -> Tensor:
    """One-centred gradient penalty on points between real and fake (Gulrajani et al., 2017, eq. 3)."""
    mix = own_rows(torch.rand, size(r.real), device=leaves(r.real)[0].device)

    def between(real: Tensor, fake: Tensor) -> Tensor:
        if not real.is_floating_point():
            return real
        share = mix.to(real.dtype).view(-1, *[1] * (real.ndim - 1))  # one share a sample
        return torch.lerp(fake, real, share).detach().requires_grad_()

    mixed = each(between, r.real, r.fake)
    squared = squared_gradient(r.critic(mixed, r.cond).logits, mixed)
    return ((squared + 1e-12).sqrt() - 1).square().mean()  # a root has no gradient at zero


def pixels(r: Round) -> Tensor:
    """Mean absolute difference between fake and real, which must be paired."""
    return torch.stack([l1_loss(fake, real) for fake, real in zip(leaves(r.fake), leaves(r.real), strict=True)]).mean()


def feature_matching(r: Round) -> Tensor:
    """Mean absolute difference between the critic's features of fake and real (Salimans et al., 2016, per sample)."""
    if not r.on_fake.features:
        raise RequestError("feature_matching needs a critic that shows its features, and this one shows none")
    pairs = zip(r.on_fake.features, r.on_real.features, strict=True)
    return torch.stack([l1_loss(fake, real.detach()) for fake, real in pairs]).mean()


def classify_real(r: Round) -> Tensor:
    """The auxiliary classifier's loss on real samples (Odena et al., 2017, eq. 3)."""
    return cross_entropy(given(r.on_real.aux, "class logits").float(), given(r.cond, "labels"))


def classify_fake(r: Round) -> Tensor:
    """The auxiliary classifier's loss on fakes (Odena et al., 2017, eq. 3)."""
    return cross_entropy(given(r.on_fake.aux, "class logits").float(), given(r.cond, "labels"))


def given(value: Tensor | None, what: str) -> Tensor:
    """The value, or an error that says what this term needs."""
    if value is None:
        raise RequestError(f"this loss term needs {what}, and the game has none")
    return value


TERMS: dict[str, Measure] = {
    "classify_fake": classify_fake,
    "classify_real": classify_real,
    "feature_matching": feature_matching,
    "gradient_penalty": gradient_penalty,
    "pixels": pixels,
    "r1": r1,
    "r2": r2,
}
