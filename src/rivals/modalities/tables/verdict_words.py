"""What each score of a table's verdict is called, which way is better, and the verdict in sentences."""

from collections.abc import Iterator

from rivals.judging.page import number
from rivals.judging.record import Values, as_number, inner, usable, value
from rivals.judging.verdict_words import Kind, spans

KINDS = {
    "shapes": Kind(
        "column shapes", " %", "higher", "columns' own distributions, mean (KS and TV complement, SDMetrics)"
    ),
    "trends": Kind("pair trends", " %", "higher", "pairs of columns, mean (correlation and contingency similarity)"),
    "related_trends": Kind(
        "trends of related pairs", " %", "higher", "the same, of pairs that hang together in the real table"
    ),
    "information": Kind("mutual information", " %", "higher", "100 less the mean difference of pairs' information"),
    "shares_met": Kind(
        "shares met", " %", "higher", "categories of 1 % or more whose share is within a tenth of theirs"
    ),
    "two_sample": Kind("two-sample test", "", "lower", "area under the curve of boosting that tells fakes; 0.5: can't"),
    "auc": Kind(
        "usefulness (AUC)", "", "higher", "boosting taught by synthetic, tested on real; floor: taught by real"
    ),
    "average_precision": Kind("usefulness (average precision)", "", "higher", "the same, for the rarer class"),
    "f1": Kind("usefulness (F1)", "", "higher", "the same, for the rarer class"),
    "r2": Kind("usefulness (R²)", "", "higher", "boosting taught by synthetic, tested on real; floor: taught by real"),
    "advantage": Kind("best attack's advantage", "", "lower", "of membership inference; 0: guessing, 1: certainty"),
}
"""Scores in the order in which they are shown."""

MAKERS = {
    "independent": "A table of independent columns",
    "gaussian_copula": "A Gaussian copula",
}
HOW_OFTEN = ((0.7, "sometimes"), (0.85, "often"), (0.95, "mostly"), (2.0, "nearly always"))  # by the area
COMPARED = ("shapes", "trends", "related_trends", "two_sample", "auc", "r2")  # with baselines
SLIGHT = 0.05  # an advantage below is called slight


def verdict_sentences(verdict: Values) -> Iterator[str]:
    """The verdict in words: likeness, the two-sample test, usefulness, augmentation, privacy, baselines."""
    yield from likeness_sentence(verdict)
    yield from test_sentence(verdict)
    yield from useful_sentence(verdict)
    yield from augmentation_sentence(verdict)
    yield from privacy_sentences(verdict)
    yield from baseline_sentences(verdict)


def likeness_sentence(verdict: Values) -> Iterator[str]:
    """How alike columns and pairs are, against the floor."""
    parts = []
    for name, words in (("shapes", "columns"), ("trends", "pairs of columns"), ("related_trends", "related pairs")):
        found, floor = value(verdict, "scores", name), value(verdict, "floor", name)
        if found is not None:
            beside = f" (real against real: {number(floor)} %)" if floor is not None else ""
            parts.append(f"{words} are {number(found)} % alike{beside}")
    if parts:
        yield f"{parts[0][0].upper()}{', '.join(parts)[1:]}."


def test_sentence(verdict: Values) -> Iterator[str]:
    """Whether a classifier tells synthetic from real rows."""
    found, floor = value(verdict, "scores", "two_sample"), value(verdict, "floor", "two_sample")
    if found is None:
        return
    if found <= max(0.52, (floor or 0.5) + 0.02):
        words = "can't tell synthetic from real rows"
    else:
        how = next(word for limit, word in HOW_OFTEN if found < limit)
        words = f"{how} tells synthetic from real rows"
    span = spans(verdict, "two_sample")
    yield f"A classifier {words}: area under the curve {number(found)}{f' ({span})' if span else ''}, 0.5 is guessing."


