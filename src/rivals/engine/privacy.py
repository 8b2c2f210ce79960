"""Differentially private training: DP-SGD on the critic, the only side that sees real rows (Xie et al., 2018, DPGAN).

A critic step: every row of the table is in the sample with the same small probability, whatever the others do; a row,
the fake under its condition and that condition are one pair; the gradient of all the critic's terms on that pair alone,
penalties included, is cut to a norm of `clip`; the sum gets normal noise of standard deviation sigma * clip, once, and
is divided by the batch that was expected, since how many rows came is a fact about the table (Abadi et al., 2016). The
generator's turn has fakes and drawn conditions only, so all that it learns follows from what the critic may tell.

Nothing else of a step on real rows leaves it: no loss, no norm, no count. Noise comes from a secret (see `secret.py`).
Known limits: noise and sums are floating-point numbers (Mironov, 2012); the table and the recipe must not change under
a secret, or the same noise would hide two different things.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.utils.parametrize import ParametrizationList

from .accountant import Plan
from .data import Dataset, batches, to_device
from .errors import RequestError
from .game import coupled_parts
from .modality import Modality
from .recipe import Recipe
from .secret import random_of
from .terms import Measure
from .train import Now, Side, Update
from .types import Batch, Round, Sample, each, leaves, size

CHUNK = 2**23
"""Numbers in the gradients that are held at once, 32 MB: three times as fast as a batch of 256 pairs of a critic of
134,000 parameters in one piece, which does not fit the cache."""

Condition = Callable[[int], Tensor | None]
"""Draws conditions, (count, ...), from what may be known of the table."""


@dataclass(frozen=True)
class Private:
    """A private training.

    Args:
        plan: what it may do, and what that is charged.
        secret: of samples and noise.
        condition: draws conditions for the generator's turn; None for those of the modality.
        measures: terms of the generator's, by name, that know what was charged for: noisy answers.
    """

    plan: Plan
    secret: bytes
    condition: Condition | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)

    def batches(self, dataset: Dataset, device: torch.device, start: int, condition: Condition) -> Iterator[Batch]:
        """Batches without end from number `start` on: a round's samples of rows for the critic, then one blank.

        A blank has `plan.batch` samples that are not numbers, so that a term of the generator's that looks at real
        rows finds none, under conditions from `condition`.

        Raises:
            RequestError: the table has other rows than were planned for.
        """
        plan = self.plan
        if len(dataset.train) != plan.rows:
            raise RequestError(
                f"the privacy plan is for {plan.rows} rows, and there are {len(dataset.train)}: start in a new --out"
            )
        first = dataset.cut(dataset.train[:1])
        number = start
        while True:
            step, turn = divmod(number, plan.critic_steps + 1)
            if turn < plan.critic_steps:
                rows = poisson_rows(plan.rows, plan.rate, random_of(self.secret, "rows", step, turn))
                with seeded(random_of(self.secret, "cut", step, turn), device):  # what a cut draws, nobody may know
                    drawn = dataset.cut(dataset.train[torch.from_numpy(rows)]) if len(rows) else none_of(first)
                yield to_device(drawn, device)
            else:
                with seeded(random_of(self.secret, "conditions", step), device):
                    cond = None if first.cond is None else condition(plan.batch)
                yield to_device(Batch(blank(first.real, plan.batch), cond), device)
            number += 1

    def update(self, side: Side, other: Side, batch: Batch, now: Now, played: Round | None = None) -> dict[str, Tensor]:
        """The critic's private step, in place of `train.update`. No losses come back: they would tell of the rows.

        Raises:
            RequestError: the step was not planned for, so it is not charged; the critic's terms can't be taken pair by
                pair.
        """
        del played
        plan = self.plan
        if now.step >= plan.rounds or now.turn >= plan.critic_steps:
            raise RequestError(f"all {plan.rounds} rounds that the privacy budget was charged for are played")
        if now.stream:
            raise RequestError("losses were not finite, and a private run can't go back: lost steps are charged too")
        random = random_of(self.secret, "step", now.step, now.turn)
        parameters = {name: part for name, part in side.module.named_parameters() if part.requires_grad}
        total = {name: torch.zeros_like(part) for name, part in parameters.items()}
        device = leaves(batch.real)[0].device
        step_norms(side.module)
        if size(batch.real):
            with seeded(random, device), still(other.module), still(side.module), pair_by_pair():
                with torch.no_grad():
                    pairs = now.play(batch)
                total = clipped_sum(pair_gradients(side, pairs, now.step, now.progress), plan.clip, total)
        side.optimizer.zero_grad(set_to_none=True)
        for name, part in parameters.items():
            noise = torch.from_numpy(random.standard_normal(part.shape)).to(part)
            part.grad = (total[name] + plan.sigma * plan.clip * noise) / plan.batch
        side.optimizer.step()
        return {}


def turns(
    recipe: Recipe, private: Private | None, dataset: Dataset, modality: Modality, device: torch.device, start: int
) -> tuple[Iterator[Batch], Update | None]:
    """The batches of a training from number `start` on, and how its critic takes a step (None for the usual way).

    Raises:
        RequestError: the recipe asks for privacy and there is no plan for it, or the other way round.
    """
    if (recipe.privacy is None) != (private is None):
        raise RequestError("a recipe with privacy needs its plan and its secret, and one without takes none")
    if private is None:
        return batches(dataset, recipe.batch, recipe.seed, device, start), None
    condition = private.condition or partial(modality.condition, None)
    return private.batches(dataset, device, start, condition), private.update


def poisson_rows(count: int, rate: float, random: np.random.Generator) -> np.ndarray:
    """Rows of a Poisson sample, in order: each of `count` is in it with probability `rate`, whatever the others are.

    Drawn as how many there are (binomial) and then which, which is the same and takes no number for each row.
    """
    return np.sort(random.choice(count, random.binomial(count, rate), replace=False, shuffle=False))


def none_of(batch: Batch) -> Batch:
    """A batch like this one, without samples."""
    return Batch(each(lambda part: part[:0], batch.real), None if batch.cond is None else batch.cond[:0])


def blank(like: Sample, count: int) -> Sample:
    """`count` samples of this kind that are not numbers (0 where numbers are whole)."""

    def empty(part: Tensor) -> Tensor:
        return part.new_full((count, *part.shape[1:]), float("nan") if part.is_floating_point() else 0)

    return each(empty, like)


class PairLoss(nn.Module):
    """All of the critic's terms on one pair alone, a scalar: a function of the critic's parameters."""

    def __init__(self, side: Side, critic: Callable[..., object], step: int, progress: float) -> None:
        super().__init__()
        self.module = side.module  # for `functional_call`, which puts other parameters in its place
        self.loss = lambda pair: side.loss(pair, step, progress)
        self.critic = critic

    def forward(self, mark: Tensor, real: Sample, fake: Sample, cond: Tensor | None, z: Tensor) -> Tensor:
        """A real sample, its fake, condition and noise, without batch dimension; `mark` is 0 and marks for gradients.

        `torch.func` follows what is made of its arguments, and penalties need gradients at both samples.
        """

        def one(sample: Sample) -> Sample:
            return each(lambda part: (part + mark.to(part) if part.is_floating_point() else part)[None], sample)

        given = None if cond is None else cond[None]
        pair = Round(self.critic, one(real), one(fake), given, None, z[None])  # type: ignore[arg-type]
        return torch.stack(list(self.loss(pair).values())).sum()


def pair_gradients(side: Side, pairs: Round, step: int, progress: float) -> Iterator[dict[str, Tensor]]:
    """Every pair's own gradient of the critic's terms, in chunks: by parameter, (pairs, *shape of the parameter)."""
    loss = PairLoss(side, pairs.critic, step, progress)
    parameters = {f"module.{name}": part.detach() for name, part in side.module.named_parameters()}
    wanted = [f"module.{name}" for name, part in side.module.named_parameters() if part.requires_grad]
    learned = {name: parameters.pop(name) for name in wanted}
    mark = torch.zeros((), device=pairs.z.device)

    def gradient(*pair: Any) -> dict[str, Tensor]:
        def at(point: tuple[dict[str, Tensor], Tensor]) -> Tensor:
            return functional_call(loss, {**parameters, **point[0]}, (point[1], *pair))

        return grad(at)((learned, mark))[0]

    given = (pairs.real, pairs.fake, pairs.cond, pairs.z)
    own = vmap(gradient, in_dims=tuple(None if part is None else 0 for part in given), randomness="different")
    chunk = max(CHUNK // sum(part.numel() for part in learned.values()), 1)
    for start in range(0, size(pairs.real), chunk):
        cut = [part if part is None else each(lambda p, at=start: p[at : at + chunk], part) for part in given]
        yield {name.removeprefix("module."): part for name, part in own(*cut).items()}


@torch.no_grad()
def clipped_sum(chunks: Iterator[dict[str, Tensor]], clip: float, total: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sum over pairs of their gradients, each cut to a norm of `clip`; one that is not finite counts as zero.

    Args:
        chunks: pairs' gradients by parameter, (pairs, *shape).
        clip: the largest norm over all parameters together.
        total: what is added to, by parameter.
    """
    for gradients in chunks:
        flat = {name: part.flatten(1) for name, part in gradients.items()}
        norms = torch.stack([part.square().sum(1) for part in flat.values()]).sum(0).sqrt()
        good = norms.isfinite()
        shares = torch.where(good, (clip / norms).clamp(max=1.0), 0.0)
        for name, part in flat.items():
            finite = part if bool(good.all()) else torch.where(good[:, None], part, 0.0)
            total[name] += (shares @ finite).view_as(total[name])
    return total


