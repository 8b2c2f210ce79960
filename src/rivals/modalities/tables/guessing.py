"""Attacks on single people: singling them out, and guessing what is not known of them.

After Giomi et al. 2023 (arXiv 2211.10459): each attack is made on training rows and, as a control, on rows that the
generator has not seen. What succeeds on both is knowledge of the population; only the excess is a leak.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rivals.judging.compare import nearest
from rivals.judging.copies import wilson
from rivals.judging.interval import Interval

from .rows import Rows
from .space import placed

GUESSES = 500
TRIES = 20  # for each guess
COLUMNS = 6  # of a predicate
MOST_FAKES = 10_000
Z = 2.64  # deviations that hold 99.2 %: six intervals together are right in 95 % (Bonferroni)


@dataclass(frozen=True)
class Risk:
    """How much better an attack does on training rows than on others.

    Args:
        train: the share of guesses that were right of training rows, with Wilson's interval of 99.2 %.
        control: the same of held-out rows.
        risk: (train - control) / (1 - control), with an interval of 99.2 %; 0: nothing beyond the population.
        guesses: on either side.
    """

    train: Interval
    control: Interval
    risk: Interval
    guesses: int


def risk_of(hits: int, control: int, guesses: int) -> Risk:
    """The excess of one share over another, as a share of what was to be had."""
    a, b = wilson(hits, guesses, Z), wilson(control, guesses, Z)
    left = max(1 - b.value, 1e-9)
    value = (a.value - b.value) / left
    below = ((a.value - a.low) ** 2 + (b.high - b.value) ** 2) ** 0.5 / left  # Newcombe 1998, method 10
    above = ((a.high - a.value) ** 2 + (b.value - b.low) ** 2) ** 0.5 / left
    return Risk(a, b, Interval(value, max(-1.0, value - below), min(1.0, value + above)), guesses)


def singling_out(fake: Rows, train: Rows, control: Rows, *, seed: int = 0, most: int = GUESSES) -> Risk | None:
    """Predicates that hold for a single synthetic row: how often do they hold for a single training row?

    Each guess takes a synthetic row and six columns and asks for its categories and for numbers at least, or at most,
    as extreme as its own. Training and held-out rows are as many, since the chance of being single depends on it. None
    where none of the predicates tried, twenty for each guess, is single.
    """
    count = min(len(train), len(control))
    sides = [rows.drawn(count, seed) for rows in (train, control)]
    fake = fake.drawn(count, seed)
    rng = np.random.default_rng(seed)
    names = list(fake.names)
    middles = {name: float(np.nanmedian(column)) for name, column in fake.numbers.items() if not np.isnan(column).all()}
    names = [name for name in names if name in middles or name in fake.codes]
    guesses, hits = 0, [0, 0]
    for _ in range(TRIES * most):
        row = int(rng.integers(len(fake)))
        chosen = rng.permutation(names)[:COLUMNS].tolist()
        if held(fake, fake, row, chosen, middles).sum() != 1:
            continue
        guesses += 1
        for side, rows in enumerate(sides):
            hits[side] += int(held(rows, fake, row, chosen, middles).sum() == 1)
        if guesses == most:
            break
    return risk_of(hits[0], hits[1], guesses) if guesses else None


def held(rows: Rows, fake: Rows, row: int, names: list[str], middles: dict[str, float]) -> NDArray[np.bool_]:
    """For which rows a predicate made of a synthetic row holds: (n,)."""
    which = np.ones(len(rows), dtype=bool)
    for name in names:
        if name in fake.codes:
            which &= rows.codes[name] == fake.codes[name][row]
        else:
            value = fake.numbers[name][row]
            column = rows.numbers[name]
            which &= (
                np.isnan(column) if np.isnan(value) else column >= value if value > middles[name] else column <= value
            )
    return which


def attribute_inference(
    fake: Rows, train: Rows, control: Rows, secret: str, *, seed: int = 0, most: int = 1_000
) -> Risk | None:
    """Who knows all other columns of a row guesses the secret one from the most like synthetic row.

    A category is guessed rightly if it is the same, a number if it is within 5 % of the training rows' spread (their
    inner 95 %). Rows whose secret is missing are left out. None with fewer than 10 rows a side.
    """
    fake = known(fake.drawn(MOST_FAKES, seed), secret)
    count = min(len(train), len(control), most)
    sides = [known(rows.drawn(count, seed), secret) for rows in (train, control)]
    count = min(map(len, sides))
    if min(count, len(fake)) < 10 or len(fake.names) < 2:
        return None
    sides = [rows.take(np.arange(count)) for rows in sides]
    others = [rows.without([secret]) for rows in (fake, *sides)]
    fakes, *asked = placed(others[0], others, seed)
    which = nearest(torch.cat(asked), fakes)[1][:, 0].numpy()
    right = []
    for rows, found in zip(sides, np.split(which, 2), strict=True):
        if secret in fake.codes:
            right.append(int((rows.codes[secret] == fake.codes[secret][found]).sum()))
        else:
            low, high = np.nanquantile(train.numbers[secret], [0.025, 0.975])
            apart = np.abs(rows.numbers[secret] - fake.numbers[secret][found])
            right.append(int((apart <= 0.05 * (high - low)).sum()))
    return risk_of(right[0], right[1], count)


def known(rows: Rows, name: str) -> Rows:
    """The rows that have a value in a column."""
    column = rows.codes[name] >= 0 if name in rows.codes else ~np.isnan(rows.numbers[name])
    return rows.take(np.flatnonzero(column))
