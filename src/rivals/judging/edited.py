"""What quick verdicts on edited pictures show beside their scores: changes nothing, invents detail, drifts in colour.

Runs of other kinds have none of these readings, and nothing is found in them.
"""

from collections.abc import Iterator, Sequence
from statistics import median

from .findings import Finding
from .record import Record, inner, usable, value

LATE = 3  # of the last verdicts, that agree
UNCHANGED = 0.1  # of the way from what is given to what is true
SHARP = 1.5  # times the true pictures' fine detail
RISEN = 1.2  # times the least that was seen
DRIFT = 6.0  # levels of 255


def edited_findings(record: Record) -> Iterator[Finding]:
    """What the last quick verdicts agree on."""
    yield from unchanged(record)
    yield from too_sharp(record)
    yield from drifted(record)


def readings(record: Record, name: str) -> list[tuple[float, float]]:
    """A reading of the quick verdicts, as (step, value)."""
    found = [(line["step"], value(line, "scores", name)) for line in record.log["verdict"]]
    return [(step, each) for step, each in found if each is not None and usable(each)]


def late(record: Record, name: str) -> list[float]:
    """The last readings; none where there are too few, for a run begins with a network that has learned nothing."""
    found = [each for _, each in readings(record, name)]
    return found[-LATE:] if len(found) >= LATE else []


def since(found: Sequence[tuple[float, float]], least: float, *, below: bool = False) -> float | None:
    """The step from which on all readings are above a limit, or below it."""
    step = None
    for at, each in reversed(found):
        if (each < least) != below:
            break
        step = at
    return step


def unchanged(record: Record) -> Iterator[Finding]:
    """The network hands pictures through as they came."""
    last = late(record, "change")
    if not last or max(last) >= UNCHANGED:
        return
    yield Finding(
        "identity-collapse",
        "it changes next to nothing",
        0.9,
        f"what is made lies {100 * median(last):.2g} % as far from what was given as it should",
        against_standstill(record),
        since(readings(record, "change"), UNCHANGED, below=True),
        {"change": median(last)},
    )


def against_standstill(record: Record) -> str:
    """What gets a network to move: less of what holds it to its input, or larger steps."""
    terms = inner(record.recipe, "generator_terms")
    for name in ("identity", "identity_nce", "identity_both", "content", "cycle", "patch_nce", "flip_nce"):
        weight = value(terms, name, "start")
        if weight:
            return f"--set generator_terms.{name}.start={weight / 4:.3g}, or train longer"
    lr = value(record.recipe, "optimizer", "lr") or 2e-4
    return f"--set optimizer.lr={4 * lr:.2g}, or train longer"


def too_sharp(record: Record) -> Iterator[Finding]:
    """Detail is invented: more of it than in the true pictures, and more than before; noise that is left only falls."""
    last = late(record, "sharpness")
    if not last or min(last) <= max(SHARP, RISEN * min(each for _, each in readings(record, "sharpness"))):
        return
    weight = value(record.recipe, "generator_terms", "adversarial", "start")
    stop = value(record.recipe, "generator_terms", "adversarial", "stop")
    peak = max(weight or 0.0, stop or 0.0)
    lower = f"--set generator_terms.adversarial.{'stop' if (stop or 0) >= (weight or 0) else 'start'}={peak / 3:.3g}"
    yield Finding(
        "over-sharpened",
        "pictures are over-sharpened",
        0.6,
        f"what is made has {median(last):.3g} times the fine detail of the true pictures",
        f"{lower if peak else 'a lower weight of the adversarial term'}, or more weight on pixels",
        since(readings(record, "sharpness"), SHARP),
        {"sharpness": median(last)},
    )


def drifted(record: Record) -> Iterator[Finding]:
    """The mean colours have moved away."""
    last = late(record, "colour_drift")
    if not last or min(last) <= DRIFT:
        return
    yield Finding(
        "colour-drift",
        "colours drift",
        0.65,
        f"the mean colour of what is made is off by {median(last):.3g} of 255 levels",
        "a lower learning rate, or more weight on what holds pictures (pixels; unpaired: identity)",
        since(readings(record, "colour_drift"), DRIFT),
        {"colour_drift": median(last)},
    )
