"""An audit of a private training by planted rows: how much it gives away at least, beside what the theory allows.

Made-up rows (canaries), each planted or not by a coin, are trained on with the others; afterwards one guesses from the
critic which were. If a training is (epsilon, delta)-private, each guess is right with a probability of at most
e^epsilon / (1 + e^epsilon), about; more right guesses than that allows prove that epsilon is larger (Steinke et al.,
2023, Privacy Auditing with One (1) Training Run, theorem 5.2). A low bound proves nothing: a better attack may exist.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .data import Dataset
from .errors import RequestError
from .types import Batch, Sample, each, size


class Audit(NamedTuple):
    """What an audit found: guesses, how many of them were right, and the epsilon that they prove."""

    guesses: int
    right: int
    epsilon: float
    confidence: float


def planted(dataset: Dataset, canaries: Batch, coins: Tensor) -> Dataset:
    """A data set with those canaries among the rows to learn from whose coin is true.

    Args:
        dataset: the real rows.
        canaries: samples like its own, with conditions if it has any.
        coins: (canaries,) bool.
    """
    first = 1 + int(torch.cat([dataset.train, dataset.held_out]).max())

    def cut(rows: Tensor) -> Batch:
        ours, theirs = rows < first, rows >= first
        real, made = dataset.cut(rows[ours]), rows[theirs] - first
        if len(made) == 0:
            return real
        back = torch.argsort(torch.cat([ours.nonzero().flatten(), theirs.nonzero().flatten()]))
        if len(made) == len(rows):
            return chosen(canaries, made)
        cond = None if real.cond is None else torch.cat([real.cond, chosen(canaries, made).cond])[back]  # type: ignore[list-item]
        return Batch(each(lambda a, b: torch.cat([a, b[made]])[back], real.real, canaries.real), cond)

    return replace(dataset, cut=cut, train=torch.cat([dataset.train, first + coins.nonzero().flatten()]))


def chosen(batch: Batch, rows: Tensor) -> Batch:
    """Some samples of a batch."""
    return Batch(each(lambda part: part[rows], batch.real), None if batch.cond is None else batch.cond[rows])


@torch.no_grad()
def risen(critic: nn.Module, before: nn.Module, canaries: Batch) -> np.ndarray:
    """How much the critic's mean logit has risen on each canary since before training, (canaries,) float64."""
    found = [level(part, canaries.real, canaries.cond) for part in (critic, before)]
    return (found[0] - found[1]).double().cpu().numpy()


def level(critic: nn.Module, sample: Sample, cond: Tensor | None) -> Tensor:
    """One number a sample: the mean of all its logits, (batch,), in evaluation mode."""
    training = critic.training
    try:
        logits = critic.eval()(sample, cond).logits
    finally:
        critic.train(training)
    return torch.stack([part.float().flatten(1).mean(1) for part in logits]).mean(0).view(size(sample))


def audit(
    scores: np.ndarray, coins: np.ndarray, delta: float, *, guesses: int | None = None, confidence: float = 0.95
) -> Audit:
    """The epsilon that right guesses prove: the canaries of highest scores are guessed in, of lowest out.

    Args:
        scores: (canaries,), higher where a canary seems to have been planted.
        coins: (canaries,) bool: which were.
        delta: of the guarantee that is audited.
        guesses: how many, an even number settled beforehand; the rest is left open. None for half of the canaries.
        confidence: with which probability the bound holds.

    Raises:
        RequestError: there are fewer canaries than guesses.
    """
    total = len(scores)
    guesses = total // 4 * 2 if guesses is None else guesses
    if not (0 < guesses <= total and guesses % 2 == 0 and len(coins) == total):
        raise RequestError(f"an audit makes an even number of guesses on as many canaries at least: {guesses}, {total}")
    order = np.argsort(scores, kind="stable")
    coins = np.asarray(coins, dtype=bool)
    right = int((~coins[order[: guesses // 2]]).sum() + coins[order[-(guesses // 2) :]].sum())
    return Audit(guesses, right, lower_bound(total, guesses, right, delta, confidence), confidence)


def lower_bound(total: int, guesses: int, right: int, delta: float, confidence: float = 0.95) -> float:
    """The largest epsilon that so many right guesses disprove, 0 where they disprove none; at most 30.

    Without delta it is that of Clopper and Pearson for a share of e^epsilon / (1 + e^epsilon).

    Args:
        total: canaries, each planted by a fair coin.
        guesses: how many were guessed.
        right: how many rightly.
        delta: of the guarantee.
        confidence: with which probability the bound holds.
    """
    low, high = 0.0, 30.0
    if chance(total, guesses, right, low, delta) > 1 - confidence:
        return 0.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(total, guesses, right, middle, delta) <= 1 - confidence else (low, middle)
    return low


def chance(total: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """The probability, at most, of so many right guesses or more if the training is (epsilon, delta)-private.

    P[B >= v] + 2 m delta max_i P[v > B >= v - i] / i for B binomial with p = e^epsilon / (1 + e^epsilon) (Steinke et
    al., 2023, theorem 5.2), for m canaries and v right guesses.
    """
    from scipy.stats import binom

    law = binom(guesses, 1 / (1 + np.exp(-epsilon)))
    near = law.cdf(right - 1) - law.cdf(right - 1 - np.arange(1, right + 1))
    most = float(np.max(near / np.arange(1, right + 1), initial=0.0))
    return min(float(law.sf(right - 1)) + 2 * total * delta * most, 1.0)
