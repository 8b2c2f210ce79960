"""How much of the machine our training step uses, what memory it takes, and how its cost grows.

    python benchmarks/speed_parts.py [share] [memory] [curves] [methods] [--threads 2] [--rounds 9]

Writes results/speed_share.json, speed_memory.json, speed_curves.json, speed_methods.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from common import write_result
from memory_pictures import anonymous, measured
from rivals.engine.build import build_game, build_optimizers, build_pace
from rivals.engine.data import Dataset, batches
from rivals.engine.game import Duel
from rivals.engine.losses import logistic
from rivals.engine.methods import METHODS
from rivals.engine.schedule import Budget
from rivals.engine.terms import Term, adversarial, r1, r2
from rivals.engine.train import Training, rounds
from rivals.engine.types import Batch
from rivals.modalities.images.modality import Images
from rivals.modalities.images.networks import ConvCritic, ConvGenerator, PerceptronCritic, PerceptronGenerator
from rivals.modalities.images.recipes import choose_recipe

LATENT, ADAM = 100, {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
NETWORKS = {"dcgan": (ConvGenerator, ConvCritic), "mlp": (PerceptronGenerator, PerceptronCritic)}
SHARES = {
    "DCGAN 64x64x3 width 64, batch 64": ("dcgan", 64, 64, 64, 0.75),
    "MLP 28x28x1, batch 128": ("mlp", 28, 256, 128, 0.6),
}
MEMORIES = {
    "DCGAN 64x64x3 width 64, batch 64": ("dcgan", 64, 64, 64, False),
    "DCGAN 32x32x3 width 32, batch 64, r1 and r2": ("dcgan", 32, 32, 64, True),
    "MLP 28x28x1, batch 128": ("mlp", 28, 256, 128, False),
}


class Flops(TorchDispatchMode):
    """Counts operations of every product and convolution that runs, forward, backward and twice backward.

    (`FlopCounterMode` of torch 2.13 itself raises where gradients are taken of leaves.)
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def game_of(networks: str, side: int, width: int, penalties: bool) -> Duel:
    """A game of our own networks, as `rivals train` sets it up."""
    shape = (1 if networks == "mlp" else 3, side, side)
    generator, critic = NETWORKS[networks]
    critic_half, generator_half = adversarial(logistic)
    both = {"r1": Term(r1, 0.1), "r2": Term(r2, 0.1)} if penalties else {}
    return Duel(
        generator(shape, latent=LATENT, width=width).to(memory_format=torch.channels_last),
        critic(shape, width=width).to(memory_format=torch.channels_last),
        latent=LATENT,
        generator_terms={"adversarial": Term(generator_half)},
        critic_terms={"adversarial": Term(critic_half), **both},
        joined=not penalties,
    )


def training_of(game: Duel) -> Training:
    adams = [torch.optim.Adam(side.parameters(), **ADAM) for side in (game.generator, game.critic)]
    return Training.of(game, (adams[0], adams[1]))


def noise(networks: str, side: int, batch: int) -> Batch:
    return Batch(torch.rand(batch, 1 if networks == "mlp" else 3, side, side) * 2 - 1)


def playing(training: Training, batch: Batch, **more: Any) -> Iterator[Any]:
    return rounds(training, cycle([batch]), Budget(steps=10**9), **more)


def seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def matmul_rate(side: int) -> float:
    """Operations a second of a float32 product, the median of a quarter second."""
    a, times = torch.rand(side, side), []
    while sum(times) < 0.25 or len(times) < 3:
        times.append(seconds_of(lambda: a @ a))
    return 2 * side**3 / statistics.median(times)


def share(count: int) -> dict:
    """Our step's rate through the matmul rate, round by round."""
    rows = {}
    for name, (networks, side, width, batch, goal) in SHARES.items():
        going = playing(training_of(game_of(networks, side, width, False)), noise(networks, side, batch))
        list(islice(going, 3))
        with Flops() as flops:
            next(going)
        times, each = [], []
        for _ in range(count):
            before = max(matmul_rate(1024), matmul_rate(1536))
            times.append(statistics.median(seconds_of(lambda play=going: next(play)) for _ in range(5)))
            after = max(matmul_rate(1024), matmul_rate(1536))
            each.append(flops.total / times[-1] / ((before + after) / 2))
        low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
        rows[name] = {
            "flops_a_picture": flops.total // batch,
            "pictures_a_second": round(batch / statistics.median(times), 1),
            "gflops": round(flops.total / statistics.median(times) / 1e9, 1),
            "share_of_matmul": {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)},
            "goal": goal,
        }
        print(name, rows[name], flush=True)
    return rows


