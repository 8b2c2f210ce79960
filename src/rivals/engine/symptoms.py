"""What the looks at a game say of it: symptoms, each a pure function of the last looks, with the numbers behind it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .looks import Look, grown, middle, percent, since, young

FLAT = 1.0  # logits: a critic whose logits change less over the data's own spread gives no direction
STEEP = 150.0  # logits, likewise: one that changes more answers noise
VARIETY = 0.12  # of the data's: fakes that vary less are collapsed
OF_OTHERS = 0.2  # of the median class: so is a class that varies less
UPDATE = 0.15  # of the weights in one step
FIRST_UPDATE = 0.2  # in the first
SIDES = 8.0  # times the other side's update
DRIFT = 0.5  # of the way from real to fake, that held-out samples have gone
LAG = 0.8  # of the fakes' variance, between the generator and its average
SURE = 99.0  # percent right, on all three
FAINT = 1e-3  # of the generator's early gradient
CHANCE = 0.05  # that one of the classes is called lost that is made half as often as a usual one
SWING = 0.6  # deviations of the data, of the fakes' mean


@dataclass(frozen=True)
class Symptom:
    """Something that is not as it should be.

    Args:
        name: of the finding that it makes.
        words: what was seen, in a sentence with its numbers.
        step: since when, None where it can't be told.
        evidence: the numbers.
    """

    name: str
    words: str
    step: float | None
    evidence: Mapping[str, Any]


def collapse(looks: Sequence[Look]) -> Symptom | None:
    """The fakes hardly vary."""
    variety = middle([look.variety for look in grown(looks)])
    if not variety < VARIETY or young(looks):
        return None
    step = since(looks, lambda look: look.variety is not None and look.variety < VARIETY)
    inside = " within a class" if any(look.by_class for look in looks) else ""
    words = f"fakes vary {percent(variety)} as much as the data{inside}"
    return Symptom("collapse", words, step, {"variety": variety})


def partial_collapse(looks: Sequence[Look]) -> Symptom | None:
    """Some classes hardly vary, and others do."""
    late = grown(looks)
    rows = [look.by_class for look in late if look.by_class]
    if not rows or middle([look.variety for look in late]) < VARIETY:
        return None
    classes = [middle([row[number] for row in rows if number < len(row)]) for number in range(len(rows[0]))]
    usual = middle(classes)
    stuck = [number for number, value in enumerate(classes) if value < OF_OTHERS * usual and value < VARIETY]
    if not stuck:
        return None
    values = {str(number): round(classes[number], 4) for number in stuck}
    return Symptom(
        "partial-collapse",
        f"{len(stuck)} of {len(classes)} classes hardly vary: at most {percent(max(values.values()))} as much as the "
        f"data, {percent(usual)} in a usual class",
        since(looks, lambda look: all(n < len(look.by_class) and (look.by_class[n] or 0) < VARIETY for n in stuck)),
        {"classes": values, "usual": usual},
    )


def missing_modes(looks: Sequence[Look], shares: Sequence[float]) -> Symptom | None:
    """Some of the data's modes, by their `shares` of it, get next to none of the fakes."""
    late = [look for look in grown(looks) if len(look.modes) == len(shares)]
    total = sum(sum(look.modes) for look in late)
    if total < 100 or len(shares) < 2 or young(looks):
        return None
    counts = [sum(look.modes[number] for look in late) for number in range(len(shares))]
    wanted = [share * total for share in shares]
    lost = [n for n, (count, want) in enumerate(zip(counts, wanted, strict=True)) if want >= 5 and count <= want / 8]
    share = sum(shares[number] for number in lost)
    if share < 0.1:
        return None
    step = since(looks, lambda look: sum(look.modes[n] for n in lost) <= share * max(sum(look.modes), 1) / 4)
    words = f"{len(lost)} of the data's {len(shares)} modes, {percent(share)} of it, get next to none of {total} fakes"
    told = {str(n): [counts[n], round(wanted[n], 1)] for n in lost}
    return Symptom("missing-modes", words, step, {"modes": told, "share": share})


