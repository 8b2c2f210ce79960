"""What the offline feature spaces are worth: do they order planted damage, how well do they see it, how fast are they?

    python benchmarks/spaces.py

Two halves of a set of pictures are 500 pictures each; the second is damaged in six ways, four levels each. A space is
good if the Frechet distance rises with every level, and sees a damage if it lifts the distance by many of the
deviations that it has by itself, between undamaged halves (six random splits). Times are CPU time of one thread, taken
in turns, so that other work on the machine counts little; what matters is their ratio. Resumable; writes
results/spaces.json.
"""

import argparse
import itertools
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

import running
import sets
from common import RUNS, write_result
from rivals.judging.compare import frechet, total_variance
from rivals.modalities.images.cache import Pictures, cut, load, survey
from rivals.modalities.images.features import Extractor, extractor
from rivals.modalities.images.own import own
from rivals.modalities.images.pretrained import efficientnet

SPACES: dict[str, Callable[[Pictures], Extractor]] = {
    "random": lambda pictures: extractor("random"),
    "efficientnet@64": lambda pictures: efficientnet(64),
    "efficientnet@96": lambda pictures: efficientnet(96),
    "efficientnet@128": lambda pictures: efficientnet(128),
    "efficientnet": lambda pictures: efficientnet(),
    "self": own,
}
SETS = {"faces": 64, "emoji": 64, "emoji at 32": 32}  # and the pixels of a side
GROUPS = 8
SPLITS = 6


def noisy(x: Tensor, groups: Tensor, sigma: float, rng: torch.Generator) -> Tensor:
    return (x + sigma * torch.randn(x.shape, generator=rng)).clamp(-1, 1)


def blurred(x: Tensor, groups: Tensor, sigma: float, rng: torch.Generator) -> Tensor:
    """By a Gaussian whose deviation is so many hundredths of the side."""
    sigma *= x.shape[3] / 100
    reach = max(math.ceil(3 * sigma), 1)
    line = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel = (line / line.sum()).expand(3, 1, 1, -1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), "replicate"), kernel, groups=3)
    return F.conv2d(F.pad(x, (0, 0, reach, reach), "replicate"), kernel.transpose(2, 3), groups=3)


def dropped(x: Tensor, groups: Tensor, count: float, rng: torch.Generator) -> Tensor:
    """Without the pictures of so many of the eight groups, the smallest groups first."""
    order = torch.bincount(groups, minlength=GROUPS).argsort()
    return x[torch.isin(groups, order[int(count) :])]


def turned(x: Tensor, groups: Tensor, degrees: float, rng: torch.Generator) -> Tensor:
    """Every colour turned about the grey axis; by 120 degrees they would change places and look natural again."""
    angle, third = math.radians(degrees), 1 / 3
    c, s = math.cos(angle), math.sin(angle) * math.sqrt(third)
    a, b, d = c + (1 - c) * third, (1 - c) * third - s, (1 - c) * third + s
    matrix = torch.tensor([[a, b, d], [d, a, b], [b, d, a]])
    return torch.einsum("ij,njhw->nihw", matrix, x).clamp(-1, 1)


def shuffled(x: Tensor, groups: Tensor, count: float, rng: torch.Generator) -> Tensor:
    """So many of the 16 blocks of every picture change places."""
    side = x.shape[3] // 4
    blocks = F.unfold(x, side, stride=side)  # (n, 3 * side * side, 16)
    order = torch.arange(16).repeat(len(x), 1)
    for row in order:
        chosen = torch.randperm(16, generator=rng)[: int(count)]
        row[chosen] = chosen.roll(1)
    return F.fold(blocks.gather(2, order[:, None].expand_as(blocks)), x.shape[2:], side, stride=side)


def repeated(x: Tensor, groups: Tensor, times: float, rng: torch.Generator) -> Tensor:
    """Only one in `times` of the pictures, each that many times."""
    return x[: math.ceil(len(x) / times)].repeat_interleave(int(times), 0)[: len(x)]


DAMAGES: dict[str, tuple[Callable[[Tensor, Tensor, float, torch.Generator], Tensor], tuple[float, ...]]] = {
    "noise (sigma)": (noisy, (0.05, 0.1, 0.2, 0.4)),
    "blur (hundredths of the side)": (blurred, (0.75, 1.5, 3, 6)),
    "groups dropped (of 8)": (dropped, (1, 2, 4, 6)),
    "palette turned (degrees)": (turned, (10, 20, 40, 80)),
    "blocks shuffled (of 16)": (shuffled, (2, 4, 8, 16)),
    "pictures repeated (times)": (repeated, (2, 4, 16, 64)),
}


