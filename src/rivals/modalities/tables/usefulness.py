"""What synthetic rows are good for: teaching a model in place of real rows, and beside them where a class is rare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rivals.judging.interval import bootstrap
from rivals.judging.separation import placements

from .learners import Design, Matrix, chances, design, guesses
from .rows import Rows

MOST_CLASSES = 20
MOST_TAUGHT = 50_000  # rows that a model is taught by
MOST_ADDED = 20_000  # the same, where rows of a rare class are added, many times
FEW = 10  # rows of a class that are too few to say anything
TIMES = 100  # resamples of an interval
STUDENT = {5: 2.776}  # half of a 95 % interval in deviations of the mean, by the number of draws

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """Something to learn from a table.

    Args:
        target: the column that is to be told from the others.
        classes: its categories, the most frequent first; none where it is a number.
    """

    target: str
    classes: tuple[str, ...] = ()

    def rows(self, rows: Rows) -> Rows:
        """The rows whose target is known."""
        if not self.classes:
            return rows.take(np.flatnonzero(~np.isnan(rows.numbers[self.target])))
        codes = rows.codes[self.target]
        return rows.take(np.flatnonzero((codes >= 0) & (codes < len(self.classes))))

    def told(self, rows: Rows) -> Matrix | Labels:
        """The target of rows: numbers (n,), or class numbers (n,)."""
        return rows.codes[self.target].astype(np.int64) if self.classes else rows.numbers[self.target]

    def features(self, rows: Rows) -> Design:
        """Everything else."""
        return design(rows.without([self.target]))


def task_of(train: Rows, target: str) -> Task:
    """What there is to learn of a column: of categories at most the 20 most frequent, those of ten rows or more."""
    if target in train.numbers:
        return Task(target)
    held = np.bincount(train.codes[target] + 1, minlength=len(train.levels[target]) + 1)[1:]
    return Task(target, train.levels[target][: min(MOST_CLASSES, max(int((held >= FEW).sum()), 1))])


Score = Callable[[NDArray[Any], Matrix], float]


def scores_of(task: Task) -> Mapping[str, Score]:
    """The scores of a task, each from what is true (n,) and what a model says of it, (n, classes) or (n,)."""
    if not task.classes:
        return {"r2": lambda true, said: float(1 - ((true - said) ** 2).mean() / true.var())}
    ranks = range(len(task.classes)) if len(task.classes) > 2 else (len(task.classes) - 1,)
    named: dict[str, Callable[[NDArray[np.bool_], Matrix, NDArray[np.bool_]], float]] = {
        "auc": lambda true, said, chosen: area(true, said),
        "average_precision": lambda true, said, chosen: average_precision(true, said),
        "f1": lambda true, said, chosen: f1(true, chosen),
    }

    def over_classes(one: Callable[[NDArray[np.bool_], Matrix, NDArray[np.bool_]], float]) -> Score:
        def score(true: NDArray[Any], said: Matrix) -> float:
            best = said.argmax(1)
            there = [rank for rank in ranks if 0 < (true == rank).sum() < len(true)]
            return (
                float(np.mean([one(true == rank, said[:, rank], best == rank) for rank in there])) if there else np.nan
            )

        return score

    return {name: over_classes(one) for name, one in named.items()}


def area(true: NDArray[np.bool_], said: Matrix) -> float:
    """The area under the receiver operating curve."""
    return float(placements(said[true], said[~true])[0].mean())


def average_precision(true: NDArray[np.bool_], said: Matrix) -> float:
    """The mean of the precisions at every recall, ties taken together, as in scikit-learn."""
    order = np.argsort(-said, kind="stable")
    last = np.append(np.flatnonzero(np.diff(said[order])), len(order) - 1)
    hits = true[order].cumsum()[last]
    recall = hits / true.sum()
    return float((np.diff(recall, prepend=0.0) * hits / (last + 1)).sum())


def f1(true: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    """The harmonic mean of precision and recall; 0 if nothing is found."""
    return float(2 * (true & chosen).sum() / max((true.sum() + chosen.sum()), 1))


def usefulness(fake: Rows, train: Rows, test: Rows, task: Task, *, seed: int = 0) -> dict[str, Any]:
    """Train on synthetic, test on real (Esteban et al. 2017), beside train on real: scores of gradient boosting.

    Of a column with two classes the scores are for the rarer one, of more their mean over classes. Both models are
    taught by equally many rows and tested on the same rows; intervals are over other test rows.

    Args:
        fake: synthetic rows.
        train: real rows.
        test: real rows that are in neither.
        task: what is learned.
        seed: of drawn rows, models and intervals.

    Returns:
        `synthetic` and `real` (score -> value), `intervals` of the synthetic ones, `gap` (score -> [value, low, high]
        of synthetic less real), `taught` and `tested` (rows); nothing if a side has too few rows.
    """
    known = [task.rows(rows) for rows in (fake, train, test)]
    taught = min(len(known[0]), len(known[1]), MOST_TAUGHT)
    if min(taught, len(known[2])) < FEW or len(task.classes) == 1 or len(train.names) < 2:
        return {}
    asked, true = task.features(known[2]).matrix, task.told(known[2])
    said = [answer(task, rows.drawn(taught, seed), asked, seed) for rows in known[:2]]
    found: dict[str, Any] = {"taught": taught, "tested": len(true), "synthetic": {}, "real": {}, "intervals": {}}
    found["gap"] = {}
    for name, score in scores_of(task).items():
        of_fake, of_real = (score(true, each) for each in said)
        if np.isnan(of_fake) or np.isnan(of_real):
            continue
        found["synthetic"][name], found["real"][name] = of_fake, of_real

        def alone(which: Tensor, score: Score = score) -> float:
            return score(true[which.numpy()], said[0][which.numpy()])

        def gap(which: Tensor, score: Score = score) -> float:
            part = which.numpy()
            return score(true[part], said[0][part]) - score(true[part], said[1][part])

        spans = [bootstrap(each, torch.arange(len(true)), times=TIMES, seed=seed) for each in (alone, gap)]
        found["intervals"][name] = [spans[0].low, spans[0].high]
        found["gap"][name] = [spans[1].value, spans[1].low, spans[1].high]
    return found


def answer(task: Task, taught: Rows, asked: Matrix, seed: int) -> Matrix:
    """What a model says that was taught by some rows."""
    if task.classes:
        labels = task.told(taught).astype(np.int64)
        return chances(task.features(taught), labels, asked, len(task.classes), seed)
    return guesses(task.features(taught), task.told(taught).astype(np.float64), asked, seed)


def rarest(train: Rows, test: Rows, task: Task, most: float = 1 / 3) -> int | None:
    """The rarest class that both sides have at least ten rows of, if it holds less than a share of `most`."""
    counts = [
        np.bincount(task.told(task.rows(rows)).astype(np.int64), minlength=len(task.classes)) for rows in (train, test)
    ]
    fit = [rank for rank in range(len(task.classes)) if min(counts[0][rank], counts[1][rank]) >= FEW]
    if len(fit) < 2:
        return None
    rank = min(fit, key=lambda each: counts[0][each])
    return rank if counts[0][rank] < most * counts[0].sum() else None


def augmentation(fake: Rows, train: Rows, test: Rows, task: Task, *, draws: int = 5, seed: int = 0) -> dict[str, Any]:
    """Whether synthetic rows of the rarest class help to find it, beside none and beside SMOTE (Chawla et al. 2002).

    Of several draws of 80 % of the real rows each, models are taught by the real rows alone, by these and synthetic
    rows of the rare class until it is as frequent as the others together (or all there are), and by these and as many
    rows of SMOTE, where imbalanced-learn is installed. The score is the rare class' average precision on the test rows.
    Intervals are Student's over the draws, which share rows: they are a little too narrow.

    Returns:
        `class`, `share` (of real rows), `added` (mean count), `without`, `synthetic`, `smote` (means over draws) and
        `gain`, `gain_on_smote` ([mean, low, high] of the differences); nothing where no class is rare.
    """
    rank = rarest(train, test, task) if task.classes and len(train.names) > 1 else None
    if rank is None:
        return {}
    known, pool, tested = task.rows(train), task.rows(fake), task.rows(test)
    pool = pool.take(np.flatnonzero(pool.codes[task.target] == rank))
    asked, true = task.features(tested).matrix, task.told(tested) == rank
    found: dict[str, list[float]] = {}
    added = []
    for draw in range(draws):
        part = known.drawn(min(MOST_ADDED, int(0.8 * len(known))), seed + draw)
        labels = (task.told(part) == rank).astype(np.int64)
        more = task.features(pool.drawn(max(len(labels) - 2 * int(labels.sum()), 0), seed + draw)).matrix
        added.append(len(more))
        base = task.features(part)
        ways = {"without": more[:0], "synthetic": more}
        if (smoted := smote(base, labels, len(more), seed + draw)) is not None:
            ways["smote"] = smoted
        for way, rows in ways.items():
            both = Design(np.concatenate([base.matrix, rows]), base.categorical)
            said = chances(both, np.append(labels, np.ones(len(rows), dtype=np.int64)), asked, 2, seed + draw)[:, 1]
            found.setdefault(way, []).append(average_precision(true, said))
    share = float((task.told(known) == rank).mean())
    gains = {"gain": gain(found["synthetic"], found["without"])}
    if "smote" in found:
        gains["gain_on_smote"] = gain(found["synthetic"], found["smote"])
    means = {way: float(np.mean(values)) for way, values in found.items()}
    return {
        "class": task.classes[rank],
        "share": share,
        "added": float(np.mean(added)),
        "draws": draws,
        **means,
        **gains,
    }


def gain(ours: list[float], theirs: list[float]) -> list[float]:
    """The mean difference and its 95 % interval over paired draws."""
    apart = np.subtract(ours, theirs)
    reach = STUDENT.get(len(apart), 2.776) * float(apart.std(ddof=1)) / len(apart) ** 0.5
    return [float(apart.mean()), float(apart.mean()) - reach, float(apart.mean()) + reach]


def smote(base: Design, labels: Labels, count: int, seed: int) -> Matrix | None:
    """Rows between neighbouring rows of class 1, of mixed columns by SMOTE-NC; None without imbalanced-learn."""
    try:
        from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
    except ImportError:
        return None
    if not count or labels.sum() <= 5:
        return None
    middles = np.nan_to_num([np.nan if np.isnan(column).all() else np.nanmedian(column) for column in base.matrix.T])
    blanks = np.where(base.categorical, -1.0, middles)
    full = np.where(np.isnan(base.matrix), blanks, base.matrix)
    wanted = {1: int(labels.sum()) + count}
    if all(base.categorical):
        maker = SMOTEN(sampling_strategy=wanted, random_state=seed)
    elif any(base.categorical):
        maker = SMOTENC(list(base.categorical), sampling_strategy=wanted, random_state=seed)
    else:
        maker = SMOTE(sampling_strategy=wanted, random_state=seed)
    made = maker.fit_resample(full, labels)[0][len(full) :]
    return np.where((made < 0) & np.array(base.categorical), np.nan, made)
