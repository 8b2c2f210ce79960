"""docs/methods.md and the scores that `rivals recipes NAME` shows, from results/quality_methods.json.

The sheets in docs/images/methods are written by quality_methods.py itself.
"""

import json
from statistics import mean

from common import RESULTS, ROOT
from rivals.engine.methods import METHODS
from rivals.methods_words import in_full

HEAD = """# Methods

Every method is a value in [`methods.py`](../src/rivals/engine/methods.py) and plays on the same engine, with its
paper's loss, terms, turns, normalisation and optimizer. `rivals train photos/ --method NAME` trains with it,
`rivals recipes NAME` tells all of it, `rivals compare photos/ --methods a,b` plays several against each other.

*This page is made by `benchmarks/methods_page.py` from `benchmarks/results/quality_methods.json`.*

"""

TABLE = """## All methods, {minutes:g} minutes each

{protocol}

| method | networks | batch | rounds | FD, % of variance | agreement, % | seeds |
|---|---|---|---|---|---|---|
{rows}

{caution}
"""

CAUTION = """\
Two minutes on a laptop's processor are not what these methods were published for: what is large and slow here
(StyleGAN2, BigGAN, FastGAN, Projected GAN) plays few rounds, and methods with published learning rates for long runs
are slower than the ones that Rivals tunes for the device (r3gan and others with both zero-centred penalties). The table
says what two minutes give, not which paper is better. Projected GAN looks through a network that knows photographs, not
digits.
"""


def main() -> None:
    path = RESULTS / "quality_methods.json"
    result = json.loads(path.read_text()) if path.exists() else None
    told = told_rows(result) if result else []
    by_name = {row["method"]: row for row in told}
    table = (
        measured(result, told) if result else "*Not measured yet: `python benchmarks/all.py --only quality_methods`.*\n"
    )
    page = HEAD + table + "\n".join(section(name, by_name.get(name)) for name in METHODS)
    (ROOT / "docs" / "methods.md").write_text(page, encoding="utf-8")
    if result:
        how = result["circumstances"]
        machine = f"{how['cores']} cores ({how['cpu']})"
        floor = result["judged"]["floor"]
        known = {"data": "MNIST 32x32", "minutes": result["minutes"], "machine": machine, "floor": floor}
        scores = ("fd_share", "agreement", "seeds")
        kept = [{"method": row["method"], **known, **{key: row[key] for key in scores}} for row in told]
        (ROOT / "src" / "rivals" / "measured.json").write_text(json.dumps(kept, indent=1) + "\n")


def measured(result: dict, told: list[dict]) -> str:
    """The table and how it came about."""
    judged, how = result["judged"], result["circumstances"]
    protocol = (
        f"MNIST at 32x32, 60,000 training digits, conditional on the class; {judged['distance']} "
        f"(real against real: {judged['floor']} %; the judge is right on {judged['judge']['test_accuracy_percent']} % "
        f"of held-out digits); the running average at the last step. Rounds are as many as {result['minutes']:g} "
        f"minutes hold with two threads of this machine ({how['cpu']}, {how['cores']} cores), measured before."
    )
    rows = [
        f"| [{row['method']}](#{row['method']}) | {row['networks']} | {row['batch']} | {row['step']:,} | "
        f"{row['fd_share']:.2f}{row['spread']} | {row['agreement']:.1f} | {row['seeds']} |"
        for row in told
    ]
    failed = [f"| {row['method']} | | | | {row['error']} | | |" for row in result["rows"] if "error" in row]
    lines = "\n".join([*rows, *failed])
    return TABLE.format(minutes=result["minutes"], protocol=protocol, rows=lines, caution=CAUTION)


def told_rows(result: dict) -> list[dict]:
    """A row a method, the mean over its seeds, best first."""
    told = []
    for name in METHODS:
        runs = [row for row in result["rows"] if row["method"] == name and "error" not in row]
        if runs:
            shares = [run["fd_share"] for run in runs]
            spread = f" ({min(shares):.2f} to {max(shares):.2f})" if len(runs) > 1 else ""
            fd, agreement = mean(shares), mean(run["agreement"] for run in runs)
            own = {"fd_share": round(fd, 3), "agreement": round(agreement, 2), "seeds": len(runs), "spread": spread}
            told.append({**runs[0], **own})
    return sorted(told, key=lambda row: row["fd_share"])


def section(name: str, row: dict | None) -> str:
    """One method: what it is, and its samples."""
    lines = [f"\n## {name}\n"]
    lines += [f"- **{word}**: {told}" for word, told in in_full(METHODS[name]).items()]
    if row is not None:
        lines.append(f"\n![samples of {name} after the run above](images/methods/{name}.png)")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