def read(name: str) -> Pictures:
    """The set, decoded."""
    side = SETS[name]
    return load(survey(sets.source(name.split(" ", maxsplit=1)[0])), height=side, width=side, channels=3)


def groups_of(x: Tensor) -> Tensor:
    """Eight groups of pictures (n,), by what they look like at 8 x 8 pixels (k-means)."""
    rows = F.adaptive_avg_pool2d(x, 8).flatten(1)
    centres = rows[torch.arange(GROUPS) * len(rows) // GROUPS]
    for _ in range(30):
        groups = torch.cdist(rows, centres).argmin(1)
        centres = torch.stack([rows[groups == g].mean(0) if (groups == g).any() else centres[g] for g in range(GROUPS)])
    return groups


def deviations(found: list[float], own_noise: list[float]) -> list[float]:
    """By how many deviations of undamaged distances the damaged ones are longer."""
    middle, deviation = statistics.mean(own_noise), statistics.stdev(own_noise)
    return [round((value - middle) / deviation, 2) for value in found]


def measure(space: Extractor, pictures: Pictures, count: int) -> dict:
    """Distances of damaged pictures, and how far they stand out."""
    rows = pictures.held_out if len(pictures.held_out) >= 2 * count else torch.cat([pictures.held_out, pictures.train])
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))][: 2 * count]
    x = cut(pictures, rows)
    clean = space.embed(x)
    reference, victims = clean[:count], x[count:]
    groups = groups_of(victims)
    splits = []
    for seed in range(SPLITS):
        order = torch.randperm(2 * count, generator=torch.Generator().manual_seed(seed))
        splits.append(frechet(clean[order[:count]], clean[order[count:]]))
    table = {}
    for name, (damage, levels) in DAMAGES.items():
        rng = torch.Generator().manual_seed(1)
        found = [frechet(space.embed(damage(victims, groups, level, rng)), reference) for level in levels]
        rising = all(low < high for low, high in itertools.pairwise([statistics.mean(splits), *found]))
        table[name] = {"levels": levels, "fd": found, "deviations": deviations(found, splits), "rising": rising}
    return {
        "extractor": space.name,
        "sha256": space.digest,
        "resizer": space.resizer,
        "dimensions": space.dimensions,
        "undamaged": splits,
        "variance": total_variance(reference),
        "damages": table,
        "rising": sum(row["rising"] for row in table.values()),
    }


def speeds(spaces: dict[str, Extractor], *, count: int, turns: int) -> dict[str, dict]:
    """Pictures of 32 x 32 a second of CPU time of one thread, the best of some turns."""
    x = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    best = dict.fromkeys(spaces, math.inf)
    for turn, (name, space) in itertools.product(range(turns + 1), spaces.items()):
        some = x[: max(count // 8, 8)] if name == "efficientnet" else x
        began = time.thread_time()
        space.embed(some)
        if turn:  # the first warms up
            best[name] = min(best[name], (time.thread_time() - began) / len(some))
    return {
        name: {"pictures_a_second": round(1 / took), "ratio_to_efficientnet": round(best["efficientnet"] / took, 2)}
        for name, took in best.items()
    }


def one(*, name: str, data: str, count: int) -> dict:
    """One space on one set; learning time beside it where the space is learned."""
    pictures = read(data)
    began = time.process_time()
    space = SPACES[name](pictures)
    learned = time.process_time() - began
    return {"space": name, "set": data, "cpu_seconds_to_load": round(learned, 1), **measure(space, pictures, count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds; writes no result")
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--sets", default=",".join(SETS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    home = RUNS / ("spaces-quick" if given.quick else "spaces")
    count = 64 if given.quick else 500
    names = ["random", "efficientnet@64"] if given.quick else given.spaces.split(",")
    wanted = ["emoji at 32"] if given.quick else given.sets.split(",")
    rows = []
    for data, name in itertools.product(wanted, names):
        file = home / f"{name}-{data}.json".replace(" ", "-")
        rows.append(running.kept(file, partial(one, name=name, data=data, count=count)))
        print(data, name, "rising", rows[-1]["rising"], "of", len(DAMAGES), flush=True)
        for damage, row in rows[-1]["damages"].items():
            print("   ", damage, row["deviations"], "" if row["rising"] else "NOT RISING")
    if given.quick:
        return
    timed = {name: SPACES[name](read("emoji at 32")) for name in names}
    speed = running.kept(home / "speed.json", partial(speeds, timed, count=256, turns=3))
    provenance = {data: sets.provenance(data.split(" ", maxsplit=1)[0]) for data in wanted}
    write_result("spaces", {"count": count, "speed": speed, "rows": rows, "data": provenance})


if __name__ == "__main__":
    main()
