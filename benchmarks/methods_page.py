"""docs/methods.md and the scores that `rivals recipes NAME` shows, from the results of the methods' benchmarks.

The sheets in docs/images/methods are written by quality_methods.py itself.
"""

import json
from collections.abc import Iterable, Sequence
from statistics import mean

from common import RESULTS, ROOT
from rivals.engine.methods import METHODS
from rivals.methods_words import in_full

HEAD = """# Methods

Every method is a value in [`methods.py`](../src/rivals/engine/methods.py) and plays on the same engine, with its
paper's loss, terms, turns, normalisation and optimizer. `rivals train photos/ --method NAME` trains with it,
`rivals recipes NAME` tells all of it, `rivals compare photos/ --methods a,b` plays several against each other.

*This page is made by `benchmarks/methods_page.py` from `benchmarks/results/`.*

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
    page = HEAD + table + more() + "\n".join(section(name, by_name.get(name)) for name in METHODS)
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


def more() -> str:
    """What other benchmarks say of methods: a section for each that has a result."""
    makers = {"modes_stacked": stacked, "toys": toys, "gamma_rule": gamma, "small_data": small}
    paths = {name: RESULTS / f"{name}.json" for name in makers}
    return "".join(makers[name](json.loads(path.read_text())) for name, path in paths.items() if path.exists())


def lines_of(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    cells = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in cells) + "\n"


def stacked(result: dict) -> str:
    """Modes of Stacked-MNIST."""
    protocol = result["protocol"]
    rows = [
        (row["method"], f"{row['step']:,}", f"{row['modes']:,}", f"{row['reverse_kl']:.3f}")
        for row in sorted(result["rows"], key=lambda row: -row.get("modes", 0))
        if "error" not in row
    ]
    real = protocol["real"]
    rows.append(("real pictures", "", f"{real['modes']:,}", f"{real['reverse_kl']:.3f}"))
    return (
        f"\n## Modes: Stacked-MNIST, {protocol['minutes']:g} minutes of {protocol['threads']} thread(s)\n\n"
        f"Three digits as red, green and blue, no labels; modes among {protocol['samples']:,} samples, named by a "
        f"classifier of digits, and their divergence from all 1,000 alike, in nats. {protocol['published']}.\n\n"
        + lines_of(("method", "rounds", "modes of 1,000", "reverse KL"), rows)
    )


def toys(result: dict) -> str:
    """Modes of the ring and of the grid."""
    protocol, found = result["protocol"], {}
    for row in result["rows"]:
        found.setdefault(row["method"], {})[row["set"]] = row
    rows = []
    for name, sets in found.items():
        cells = [name]
        for kind in ("ring", "grid"):
            row = sets.get(kind)
            claimed = " (claimed)" if row and row["claimed"] else ""
            modes = ", ".join(map(str, row["modes"])) if row else ""
            within = ", ".join(f"{share:.1f}" for share in row["on_a_mode"]) if row else ""
            cells += [f"{modes} of {row['of']}{claimed}" if row else "", within]
        rows.append(cells)
    return (
        "\n## Modes: eight Gaussians on a ring, twenty-five on a grid\n\n"
        f"{protocol['steps']:,} rounds of {protocol['batch']}, networks {protocol['networks']}; modes with at least "
        f"{protocol['found_from']} of {protocol['samples']:,} samples, and percent of samples within "
        f'{protocol["sigmas"]:g} deviations of one, a number for each seed. "Claimed" is what a paper says of itself, '
        "itself, with its own networks and many more rounds.\n\n"
        + lines_of(("method", "ring", "within, %", "grid", "within, %"), rows)
    )


def gamma(result: dict) -> str:
    """The chosen weight of R1 and R2 beside fixed ones."""
    seeds = {}
    for row in result["rows"]:
        seeds.setdefault(row["data"], set()).add(row["seed"])
    factors = [f"x{factor:g}" for factor in result["protocol"]["factors"]]
    rows = [
        (name, len(seeds[name]), *(told(each["means"].get(arm)) for arm in ("auto", *factors)), each["auto_over_best"])
        for name, each in result["compared"].items()
    ]
    return (
        "\n## The weight of R1 and R2: chosen from the data, or fixed\n\n"
        f"FD in percent after {result['protocol']['steps']:,} rounds of r3gan at 32x32, with the weight that Rivals "
        "chooses (`auto`) and with multiples of a fixed one; the last column is `auto` over the best of the fixed.\n\n"
        + lines_of(("data", "seeds", "auto", *factors, "auto / best"), rows)
    )


def told(value: float | None) -> str:
    """A number of a table."""
    return "" if value is None else f"{value:.3g}"


def small(result: dict) -> str:
    """500 digits with and without augmentation."""
    rows = [
        (row["arm"], row["seed"], row["fd_share"], row["agreement"], row["features"]["copies_percent"])
        for row in result["rows"]
        if "error" not in row
    ]
    return (
        f"\n## Few pictures: 500 digits, {result['protocol']['minutes']:g} minutes, augmented or not\n\n"
        "Copies: samples nearer to a training picture, in the judge's features, than 99 of 100 held-out pictures are; "
        "1 % is what chance gives.\n\n" + lines_of(("augmentation", "seed", "FD, %", "agreement, %", "copies, %"), rows)
    )


def section(name: str, row: dict | None) -> str:
    """One method: what it is, and its samples."""
    lines = [f"\n## {name}\n"]
    lines += [f"- **{word}**: {told}" for word, told in in_full(METHODS[name]).items()]
    if row is not None:
        lines.append(f"\n![samples of {name} after the run above](images/methods/{name}.png)")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