def useful_sentence(verdict: Values) -> Iterator[str]:
    """What a model is worth that synthetic rows taught."""
    target = inner(verdict, "usefulness").get("target")
    for name, words in (("auc", "area under the curve"), ("r2", "R²")):
        found, real = value(verdict, "scores", name), value(verdict, "floor", name)
        if found is not None and real is not None:
            taught = f"Taught by synthetic rows, a model reaches {words} {number(found)} for “{target}” on real rows"
            yield f"{taught}; taught by real rows {number(real)}."


def augmentation_sentence(verdict: Values) -> Iterator[str]:
    """Whether synthetic rows help beside real ones."""
    found = inner(verdict, "augmentation")
    gain = triple(found.get("gain"))
    if not gain:
        return
    how = "help" if gain[1] > 0 else "make it harder" if gain[2] < 0 else "don't clearly help"
    change = f"average precision changes by {number(gain[0])} ({number(gain[1])} to {number(gain[2])})"
    words = f"Synthetic rows beside real ones {how} to find the rare “{found.get('class')}”: {change}"
    smote = triple(found.get("gain_on_smote"))
    if smote:
        told = "more than" if smote[1] > 0 else "less than" if smote[2] < 0 else "about as much as"
        words += f"; they help {told} SMOTE's"
    yield f"{words}."


def privacy_sentences(verdict: Values) -> Iterator[str]:
    """Whether the training rows leak."""
    found = inner(verdict, "privacy")
    copies = triple(inner(found, "copies").get("fake"))
    control = triple(inner(found, "copies").get("held_out"))
    if copies and control and (copies[0] > 0 or not found.get("refused")):
        yield f"{share(copies[0])} of the synthetic rows equal a training row; of held-out rows {share(control[0])} do."
    if isinstance(found.get("refused"), str):
        yield f"Privacy was not judged: {found['refused']}"
        return
    flagged = found.get("flagged")
    if not isinstance(flagged, list):
        return
    best = value(verdict, "scores", "advantage")
    if not flagged:
        told = f" (best advantage {number(best)})" if best is not None else ""
        yield f"No attack tells members of the training data from others better than by chance{told}."
    else:
        slight = best is not None and best < SLIGHT and "copies" not in flagged
        how = "The training rows leak, slightly:" if slight else "The training rows leak:"
        told = f" with an advantage of up to {number(best)}" if best is not None else ""
        names = ", ".join(str(name).replace("_", " ") for name in flagged)
        yield f"{how} {names} tell members from others{told}."


def share(found: float) -> str:
    """A share in percent.

    >>> share(0.0), share(0.1234)
    ('0 %', '12.3 %')
    """
    return f"{number(100 * found)} %"


def better_baselines(verdict: Values) -> Iterator[tuple[str, list[str]]]:
    """For each baseline the scores in which it is better, beyond the interval of the synthetic table's score."""
    for maker, scores in inner(verdict, "baselines").items():
        won = []
        for name, kind in ((name, KINDS[name]) for name in COMPARED):
            theirs = as_number(scores.get(name)) if hasattr(scores, "get") else None
            ends = inner(verdict, "intervals").get(name)
            if theirs is None or not (isinstance(ends, list) and len(ends) == 2):
                continue
            low, high = (as_number(end) for end in ends)
            if low is not None and high is not None and (theirs < low if kind.better == "lower" else theirs > high):
                won.append(kind.name)
        if won:
            yield str(maker), won


def baseline_sentences(verdict: Values) -> Iterator[str]:
    """Where a table made without a network is better."""
    for maker, won in better_baselines(verdict):
        words = " and ".join([", ".join(won[:-1]), won[-1]] if won[1:] else won)
        yield f"{MAKERS.get(maker, maker)}, made in seconds without a network, is better in {words}."


def triple(found: object) -> list[float]:
    """Three usable numbers, or none."""
    ends = [as_number(each) for each in found] if isinstance(found, list | tuple) else []
    kept = [each for each in ends if each is not None and usable(each)]
    return kept if len(kept) == len(ends) == 3 else []
