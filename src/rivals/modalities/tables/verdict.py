"""The verdict on a synthetic table: fidelity, usefulness, privacy, baselines; with intervals and floors, as values."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

import rivals
from rivals.engine.errors import RequestError
from rivals.judging.interval import bootstrap

from .association import information
from .baselines import BASELINES
from .columns import Column
from .fidelity import Coded, Pairs, coded, percent, related, shapes, shares_met, some_pairs, trends
from .pictured import column_pictures, pair_pictures
from .privacy import privacy
from .rows import Kinds, Rows, guessed, kinds_of, parts_of, plain
from .two_sample import MOST as MOST_TESTED
from .two_sample import two_sample
from .usefulness import Task, augmentation, task_of, usefulness

Tell = Callable[[str], None]
Measure = Callable[[Coded, Coded], float]

MOST = 100_000  # rows of either side
LEAST = 20
TIMES = 40  # resamples of an interval
MOST_RESAMPLED = 500  # pairs, in each


@dataclass(frozen=True)
class Sides:
    """What is judged and what it is judged by.

    Args:
        fake: synthetic rows.
        real: the rows they are compared with.
        train: rows that a model may be taught by.
        test: rows that models are tested on.
        held_out: rows that the generator has not seen; None where nobody knows any.
        floor: two sets of real rows; what lies between them is the floor.
    """

    fake: Rows
    real: Rows
    train: Rows
    test: Rows
    held_out: Rows | None
    floor: tuple[Rows, Rows]


def verdict_of(
    fake: pl.DataFrame,
    train: pl.DataFrame,
    held_out: pl.DataFrame | None = None,
    columns: Sequence[Column] = (),
    *,
    target: str | None = None,
    seed: int = 0,
    baselines: bool = True,
    tell: Tell = lambda words: None,
) -> dict[str, Any]:
    """Judge a synthetic table.

    Args:
        fake: the synthetic rows.
        train: the real rows that its generator was trained on.
        held_out: real rows of the same source, split off at random, that it has not seen. Without them the fakes are
            compared with `train`, and of privacy only exact copies can be told.
        columns: what the columns are; without them the frames' own types say it. Ids and free text are not judged.
        target: the column that is learned from the others to measure usefulness; the last by default.
        seed: of every random choice.
        baselines: whether to judge tables made without a network beside it.
        tell: told what comes next.

    Returns:
        JSON-ready values: `scores`, `intervals` ([low, high]), `floor`, `columns`, `pairs`, `usefulness`,
        `augmentation`, `privacy`, `baselines`, `notes`, `card`.

    Raises:
        RequestError: tables without common columns, a target that is not judged, fewer than 20 rows of a side.
    """
    frames: dict[str, pl.DataFrame] = {"synthetic": fake, "training": train}
    if held_out is not None:
        frames["held-out"] = held_out
    kinds = kinds_of(columns) if columns else guessed(train)
    if columns:
        frames = {part: plain(frame, columns) for part, frame in frames.items()}
    target = checked(frames, kinds, target)
    sides = sides_of(frames, kinds, seed)
    found = fidelity_of(sides, seed, tell)
    tell("usefulness")
    task = task_of(sides.train, target)
    found["usefulness"] = {"target": target, "classes": list(task.classes)}
    found["usefulness"] |= usefulness(sides.fake, sides.train, sides.test, task, seed=seed)
    add_usefulness(found)
    tell("augmentation")
    found["augmentation"] = augmentation(sides.fake, sides.train, sides.test, task, seed=seed)
    if sides.held_out is not None:
        found["privacy"] = privacy(sides.fake, sides.train, sides.held_out, target=target, seed=seed, tell=tell)
        add_privacy(found)
    else:
        found["privacy"] = {"refused": "No held-out rows were given, and without a control nothing can be said."}
    tell("drawing columns and pairs")
    found["columns"] = column_pictures(sides.real, sides.fake, found.pop("shapes_by_column"))
    found["pairs"] = pair_pictures(sides.real, sides.fake, found.pop("trends_by_pair"))
    found["baselines"] = {}
    for name in BASELINES if baselines else ():
        tell(f"baseline: {name.replace('_', ' ')}")
        found["baselines"][name] = of_baseline(name, frames, kinds, sides, task, seed)
    found["card"] = card(sides, target, seed)
    found["notes"] = list(notes(sides, [column.name for column in columns if column.name not in kinds]))
    return found


def checked(frames: dict[str, pl.DataFrame], kinds: Kinds, target: str | None) -> str:
    """The target, if the request can be served."""
    for part, frame in frames.items():
        if frame.height < LEAST:
            raise RequestError(f"there are {frame.height} {part} rows; judging needs {LEAST} or more of each table")
    if not kinds:
        raise RequestError("there is no column to judge: all are ids, free text, constant or empty")
    if target is not None and target not in kinds:
        raise RequestError(f"the target {target!r} is no column that is judged; those are {', '.join(kinds)}")
    return list(kinds)[-1] if target is None else target


def sides_of(frames: dict[str, pl.DataFrame], kinds: Kinds, seed: int) -> Sides:
    """The rows in their parts; without held-out rows a fifth of the real rows tests models, halves give the floor."""
    order_of_parts = sorted(frames, key=("training", "held-out", "synthetic").index)
    parts = parts_of({part: frames[part] for part in order_of_parts}, kinds)
    train, fake = parts["training"], parts["synthetic"]
    if "held-out" in parts:
        held_out = parts["held-out"]
        return Sides(fake, held_out.drawn(MOST, seed), train, held_out, held_out, (train, held_out.drawn(MOST, seed)))
    order = np.random.default_rng(seed).permutation(len(train))
    cut = len(train) // 5
    halves = train.take(order[::2]), train.take(order[1::2])
    return Sides(fake, train.drawn(MOST, seed), train.take(order[cut:]), train.take(order[:cut]), None, halves)


def fidelity_of(sides: Sides, seed: int, tell: Tell) -> dict[str, Any]:
    """Scores of likeness with intervals and floors; by column and pair as well."""
    count = min(len(sides.fake), len(sides.floor[0]), MOST)  # as many on both sides of the comparison with the floor
    pairs = some_pairs(len(sides.real.names), seed=seed)
    tell("column shapes and pair trends")
    fake = sides.fake.drawn(count, seed)
    real_codes, fake_codes = coded(sides.real, fake)
    strong = related_pairs(real_codes, pairs)
    by_column, by_pair = shapes(real_codes, fake_codes), trends(real_codes, fake_codes, pairs)
    scores = likeness(sides.real, fake, pairs, strong)
    intervals = likeness_intervals(real_codes, fake_codes, {"trends": pairs, "related_trends": strong}, scores, seed)
    names = real_codes.names
    tell("two-sample test")
    test = two_sample(sides.real, sides.fake, seed=seed)
    scores["two_sample"], intervals["two_sample"] = test.value, [test.low, test.high]
    tell("the floor")
    first, second = sides.floor[0].drawn(count, seed), sides.floor[1]
    floor = likeness(second, first, pairs, strong) | {"two_sample": two_sample(second, first, seed=seed).value}
    return {
        "scores": scores,
        "intervals": intervals,
        "floor": floor,
        "shapes_by_column": dict(zip(names, by_column.tolist(), strict=True)),
        "trends_by_pair": [(names[x], names[y], value) for (x, y), value in zip(pairs, by_pair.tolist(), strict=True)],
    }


def related_pairs(real: Coded, pairs: Pairs) -> Pairs:
    """The pairs that hang together in the real table."""
    return [pair for pair, is_related in zip(pairs, related(real, pairs), strict=True) if is_related]


def likeness(real: Rows, fake: Rows, pairs: Pairs, strong: Pairs) -> dict[str, float]:
    """The scores of columns and pairs that need no model, in percent."""
    a, b = coded(real, fake)
    scores = {
        "shapes": percent(shapes(a, b)),
        "trends": percent(trends(a, b, pairs)),
        "related_trends": percent(trends(a, b, strong)),
        "information": similarity(real, fake, pairs),
        "shares_met": shares_met(a, b),
    }
    return {name: value for name, value in scores.items() if not np.isnan(value)}


def likeness_intervals(
    real: Coded, fake: Coded, pairs: dict[str, Pairs], scores: dict[str, float], seed: int
) -> dict[str, list[float]]:
    """Where mean column shapes and pair trends would lie with other rows; of many pairs by some of them."""
    measures: dict[str, Measure] = {"shapes": lambda a, b: percent(shapes(a, b))}
    measures |= {name: trend_measure(every[:: -(-len(every) // MOST_RESAMPLED) or 1]) for name, every in pairs.items()}
    sets = torch.arange(len(real.fine)), torch.arange(len(fake.fine))
    found = {}
    for name in [name for name in measures if name in scores]:

        def of_rows(a: Tensor, b: Tensor, measure: Measure = measures[name]) -> float:
            return measure(real.take(a.numpy()), fake.take(b.numpy()))

        span = bootstrap(of_rows, *sets, times=TIMES, seed=seed)
        found[name] = [scores[name] + span.low - span.value, min(scores[name] + span.high - span.value, 100.0)]
    return found


def trend_measure(pairs: Pairs) -> Measure:
    """Mean pair trends of these pairs."""
    return lambda a, b: percent(trends(a, b, pairs))


def similarity(real: Rows, fake: Rows, pairs: Pairs) -> float:
    """How alike the mutual information of pairs is: 100 less the mean difference in percent."""
    a, b = information(real, fake, pairs)
    return percent(1 - np.abs(a - b))


def add_usefulness(found: dict[str, Any]) -> None:
    """Usefulness among the scores; its floor is what real rows teach."""
    useful = found["usefulness"]
    for name, value in useful.get("synthetic", {}).items():
        found["scores"][name] = value
        found["floor"][name] = useful["real"][name]
        found["intervals"][name] = useful["intervals"][name]


def add_privacy(found: dict[str, Any]) -> None:
    """The strongest attack among the scores."""
    attacks = found["privacy"].get("attacks", {})
    if attacks:
        value, low, high = max(attack["advantage"] for attack in attacks.values())
        found["scores"]["advantage"], found["intervals"]["advantage"] = value, [low, high]
        found["floor"]["advantage"] = 0.0


def of_baseline(
    name: str, frames: dict[str, pl.DataFrame], kinds: Kinds, sides: Sides, task: Task, seed: int
) -> dict[str, float]:
    """The main scores of a baseline's rows, as many as there are synthetic ones."""
    count = min(len(sides.fake), MOST)
    made = BASELINES[name](frames["training"], kinds, count, seed)
    rows = parts_of({"training": frames["training"], "held-out": frames.get("held-out", made), name: made}, kinds)[name]
    pairs = some_pairs(len(sides.real.names), seed=seed)
    codes, _ = coded(sides.real, sides.real)
    scores = likeness(sides.real, rows.drawn(min(count, len(sides.floor[0])), seed), pairs, related_pairs(codes, pairs))
    scores["two_sample"] = two_sample(sides.real, rows, seed=seed).value
    return scores | usefulness(rows, sides.train, sides.test, task, seed=seed).get("synthetic", {})


