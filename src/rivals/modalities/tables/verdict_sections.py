"""The sections of a table's page on usefulness and privacy."""

from collections.abc import Iterator

from rivals.judging.page import number, paragraph, table, text
from rivals.judging.record import Values, as_number, inner, value
from rivals.judging.tables import columns, counted

from .attacks import ATTACKS
from .drawings import listed
from .verdict_words import KINDS, share, triple


def useful_section(verdict: Values) -> str:
    """Models taught by synthetic rows, in place of real ones and beside them."""
    return "".join([*in_place(inner(verdict, "usefulness")), *beside(inner(verdict, "augmentation"))])


def in_place(found: Values) -> Iterator[str]:
    """Train on synthetic, test on real, beside train on real."""
    rows = []
    for name, synthetic in inner(found, "synthetic").items():
        ours, real = as_number(synthetic), value(found, "real", name)
        if ours is not None and real is not None and name in KINDS:
            title = KINDS[name].name.removeprefix("usefulness (").removesuffix(")")
            rows.append((title, number(ours), number(real), spanned(inner(found, "gap").get(name))))
    if rows:
        yield paragraph(
            f"What a model learns about “{found.get('target')}”: gradient boosting, taught by "
            f"{counted(found.get('taught'))} synthetic or by as many real rows, tested on "
            f"{counted(found.get('tested'))} other real rows.",
            "soft",
        )
        yield columns(rows, ("score", "taught by synthetic", "taught by real", "difference"), "Usefulness")


def beside(found: Values) -> Iterator[str]:
    """Synthetic rows added to real ones."""
    names = {"without": "real rows alone", "synthetic": "with synthetic rows", "smote": "with SMOTE's rows"}
    ways = [(words, number(score)) for way, words in names.items() if (score := value(found, way)) is not None]
    if not ways:
        return
    yield f"<h3>Finding the rare “{text(found.get('class'))}”</h3>"
    yield table(ways, ("taught by", "average precision"), "Augmentation")
    told = [f"Gain: {spanned(found.get('gain'))}"]
    if triple(found.get("gain_on_smote")):
        told.append(f"gain on SMOTE: {spanned(found.get('gain_on_smote'))}")
    yield paragraph(
        f"{'; '.join(told)}. Means over {counted(found.get('draws'))} draws of 80 % of the real rows, to which "
        f"{counted(found.get('added'))} rows were added. The draws share rows: the intervals are a little too narrow."
        + ("" if "smote" in found else " SMOTE is compared where imbalanced-learn is installed."),
        "soft",
    )


def spanned(found: object) -> str:
    """A value and its interval."""
    span = triple(found)
    return f"{number(span[0])} ({number(span[1])} to {number(span[2])})" if span else "–"


def privacy_section(verdict: Values) -> str:
    """Attacks, copies, guesses, and distances beside their control."""
    found = inner(verdict, "privacy")
    refused = [paragraph(str(found["refused"]), "warn")] if isinstance(found.get("refused"), str) else []
    return "".join([*refused, *membership(found), *people(found), *copies_part(found)])


def membership(found: Values) -> Iterator[str]:
    """Who was in the training data."""
    rows = []
    for name, words in ATTACKS.items():
        attack = inner(found, "attacks", name)
        caught = triple(attack.get("caught"))
        if caught:
            told = (spanned(attack.get(key)) for key in ("advantage", "auc"))
            rows.append((name.replace("_", " "), *told, share(caught[0]), leaks(attack.get("flagged")), words))
    if not rows:
        return
    head = ("attack", "advantage", "AUC", "found at 1 % false alarms", "verdict", "what it looks at")
    yield "<h3>Who was in the training data?</h3>" + columns(rows, head, "Membership inference")
    counts = ", ".join(counted(each) for each in listed(found.get("candidates")))
    yield paragraph(
        "Advantage: true less false positive rate at a threshold chosen on other rows; 0 is guessing. Members, others "
        f"and reference rows: {counts}. These attackers know the synthetic rows and rows like the training rows, not "
        "the generator. One who can train many generators like this one may learn more; only differential privacy "
        "bounds that.",
        "soft",
    )


def people(found: Values) -> Iterator[str]:
    """What can be learned of a person."""
    risks = {"singling out": inner(found, "singling_out")}
    risks |= {f"guessing “{name}”": inner(found, "inference", name) for name in inner(found, "inference")}
    rows = []
    for name, risk in risks.items():
        train, control = triple(risk.get("train")), triple(risk.get("control"))
        if train and control:
            rows.append((name, share(train[0]), share(control[0]), spanned(risk.get("risk")), leaks(risk.get("shown"))))
    if rows:
        head = ("attack on a person", "right of training rows", "of held-out rows", "excess risk", "verdict")
        yield "<h3>What can be learned of a person?</h3>" + columns(rows, head, "Singling out and inference")
        yield paragraph(
            "What is right of held-out rows too is knowledge of the population; only the excess is a leak (Giomi et al."
            " 2023).",
            "soft",
        )


def leaks(found: object) -> str:
    """Whether an attack does better than by chance."""
    return "leaks" if found is True else "like chance"


def copies_part(found: Values) -> Iterator[str]:
    """Exact copies, and distances to the nearest record with their warning."""
    ours, theirs = (triple(inner(found, "copies").get(side)) for side in ("fake", "held_out"))
    rows: list[tuple[str, ...]] = []
    if ours and theirs:
        rows.append(("rows that equal a training row", share(ours[0]), share(theirs[0])))
    near = inner(found, "nearest")
    for place, words in enumerate(("distance to the nearest training row, median", "the same, nearest 5 %")):
        pair = [as_number(each) for side in ("fake", "held_out") for each in listed(near.get(side))[place : place + 1]]
        if len(pair) == 2:
            rows.append((words, *("–" if each is None else number(each) for each in pair)))
    closer = triple(near.get("share_closer"))
    if closer:
        rows.append(("closer to training than to held-out rows", share(closer[0]), "50 % (by symmetry)"))
    if rows:
        head = ("", "synthetic rows", "held-out rows")
        yield "<h3>Copies and nearest records</h3>" + columns(rows, head, "Copies and nearest records")
    if isinstance(found.get("warning"), str):
        yield paragraph(str(found["warning"]), "warn")
