"""What the sizes of networks mean on this machine: parameters, memory, pictures a second, by size and resolution.

One process, all threads, `r3gan` on random colour pictures, batch 32, medians of rounds. Writes results/sizes.json;
`benchmarks/tables.py` puts the table into docs/sizes.md.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from common import write_result
from rivals.engine.build import build_game, build_optimizers, build_pace
from rivals.engine.recipe import Use
from rivals.engine.schedule import Budget
from rivals.engine.train import Training, rounds
from rivals.engine.types import Batch
from rivals.modalities.images.modality import Images
from rivals.modalities.images.recipes import WIDTHS, choose_recipe, needs


def cases() -> Iterator[tuple[str, int, str]]:
    for networks in ("dcgan", "r3gan"):
        for side in (32, 64, 128):
            for name in ("tiny", "small", "medium", "large"):
                if not (networks == "r3gan" and name in ("medium", "large")) and not (side == 128 and name == "large"):
                    yield networks, side, name
    yield "mlp", 32, "256"


def main() -> None:
    write_result("sizes", {"batch": 32, "rows": [measure(*case) for case in cases()]})


def measure(networks: str, side: int, name: str) -> dict:
    images = Images(side, side, 3)
    recipe = choose_recipe(images, "r3gan", torch.device("cpu"), 10.0, None).recipe
    width = int(name) if networks == "mlp" else WIDTHS[name]
    more = {"group_size": None} if networks == "r3gan" else {}
    recipe = replace(
        recipe, generator=Use(networks, {"width": width, **more}), critic=Use(networks, {"width": width, **more})
    )
    game = build_game(recipe, images)
    training = Training.of(game, build_optimizers(recipe, game))
    batch = Batch(torch.rand(recipe.batch, 3, side, side) * 2 - 1)
    times = []
    for played in rounds(training, iter(lambda: batch, None), Budget(steps=1000), pace=build_pace(recipe)):
        times.append(training.seconds - sum(times))
        if len(times) >= 4 and (sum(times) > 6 or len(times) >= 30):
            break
        del played
    needed = needs(recipe, images)
    rate = recipe.batch / statistics.median(times[1:])
    row = {
        "networks": networks, "side": side, "size": name, "width": width, "generator": needed.generator.parameters,
        "critic": needed.critic.parameters, "memory_gb": round(needed.memory / 2**30, 3),
        "pictures_a_second": round(rate, 1),
        "gflops": round(needed.flops * rate / 1e9, 1),
    }  # fmt: skip
    print(row, flush=True)
    time.sleep(0.1)
    return row


if __name__ == "__main__":
    main()