def card(sides: Sides, target: str, seed: int) -> dict[str, Any]:
    """What the numbers stand on."""
    return {
        "fake_count": len(sides.fake),
        "real_count": len(sides.real),
        "train_count": len(sides.train),
        "split": "held-out part"
        if sides.held_out is not None
        else "all, of which the generator may have seen each row",
        "columns": len(sides.real.names),
        "target": target,
        "two_sample_rows": min(len(sides.real), len(sides.fake), MOST_TESTED),
        "seed": seed,
        "interval": "over other rows of the same counts (resampled halves; DeLong for the two-sample test)",
        "version": rivals.__version__,
    }


def notes(sides: Sides, left_out: list[str]) -> Iterator[str]:
    """What should be known beside the numbers."""
    if sides.held_out is None:
        yield (
            "No held-out rows were given: the generator may have seen the rows that it is compared with and tested on, "
            "and copies of them would look good. Give rows that it has not seen to judge privacy."
        )
    if len(sides.fake) < len(sides.train) / 2:
        yield (
            f"There are {len(sides.fake):,} synthetic and {len(sides.train):,} training rows; more synthetic rows make "
            "every score steadier, and attacks stronger."
        )
    if left_out:
        more = f" and {len(left_out) - 10} more" if len(left_out) > 10 else ""
        yield f"Not judged are ids, free text, constant and empty columns: {', '.join(left_out[:10])}{more}."
