"""What each score of a verdict is called, which way is better, and the verdict in sentences."""

from collections.abc import Iterator
from typing import NamedTuple

from .page import number
from .record import Values, as_number, inner, usable, value
from .wording import copying_ratio, copying_words

STANDARD = "inception-2015-12-05"  # the one feature space in which a Frechet distance may be called FID


class Kind(NamedTuple):
    """A score: how it is written, which way is better, and what it says."""

    name: str
    unit: str
    better: str  # "lower", "higher" or ""
    says: str


KINDS = {
    "perceptual": Kind(
        "perceptual distance", "", "lower", "to true pictures, in layers of EfficientNet-Lite0; not LPIPS"
    ),
    "perceptual_larger": Kind(
        "perceptual distance (Lite2)", "", "lower", "the same in EfficientNet-Lite2, which no training looks through"
    ),
    "dissimilarity": Kind("1 − MS-SSIM", "", "lower", "to true pictures (Wang et al. 2003)"),
    "psnr": Kind("PSNR", " dB", "higher", "peak signal to noise, of all channels; some blur raises it"),
    "ssim": Kind("SSIM", "", "higher", "structural similarity, of all channels (Wang et al. 2004)"),
    "psnr_y": Kind("PSNR of Y", " dB", "higher", "the same of luma alone, as many papers measure"),
    "ssim_y": Kind("SSIM of Y", "", "higher", "the same of luma alone"),
    "fd_share": Kind("{fd} in % of the real variance", " %", "lower", "Fréchet distance, comparable between spaces"),
    "fd": Kind("{fd}", "", "lower", "Fréchet distance between Gaussians fitted to both sets (Heusel et al. 2017)"),
    "fd_infinity": Kind("{fd}∞", "", "lower", "extrapolated to endless samples (Chong and Forsyth 2020)"),
    "kid": Kind("{kid}", "", "lower", "kernel distance, unbiased for any count (Bińkowski et al. 2018)"),
    "precision": Kind(
        "precision", "", "higher", "share of fakes near real pictures: quality (Kynkäänniemi et al. 2019)"
    ),
    "recall": Kind("recall", "", "higher", "share of real pictures near fakes: variety (Kynkäänniemi et al. 2019)"),
    "density": Kind("density", "", "higher", "how densely real pictures lie around fakes (Naeem et al. 2020)"),
    "coverage": Kind("coverage", "", "higher", "share of real pictures with a fake close by (Naeem et al. 2020)"),
    "agreement": Kind("agreement", " %", "higher", "fakes recognised as the class that was asked for"),
    "accuracy": Kind("accuracy score", " %", "higher", "a classifier taught by fakes, tested on real (Ravuri 2019)"),
    "class_fd": Kind("{fd} class by class, mean", "", "lower", "the distance within each class (intra-FID)"),
    "similarity": Kind(
        "MS-SSIM of pairs", "", "", "likeness of two fakes of a class; floor: of two real ones; above it: too alike"
    ),
    "layer_distance": Kind(
        "{layers} of pairs",
        "",
        "",
        "unlikeness of two fakes of a class to a network (not LPIPS: nothing is fitted); below the floor: too alike",
    ),
    "spectrum": Kind("spectra apart", " dB", "lower", "power by frequency, in the mean (Durall et al. 2020)"),
    "colours": Kind("colours apart", "", "lower", "of 255 levels that pixels must move, in the mean (Wasserstein-1)"),
    "content": Kind("content lost", "", "lower", "how unlike its original an edited picture is, by layers or MS-SSIM"),
    "identity": Kind("identity error", "", "lower", "of 255 levels by which pictures of the wanted kind are changed"),
    "inception_score": Kind("{is}", "", "higher", "sure of each and varied over all (Salimans et al. 2016)"),
}
"""Scores in the order in which they are shown."""


