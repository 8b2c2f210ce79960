"""How good digits and clothes are after 1, 3 and 10 minutes on two threads, at 32x32, conditional on the class.

    python benchmarks/quality_digits.py

`rivals train` on all of MNIST and of Fashion-MNIST as a user would call it, then 10,000 samples against the 10,000
held-out pictures (judges.py). Nothing else should run on the machine; with `--budget steps` something may, and the
minutes are then those of a quiet machine (running.py); with `--budget as-mnist` other sets get the very steps that
MNIST's runs by the clock made (a round costs the same). Resumable; writes results/quality_digits.json.
"""

import json
from functools import partial
from pathlib import Path

import judges
import rivals
import running
import sets
from common import RUNS, write_result

WANTED = {"fd_share": {1: 1.5, 3: 0.9, 10: 0.5}, "agreement": {1: 96.0, 3: 98.0, 10: 99.0}}
SPACE = ("--features", "digits")  # of the verdicts that training itself takes: the cheapest; its scores aren't used
MINUTES = (1.0, 3.0, 10.0)


def one(*, data: str, minutes: float, seed: int, threads: int, words: tuple[str, ...], home: Path) -> dict:
    """Train and judge one run."""
    kind = words[0].removeprefix("--")
    folder = home / f"{data}-{minutes:g}m-{kind}-{threads}t-{seed}"
    asked = [*words, "--seed", str(seed), *SPACE]
    verdict = running.train(folder, sets.source(data), asked, threads=threads)
    scores = running.kept(folder / "score.json", lambda: judges.score(rivals.load(folder), data))
    row = {"data": data, "minutes": minutes, "seed": seed, "step": verdict["step"], "seconds": verdict["seconds"]}
    return {**row, "words": asked, **scores, "method": running.recipe(folder)["method"]}


def as_mnist(home: Path, name: str, minutes: float) -> list[str]:
    """The minutes for MNIST itself, and the steps that its run of two threads made for others."""
    if name == "mnist":
        return ["--minutes", f"{minutes:g}"]
    return [
        "--steps",
        str(json.loads((home / f"mnist-{minutes:g}m-minutes-2t-0" / "verdict.json").read_text())["step"]),
    ]


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--data", default="mnist,fashion")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--budget", choices=("minutes", "steps", "as-mnist"), default="minutes")
    given = parser.parse_args()
    names = given.data.split(",")
    home = RUNS / ("quality-quick" if given.quick else "quality")
    minutes = (0.05,) if given.quick else MINUTES
    if given.quick:
        judges.use_quick()
    rates = {}
    if given.budget == "steps":
        wanted = {name: (sets.source(name), SPACE) for name in names}
        rates = running.rates(home / "rates.json", wanted, minutes=max(MINUTES), quick=given.quick)
    tasks = [
        partial(
            one,
            data=name,
            minutes=time,
            seed=seed,
            home=home,
            threads=2 if name == "mnist" and given.budget == "as-mnist" else given.threads,
            words=tuple(
                as_mnist(home, name, time)
                if given.budget == "as-mnist"
                else running.budget(given.budget, time, rates.get(name, {}).get("best"))
            ),
        )
        for time in minutes
        for name in names
        for seed in range(given.seeds)
    ]
    judged = {name: judges.protocol(name) for name in names}

    def save(rows: list[dict]) -> None:
        how = {"budget": given.budget, "threads": given.threads, "jobs": given.jobs, "rates": rates}
        if not given.quick:
            write_result("quality_digits", {"wanted": WANTED, "rows": rows, "judged": judged, **how})

    for row in running.each(tasks, jobs=given.jobs, done=save):
        print(row)


if __name__ == "__main__":
    main()