class Saved:
    """The most bytes that autograd holds at a time for the ways back, each storage once, parameters apart."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self.apart = {part.untyped_storage().data_ptr() for module in modules for part in module.parameters()}
        self.held: dict[int, int] = {}
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> Tensor:
        """Called with each tensor that is kept: count it until it is let go."""
        storage = tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self.apart:
            if not self.held.get(place):
                self.now += size
                self.most = max(self.most, self.now)
            self.held[place] = self.held.get(place, 0) + 1
            kept = tensor.detach()
            weakref.finalize(kept, self.drop, place, size)
            return kept
        return tensor

    def drop(self, place: int, size: int) -> None:
        """Called when a tensor is let go."""
        self.held[place] -= 1
        if not self.held[place]:
            self.now -= size


def memory_child(name: str) -> dict[str, float]:
    """Growth of anonymous memory by a training of six rounds, and what it should need, in MB."""
    networks, side, width, batch, penalties = MEMORIES[name]
    warm = training_of(game_of("mlp", 8, 4, True))  # imports and thread pools are not the step's
    list(islice(playing(warm, noise("mlp", 8, 4)), 2))
    data = noise(networks, side, batch)
    before = anonymous()

    def work() -> Training:
        training = training_of(game_of(networks, side, width, penalties))
        list(islice(playing(training, data), 6))
        return training

    training, _, peak = measured(work)
    game = training.game
    saved = Saved([game.generator, game.critic])
    with torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda kept: kept):
        next(playing(training, data))
    sizes = [sum(part.numel() for part in side.parameters()) * 4 / 2**20 for side in (game.generator, game.critic)]
    return {
        "grew": peak - before,
        "weights_moments_average": 3 * sum(sizes) + sizes[0],
        "gradients": sum(sizes),
        "activations": saved.most / 2**20,
        "seconds_a_round": rate(training, data),
    }


RETURNING = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""By these glibc gives every freed tensor back to the system, instead of keeping it for the next; that costs time."""


def memory() -> dict:
    rows = {}
    for name in MEMORIES:
        row = memory_run(name, {})
        row["returning"] = memory_run(name, RETURNING)
        rows[name] = row | {"goal": 1.3}
        print(name, rows[name], flush=True)
    return {"rows": rows, "returning": RETURNING}


def memory_run(name: str, settings: dict[str, str]) -> dict:
    """One measurement in a process of its own, and a step's time beside it."""
    command = [sys.executable, __file__, "--child", name, "--threads", str(torch.get_num_threads())]
    environment = {**os.environ, **settings}
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)
    needed = row["weights_moments_average"] + row["activations"]
    row |= {"ratio": row["grew"] / needed, "ratio_with_gradients": row["grew"] / (needed + row["gradients"])}
    return {key: round(value, 4 if key == "seconds_a_round" else 2) for key, value in row.items()}


def rate(training: Training, batch: Batch, **more: Any) -> float:
    """Seconds a round, the median of a few."""
    going = playing(training, batch, **more)
    next(going)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 3 and len(times) < 30):
        times.append(seconds_of(lambda: next(going)))
    return statistics.median(times)


def curve(networks: str, side: int, width: int, batch: int, penalties: bool) -> dict:
    seconds = rate(training_of(game_of(networks, side, width, penalties)), noise(networks, side, batch))
    row = {"side": side, "width": width, "batch": batch, "penalties": penalties}
    row["pictures_a_second"] = round(batch / seconds, 1)
    print(row, flush=True)
    return row


def cutting(count: int) -> dict:
    """Milliseconds for a batch of 64 out of `count` pictures of 32x32 in memory, shuffling included."""
    pixels = torch.randint(256, (count, 1, 32, 32), dtype=torch.uint8)
    data = Dataset(lambda rows: Batch(pixels[rows].float() / 127.5 - 1), torch.arange(count), torch.arange(0))
    going = batches(data, 64, 0, torch.device("cpu"))
    next(going)
    many = max(2 * count // 64, 200)  # two epochs: each begins with a shuffle of all
    return {
        "pictures": count,
        "milliseconds_a_batch": round(1e3 * seconds_of(lambda: list(islice(going, many))) / many, 4),
    }


def curves() -> dict:
    sides = [curve("dcgan", side, 32, 64 if side < 128 else 32, p) for side in (16, 32, 64, 128) for p in (False, True)]
    widths = [curve("dcgan", 32, width, 64, p) for width in (8, 16, 32, 64, 128) for p in (False, True)]
    return {"resolution": sides, "width": widths, "data": [cutting(10**n) for n in (3, 4, 5, 6)]}


def methods() -> dict:
    """Seconds a round of each method, on grey pictures of 32x32 with ten classes, as `rivals train` chooses them."""
    images = Images(32, 32, 1, classes=tuple("0123456789"), counts=(6000,) * 10)
    rows = {}
    for name in METHODS:
        recipe = choose_recipe(images, name, torch.device("cpu"), 10.0, None).recipe
        game = build_game(recipe, images)
        real = Batch(torch.rand(recipe.batch, 1, 32, 32) * 2 - 1, torch.arange(recipe.batch) % 10)
        training = Training.of(game, build_optimizers(recipe, game))
        seconds = rate(training, real, pace=build_pace(recipe))
        rows[name] = {"batch": recipe.batch, "critic_steps": recipe.critic_steps, "seconds_a_round": round(seconds, 4)}
        print(name, rows[name], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["share", "memory", "curves", "methods"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dry", action="store_true", help="write no result")
    parser.add_argument("--child", choices=MEMORIES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.child:
        print(json.dumps(memory_child(chosen.child)))
        return
    work = {"share": lambda: share(chosen.rounds), "memory": memory, "curves": curves, "methods": methods}
    for part in chosen.parts:
        found = work[part]()
        if not chosen.dry:
            write_result(f"speed_{part}", found if part == "memory" else {"rows": found})


if __name__ == "__main__":
    main()
