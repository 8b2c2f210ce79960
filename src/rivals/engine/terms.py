"""Loss terms: functions from a round to one number. A side minimises a weighted sum of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss

from .errors import RequestError
from .losses import Loss
from .parallel import own_rows, processes
from .types import Round, Sample, Verdict, each, leaves, point, size, squared_gradient

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
        return point(torch.lerp(fake, real, share))

    return one_centred(r, each(between, r.real, r.fake))


def dragan(r: Round) -> Tensor:
    """One-centred gradient penalty around the real samples (Kodali et al., 2017, with k = 1).

    The points are real + 0.5 std(real) u, with u uniform on [0, 1) for every number and the standard deviation of the
    whole batch: the noise of the authors' experiments.
    """

    def near(real: Tensor) -> Tensor:
        if not real.is_floating_point():
            return real
        noise = own_rows(torch.rand, len(real), *real.shape[1:], device=real.device).to(real.dtype)
        return point(real + 0.5 * real.std(correction=0) * noise)

    return one_centred(r, each(near, r.real))


def one_centred(r: Round, points: Sample) -> Tensor:
    """Mean squared distance from one of the critic's gradient norm at `points`, which require gradients."""
    squared = squared_gradient(r.critic(points, r.cond).logits, points)
    return ((squared + 1e-12).sqrt() - 1).square().mean()  # a root has no gradient at zero


class LeCam(nn.Module):
    """LeCam regularisation for small data: real logits near the fakes' running mean, and the other way round.

    mean((D(x) - mean_fake)^2) + mean((D(G(z)) - mean_real)^2), averaged over the critic's members (Tseng et al.,
    2021, eq. 4). The running means are taken in with this batch before they are compared with it, and freed of their
    start at zero as Adam's are. They are its memory: use one object a game.

    Args:
        decay: of the running means, per batch.
    """

    real: Tensor
    fake: Tensor
    seen: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        for name in ("real", "fake", "seen"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, r: Round) -> Tensor:
        """The penalty for one round, a scalar in float32."""
        on_real, on_fake = ([part.float() for part in verdict.logits] for verdict in (r.on_real, r.on_fake))
        mean_real, mean_fake = self.remember(mean_of(on_real), mean_of(on_fake))
        return mean_of([(part - mean_fake).square() for part in on_real]) + mean_of(
            [(part - mean_real).square() for part in on_fake]
        )

    @torch.no_grad()
    def remember(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Take a batch's mean logits into the running means, and return these: real, fake."""
        means = torch.stack([real, fake])
        if processes()[1] > 1:  # or each process would remember others, and a checkpoint holds the first one's
            dist.all_reduce(means)
            means /= processes()[1]
        self.seen += 1
        self.real.lerp_(means[0], 1 - self.decay)
        self.fake.lerp_(means[1], 1 - self.decay)
        share = 1 - self.decay**self.seen
        return self.real / share, self.fake / share


def mean_of(parts: Sequence[Tensor]) -> Tensor:
    """The mean over members of each one's mean."""
    return torch.stack([part.mean() for part in parts]).mean()


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


TERMS: dict[str, Measure | type[nn.Module]] = {
    "classify_fake": classify_fake,
    "classify_real": classify_real,
    "dragan": dragan,
    "feature_matching": feature_matching,
    "gradient_penalty": gradient_penalty,
    "lecam": LeCam,
    "pixels": pixels,
    "r1": r1,
    "r2": r2,
}
"""Measures by name; a class is a term with memory, to be made anew for each game."""
