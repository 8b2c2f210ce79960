"""Put what was measured of tables into docs/tables.md: what stands between `<!-- NAME -->` and `<!-- /NAME -->`.

    python benchmarks/tables_page.py

Reads benchmarks/results; what was not measured is not written.
"""

from statistics import mean

from common import RESULTS, ROOT
from tables import put, result

SHARES = ("common", "rare, met", "asked, least", "asked")  # between 0 and 1
SCORES = {  # of tables_quality.py: words, and how the number is written
    "shapes": ("column shapes, error", "{:.1f} %"),
    "trends": ("pair trends, error, all pairs", "{:.1f} %"),
    "trends, report": ("the same as SDMetrics' report takes them", "{:.1f} %"),
    "two_sample": ("two-sample test, AUC", "{:.2f}"),
    "useful": ("taught by them, tested on real rows, AUC", "{:.3f}"),
    "common": ("a category of 1 % of the rows or more, farthest from its share", "{:.1f} %"),
    "rare, met": ("categories of 0.1 % to 1 % within a fifth of their share", "{:.0f} %"),
    "asked, least": ("rows that are as asked for, before any is thrown away: the least of a dozen values", "{:.1f} %"),
}

YEAST = ("shapes", "trends", "two_sample", "useful")
ARMS = {
    "rivals": "Rivals",
    "ctgan": "CTGAN 0.12.1",
    "gaussian_copula": "Gaussian copula",
    "independent": "independent columns",
    "arf": "adversarial random forest",
}


def told(name: str, value: float) -> str:
    """A score as it is written."""
    form = SCORES[name][1] if name in SCORES else "{:.1f} %"
    return form.format(100 * value if name in SHARES else value)


def adult() -> str:
    """Ten minutes on Adult, the mean of the seeds."""
    found = result("tables_quality_10")
    rows = [row["scores"] for row in found["rows"] if row["arm"] == "rivals"]
    real = found["real rows"]["adult"]

    lines = [f"| what | rows made ({len(rows)} seed{'s' * (len(rows) > 1)}) | real rows |", "|---|---|---|"]
    for name, (words, _) in SCORES.items():
        values = [told(name, row[name]) for row in rows]
        spread = "" if len(set(values)) == 1 else f" ({', '.join(values)})"
        beside = told(name, real[name]) if name in real else ""
        lines.append(f"| {words} | {told(name, mean(row[name] for row in rows))}{spread} | {beside} |")
    return "\n".join(lines)


def beside() -> str:
    """Ours, CTGAN and baselines after equal CPU time, means over seeds."""
    found = result("tables_quality")
    names = ("shapes", "trends", "trends, report", "two_sample", "useful", "common", "rare, met", "asked")
    words = (
        "shapes, error",
        "trends, error",
        "as SDMetrics' report",
        "two-sample AUC",
        "taught by them",
        "farthest common share",
        "rare shares met",
        "asked for, met",
    )
    lines = [f"| | seeds | {' | '.join(words)} |", "|---|---|" + "---|" * len(words)]
    for data, arms in found["means"].items():
        for arm, scores in {**arms, "real rows": found["real rows"][data]}.items():
            seeds = sum((row["set"], row["arm"]) == (data, arm) and "error" not in row for row in found["rows"])
            cells = [told(name, scores[name]) if name in scores else "" for name in names]
            lines.append(f"| {data}, {ARMS.get(arm, arm)} | {seeds or ''} | {' | '.join(cells)} |")
    return "\n".join(lines)


def folds() -> str:
    """Usefulness on five fifths of abalone."""
    found = result("tables_folds")
    scores = {arm: row["useful"] for arm, row in found["means"].items()}
    more = "useful, as many rare rows"

    def span(of: dict[str, float]) -> str:
        return f"{of['mean']:+.3f} less CTGAN's, {of['low']:+.3f} to {of['high']:+.3f}"

    ours = found["means"]["rivals"]
    others = ", ".join(f"{ARMS[arm]} {scores[arm]:.3f}" for arm in scores if arm != "rivals")
    return (
        f"Taught by them, AUC, means over fifths and seeds: Rivals {scores['rivals']:.3f} "
        f"({span(found['useful, ours less ctgan'])}), {others}, real rows {ours['useful, real rows']:.3f}. "
        f"With as many rare rows asked of Rivals as CTGAN made: {ours[more]:.3f} "
        f"({span(found[f'{more}, ours less ctgan'])})."
    )


