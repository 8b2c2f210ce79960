"""How a run is spread over a CPU's cores: processes and their threads, chosen by a short measurement."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import fmean, median
from typing import Any, NamedTuple

import torch
from torch import nn

from .build import build_game, build_optimizers, build_pace
from .cost import matmul_rate
from .data import Dataset, batches
from .errors import RequestError
from .modality import Modality
from .parallel import processes
from .recipe import Recipe
from .schedule import Budget
from .shared_memory import worth_it
from .train import Played, Training, rounds

GAIN = 1.15  # another spread than one process with all threads has to be this much faster
WAITING = 1.15  # processes wait for the slowest of them, twice a round or more
MESSAGE_SECONDS = 7e-4  # of gloo between processes of one machine, whatever the length
MESSAGE_RATE = 5e8  # bytes a second, there
MEMORY_RATE = 5e9  # bytes a second that are written and read where processes share memory


class Spread(NamedTuple):
    """So many processes of so many threads each."""

    processes: int
    threads: int

    @classmethod
    def kept(cls, stored: Mapping[str, Any]) -> "Spread | None":
        """That of a run which was spread here before, from its run.json."""
        values = stored.get("spread")
        return None if values is None else cls(int(values["processes"]), int(values["threads"]))

    def __str__(self) -> str:
        return f"{counted(self.processes, 'process', 'processes')} of {counted(self.threads, 'thread', 'threads')}"


def counted(count: int, one: str, more: str) -> str:
    """A number with its noun.

    >>> counted(1, "thread", "threads"), counted(2, "thread", "threads")
    ('1 thread', '2 threads')
    """
    return f"{count} {one if count == 1 else more}"


def check_processes(batch: int, asked: int | None, device: torch.device) -> None:
    """A batch must come out even over the processes, and only those on a CPU are ours to start.

    Raises:
        RequestError: one of the two does not hold.
    """
    world = processes()[1]
    if asked is not None and (device.type != "cpu" or world not in (1, asked)):
        raise RequestError(f"--processes {asked} is for a CPU that torchrun has not divided yet; leave it out here")
    world = max(world, asked or 1)
    if batch % world:
        near = -(-batch // world) * world
        raise RequestError(f"batch {batch} can't be shared evenly by {world} processes: --set batch={near}")


def spreads(cores: int, batch: int) -> tuple[Spread, ...]:
    """The ways to share `cores` evenly among processes that share a batch evenly, and one process of one thread.

    The first is one process with all threads.

    >>> [tuple(spread) for spread in spreads(4, 6)]
    [(1, 4), (1, 1), (2, 2)]
    """
    even = [Spread(count, cores // count) for count in range(2, cores + 1) if cores % count == 0 == batch % count]
    return tuple(dict.fromkeys((Spread(1, cores), Spread(1, 1), *even)))


def decide(
    recipe: Recipe,
    modality: Modality,
    dataset: Dataset,
    *,
    asked: int | None,
    kept: Spread | None,
    tell: Callable[[Mapping[str, Any]], None],
) -> Spread:
    """How to spread a run over this process's threads: as asked for, as kept from before, or by a measurement.

    A run that is bounded by steps alone stays in one process, as it was: reproducible bit by bit.
    """
    cores = torch.get_num_threads()
    alone = Spread(1, cores)
    if asked is not None:
        return Spread(asked, max(cores // asked, 1))
    if kept is not None:
        return kept
    if recipe.minutes is None or cores == 1:
        return alone
    seconds = measure(recipe, modality, dataset)
    chosen = choose(seconds, alone)
    tell({"kind": "spread", **chosen._asdict(), "words": reason(chosen, seconds, alone)})
    return chosen


def choose(seconds: Mapping[Spread, float], alone: Spread) -> Spread:
    """The fastest spread by its seconds a round, if it gains enough over `alone`; else `alone`."""
    best = min(seconds, key=lambda spread: seconds[spread], default=alone)
    return best if alone in seconds and seconds[alone] > GAIN * seconds[best] else alone


def reason(chosen: Spread, seconds: Mapping[Spread, float], alone: Spread) -> str:
    """Why this spread, in words: what was measured of it, or of the best other one."""
    others = [spread for spread in seconds if spread != alone]
    if alone not in seconds or not others:
        return f"{chosen}: nothing else is possible"
    best = min(others, key=lambda spread: seconds[spread])
    gain = f"measured {seconds[alone] / seconds[best]:.2f}x of {alone}"
    return f"{chosen}: {gain}" if chosen == best else f"{chosen}: {best} {gain}, and starting them takes time"


def measure(recipe: Recipe, modality: Modality, dataset: Dataset, seconds: float = 1.0) -> dict[Spread, float]:
    """Seconds that a round takes by each spread over this process's threads, as far as one process can tell.

    Rounds of the real game on real data are played here, by turns with each spread's threads and its share of a batch,
    for about `seconds` and at least once each. What several processes cost each other comes on top: cores that are
    shared, as matrix products show, and the gradients' way from one to the other. A spread that can't be played, such
    as batch normalisation over a single sample, is left out.
    """
    ways = spreads(torch.get_num_threads(), recipe.batch)
    game = build_game(recipe, modality)
    training = Training.of(game, build_optimizers(recipe, game))
    trials = {way: trial(training, recipe, dataset, recipe.batch // way.processes) for way in ways}
    took: dict[Spread, list[float]] = {way: [] for way in ways}
    began = time.perf_counter()
    while trials:
        for way in list(trials):
            try:
                with thread_count(way.threads):
                    took[way].append(timed(trials[way]))
            except (ArithmeticError, RuntimeError, ValueError):
                del trials[way]
        if time.perf_counter() - began > seconds:
            break
    sides = (game.generator, game.critic)
    own = {way: median(took[way][1:] or took[way]) for way in trials}  # the first round warms up
    return {
        way: spent * crowding(way) * (WAITING if way.processes > 1 else 1.0) + sharing(way, sides, recipe.critic_steps)
        for way, spent in own.items()
    }


def trial(training: Training, recipe: Recipe, dataset: Dataset, batch: int) -> Iterator[Played]:
    """Rounds without end with batches of this size; several may take turns at one training, as here none matters."""
    data = batches(dataset, batch, recipe.seed, torch.device("cpu"))
    return rounds(training, data, Budget(10**9, None), pace=build_pace(recipe), seed=recipe.seed)


def timed(played: Iterator[Played]) -> float:
    """Seconds that the next round takes."""
    began = time.perf_counter()
    next(played)
    return time.perf_counter() - began


def crowding(spread: Spread) -> float:
    """How much slower a process becomes by the others of its spread, from 1 (cores of their own) to their number.

    Measured on matrix products side by side, in as many Python threads: a product leaves them free to run at once.
    """
    count = spread.processes
    if count == 1:
        return 1.0
    cpu = torch.device("cpu")
    with thread_count(spread.threads), ThreadPoolExecutor(count) as pool:
        alone = matmul_rate(cpu)
        together = fmean(pool.map(matmul_rate, [cpu] * count))
    return min(max(alone / together, 1.0), float(count))


def sharing(spread: Spread, sides: tuple[nn.Module, nn.Module], critic_steps: int) -> float:
    """Seconds a round that averaging gradients takes: both sides' bytes, and some short messages."""
    if spread.processes == 1:
        return 0.0
    generator, critic = (4 * sum(part.numel() for part in side.parameters()) for side in sides)
    own, count = generator + critic_steps * critic, spread.processes
    memory, messages = own * (1 + count) / MEMORY_RATE, own * 2 * (count - 1) / count / MESSAGE_RATE
    return (memory if worth_it(count) else messages) + (critic_steps + 4) * MESSAGE_SECONDS


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Work with so many threads; afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
