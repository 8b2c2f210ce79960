"""How many of the 1,000 modes of Stacked-MNIST generators keep, after 20 minutes, without labels.

    python benchmarks/modes_stacked.py --methods r3gan,gan,wgan-gp,hinge

As published (Metz et al. 2017, Srivastava et al. 2017): three digits as red, green and blue; 25,600 samples; a
classifier of digits names every channel; the modes that appear are counted, and the reverse Kullback-Leibler
divergence of their distribution from the uniform one is taken, in nats. The judge is this repository's own (judges.py).
Resumable; writes results/modes_stacked.json after every run, and keeps there the rows of methods that are not asked for
(a row's words say whether it went by the clock or by the steps that the time holds on a quiet machine).
"""

import json
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import judges
import rivals
import running
import sets
from common import RESULTS, ROOT, RUNS, write_result
from rivals.engine.files import write_whole
from rivals.judging.score import mode_count, reverse_kl

SAMPLES = 25_600
MODES = 1_000
SPACE = ("--features", "digits")  # of the verdicts that training itself takes: the cheapest; its scores aren't used


def modes_of(samples: Tensor) -> Tensor:
    """The mode (n) of every picture (n, 3, 32, 32): 100 red + 10 green + blue."""
    known = judges.judge("mnist")
    digits = torch.stack([known.classes(samples[:, channel : channel + 1]) for channel in range(3)], 1)
    return digits @ torch.tensor([100, 10, 1])


def coverage(modes: Tensor) -> dict[str, float]:
    """Modes that appear at least once, and KL(samples || uniform) in nats.

    >>> coverage(torch.arange(1000))
    {'modes': 1000, 'reverse_kl': 0.0}
    """
    return {"modes": mode_count(modes, MODES), "reverse_kl": round(reverse_kl(modes, MODES), 4)}


def score(folder: Path, count: int) -> dict[str, float]:
    model = rivals.load(folder)
    parts = [min(3_200, count - start) for start in range(0, count, 3_200)]
    drawn = [modes_of(judges.draw(model, size, seed=100 + number)) for number, size in enumerate(parts)]
    return coverage(torch.cat(drawn))


def one(*, method: str, seed: int, words: tuple[str, ...], folder: Path, count: int, threads: int) -> dict:
    """Train one method and count its modes."""
    asked = ["--method", method, "--seed", str(seed), *words, *SPACE]
    verdict = running.train(folder, sets.source("stacked"), asked, threads=threads)
    found = running.kept(folder / "modes.json", lambda: score(folder, count))
    row = {"method": method, "seed": seed, "step": verdict["step"], "seconds": verdict["seconds"], **found}
    return {**row, "words": asked}


def control() -> dict[str, float]:
    """The same counts for real pictures: what the judge's errors and 25,600 draws do to them."""
    with_modes = torch.from_numpy(sets.stacked_pictures(SAMPLES)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return coverage(torch.cat([modes_of(part) for part in with_modes.split(3_200)]))


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--methods", default="r3gan,gan,wgan-gp,hinge")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", choices=("minutes", "steps"), default="minutes")
    given = parser.parse_args()
    methods = given.methods.split(",")
    home = RUNS / ("stacked-quick" if given.quick else "stacked")
    minutes = 0.05 if given.quick else given.minutes
    if given.quick:
        judges.use_quick()
    rates: dict = {}
    if given.budget == "steps":
        wanted = {name: (sets.source("stacked"), ("--method", name, *SPACE)) for name in methods}
        rates = running.rates(
            home / "rates.json", wanted, minutes=max(minutes, 2.0), threads=given.threads, quick=given.quick
        )
    tasks = [
        partial(
            one,
            method=method,
            seed=seed,
            words=tuple(running.budget(given.budget, minutes, rates.get(method, {}).get("best"))),
            folder=home / f"{method}-{given.budget}-{minutes:g}-{given.threads}t-{seed}",
            count=500 if given.quick else SAMPLES,
            threads=given.threads,
        )
        for seed in range(given.seeds)
        for method in methods
    ]
    protocol = {
        "minutes": minutes,
        "budget": given.budget,
        "threads": given.threads,
        "jobs": given.jobs,
        "rates": rates,
        "samples": SAMPLES,
        "labels": "none are given to either network",
        "weights": "running average, last state",
        "reverse_kl": "KL(samples' modes || uniform over 1,000), nats",
        "published": "R3GAN, 2024, losses on one network: RpGAN+R1+R2 1000 / 0.078, GAN+R1+R2 693 / 0.927",
        "data": sets.provenance("stacked"),
        "judge": judges.judge("mnist").facts,
    }
    if not given.quick:
        protocol["real"] = running.kept(home / "real.json", control)

    result = RESULTS / "modes_stacked.json"
    others = json.loads(result.read_text())["rows"] if result.exists() else []
    others = [row for row in others if row["method"] not in methods]

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("modes_stacked", {"rows": others + rows, "protocol": protocol})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        print({key: value for key, value in row.items() if key != "words"})
    first = home / f"{methods[0]}-{given.budget}-{minutes:g}-{given.threads}t-0"
    if (first / "verdict.json").exists() and not given.quick:
        model = rivals.load(first)
        sheet = model.modality.sheet(judges.draw(model, 100, seed=2), least=1)  # type: ignore[attr-defined]
        write_whole(ROOT / "docs" / "images" / "stacked.png", sheet)


if __name__ == "__main__":
    main()
