"""The loop: one for every modality and every game."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .errors import RequestError
from .game import Game
from .pace import Pace
from .parallel import from_first, processes, seed_torch, share_gradients
from .schedule import Budget
from .types import Batch, each, size

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass
class Training:
    """A game in training: all that changes, and so all that a checkpoint holds."""

    game: Game
    optimizers: tuple[Optimizer, Optimizer]  # the generator's, the critic's
    average: nn.Module
    step: int = 0
    seconds: float = 0.0
    stream: int = 0  # which stream of random numbers; a rollback takes the next, or the same accident would come again

    @classmethod
    def of(cls, game: Game, optimizers: tuple[Optimizer, Optimizer]) -> "Training":
        """A training at its very start."""
        return cls(game, optimizers, copy.deepcopy(game.generator).eval().requires_grad_(False))


class Played(NamedTuple):
    """One round, played: its number (from 1), progress from 0 to 1, and each side's weighted losses."""

    step: int
    progress: float
    losses: dict[str, Tensor]


class NonFiniteError(ArithmeticError):
    """A side's loss became infinite or not a number; on a CPU that side's weights are those before its update."""

    def __init__(self, side: str, step: int, losses: dict[str, Tensor]) -> None:
        self.side, self.step = side, step
        self.values = {name: float(loss.detach()) for name, loss in losses.items()}
        told = ", ".join(f"{name} {value:g}" for name, value in self.values.items())
        super().__init__(f"the {side}'s loss is not finite at step {step} ({told})")


@dataclass(frozen=True)
class Side:
    """One player: its parameters, its optimizer, the loss it minimises, and how it takes a step; None for `update`."""

    name: str
    module: nn.Module
    optimizer: Optimizer
    loss: Callable[[Any, int, float], dict[str, Tensor]] = field(repr=False)
    update: "Update | None" = None


def rounds(
    training: Training,
    batches: Iterator[Batch],
    budget: Budget,
    *,
    pace: Pace | None = None,
    fabric: "Fabric | None" = None,
    seed: int = 0,
    update_critic: "Update | None" = None,
) -> Iterator[Played]:
    """Play until the budget is used up, one round at a time; stop by leaving the loop.

    Each round: `critic_steps` updates of the critic, each on a batch of its own, one of the generator (on the critic's
    last batch and fakes where they are shared), one step of the running average. The random numbers of a round depend
    on `seed` and its number alone, so a training that was saved and goes on plays the very rounds it would have played.
    `update_critic` is how the critic takes a step, if not by `update` (see `privacy.py`).

    Raises:
        NonFiniteError: a loss is infinite or not a number.
    """
    pace = pace or Pace()
    fabric = fabric or single_device(training)
    device = next(training.game.generator.parameters()).device
    sides = players(training, update_critic)
    while True:
        progress = budget.progress(training.step, training.seconds)
        if budget.seconds is not None:
            progress = from_first(progress, device)
        if progress >= 1:
            return
        began = time.perf_counter()
        seed_round(seed, training.stream, training.step, device)
        anneal(training.optimizers, pace.anneal(progress), None if pace.beta2 is None else pace.beta2(progress))
        losses = play_round(training, sides, batches, pace, fabric, progress)
        training.step += 1
        training.seconds += time.perf_counter() - began
        yield Played(training.step, progress, losses)


def single_device(training: Training) -> "Fabric":
    """A Fabric for one device, the one the generator is on."""
    from lightning_fabric import Fabric

    return Fabric(accelerator=next(training.game.generator.parameters()).device.type, devices=1)


def players(training: Training, update_critic: "Update | None" = None) -> tuple[Side, Side]:
    """The two sides, generator and critic."""
    game = training.game
    return (
        Side("generator", game.generator, training.optimizers[0], game.generator_loss),
        Side("critic", game.critic, training.optimizers[1], game.critic_loss, update_critic),
    )


def play_round(
    training: Training,
    sides: tuple[Side, Side],
    batches: Iterator[Batch],
    pace: Pace,
    fabric: "Fabric",
    progress: float,
) -> dict[str, Tensor]:
    """One round: the critic's turns, the generator's, and the running average."""
    generator, critic = sides
    now = Now(training.game.play, fabric, pace, training.step, progress, training.stream)
    losses: dict[str, Tensor] = {}
    generator.optimizer.zero_grad(set_to_none=True)  # or its last ones would lie beside all that the critic needs
    batch, played = next(batches), None
    for turn in range(pace.critic_steps):
        batch = batch if turn == 0 else next(batches)
        if pace.shares and turn == pace.critic_steps - 1:
            with fabric.autocast():
                played = training.game.play(batch)
        losses |= (critic.update or update)(critic, generator, batch, now._replace(turn=turn), played)
        clip_weights(critic.module, pace.clip_weights)
    batch = batch if pace.shares else next(batches)
    losses |= update(generator, critic, batch, now, played)
    seen = (training.step + 1) * size(batch.real) * processes()[1]
    half_life = min(pace.average_half_life(progress), pace.average_ramp * seen)
    decay = 0.5 ** (size(batch.real) * processes()[1] / half_life) if half_life else 0.0
    follow(training.average, training.game.generator, decay=decay)
    return losses


