"""The best state of a run against its last: whether it is clearly better, on samples that chose neither."""

from collections.abc import Callable, Mapping

from .model import Model

CLEAR = 1.05  # the last is clearly worse where its distance is larger by more than a twentieth
SEEDS = (11, 12)  # of samples that no quick verdict has seen


def clearly_better(
    judge: Callable[[Model, int], Mapping[str, float]], best: Model, last: Model, score: str = "fd"
) -> tuple[float, float] | None:
    """The mean scores of the best and the last state, where the best is clearly better (lower); else None.

    The best of several verdicts is best by luck in part. So both are judged again on the same new noise, twice: the
    worse of the best state's distances must be below the better of the last one's, and their means a twentieth apart.
    """
    ours, theirs = ([judge(model, seed)[score] for seed in SEEDS] for model in (best, last))
    means = sum(ours) / len(ours), sum(theirs) / len(theirs)
    return means if max(ours) < min(theirs) and means[1] > CLEAR * means[0] else None
