"""Memory that several processes of one machine see: numbers are averaged there faster than by messages."""

import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

PLACE = "/dev/shm"  # memory of one machine, on Linux; temporary files may lie on a disk that several share
MOST = 4  # processes: each reads the numbers of all, and from some number on messages are faster


@dataclass
class Board:
    """Numbers of every process, (2, processes, numbers) float32: one half is written while the other may be read.

    Attributes:
        halves: shared by all processes.
        turn: which half is next.
    """

    halves: Tensor
    turn: int = 0

    def average(self, parts: list[Tensor], loss: Tensor) -> Tensor:
        """Average tensors in place over all processes, and return the mean of their losses.

        The loss is sent as a message: who has it from all others knows that they have written, too. Nobody writes into
        a half again before all have read it, since between lies the message of the other half.
        """
        rank, world = dist.get_rank(), dist.get_world_size()
        rows = [row.split([part.numel() for part in parts]) for row in self.halves[self.turn]]
        self.turn = 1 - self.turn
        mine = [place.view_as(part) for place, part in zip(rows[rank], parts, strict=True)]
        torch._foreach_copy_(mine, parts)
        told = loss.detach().to(torch.float32).flatten().clone()
        dist.all_reduce(told)
        first, *others = ([place.view_as(part) for place, part in zip(row, parts, strict=True)] for row in rows)
        torch._foreach_copy_(parts, first)  # in the order of ranks, so that all come to the same bits
        for other in others:
            torch._foreach_add_(parts, other)
        torch._foreach_div_(parts, world)
        return told[0] / world


def worth_it(world: int) -> bool:
    """Whether so many processes of this machine are faster in its memory than by messages."""
    return world <= MOST and os.path.isdir(PLACE) and hasattr(os, "posix_fallocate")


@lru_cache(maxsize=4)  # the two sides of a game
def board(world: int, numbers: int) -> Board | None:
    """A board for so many numbers of each process; None where they share no memory. All processes ask at once."""
    if not worth_it(world):
        return None
    path = reserved(4 * 2 * world * numbers) if dist.get_rank() == 0 else None
    try:
        told = [str(path) if path else None]
        dist.broadcast_object_list(told, src=0)
        halves = opened(told[0], 2 * world * numbers)
        seen = torch.tensor(float(halves is not None))
        dist.all_reduce(seen)  # also says that all have opened it
    finally:
        if path is not None:
            path.unlink()  # what is open stays, and is gone with the processes, however they end
    return Board(halves.view(2, world, numbers)) if halves is not None and seen == world else None


def reserved(size: int) -> Path | None:
    """A new file of so many bytes, whose memory is there for certain; None if it is not to be had."""
    try:
        handle, name = tempfile.mkstemp(prefix="rivals-", dir=PLACE)
    except OSError:
        return None
    try:
        os.posix_fallocate(handle, 0, size)  # a file with holes would end the process where memory is short
    except OSError:
        Path(name).unlink()
        return None
    finally:
        os.close(handle)
    return Path(name)


def opened(name: str | None, numbers: int) -> Tensor | None:
    """A file's numbers; None if it isn't there, as on another machine."""
    if name is None or not os.path.exists(name) or os.path.getsize(name) != 4 * numbers:
        return None
    return torch.from_file(name, shared=True, size=numbers, dtype=torch.float32)
