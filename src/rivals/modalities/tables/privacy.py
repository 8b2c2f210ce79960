"""Whether synthetic rows give away who was in the training data: attacks, copies, and distances beside a control."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
import torch

from rivals.judging.compare import nearest
from rivals.judging.copies import wilson
from rivals.judging.interval import Interval
from rivals.judging.separation import Advantage, advantage

from .attacks import ATTACKS, attacks
from .guessing import Risk, attribute_inference, singling_out
from .rows import Rows
from .space import placed

Tell = Callable[[str], None]

LEAST = 100  # held-out rows without which nothing is said
MOST = 2_500  # candidates of either side
MOST_SECRETS = 4
MOST_SEARCHED = 20_000  # training rows among which the nearest is looked for
SURE = 1 - 0.05 / len(ATTACKS)  # of all attacks' intervals together 95 % are right (Bonferroni)
SLIGHT = 0.05  # an advantage below is told as slight

WARNING = (
    "Distances to the nearest record prove nothing alone: data sets that pass such tests have been shown to be open to "
    "membership inference (“The DCR Delusion”, Yao et al. 2025, arXiv 2505.01524). Go by the attacks."
)


def privacy(
    fake: Rows, train: Rows, held_out: Rows, *, target: str = "", seed: int = 0, tell: Tell = lambda words: None
) -> dict[str, Any]:
    """All that is known of leaks, as plain values.

    Args:
        fake: synthetic rows.
        train: the rows that the generator was trained on.
        held_out: rows of the same source, split off at random, that it has not seen.
        target: a column whose values are guessed first.
        seed: of every random choice.
        tell: told what comes next.

    Returns:
        `attacks` (name -> advantage, auc, caught, each [value, low, high], and flagged), `flagged` (their names and
        "copies"), `singling_out` and `inference` (column -> risk), `copies`, `nearest`, `candidates`, `warning`;
        `refused` with words instead where there are too few held-out rows.
    """
    tell("exact copies")
    found: dict[str, Any] = {"copies": copies(fake, train, held_out)}
    if min(len(held_out), len(train)) < LEAST or len(fake) < LEAST:
        words = f"{len(fake)} synthetic, {len(train)} training and {len(held_out)} held-out rows"
        return found | {"refused": f"Attacks need {LEAST} rows or more of each side; there are {words}."}
    order = np.random.default_rng(seed).permutation(len(held_out))
    others, reference = (held_out.take(part) for part in np.array_split(order, 2))
    others = others.drawn(MOST, seed)
    members = train.drawn(len(others), seed)
    scores = attacks(fake, members, others, reference, seed=seed, tell=tell)
    found["attacks"] = {name: of_attack(advantage(*pair, level=SURE, seed=seed), pair) for name, pair in scores.items()}
    found["candidates"] = [len(members), len(others), len(reference)]
    tell("singling out")
    single = singling_out(fake, train, held_out, seed=seed)
    found["singling_out"] = plain(single) if single else {}
    tell("guessing attributes")
    secrets = sorted(fake.names, key=lambda name: (name != target, name in fake.numbers))[:MOST_SECRETS]
    risks = {name: attribute_inference(fake, train, held_out, name, seed=seed) for name in secrets}
    found["inference"] = {name: plain(risk) for name, risk in risks.items() if risk}
    tell("nearest records")
    found |= {"nearest": nearness(fake, train, held_out, seed), "warning": WARNING}
    found["flagged"] = [name for name, attack in found["attacks"].items() if attack["flagged"]]
    if found["copies"]["more_than_chance"]:
        found["flagged"].append("copies")
    return found


def of_attack(found: Advantage, pair: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """An attack's numbers; flagged where chance can't explain them.

    That is where the interval of the advantage, or of the area, lies above guessing, or where clearly more than 1 in
    100 members are found at 1 false alarm in 100.
    """
    spans: dict[str, Any] = {name: triple(span) for name, span in vars(found).items()}
    noise = (0.01 * 0.99 * sum(1 / len(scores) for scores in pair)) ** 0.5
    many = min(map(len, pair)) >= 1_000 and found.caught.low > 0.01 + 3 * noise
    return spans | {"flagged": found.advantage.low > 0 or found.auc.low > 0.5 or many}


def triple(span: Interval) -> list[float]:
    """An interval as plain values."""
    return [round(end, 6) for end in (span.value, span.low, span.high)]


def plain(risk: Risk) -> dict[str, Any]:
    """A risk as plain values; it counts as shown where its interval lies above 0."""
    spans = {name: triple(Interval(**span)) for name, span in asdict(risk).items() if name != "guesses"}
    return spans | {"guesses": risk.guesses, "shown": risk.risk.low > 0}


def copies(fake: Rows, train: Rows, held_out: Rows) -> dict[str, Any]:
    """How many synthetic rows equal a training row in all columns, beside how many held-out rows do.

    Where columns are few and coarse, rows repeat by chance: then held-out rows equal training rows as well.

    Returns:
        `fake` and `held_out` ([share, low, high]), `count`, `more_than_chance`.
    """
    learned = hashes(train)
    count, alike = (int(hashes(rows).is_in(learned.implode()).sum()) for rows in (fake, held_out))
    ours, theirs = wilson(count, len(fake)), wilson(alike, max(len(held_out), 1))
    more = ours.low > theirs.high
    return {"fake": triple(ours), "held_out": triple(theirs), "count": count, "more_than_chance": more}


def hashes(rows: Rows) -> pl.Series:
    """A 64-bit hash of every row; equal rows have equal ones."""
    columns: dict[str, Any] = {name: pl.Series(column) + 0.0 for name, column in rows.numbers.items()}  # -0 is 0
    return pl.DataFrame({**columns, **{name: pl.Series(codes) for name, codes in rows.codes.items()}}).hash_rows(seed=0)


def nearness(fake: Rows, train: Rows, held_out: Rows, seed: int) -> dict[str, Any]:
    """Distances to the closest record (DCR), to equally many training and held-out rows.

    Returns:
        `share_closer` ([share, low, high] of synthetic rows that are closer to training than to held-out rows; ties
        count half; 0.5 without copying), `fake` and `held_out` (their median and 5 % quantile of the distance to
        training rows).
    """
    count = min(len(train), len(held_out), MOST_SEARCHED)
    learned, unseen, some = (rows.drawn(most, seed) for rows, most in ((train, count), (held_out, count), (fake, MOST)))
    places = placed(unseen, (learned, unseen, some), seed)
    to_train, to_unseen = (nearest(places[2], side)[0][:, 0] for side in places[:2])
    control = nearest(places[1], places[0])[0][:, 0]
    closer = float((to_train < to_unseen).sum()) + 0.5 * float((to_train == to_unseen).sum())
    ends = torch.tensor([0.5, 0.05])
    return {
        "share_closer": triple(wilson(round(closer), len(to_train))),
        "fake": to_train.quantile(ends).tolist(),
        "held_out": control.quantile(ends).tolist(),
    }
