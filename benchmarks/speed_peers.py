"""Our whole training step against peers' own, on their own networks, in one process, in turns.

    python benchmarks/peers/fetch.py
    python benchmarks/speed_peers.py [--rounds 15] [--seconds 2] [--threads 2] [--only NAME ...]

In each round every program trains for about the same time, one after another; the order turns from round to round.
What counts is the ratio within a round: the load of a machine changes, and hits all of a round.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from common import RESULTS, write_result
from peers import basicsr, cyclegan, pytorch_gan, r3gan, torchgan_dcgan, usual_script
from peers.common import Comparison, Play

COMPARISONS: dict[str, Callable[[], Comparison]] = {
    "torchgan-64": lambda: torchgan_dcgan.compare(64),
    "torchgan-16": lambda: torchgan_dcgan.compare(16),
    "pytorch-gan-dcgan": lambda: pytorch_gan.compare("dcgan"),
    "pytorch-gan-gan": lambda: pytorch_gan.compare("gan"),
    "usual-script": usual_script.compare,
    "r3gan": r3gan.compare,
    "basicsr-compact": lambda: basicsr.compare("SRVGGNetCompact"),
    "basicsr-rrdb": lambda: basicsr.compare("RRDBNet"),
    "cyclegan": cyclegan.compare,
}
GOALS = {
    "torchgan-64": {"rivals": 1.4},
    "pytorch-gan-dcgan": {"rivals": 1.4},
    "usual-script": {"rivals": 1.25},
    "r3gan": {"rivals": 1.0, "rivals, penalties every 4th step": 1.3},
    "basicsr-compact": {"rivals": 1.2},
    "basicsr-rrdb": {"rivals": 1.2},
    "cyclegan": {"rivals": 1.2},
}


def seconds_of(play: Play, steps: int) -> float:
    began = time.perf_counter()
    play(steps)
    return time.perf_counter() - began


def measure(name: str, rounds: int, seconds: float) -> dict:
    """Interleaved rounds of one comparison; steps come in fours, so that lazy penalties count in full."""
    torch.manual_seed(0)
    comparison = COMPARISONS[name]()
    ways = {"peer": comparison.theirs, **comparison.ours}
    for play in ways.values():
        play(4)
    steps = max(4, 4 * round(seconds / seconds_of(comparison.theirs, 4)))
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        order = list(ways)[number % len(ways) :] + list(ways)[: number % len(ways)]
        for way in order:
            times[way].append(seconds_of(ways[way], steps) / steps)
    row = {
        "peer": comparison.name,
        "batch": comparison.batch,
        **({"note": comparison.note} if comparison.note else {}),
        "rounds": rounds,
        "steps_a_round": steps,
        "pictures_a_second": {
            way: round(comparison.batch / statistics.median(taken), 1) for way, taken in times.items()
        },
        "ratio": {way: ratios(times["peer"], times[way]) for way in comparison.ours},
        "goal": GOALS.get(name, {}),
    }
    print(name, row["pictures_a_second"], row["ratio"], flush=True)
    return row


def ratios(peer: list[float], ours: list[float]) -> dict[str, float]:
    """How much faster than the peer: the median and the quartiles over rounds."""
    each = [a / b for a, b in zip(peer, ours, strict=True)]
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the peer's training in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=COMPARISONS, help="and keep the others' results")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    rows = {name: measure(name, chosen.rounds, chosen.seconds) for name in chosen.only or COMPARISONS}
    result = RESULTS / "speed_peers.json"
    before = json.loads(result.read_text())["rows"] if result.exists() else {}
    known = before | rows
    ordered = {name: known[name] for name in COMPARISONS if name in known}
    write_result("speed_peers", {"protocol": protocol(), "rows": ordered})


def protocol() -> str:
    return (
        "one process; the peer's own networks, batch, Adam and loss on both sides; noise for pictures, in memory; "
        "ours with the running average of the generator, fused Adam, channels_last (but not R3GAN's grouped layers), "
        "real and fake joined in one pass where the critic has no batch norm; rounds in turns, the order rotating; "
        "ratio is the peer's seconds a step through ours in the same round, median and quartiles over rounds"
    )


if __name__ == "__main__":
    main()