def called(score: str, extractor: str) -> str:
    """A score's public name: FID, KID and Inception Score only where the standard network measured them.

    >>> called("fd", "digits-cnn64"), called("fd", STANDARD), called("kid", "random")
    ('FD[digits-cnn64]', 'FID', 'KD[random]')
    """
    standard = extractor == STANDARD
    names = {
        "fd": "FID" if standard else f"FD[{extractor}]",
        "kid": "KID" if standard else f"KD[{extractor}]",
        "is": "Inception Score" if standard else f"IS[{extractor}]",
        "layers": f"layer distance[{extractor}]",
    }
    kind = KINDS.get(score)
    return kind.name.format(**names) if kind else score


def verdict_sentences(verdict: Values) -> Iterator[str]:
    """The verdict in words: quality, variety, classes, copying; each from the scores and their floors."""
    extractor = str(inner(verdict, "card").get("extractor") or inner(verdict, "protocol").get("extractor") or "")
    yield from distance_sentence(verdict, extractor)
    yield from variety_sentence(verdict)
    agreement = value(verdict, "scores", "agreement")
    if agreement is not None:
        yield f"{number(agreement)} % of the fakes are recognised as the class that was asked for."
    ratio = copying_ratio(verdict)
    flagged = value(verdict, "memorisation", "share")
    if flagged is not None:
        yield copies_sentence(verdict, flagged)
    elif ratio is not None:
        yield f"{(words := copying_words(ratio))[0].upper()}{words[1:]}."


def distance_sentence(verdict: Values, extractor: str) -> Iterator[str]:
    """How far the fakes are from the real pictures, against the floor."""
    share, floor = value(verdict, "scores", "fd_share"), value(verdict, "floor", "fd_share")
    if not usable(share) or share is None:
        return
    span = spans(verdict, "fd_share")
    name = called("fd", extractor)
    lead = f"{name} is {number(share)} % of the real pictures' variance{f' ({span})' if span else ''}"
    if floor is None or not usable(floor):
        yield f"{lead}."
    elif share <= 1.25 * floor:
        yield f"{lead}, about what lies between real and real ({number(floor)} %): this judge sees no difference."
    else:
        yield f"{lead}; {number(share / floor)} × the floor of {number(floor)} %, what lies between real and real."


def variety_sentence(verdict: Values) -> Iterator[str]:
    """Whether fakes look real, and whether they are as varied, against the floors."""
    found = [(name, value(verdict, "scores", name), value(verdict, "floor", name)) for name in ("precision", "recall")]
    (_, precision, real_precision), (_, recall, real_recall) = found
    if precision is None or recall is None or not (usable(precision) and usable(recall)):
        return
    near = f"{number(100 * precision)} % of the fakes lie where real pictures lie"
    wide = f"{number(100 * recall)} % of the real pictures lie where fakes lie"
    beside = [
        f" (real against real: {number(100 * floor)} %)" if floor is not None and usable(floor) else ""
        for floor in (real_precision, real_recall)
    ]
    yield f"{near}{beside[0]}, and {wide}{beside[1]}."
    if real_precision is not None and real_recall is not None:
        poor, narrow = precision < 0.8 * real_precision, recall < 0.8 * real_recall
        if narrow and not poor:
            yield "Single fakes are fine, but they do not show all that there is: a lack of variety."
        elif poor and not narrow:
            yield "The variety is there, but many fakes do not look real."


def copies_sentence(verdict: Values, share: float) -> str:
    """How many copies of training pictures were found."""
    looked = value(verdict, "memorisation", "looked_at")
    among = f" among {number(looked)} fakes" if looked is not None else ""
    high = value(verdict, "memorisation", "high")
    if share == 0:
        most = f"; up to {number(100 * high)} % could have been missed by chance" if high else ""
        return f"No copies of training pictures were found{among}{most}."
    return f"{number(100 * share)} % of the fakes are close to copies of training pictures{among}: look at them below."


def spans(verdict: Values, name: str) -> str:
    """A score's interval in words, or nothing."""
    edges = inner(verdict, "intervals").get(name)
    ends = [as_number(edge) for edge in edges] if isinstance(edges, list | tuple) else []
    if len(ends) != 2 or not all(usable(end) for end in ends):
        return ""
    return " to ".join(number(end) for end in ends if end is not None)
