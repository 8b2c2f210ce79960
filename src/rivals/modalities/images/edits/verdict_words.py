"""A verdict on edited pictures in words, and as a table with the baselines in it; nothing read is trusted."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rivals.judging.page import number
from rivals.judging.record import Values, as_number, inner, usable, value
from rivals.judging.verdict_words import KINDS, called, spans

MODEL = "this model"
MEASURED = (
    "perceptual", "perceptual_larger", "dissimilarity", "psnr", "ssim", "psnr_y", "ssim_y", "fd", "kid", "content",
    "identity",
)  # fmt: skip
ARROWS = {"lower": "↓", "higher": "↑", "": ""}
COMPARED = ("perceptual", "perceptual_larger", "dissimilarity", "fd", "psnr", "ssim", "kid")  # by which one can win
MOST = 20  # baselines


class Rival(NamedTuple):
    """The best baseline by a score, its number and ours, whether it is better, and whether that may be chance."""

    name: str
    theirs: float
    ours: float
    better: bool
    chance: bool


def space_of(verdict: Values) -> str:
    """The feature space of its distances."""
    return str(inner(verdict, "protocol").get("extractor") or "")


def baselines_of(verdict: Values) -> dict[str, Values]:
    """What is put beside the model, by name."""
    found = inner(verdict, "baselines")
    return {str(name): row for name, row in list(found.items())[:MOST] if isinstance(row, Mapping)}


def beside_of(verdict: Values) -> dict[str, Values]:
    """Other models that were judged on the same, by name."""
    found = inner(verdict, "beside")
    return {str(name): row for name, row in list(found.items())[:MOST] if isinstance(row, Mapping)}


def shown_number(verdict: Values, name: str, *, span: bool = True) -> str:
    """A score with its unit and its interval."""
    found = value(verdict, "scores", name)
    if found is None:
        return "–"
    ends = spans(verdict, name) if span else ""
    return f"{number(found)}{KINDS[name].unit}" + (f" ({ends})" if ends else "")


def beside_rows(verdict: Values, *, narrow: bool = False) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The model, others and the baselines by their scores: heads and rows.

    `narrow` is without intervals and the space's name.
    """
    ways = {MODEL: verdict, **beside_of(verdict), **baselines_of(verdict)}
    used = [name for name in MEASURED if any(value(way, "scores", name) is not None for way in ways.values())]
    names = [called(name, space_of(verdict)) for name in used]
    arrows = [ARROWS[KINDS[name].better] for name in used]
    heads = [f"{name.partition('[')[0] if narrow else name} {arrow}" for name, arrow in zip(names, arrows, strict=True)]
    rows = [(way, *(shown_number(found, name, span=not narrow) for name in used)) for way, found in ways.items()]
    return ("", *heads), rows


def rival(verdict: Values, score: str) -> Rival | None:
    """The best baseline by a score, where there is one."""
    return best_of(verdict, baselines_of(verdict), score)


def best_of(verdict: Values, others: Mapping[str, Values], score: str) -> Rival | None:
    """The best of some others by a score, where any has it."""
    ours, lower = value(verdict, "scores", score), KINDS[score].better == "lower"
    known = {name: value(row, "scores", score) for name, row in others.items()}
    usable_ones = {name: found for name, found in known.items() if found is not None and usable(found)}
    if ours is None or not usable(ours) or not usable_ones:
        return None
    name = (min if lower else max)(usable_ones, key=lambda each: usable_ones[each])
    theirs = usable_ones[name]
    apart = inner(others[name], "ahead").get(score)
    ends = [as_number(end) for end in apart[1:]] if isinstance(apart, list) else []
    if len(ends) == 2:
        chance = all(usable(end) for end in ends) and ends[0] <= 0 <= ends[1]  # type: ignore[operator]
    else:
        chance = overlap(edges(verdict, score), edges(others[name], score))
    return Rival(name, theirs, ours, theirs < ours if lower else theirs > ours, chance or theirs == ours)


def edges(verdict: Values, score: str) -> tuple[float, float] | None:
    """A score's interval, if it has one."""
    found = inner(verdict, "intervals").get(score)
    ends = [as_number(end) for end in found] if isinstance(found, list) else []
    return (ends[0], ends[1]) if len(ends) == 2 and all(usable(end) for end in ends) else None  # type: ignore[return-value]


def overlap(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    """Whether two intervals have something in common."""
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]


def verdict_sentences(verdict: Values) -> Iterator[str]:
    """The verdict in words: how near the true pictures, and who does better without having learned anything."""
    lost = []
    for score in COMPARED:
        beside = rival(verdict, score)
        name, unit = called(score, space_of(verdict)), KINDS[score].unit
        if beside is None:
            continue
        pair = f"{number(beside.ours)}{unit}, {beside.name} {number(beside.theirs)}{unit}"
        if beside.better:
            lost.append(f"{name} ({pair}{'; that may be chance' if beside.chance else ''})")
        elif score != "kid":
            yield f"{name[0].upper()}{name[1:]}: {pair}{told_by(score, beside)}."
    if lost:
        yield f"A baseline that has learned nothing is better in {'; '.join(lost)}."
    elif baselines_of(verdict):
        yield "No baseline is better in any of these."
    for other, row in beside_of(verdict).items():
        yield from beside_sentence(verdict, other, row)
    error = value(verdict, "scores", "identity")
    if error is not None and usable(error):
        yield f"Pictures that are already of the wanted kind are changed by {number(error)} of 255 levels."


def beside_sentence(verdict: Values, other: str, row: Values) -> Iterator[str]:
    """In what the model is better than another one, in what worse, and where that may be chance."""
    parts: dict[str, list[str]] = {"better in": [], "worse in": [], "not told apart in": []}
    for score in COMPARED:
        found = best_of(verdict, {other: row}, score)
        if found is None or score == "kid":
            continue
        unit = KINDS[score].unit
        told = f"{called(score, space_of(verdict))} ({number(found.ours)}{unit}, {number(found.theirs)}{unit})"
        parts["not told apart in" if found.chance else "worse in" if found.better else "better in"].append(told)
    words = "; ".join(f"{lead} {', '.join(some)}" for lead, some in parts.items() if some)
    if words:
        yield f"Beside {other}: {words}."


def told_by(score: str, beside: Rival) -> str:
    """How far the model is ahead of the best baseline."""
    if beside.chance:
        return " (a difference that may be chance)"
    if KINDS[score].unit == " dB":
        return f" (the best without learning), {number(beside.ours - beside.theirs)} dB ahead"
    if KINDS[score].better == "lower" and beside.theirs > 0:
        return f" (the best without learning), {number(100 * (1 - beside.ours / beside.theirs))} % lower"
    return " (the best without learning)"


def guard_sentences(guards: Values) -> Iterator[str]:
    """The guard rails' numbers in words."""
    change, drift, sharp = (value(guards, name) for name in ("change", "colour_drift", "sharpness"))
    if usable(change) and change is not None:
        yield f"Pictures were changed by {number(change)} of what would have been right in size."
    if usable(drift) and drift is not None:
        yield f"Their mean colours are off by {number(drift)} of 255 levels."
    if usable(sharp) and sharp is not None:
        yield f"They have {number(sharp)} × the fine detail of the true ones."
