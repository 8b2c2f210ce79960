"""What goes wrong in a game, seen early and said in words."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from .equilibrium import advantage
from .game import Duel
from .train import NonFiniteError, Training
from .types import Batch, Sample

ROLLBACKS = 3


@torch.no_grad()
def critic_advantage(game: Duel, held_out: Batch) -> float:
    """How often the critic ranks real samples it never trained on above fakes of as many, from 0 to 1."""
    with looking_on(game):
        fake = game.play(held_out)
        return advantage(first_logits(game, held_out.real, held_out.cond), first_logits(game, fake.fake, fake.cond))


@contextmanager
def looking_on(game: Duel) -> Iterator[None]:
    """The game in evaluation mode, and afterwards as it was."""
    training = game.training
    game.eval()
    try:
        yield
    finally:
        game.train(training)


def first_logits(game: Duel, sample: Sample, cond: torch.Tensor | None) -> torch.Tensor:
    """One number a sample: the mean of all the critic's logits, shape (batch,)."""
    logits = game.critic(sample, cond).logits
    return torch.stack([part.float().flatten(1).mean(1) for part in logits]).mean(0)


def finite(training: Training) -> bool:
    """Whether all weights of both sides and the average are numbers."""
    modules = (training.game.generator, training.game.critic, training.average)
    return all(bool(torch.isfinite(part).all()) for module in modules for part in module.parameters())


def calm_down(training: Training, factor: float = 0.5) -> None:
    """After a rollback: both learning rates times `factor`, and another stream of random numbers."""
    training.stream += 1
    for optimizer in training.optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group.get("initial_lr", group["lr"]) * factor


def rollback_words(error: NonFiniteError, back_to: int, number: int) -> str:
    """What happened, and what was done about it."""
    return (
        f"{error}; went back to step {back_to}, halved both learning rates and took other random numbers "
        f"(time {number} of {ROLLBACKS})"
    )


def diagnosis(errors: Sequence[NonFiniteError], precision: str) -> str:
    """Why a run was stopped after its last rollback, with the evidence and what to change."""
    last = errors[-1]
    steps = ", ".join(str(error.step) for error in errors)
    broken = [name for name, value in last.values.items() if not math.isfinite(value)]
    if precision != "32-true":
        change = f"precision {precision} overflows easily: try --precision 32-true"
    elif any(name in ("r1", "r2", "gradient_penalty") for name in broken):
        change = f"the penalty {broken[0]} blew up first: lower its weight or --set optimizer.lr to a quarter"
    else:
        change = (
            "the learning rate is too high for this method and data: --set optimizer.lr to a tenth, or --method r3gan"
        )
    return (
        f"stopped: losses were not finite {len(errors)} times (steps {steps}; last in the {last.side}: "
        f"{', '.join(broken) or 'the sum'}), each time after going back and halving the learning rates; {change}"
    )
