"""Whether the two sides are at rest: the duality gap of small games, and a cheap sign of it for large ones."""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .errors import RequestError
from .game import Duel
from .train import clip_weights, held_still
from .types import Batch

WINDOW = 8  # verdicts that are looked back on
SCORE_NOISE = 0.01  # scores are the same within this share of the lowest in the window
ADVANTAGE_NOISE = 0.02  # so is an advantage this near: about the standard error of one from 500 and 500 samples


def duality_gap(
    game: Duel,
    batches: Iterator[Batch],
    *,
    steps: int = 200,
    lr: float = 1e-3,
    held_out: int = 8,
    progress: float = 1.0,
    clip: float | None = None,
    seed: int = 0,
) -> float:
    """How much both sides could still win: max_D' V(G, D') - min_G' V(G', D) (Grnarova et al., 2019, eq. 3).

    V is minus the critic's loss, the term named "adversarial", without penalties. For a zero-sum game that is what both
    sides play for. Where the generator has a loss of its own (the non-saturating one, least squares, the hinge), V is
    still the critic's: the gap is that of the zero-sum game the critic plays, and the worst generator G' minimises V.
    The best critic D' minimises all its terms, penalties included, since these say which critics there are.

    Both are copies, trained from where the sides stand with Adam, on the same batches, each against the other side as
    it is; one that did worse than where it began is not kept. So the estimate is a lower bound of the gap, up to the
    noise of `held_out` batches, and never negative: 0 says that no side found an improvement in `steps` steps. Gaps
    compare only at the same loss, steps and learning rate. The game's weights, its modes and the random state stay as
    they are.

    Args:
        game: what is measured; its generator as it plays, not the running average.
        batches: real samples; `held_out + steps` are taken.
        steps: training steps of each copy.
        lr: their learning rate.
        held_out: batches that V is averaged over.
        progress: of the training, from 0 to 1, for weights that change over it.
        clip: largest absolute value of a weight of D', for critics that are limited so.
        seed: of all noise.

    Raises:
        RequestError: there are too few batches, or the critic has no term "adversarial".
    """
    if "adversarial" not in game.critic_terms:
        raise RequestError("the duality gap is that of the critic's term 'adversarial', and this game has none")
    device = next(game.generator.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        drawn = list(islice(batches, held_out + steps))
        if steps < 1 or held_out < 1 or len(drawn) < held_out + steps:
            raise RequestError(f"the duality gap needs {held_out} + {steps} batches and one of each; got {len(drawn)}")
        judged, learned = drawn[:held_out], drawn[held_out:]
        now = value(game, judged, seed)
        best = value(best_critic(game, learned, lr, progress, clip), judged, seed)
        worst = value(worst_generator(game, learned, lr), judged, seed)
    return max(best, now) - min(worst, now)


@torch.no_grad()
def value(game: Duel, batches: Sequence[Batch], seed: int) -> float:
    """V(G, D) over some batches, with the same noise every time; leaves the game's buffers as they are."""
    game = copy.deepcopy(game)
    torch.manual_seed(seed)
    measure = game.critic_terms["adversarial"].measure
    return -sum(float(measure(game.play(batch))) for batch in batches) / len(batches)


def best_critic(game: Duel, batches: Sequence[Batch], lr: float, progress: float, clip: float | None) -> Duel:
    """A copy of the game in which the critic has learned on, by all its terms."""
    game = copy.deepcopy(game)
    game.strengthen = None  # both sides' copies play by the rules that hold now
    optimizer = adam(game.critic, lr)
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        with held_still(game.generator):
            losses = list(game.critic_loss(game.play(batch), step, progress).values())
        torch.stack(losses).sum().backward()
        optimizer.step()
        clip_weights(game.critic, clip)
    return game


def worst_generator(game: Duel, batches: Sequence[Batch], lr: float) -> Duel:
    """A copy of the game in which the generator has learned to make V small."""
    game = copy.deepcopy(game)
    optimizer = adam(game.generator, lr)
    measure = game.critic_terms["adversarial"].measure
    for batch in batches:
        optimizer.zero_grad()
        with held_still(game.critic):
            loss: Tensor = -measure(game.play(batch))
        loss.backward()
        optimizer.step()
    return game


def adam(module: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The optimizer of a copy."""
    return torch.optim.Adam(module.parameters(), lr, betas=(0.5, 0.99))


class Standing(NamedTuple):
    """Where both sides stand at a verdict: a score (lower is better for the generator) and the critic's advantage.

    The advantage is None where nobody asked for it.
    """

    step: int
    score: float
    advantage: float | None = None


def advantage(real: Tensor, fake: Tensor) -> float:
    """How often the critic ranks a real sample above a fake, from 0 to 1; 0.5 if it can't tell (ties count half).

    The area under the ROC curve of its logits, shapes (n,) and (m,). Over real samples that the critic never trained
    on, one that has only learned its samples by heart has no advantage.
    """
    above = (real[:, None] > fake[None]).double() + (real[:, None] == fake[None]).double() / 2
    return float(above.mean())


def settled(history: Sequence[Standing]) -> bool:
    """Whether both sides are at rest: neither has improved over the last `WINDOW` verdicts, within noise.

    The rule: over these verdicts, Kendall's test for a trend (Mann, 1945) finds the score falling by less than one
    standard error, and the critic's advantage moving by less than one either way. Two verdicts count as equal where
    they differ by less than `SCORE_NOISE` of the lowest score or `ADVANTAGE_NOISE`. One standard error is strict on
    purpose: a slow improvement under noise counts as one. A score that is rising does not count as improvement; values
    that are not finite are never at rest.

    This is cheaper than a duality gap, and weaker: it says that neither side gets anywhere with its present networks,
    learning rates and data, as at an equilibrium; a game that stalled for another reason looks the same.
    """
    last = [standing.advantage for standing in history[-WINDOW:] if standing.advantage is not None]
    if len(last) < WINDOW or not all(map(math.isfinite, last)):
        return False
    return plateau(history) and abs(trend(last, ADVANTAGE_NOISE)) < 1


def plateau(history: Sequence[Standing]) -> bool:
    """Whether the score has not improved over the last `WINDOW` verdicts by more than its noise.

    The rule is that of `settled` for the score alone: Kendall's test finds it falling by less than one standard error.
    """
    scores = [standing.score for standing in history[-WINDOW:]]
    if len(scores) < WINDOW or not all(map(math.isfinite, scores)):
        return False
    return trend(scores, SCORE_NOISE * min(map(abs, scores))) > -1


def trend(values: Sequence[float], noise: float) -> float:
    """Kendall's statistic for a trend, in standard errors of values without one: above 0 for rising ones.

    The number of later values that are larger by more than `noise`, less those smaller, over the root of
    n (n - 1) (2n + 5) / 18 (Mann, 1945; Kendall, 1975), without correction for ties.
    """
    n = len(values)
    rises = sum(
        (later - earlier > noise) - (earlier - later > noise)
        for at, earlier in enumerate(values)
        for later in values[at + 1 :]
    )
    return rises / math.sqrt(n * (n - 1) * (2 * n + 5) / 18) if n > 1 else 0.0


def settled_words(history: Sequence[Standing]) -> str:
    """The event that tells of it."""
    last = history[-WINDOW:]
    advantages = [standing.advantage or 0.0 for standing in (last[0], last[-1])]
    return (
        f"equilibrium: stopped; over the last {len(last)} verdicts (steps {last[0].step} to {last[-1].step}) neither "
        f"side improved within noise: score {last[0].score:.4g} to {last[-1].score:.4g}, critic's advantage on "
        f"held-out samples {advantages[0]:.2f} to {advantages[1]:.2f} (0.5: it can't tell)"
    )


def plateau_words(history: Sequence[Standing]) -> str:
    """What was seen."""
    last = history[-WINDOW:]
    scores = [standing.score for standing in last]
    return (
        f"over the last {len(last)} verdicts (steps {last[0].step} to {last[-1].step}) the score showed no fall "
        f"beyond its noise: between {min(scores):.4g} and {max(scores):.4g}, {scores[-1]:.4g} now"
    )
