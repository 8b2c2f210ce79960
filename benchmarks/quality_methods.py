"""Every method on MNIST at 32x32 for two minutes, in one table, with a sheet of samples of each.

    python benchmarks/quality_methods.py --jobs 2 --threads 1

By default the budget is in steps: the seconds a round of every method with two threads are measured first, in turns,
three times, on a machine that is quiet (runs/methods/rates.json); every method then plays as many rounds as two minutes
hold, whatever else the machine does. `--budget minutes` goes by the clock instead. Resumable; writes
results/quality_methods.json after every run, and docs/images/methods/METHOD.png.
"""

from functools import partial
from pathlib import Path

import judges
import rivals
import running
import sets
from common import ROOT, RUNS, write_result
from rivals.engine.files import write_whole
from rivals.engine.methods import METHODS
from rivals.engine.model import Model

SEEDS = {"gan": 3, "wgan-gp": 3, "hinge": 3, "r3gan": 3}  # one of every other method
SHEETS = ROOT / "docs" / "images" / "methods"
DATA = "mnist"
SPACE = ("--features", "digits")


def one(*, method: str, seed: int, words: tuple[str, ...], folder: Path, sheets: Path, threads: int) -> dict:
    """Train and judge one run of a method."""
    asked = ["--method", method, "--seed", str(seed), *words, *SPACE]
    verdict = running.train(folder, sets.source(DATA), asked, threads=threads)
    model = rivals.load(folder)
    scores = running.kept(folder / "score.json", lambda: judges.score(model, DATA))
    if seed == 0:
        write_sheet(model, sheets / f"{method}.png")
    recipe = running.recipe(folder)
    row = {"method": method, "seed": seed, "step": verdict["step"], "seconds": verdict["seconds"], **scores}
    return {**row, "words": asked, "networks": recipe["generator"]["name"], "batch": recipe["batch"]}


def write_sheet(model: Model, file: Path) -> None:
    """100 samples, a class in every column."""
    samples = judges.draw(model, 100, seed=2)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, model.modality.sheet(samples, least=1))  # type: ignore[attr-defined]


def plan(methods: list[str], seeds: int | None, quick: bool) -> list[tuple[int, str]]:
    """Which seed of which method: first seed 0 of all, so that a table of all is there soon."""
    runs = [(seed, method) for method in methods for seed in range(1 if quick else seeds or SEEDS.get(method, 1))]
    return sorted(runs, key=lambda run: run[0])


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", type=int, help="of every method [default: 3 of four methods, 1 of the others]")
    parser.add_argument("--budget", choices=("steps", "minutes"), default="steps")
    parser.add_argument("--rates", action="store_true", help="only measure the rates")
    given = parser.parse_args()
    methods = given.methods.split(",")
    home = RUNS / ("methods-quick" if given.quick else "methods")
    minutes = 0.05 if given.quick else given.minutes
    if given.quick:
        judges.use_quick()
    judged = judges.protocol(DATA)  # before runs side by side ask for it, as for the data
    sets.path(DATA)
    rates: dict = {}
    if given.budget == "steps":
        wanted = {name: (sets.source(DATA), ("--method", name, *SPACE)) for name in methods}
        rates = running.rates(home / "rates.json", wanted, minutes=max(minutes, 2.0), quick=given.quick)
    if given.rates:
        return
    tasks = [
        partial(
            one,
            method=method,
            seed=seed,
            words=tuple(running.budget(given.budget, minutes, rates.get(method, {}).get("best"))),
            folder=home / f"{method}-{given.budget}-{minutes:g}-{given.threads}t-{seed}",
            sheets=home if given.quick else SHEETS,
            threads=given.threads,
        )
        for seed, method in plan(methods, given.seeds, given.quick)
    ]
    how = {"minutes": minutes, "budget": given.budget, "threads": given.threads, "jobs": given.jobs, "rates": rates}

    def save(rows: list[dict]) -> None:
        if not given.quick:
            write_result("quality_methods", {**how, "rows": rows, "judged": judged})

    for row in sorted(running.each(tasks, jobs=given.jobs, done=save), key=lambda row: row.get("fd_share", 1e9)):
        told = row.get("error") or f"{row['fd_share']:7.2f} %  {row.get('agreement', float('nan')):5.1f} %"
        print(f"{row['method']:16} {row['seed']}  {told}")


if __name__ == "__main__":
    main()