def yeast() -> str:
    """Four small tables whose target is rare."""
    found = result("tables_yeast")
    named = (
        "rare rows",
        "shapes, error in %",
        "trends, error in %",
        "two-sample AUC",
        "taught by them",
        "rare share off",
    )
    rows = [f"| | {' | '.join(named)} |"]
    rows.append("|" + "---|" * 7)
    held = {"yeast3": 163, "yeast4": 51, "yeast5": 44, "yeast6": 35}
    for name, arms in found["means"].items():
        for arm, scores in arms.items():
            cells = [f"{scores[key]:{form}}" for key, form in zip(YEAST, (".1f", ".1f", ".2f", ".3f"), strict=True)]
            off = f"{100 * scores['target share']:.0f} %"
            rows.append(f"| {name}, {ARMS[arm]} | {held[name]} | {' | '.join(cells)} | {off} |")
        rows.append(f"| {name}, real rows | {held[name]} | | | | {arms['rivals']['useful, real rows']:.3f} | |")
    return "\n".join(rows)


def speed() -> str:
    """Beside CTGAN's code: CPU seconds of one thread."""
    arms = result("tables_speed")["arms"]
    peer = arms["ctgan 0.12.1"]
    forms = {
        "preparation": ("{:.1f} s", 1),
        "round": ("{:.0f} ms", 1e3),
        "sampling": ("{:.1f} s", 1),
        "memory": ("{:.0f} MB", 1),
    }
    lines = ["| | preparation | a round | 100,000 rows into a file | memory |", "|---|---|---|---|---|"]
    for arm, row in arms.items():
        cells = []
        for name, (form, times) in forms.items():
            ratio = "" if row is peer else f" ({row['times'][name]['median']:.2f}x)"
            cells.append(form.format(times * row[name]) + ratio)
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    ours = arms["rivals, ctgan"]
    lines += [
        "",
        f"CTGAN's most is while it samples. In training alone it takes {peer['memory of training']:.0f} MB and `ctgan` "
        f"of ours {ours['memory of training']:.0f}, with the verdict after it {ours['memory with the verdict']:.0f}: "
        "there ours takes more.",
    ]
    return "\n".join(lines)


def scale() -> str:
    """Two million rows, and a column of very many categories."""
    found = result("tables_scale")
    large, wide = found["large"], found["wide"]
    training = f"a million rows of training take {large['training, seconds a million rows']:.0f} CPU seconds"
    sampling = f"a million rows sampled {large['sampling, seconds a million rows']:.0f}"
    several = ""
    for batch, each in found.get("processes", {}).items():
        if batch.startswith("batch"):
            two, threads = (each["times"][way] for way in ("two", "one of two threads"))
            several += f" With a {batch.replace(' ', ' of ')} two processes make {two:.2f} times the rounds of one, "
            several += f"one process of two threads {threads:.2f} times."
    return (
        f"{found['rows'] / 1e6:g} million rows of 30 columns train in {large['training_mb'] / 1e3:.1f} GB, libraries "
        f"included; {training}, {sampling}, in {large['sampling_mb'] / 1e3:.1f} GB. A column of "
        f"{wide['categories']:,} categories in a million rows trains in {wide['with the verdict_mb'] / 1e3:.1f} GB."
        + several
    )


def augmented() -> str:
    """Whether rows of a rare class help to find it."""
    found = result("tables_augment")
    score = found["average precision"]
    middle, low, high = found["gain of ours"]["real rows alone"]
    told = ", ".join(f"{name} {score[name]:.3f}" for name in ("real rows alone", "ours", "SMOTE", "again"))
    verdict = "they help" if low > 0 else "they harm" if high < 0 else "no difference that could not be chance"
    return (
        f"Average precision of the rare class: {told}. Ours over real rows alone: {middle:+.3f} "
        f"({low:+.3f} to {high:+.3f}): {verdict}."
    )


def main() -> None:
    page = ROOT / "docs" / "tables.md"
    parts = {
        "adult": ("tables_quality_10", adult),
        "beside": ("tables_quality", beside),
        "folds": ("tables_folds", folds),
        "yeast": ("tables_yeast", yeast),
        "speed": ("tables_speed", speed),
        "scale": ("tables_scale", scale),
        "augmented": ("tables_augment", augmented),
    }
    for name, (needed, text) in parts.items():
        if (RESULTS / f"{needed}.json").exists():
            put(page, name, text())


if __name__ == "__main__":
    main()