def lost_classes(looks: Sequence[Look], known: Sequence[tuple[int, int]]) -> Symptom | None:
    """Fakes of some classes aren't recognised as these, while others are, and so are the data's (`known`).

    A class is lost where it is recognised a fifth as often as the usual class at most, and where so few would be chance
    in less than `CHANCE` were it half as often (the binomial's lower tail, shared out over all classes).
    """
    late = [look for look in grown(looks) if len(look.recognised) == len(known)]
    rates, counts = {}, {}
    for number, (right, count) in enumerate(known):
        ours = [look.recognised[number] for look in late]
        if count >= 10 and right >= count / 4 and any(many for _, many in ours):
            rates[number], counts[number] = right / count, (sum(few for few, _ in ours), sum(many for _, many in ours))
    shares = {number: few / many / rates[number] for number, (few, many) in counts.items()}
    usual = middle(list(shares.values()))
    if not usual >= 0.4:
        return None
    due = {number: min(usual / 2 * rate, 0.99) for number, rate in rates.items()}
    rare = [number for number, share in shares.items() if share <= usual / 5]
    lost = [number for number in rare if at_most(*counts[number], due[number]) < CHANCE / len(shares)]
    if not lost or len(lost) > len(shares) / 2:
        return None
    worst, told = max(shares[number] for number in lost), {str(n): round(shares[n], 3) for n in lost}
    words = (
        f"what is asked for as one of {len(lost)} of {len(known)} classes is recognised as it at most {percent(worst)} "
        f"as often as real samples are ({percent(usual)} for a usual class)"
    )
    step = since(
        looks, lambda look: sum(look.recognised[n][0] for n in lost if n < len(look.recognised)) <= len(lost) / 2
    )
    return Symptom("lost-classes", words, step, {"classes": told, "usual": usual})


def at_most(few: int, many: int, share: float) -> float:
    """The chance of `few` hits or less in `many` draws, each a hit with probability `share`, between 0 and 1.

    >>> round(at_most(0, 2, 0.5), 6), round(at_most(1, 2, 0.5), 6)
    (0.25, 0.75)
    """
    ways = math.lgamma(many + 1)
    return sum(
        math.exp(
            ways - math.lgamma(hits + 1) - math.lgamma(many - hits + 1)
            + hits * math.log(share) + (many - hits) * math.log1p(-share)
        )
        for hits in range(few + 1)
    )  # fmt: skip


def overfitting(looks: Sequence[Look]) -> Symptom | None:
    """The critic's verdict on samples it never saw has gone from its verdict on real to that on fakes."""
    late = [look for look in grown(looks) if look.gap > 0 and "held_out" in look.logits]
    if len(late) < 2:
        return None
    drifts = [(look.logits["real"][0] - look.logits["held_out"][0]) / look.gap for look in late]
    errors = [math.hypot(look.logits["real"][1], look.logits["held_out"][1]) / 8 / look.gap for look in late]
    drift, error = middle(drifts), middle(errors) / math.sqrt(len(late))
    if not (drift > DRIFT and drift > 3 * error):
        return None
    real, held = (middle([look.accuracy[name] for look in late]) for name in ("real", "held_out"))
    words = (
        f"held-out samples have gone {percent(drift)} of the way from the critic's verdict on training samples to that "
        f"on fakes (right on {real:.0f} % of training and {held:.0f} % of held-out samples)"
    )
    step = since(
        looks, lambda look: look.gap > 0 and look.logits["real"][0] - look.logits["held_out"][0] > DRIFT * look.gap
    )
    return Symptom("overfitting", words, step, {"drift": drift, "real": real, "held_out": held})


def high_rate(looks: Sequence[Look]) -> Symptom | None:
    """A side's weights change too much in a step: in the very first, which Adam makes at its full rate, or later on."""
    first = [look for look in looks[:1] if look.step <= 3]
    ripe = [look for look in looks if look.step > 5 and look.progress <= 0.7]
    for side, other in (("critic", "generator"), ("generator", "critic")):
        for when, seen, most in (("the first", first, FIRST_UPDATE), ("one", ripe, UPDATE)):
            update, beside = (middle([look.update[name] for look in seen]) for name in (side, other))
            if update > most:
                words = (
                    f"{when} step changes the {side}'s weights by {percent(update)}, the {other}'s by {percent(beside)}"
                )
                return Symptom("learning-rate-high", words, None, {"side": side, "update": update, "other": beside})
    return None


