"""What augmentation is worth with 500 digits, three minutes, and whether samples are copies of training pictures.

    python benchmarks/small_data.py

The same recipe with and without augmentation of what the critic sees; 10,000 samples against the 10,000 held-out
pictures (judges.py). Copies: how far samples are from the nearest of the 500 training pictures, in pixels and in the
judge's features, beside held-out pictures, which nobody can have copied. 1 % of the held-out ones are nearer than their
own first percentile; if many more of the samples are, the generator repeats what it saw. Resumable; writes
results/small_data.json after every run.
"""

import zlib
from functools import partial
from pathlib import Path

from torch import Tensor

import judges
import rivals
import running
import sets
from common import RUNS, write_result
from rivals.judging.compare import nearest

ARMS: dict[str, dict[str, str]] = {"without": {"augment.operations": "[]"}, "with": {}}  # settings; {}: the default's
SPACE = ("--features", "digits")  # of the verdicts that training itself takes
COPIES = 2_000  # samples that are looked at for copies


def nearness(samples: Tensor, held_out: Tensor, train: Tensor) -> dict[str, float]:
    """Distances of samples (n, d) and of held-out rows (m, d) to the nearest training row, and how many are too near.

    Returns:
        medians, and `copies_percent`: the samples nearer than the first percentile of the held-out rows.
    """
    ours, control = (nearest(rows, train)[0][:, 0] for rows in (samples, held_out))
    edge = control.quantile(0.01)
    return {
        "samples_median": round(float(ours.median()), 4),
        "held_out_median": round(float(control.median()), 4),
        "held_out_first_percentile": round(float(edge), 4),
        "samples_least": round(float(ours.min()), 4),
        "copies_percent": round(100 * float((ours < edge).double().mean()), 2),
    }


def score(folder: Path) -> dict:
    """Scores and nearness of one run."""
    model, known = rivals.load(folder), judges.judge("mnist")
    samples = judges.draw(model, COPIES, seed=3)
    train, held_out = (judges.as_pictures(sets.part("digits500", part)[0]) for part in ("train", "t10k"))
    return {
        **judges.score(model, "mnist"),
        "pixels": nearness(samples.flatten(1), held_out.flatten(1), train.flatten(1)),
        "features": nearness(known.embed(samples), known.held_out, known.embed(train)),
    }


def one(*, arm: str, seed: int, words: tuple[str, ...], settings: tuple[str, ...], folder: Path, threads: int) -> dict:
    """Train and judge one run."""
    asked = ["--seed", str(seed), *words, *SPACE, *settings]
    verdict = running.train(folder, sets.source("digits500"), asked, threads=threads)
    scores = running.kept(folder / "score.json", lambda: score(folder))
    row = {"arm": arm, "seed": seed, "step": verdict["step"], "seconds": verdict["seconds"]}
    return {**row, **scores, "augment": running.recipe(folder).get("augment"), "words": asked}


def named(arm: str, words: tuple[str, ...]) -> str:
    """An arm's name in names of folders: other settings are other runs."""
    return arm if words == tuple(running.options(ARMS[arm])) else f"{arm}-{zlib.crc32(' '.join(words).encode()):08x}"


def ratios(rows: list[dict]) -> dict[str, float]:
    """FD without over FD with augmentation, by seed."""
    found = {(row["arm"], row["seed"]): row["fd_share"] for row in rows if "error" not in row}
    seeds = [seed for arm, seed in found if arm == "with" and ("without", seed) in found]
    return {str(seed): round(found["without", seed] / found["with", seed], 3) for seed in seeds}


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE for the augmented runs; may be repeated")
    parser.add_argument("--budget", choices=("minutes", "steps"), default="minutes")
    given = parser.parse_args()
    arms = {arm: tuple(running.options(settings)) for arm, settings in ARMS.items()}
    arms["with"] += tuple(word for text in given.set for word in ("--set", text))
    home = RUNS / ("small-quick" if given.quick else "small")
    minutes = 0.05 if given.quick else given.minutes
    if given.quick:
        judges.use_quick()
    rates: dict = {}
    if given.budget == "steps":
        wanted = {named(arm, words): (sets.source("digits500"), (*SPACE, *words)) for arm, words in arms.items()}
        rates = running.rates(
            home / "rates.json", wanted, minutes=max(minutes, 2.0), threads=given.threads, quick=given.quick
        )
    tasks = [
        partial(
            one,
            arm=arm,
            seed=seed,
            words=tuple(running.budget(given.budget, minutes, rates.get(named(arm, settings), {}).get("best"))),
            settings=settings,
            folder=home / f"{named(arm, settings)}-{given.budget}-{minutes:g}-{given.threads}t-{seed}",
            threads=given.threads,
        )
        for seed in range(given.seeds)
        for arm, settings in arms.items()
    ]
    protocol = {
        "minutes": minutes,
        "budget": given.budget,
        "threads": given.threads,
        "jobs": given.jobs,
        "rates": rates,
        "arms": arms,
        "data": sets.provenance("digits500"),
        "copies": f"{COPIES} samples and 10,000 held-out pictures, each against its nearest of 500 training pictures",
        "judged": judges.protocol("mnist"),
    }

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("small_data", {"wanted": 2.0, "ratios": ratios(rows), "rows": rows, "protocol": protocol})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        print({key: value for key, value in row.items() if key != "words"})


if __name__ == "__main__":
    main()