@contextmanager
def seeded(random: np.random.Generator, device: torch.device) -> Iterator[None]:
    """Torch's random numbers from `random`, and afterwards as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(random.integers(2**63)))
        yield


@contextmanager
def still(module: nn.Module) -> Iterator[None]:
    """Keep all that a forward pass changes as it is, and no sample from depending on the others in its batch.

    Batch norm takes its running statistics, spectral norms stay where they are, and buffers are put back: else they
    would tell of the rows that came, or at least of how many.
    """
    norms = [part for part in module.modules() if isinstance(part, ParametrizationList)]
    parts = [*coupled_parts(module), *(inner for part in norms for inner in part.modules())]
    training = [part for part in parts if part.training]
    before = {name: part.clone() for name, part in module.named_buffers()}
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(before[name])


@torch.no_grad()
def step_norms(module: nn.Module) -> None:
    """One step of every spectral norm, as a forward pass in training would take it."""
    for part in module.modules():
        if isinstance(part, ParametrizationList):
            part()


@contextmanager
def pair_by_pair() -> Iterator[None]:
    """Say in one line that torch can't take the critic's gradient pair by pair.

    Raises:
        RequestError: a layer or a term does what `torch.func` can't follow.
    """
    try:
        yield
    except RuntimeError as error:
        words = " ".join(str(error).split())
        if not any(sign in words for sign in ("vmap", "functorch", "torch.func")):
            raise
        raise RequestError(
            f"private training takes the critic's gradient pair by pair, which one of its layers or terms doesn't "
            f"allow ({words[:160]}): take another critic or method"
        ) from None