def weak_critic(looks: Sequence[Look]) -> Symptom | None:
    """The critic learns far more slowly than the generator."""
    ripe = [look for look in looks if look.step > 5]
    ours, theirs = (middle([look.update[side] for look in ripe]) for side in ("generator", "critic"))
    if not (ours > SIDES * theirs and ours > 1e-5):
        return None
    right = middle([(look.accuracy["real"] + look.accuracy["fake"]) / 2 for look in ripe])
    words = (
        f"one step changes the critic's weights by {percent(theirs)} and the generator's by {percent(ours)}; the "
        f"critic is right on {right:.0f} % of samples (50 % is guessing)"
    )
    return Symptom("critic-weak", words, None, {"critic": theirs, "generator": ours, "right": right})


def strong_critic(looks: Sequence[Look]) -> Symptom | None:
    """The critic is always right, on held-out samples too."""
    late = grown(looks)
    if len(late) < 3 or min(min(look.accuracy.values()) for look in late) < SURE:
        return None
    step = since(looks, lambda look: min(look.accuracy.values()) >= SURE)
    words = (
        f"the critic is right on {SURE:.0f} % or more of real, held-out and fake samples at once: it wins too easily"
    )
    return Symptom("critic-strong", words, step, {"gap": middle([look.gap for look in late])})


def flat_critic(looks: Sequence[Look]) -> Symptom | None:
    """The critic's logits hardly change over the data."""
    change = middle([look.change for look in grown(looks)])
    if not change < FLAT:
        return None
    words = f"over the data's own spread the critic's logits change by {change:.2g} only: it gives no direction"
    return Symptom("flat", words, since(looks, lambda look: look.change < FLAT), {"change": change})


def steep_critic(looks: Sequence[Look]) -> Symptom | None:
    """The critic's logits change wildly over the data."""
    change = middle([look.change for look in grown(looks)])
    if not change > STEEP:
        return None
    words = f"over the data's own spread the critic's logits change by {change:.3g}: its gradient points anywhere"
    return Symptom("steep", words, since(looks, lambda look: look.change > STEEP), {"change": change})


def slow_average(looks: Sequence[Look]) -> Symptom | None:
    """The running average is far from the generator."""
    late = grown(looks)[-3:]
    lag = middle([look.lag for look in late])
    if not lag > LAG or middle([look.variety for look in late]) < VARIETY:
        return None
    words = f"what the running average makes lies {lag:.2g} of the fakes' variance from what the generator makes"
    return Symptom("average-slow", words, since(looks, lambda look: look.lag > LAG), {"lag": lag})


def vanishing(looks: Sequence[Look]) -> Symptom | None:
    """The generator hardly gets a gradient any more."""
    early = middle([look.gradient["generator"] for look in looks[:3]])
    late = middle([look.gradient["generator"] for look in grown(looks)])
    if not late < FAINT * early:
        return None
    words = f"the generator's gradient has fallen to {late:.2g} from {early:.2g} at the start"
    step = since(looks, lambda look: look.gradient["generator"] < FAINT * early)
    return Symptom("vanishing-gradient", words, step, {"late": late, "early": early})


def oscillation(looks: Sequence[Look]) -> Symptom | None:
    """The fakes' mean swings to and fro."""
    late = grown(looks)
    if len(late) < 6:
        return None
    for axis in range(min(len(look.place) for look in late)):
        path = [look.place[axis] for look in late]
        ways = [after - before for before, after in pairwise(path)]
        turns = sum(a * b < 0 for a, b in pairwise(ways))
        swing = middle([abs(way) for way in ways])
        if swing > SWING and turns >= len(ways) / 2:
            words = (
                f"the fakes' mean swings by {swing:.2g} deviations of the data from look to look, {turns} times back"
            )
            return Symptom("oscillation", words, late[0].step, {"swing": swing, "turns": turns})
    return None


URGENT = (collapse, overfitting, vanishing, high_rate, strong_critic)
"""What is worth a word while the run goes on."""
