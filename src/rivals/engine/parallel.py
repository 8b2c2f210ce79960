"""What one process needs to know of the others: its share of a batch, of its noise, and of the gradients."""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .shared_memory import board


def processes() -> tuple[int, int]:
    """This process's rank and how many there are: `(0, 1)` without torch.distributed."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


def seed_torch(seed: int, device: torch.device | None = None) -> None:
    """Set torch's random numbers on the CPU, and on the device where it is another."""
    if device is None or device.type == "cpu":
        torch.default_generator.manual_seed(seed)  # torch.manual_seed looks for every other device first: milliseconds
    else:
        torch.manual_seed(seed)


def own_rows(draw: Callable[..., Tensor], count: int, *shape: int, device: torch.device | None = None) -> Tensor:
    """This process's `count` rows of a draw for the whole batch, shape (count, *shape).

    Every process draws the same numbers for all and keeps its own rows, so that two processes play the very game
    that one would play with the whole batch.
    """
    rank, world = processes()
    return draw(world * count, *shape, device=device)[rank * count : (rank + 1) * count]


def share_gradients(module: nn.Module, loss: Tensor) -> Tensor:
    """Average the gradients of all processes, and their loss: all that data-parallel training needs.

    A few processes on one machine's CPU do it in memory that all see, others in one message.

    Returns:
        The mean of all processes' losses: what is not a number in one is so in all.
    """
    _, world = processes()
    if world == 1:
        return loss
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    if loss.device.type == "cpu" and all(gradient.dtype == torch.float32 for gradient in gradients):
        shared = board(world, sum(gradient.numel() for gradient in gradients))
        if shared is not None:
            return shared.average(gradients, loss)
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.to(torch.float32).flatten()])
    dist.all_reduce(flat)
    flat /= world
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients] + [1])[:-1], strict=True):
        gradient.copy_(part.view_as(gradient))
    return flat[-1]


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether `flag` holds in any process: decisions that all must take alike."""
    if processes()[1] == 1:
        return flag
    votes = torch.tensor(float(flag), device=device)
    dist.all_reduce(votes)
    return bool(votes.item())


def from_first(value: float, device: torch.device) -> float:
    """The first process's `value`, for all: clocks differ, schedules must not."""
    if processes()[1] == 1:
        return value
    told = torch.tensor(value, dtype=torch.float32, device=device)  # float32: MPS has no doubles
    dist.broadcast(told, src=0)
    return float(told.item())
