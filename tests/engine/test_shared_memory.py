"""Averages of several processes: the same as by messages, bit for bit in all, and no file is left."""

import os
import time

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing, nn

from rivals.engine import shared_memory
from rivals.engine.parallel import share_gradients

WORLD, TURNS = 3, 5


def player(rank: int, folder: str, fails: bool) -> None:
    """One of three processes: some rounds of two networks, with gradients of its own."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD)
    shared_memory.PLACE = folder
    if fails:
        shared_memory.reserved = lambda size: None
    sides = [nn.Sequential(nn.Conv2d(2, 4, 3), nn.Linear(5, 2)), nn.Linear(3, 1), nn.Linear(1, 2)]  # two of a size
    if rank == 1:  # one that reads when others have long gone on
        messages = dist.all_reduce
        dist.all_reduce = lambda tensor: (messages(tensor), time.sleep(0.02))[0]
    made = []
    for turn in range(TURNS):
        for number, side in enumerate(sides):
            given = torch.Generator().manual_seed(100 * turn + 10 * number + rank)
            for part in side.parameters():
                part.grad = torch.randn(part.shape, generator=given)
            if number == 0:
                side[0].weight.grad = side[0].weight.grad.to(memory_format=torch.channels_last)
                side[1].bias.grad = None  # what a term does not touch
            loss = share_gradients(side, torch.tensor(float(rank + turn)))
            made.append([loss, *(part.grad for part in side.parameters() if part.grad is not None)])
    assert (shared_memory.board(WORLD, 4) is None) == fails
    torch.save(made, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_all_processes_have_the_mean_of_all(tmp_path, fails):
    multiprocessing.spawn(player, (str(tmp_path), fails), nprocs=WORLD)
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]
    assert set(os.listdir(tmp_path)) - {"meet"} == {f"{rank}.pt" for rank in range(WORLD)}
    for parts in zip(*found, strict=True):
        for same in zip(*parts, strict=True):
            assert all(torch.equal(same[0], other) for other in same[1:])
    shapes = [[(4, 2, 3, 3), (4,), (2, 5)], [(1, 3), (1,)], [(2, 1), (2,)]]
    for round_, parts in enumerate(found[0]):
        turn, number = divmod(round_, 3)
        assert parts[0] == turn + 1  # the mean of turn, turn + 1, turn + 2
        given = [torch.Generator().manual_seed(100 * turn + 10 * number + rank) for rank in range(WORLD)]
        for part, shape in zip(parts[1:], shapes[number], strict=True):
            torch.testing.assert_close(part, sum(torch.randn(shape, generator=each) for each in given) / WORLD)


def test_no_memory_is_no_board(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "PLACE", str(tmp_path / "none"))
    assert not shared_memory.worth_it(2)
    assert shared_memory.reserved(40) is None
    monkeypatch.setattr(shared_memory, "PLACE", str(tmp_path))
    assert shared_memory.worth_it(2)
    assert not shared_memory.worth_it(64)
    assert shared_memory.reserved(1 << 60) is None
    assert not list(tmp_path.iterdir())
    path = shared_memory.reserved(40)
    assert path.parent == tmp_path
    assert shared_memory.opened(str(path), 10).shape == (10,)
    assert shared_memory.opened(str(path), 11) is None
    assert shared_memory.opened(str(tmp_path / "another machine's"), 10) is None
    assert shared_memory.opened(None, 10) is None
