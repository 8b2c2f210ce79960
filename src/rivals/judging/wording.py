"""A verdict's numbers in plain words, and how to read a report's curves."""

from collections.abc import Iterator

from .page import number
from .record import Record, Values, inner, usable, value

TITLES = {
    "fd": "Distance to held-out pictures (FD)",
    "fd_share": "Distance to held-out pictures (FD)",
    "agreement": "Samples recognised as what was asked for",
    "perceptual": "Perceptual distance to the true pictures",
    "dissimilarity": "1 − MS-SSIM to the true pictures",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "content": "Content lost",
    "colour_drift": "Drift of the mean colours",
    "sharpness": "Fine detail",
    "change": "How much is changed",
    "two_sample": "How well samples are told from held-out rows",
    "shapes": "How alike the columns are",
}
UNITS = {
    "fd": "FD",
    "fd_share": "% of variance",
    "agreement": "% of samples",
    "perceptual": "distance",
    "dissimilarity": "1 − MS-SSIM",
    "psnr": "dB",
    "ssim": "SSIM",
    "content": "distance",
    "colour_drift": "levels of 255",
    "sharpness": "× that of the true pictures",
    "change": "× what would be right",
    "two_sample": "AUC",
    "shapes": "% alike",
}
READINGS = {
    "fd": "Lower is better. Quick verdicts use fewer samples than the final one, so expect them to be higher.",
    "fd_share": "Lower is better; the floor is about the best there is. Quick verdicts use fewer samples than the "
    "final one, so expect them to be higher.",
    "agreement": "Higher is better. It says nothing about variety: a model that repeats one good sample of each class "
    "scores well here and badly above.",
    "perceptual": "Lower is better; the best state is chosen by it, on pictures that the verdict isn't taken on.",
    "psnr": "Higher is better, but blur is rewarded: read it beside the perceptual distance.",
    "colour_drift": "Low is good: from some levels on, pictures take on a cast.",
    "sharpness": "1 is right; below, pictures are soft; far above, detail is invented.",
    "change": "Near 0, pictures are handed through as they came; 1 is the size of the right change.",
    "two_sample": "Of a classifier that is trained to tell them apart: 0.5 is guessing, and lower is better. Quick "
    "verdicts use fewer rows than the final one, and such a classifier sees less.",
    "shapes": "Higher is better; the mean over all columns. Quick verdicts use fewer rows than the final one.",
    "other": "From the quick verdicts, which use fewer samples than the final one.",
    "accuracy": "50 % is guessing. Held-out far under training says that the critic learns by heart; "
    "all near 100 % says that it wins too easily.",
    "critic": "These need not fall: the two sides move against each other. Look for jumps and for growth without end; "
    "for quality, read the distance above.",
    "generator": "A rising loss is no bad sign by itself, since the critic improves as well; for quality, read the "
    "distance above.",
}


def verdict_words(verdict: Values) -> str:
    """The verdict as a sentence.

    >>> verdict_words({"scores": {"fd_share": 0.9}, "floor": {"fd_share": 0.6}})
    'FD 0.9 % of the variance of held-out pictures (floor 0.6 %: the distance between real and real).'
    """
    share, floor = value(verdict, "scores", "fd_share"), value(verdict, "floor", "fd_share")
    agreement, distance = value(verdict, "scores", "agreement"), value(verdict, "scores", "fd")
    parts = []
    if share is not None:
        real = f" (floor {number(floor)} %: the distance between real and real)" if floor is not None else ""
        parts.append(f"FD {number(share)} % of the variance of held-out pictures{real}")
    elif distance is not None:
        parts.append(f"FD {number(distance)} to held-out pictures")
    if agreement is not None:
        parts.append(f"{number(agreement)} % of samples are recognised as the class that was asked for")
    ratio = copying_ratio(verdict)
    return "; ".join([*parts, *([copying_words(ratio)] if ratio is not None else [])]) + "."


def copying_ratio(verdict: Values) -> float | None:
    """How far samples lie from their nearest training picture, as a multiple of what held-out pictures do."""
    samples, held_out = value(verdict, "neighbours", "samples"), value(verdict, "neighbours", "held_out")
    if samples is None or held_out is None or not (usable(samples) and usable(held_out)) or held_out <= 0:
        return None
    return samples / held_out


def copying_words(ratio: float) -> str:
    """What that multiple says, and what it doesn't."""
    times = f"({number(ratio)}×)"
    if ratio < 0.8:
        return f"samples lie closer to training pictures than unseen real ones do {times}: a sign of copying"
    if ratio <= 1.25:
        near = "samples lie about as far from their nearest training picture as held-out pictures do"
        return f"{near} {times}: no sign of copying"
    far = "samples lie farther from their nearest training picture than held-out pictures do"
    return f"{far} {times}: no sign of copying, but they are not yet like real pictures"


def notes(record: Record) -> Iterator[str]:
    """What should be known beside the verdict."""
    classifier = inner(record.verdict, "protocol").get("classifier")
    if value(record.verdict, "scores", "agreement") is not None and classifier:
        yield f"Recognised by: {classifier}."
    if copying_ratio(record.verdict) is not None:
        yield (
            "Distances to the nearest are medians: a few copies among many samples would not show in them. Compare the "
            "pictures under “Nearest training pictures” too."
        )
    best, share = value(record.verdict, "best", "step"), value(record.verdict, "best", "fd_share")
    if best is not None and best != record.step and share is not None:
        clearly = inner(record.verdict, "best").get("clearly_better")
        beside = {True: "clearly better than the last on new samples: --best takes it", False: "not clearly better"}
        told = f" ({beside[clearly]})" if clearly in (True, False) else ""
        yield (
            f"During training, the quick verdict was best at step {number(best)} (FD {number(share)} %); that state is "
            f"kept in the folder “best”{told}. The verdict above is on the last state."
        )
