"""Whether the weight of R1 and R2 that Rivals chooses is as good as the best fixed one, on four different data sets.

    python benchmarks/gamma_rule.py --jobs 2 --threads 1

Digits and clothes (grey) and faces and emoji (colour), all at 32x32, for equal steps from equal seeds: five fixed
weights around a centre, each 4 times the one before, and the default recipe's own choice (`auto`). Judged by FD share:
digits and clothes in the judges of this benchmark (10,000 samples), the others by Rivals in the space `efficientnet`.
Resumable; writes results/gamma_rule.json after every run, and keeps there the rows of sets that are not asked for.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean

import judges
import rivals
import running
import sets
from common import RESULTS, RUNS, write_result

FACTORS = (1 / 16, 1 / 4, 1, 4, 16)
JUDGED = ("mnist", "fashion")  # by their own classifiers
CHANNELS = {"mnist": 1, "fashion": 1, "faces": 3, "emoji": 3}
WANTED = 1.15


def centre(data: str) -> float:
    """The middle of a set's sweep: 0.05 at 28x28 grey, in proportion to the numbers in a picture."""
    return 0.05 * 32 * 32 * CHANNELS[data] / 784


def arms(data: str) -> dict[str, dict[str, str]]:
    """Settings by name: fixed weights that fall to a tenth along the same curve as the chosen one."""
    found: dict[str, dict[str, str]] = {"auto": {}}
    for factor in FACTORS:
        weight = factor * centre(data)
        ends = {"start": f"{weight:.3g}", "stop": f"{weight / 10:.3g}"}
        found[f"x{factor:g}"] = {
            f"critic_terms.{name}.{end}": value for name in ("r1", "r2") for end, value in ends.items()
        }
    return found


def one(*, data: str, arm: str, seed: int, steps: int, folder: Path, space: str, threads: int) -> dict:
    """Train and judge one run."""
    frame = {"data.height": "32", "data.width": "32"}
    settings = running.options(frame | arms(data)[arm])
    asked = ["--steps", str(steps), "--seed", str(seed), "--features", space, *settings]
    verdict = running.train(folder, sets.source(data), asked, threads=threads)
    scores = running.kept(folder / "score.json", lambda: score(folder, data, verdict))
    weight = running.recipe(folder)["critic_terms"]["r1"]["start"]
    return {"data": data, "arm": arm, "seed": seed, **scores, "r1": weight, "words": asked}


def score(folder: Path, data: str, verdict: Mapping) -> dict[str, float]:
    if data in JUDGED:
        return judges.score(rivals.load(folder), data)
    return {"fd_share": round(verdict["scores"]["fd_share"], 3), "floor": round(verdict["floor"]["fd_share"], 3)}


def compared(rows: Sequence[Mapping]) -> dict[str, dict]:
    """For each set the mean FD share of every arm over the seeds, the best fixed one, and auto over it."""
    found = {}
    for data in dict.fromkeys(row["data"] for row in rows):
        good = [row for row in rows if row["data"] == data and "error" not in row]
        means = {
            arm: mean(row["fd_share"] for row in good if row["arm"] == arm)
            for arm in dict.fromkeys(row["arm"] for row in good)
        }
        fixed = {arm: value for arm, value in means.items() if arm != "auto"}
        if "auto" in means and fixed:
            best = min(fixed, key=lambda arm: fixed[arm])
            found[data] = {"means": means, "best": best, "auto_over_best": round(means["auto"] / fixed[best], 3)}
    return found


def main() -> None:
    parser = running.parser(__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", default=",".join(CHANNELS))
    given = parser.parse_args()
    home = RUNS / ("gamma-quick" if given.quick else "gamma")
    steps = 5 if given.quick else given.steps
    if given.quick:
        judges.use_quick()
    for data in set(JUDGED) & set(given.data.split(",")):
        judges.judge(data)  # before runs side by side ask for it
    spaces = {data: "digits" if data in JUDGED or given.quick else "efficientnet" for data in CHANNELS}
    tasks = [
        partial(
            one,
            data=data,
            arm=arm,
            seed=seed,
            steps=steps,
            folder=home / f"{data}-{arm}-{steps}-{given.threads}t-{seed}",
            space=spaces[data],
            threads=given.threads,
        )
        for seed in range(given.seeds)
        for data in given.data.split(",")
        for arm in (("auto", "x1") if given.quick else arms(data))
    ]
    protocol = {
        "steps": steps,
        "threads": given.threads,
        "jobs": given.jobs,
        "factors": FACTORS,
        "centres": {data: centre(data) for data in CHANNELS},
        "spaces": {data: f"judge of {data}" if data in JUDGED else space for data, space in spaces.items()},
        "data": {data: sets.provenance(data) for data in given.data.split(",")},
    }

    result = RESULTS / "gamma_rule.json"
    before = json.loads(result.read_text()) if result.exists() else {"rows": [], "protocol": {"data": {}}}
    others = [row for row in before["rows"] if row["data"] not in protocol["data"]]
    protocol["data"] = before["protocol"]["data"] | protocol["data"]

    def save(rows: list[dict]) -> None:
        if not given.quick:
            known = others + rows
            write_result(
                "gamma_rule", {"wanted": WANTED, "compared": compared(known), "rows": known, "protocol": protocol}
            )

    rows = running.each(tasks, jobs=given.jobs, done=save)
    for data, found in compared(rows).items():
        print(data, found)


if __name__ == "__main__":
    main()