class Now(NamedTuple):
    """What both sides' updates in a round need to know."""

    play: Callable[[Batch], Any]
    fabric: "Fabric"
    pace: Pace
    step: int
    progress: float
    stream: int = 0
    turn: int = 0  # of the critic in this round


Update = Callable[[Side, Side, Batch, Now, Any], dict[str, Tensor]]
"""How a side takes a step: (side, the other, batch, now, the round if it was played) -> its weighted losses."""


def update(side: Side, other: Side, batch: Batch, now: Now, played: Any = None) -> dict[str, Tensor]:
    """One optimizer step of one side, the other held still. No terms due means no step.

    Args:
        side: whose step it is.
        other: the side that is held still.
        batch: real samples.
        now: where training stands.
        played: the round of the whole batch, where it has been played already.

    Returns:
        The weighted losses by `side/term`, detached.
    """
    pace = now.pace
    side.optimizer.zero_grad(set_to_none=True)
    # Only what is used, or samples, which are leaves for penalties, would get gradients too; but all of it at first,
    # since torch passes over a layer without second derivatives in silence where nothing behind it is wanted.
    wanted = [parameter for parameter in side.module.parameters() if parameter.requires_grad] if now.step else None
    sums: dict[str, Tensor] = {}
    whole = torch.zeros(())
    with held_still(other.module), twice_differentiable(side.name):
        for part, share in pieces(batch, pace.micro_batch):
            with now.fabric.autocast():
                game_round = now.play(part) if played is None else played
                losses = side.loss(game_round, now.step, now.progress)
            if not losses:
                return {}
            total = torch.stack(list(losses.values())).sum() * share
            now.fabric.backward(total, inputs=wanted)
            whole = whole.to(total.device) + total.detach()
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0) + loss.detach() * share
    whole = share_gradients(side.module, whole)
    if looks_now(whole, now.step) and not math.isfinite(whole.item()):
        raise NonFiniteError(side.name, now.step, sums)
    if pace.clip is not None:
        now.fabric.clip_gradients(side.module, side.optimizer, max_norm=pace.clip, error_if_nonfinite=False)
    side.optimizer.step()
    return {f"{side.name}/{name}": loss for name, loss in sums.items()}


@contextmanager
def twice_differentiable(name: str) -> Iterator[None]:
    """Say in one line that a penalty can't be taken through a network (recurrent layers on a GPU, say).

    Raises:
        RequestError: something inside has no second derivative.
    """
    try:
        yield
    except RuntimeError as error:  # NotImplementedError is one
        words = " ".join(str(error).split())
        if not any(sign in words for sign in ("once_differentiable", "double backward", "derivative for")):
            raise
        raise RequestError(
            f"the {name}'s terms take a gradient of a gradient, which a layer of its network does not have "
            f"({words[:120]}): take a method without gradient penalties, such as hinge, or another network"
        ) from None


def looks_now(loss: Tensor, step: int) -> bool:
    """Whether to look at a loss: always on a CPU, now and then on other devices, which would have to be waited for.

    What is not a number stays so, and a checkpoint with such weights is never kept.
    """
    return loss.device.type == "cpu" or step % 32 == 0


@torch.no_grad()
def clip_weights(module: nn.Module, most: float | None) -> None:
    """Cut every parameter to [-most, most]."""
    if most is not None:
        parameters: list[Tensor] = list(module.parameters())
        torch._foreach_clamp_max_(parameters, most)
        torch._foreach_clamp_min_(parameters, -most)


def pieces(batch: Batch, most: int | None) -> Iterator[tuple[Batch, float]]:
    """The batch in pieces of at most `most` items, each with its share of the whole."""
    count = size(batch.real)
    if most is None or most >= count:
        yield batch, 1.0
        return
    for start in range(0, count, most):
        part = slice(start, min(start + most, count))
        cond = None if batch.cond is None else batch.cond[part]
        yield Batch(each(lambda tensor, at=part: tensor[at], batch.real), cond), (part.stop - part.start) / count


@contextmanager
def held_still(module: nn.Module) -> Iterator[None]:
    """Hold a module's parameters still: nothing inside records gradients for them (which also saves their cost)."""
    held = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    """Move the running average one step towards the model; buffers are copied."""
    slow: list[Tensor] = list(average.parameters())
    fast: list[Tensor] = list(model.parameters())
    torch._foreach_lerp_(slow, fast, 1 - decay)
    for kept, current in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(current)


def anneal(optimizers: tuple[Optimizer, Optimizer], factor: float, beta2: float | None = None) -> None:
    """Set every learning rate to `factor` times where it began, and Adam's second beta if one is given."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
            if beta2 is not None and "betas" in group:
                group["betas"] = (group["betas"][0], beta2)


def seed_round(seed: int, stream: int, step: int, device: torch.device | None = None) -> None:
    """Set all random numbers of a round by where it stands, whatever came before."""
    seed_torch(((seed * 1_000_003 + stream) * 1_000_003 + step) % 2**63, device)
