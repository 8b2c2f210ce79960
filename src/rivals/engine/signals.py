"""Cheap signals of a game in training: as many looks at it as one percent of the time allows, and what they warn of."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .data import Dataset, to_device
from .facts import Lens, data_facts, worries
from .game import Duel
from .health import first_logits, looking_on
from .looks import Look
from .symptoms import URGENT, Symptom
from .train import Training
from .types import Batch, each, leaf, leaves

SHARE = 0.01  # of the time that looks may take
ROWS = 64  # samples of each kind in a look
SHOWN_AXES = 4


@dataclass
class Watcher:
    """Looks at a game now and then, and remembers what it saw.

    Attributes:
        lens: the directions in which samples are looked at.
        number: of the next look.
        spent, began: seconds that looks took, and when counting began; a first look warms up and isn't counted.
        looks: all of this process so far.
        said: names of the symptoms that were told of.
    """

    lens: Lens
    began: float = field(default_factory=time.perf_counter)
    spent: float = 0.0
    number: int = 0
    looks: list[Look] = field(default_factory=list)
    said: set[str] = field(default_factory=set)

    def due(self) -> bool:
        """Whether looks have taken less than their share of the time."""
        return self.spent <= SHARE * (time.perf_counter() - self.began)

    def look(
        self, training: Training, dataset: Dataset, pack: int, losses: Mapping[str, Tensor], progress: float
    ) -> dict[str, Any]:
        """The signals now."""
        began = time.perf_counter()
        device = next(training.game.generator.parameters()).device
        number = self.number
        real = to_device(dataset.cut(turn(dataset.train, number, pack)), device)
        held_out = to_device(dataset.cut(turn(dataset.held_out, number, pack)), device)
        seen = signals(training, self.lens, real, held_out, losses)
        line = {"step": training.step, "progress": progress, "accuracy": seen["accuracy"], "signals": seen}
        self.looks += [look for look in [Look.of(line)] if look is not None]
        self.number += 1
        if number:
            self.spent += time.perf_counter() - began
        else:
            self.began = time.perf_counter()
        return seen

    def news(self, facts: Mapping[str, Any] | None = None) -> list[Symptom]:
        """What is worth a warning and was not told of yet: in the looks, or in facts on the data."""
        found = [test(self.looks) for test in URGENT] if facts is None else list(worries(facts))
        new = [symptom for symptom in found if symptom is not None and symptom.name not in self.said]
        self.said |= {symptom.name for symptom in new}
        return new


def watcher(dataset: Dataset) -> tuple[Watcher, dict[str, Any]]:
    """A watcher for a data set, and the facts on it."""
    facts, lens = data_facts(dataset)
    return Watcher(lens), facts


def turn(rows: Tensor, number: int, pack: int) -> Tensor:
    """Rows for look `number`: `ROWS` of them, evenly spread, others each time, as many as make up whole packs."""
    count = max(min(ROWS, len(rows)) // pack * pack, pack)
    places = torch.arange(count) * len(rows) // count + number * 7919
    return rows[places % len(rows)]


def signals(
    training: Training, lens: Lens, real: Batch, held_out: Batch, losses: Mapping[str, Tensor]
) -> dict[str, Any]:
    """What one look sees, in plain values. Nothing of the game changes; the random state does.

    `accuracy`: percent of real, fake and held-out samples that the critic puts on the right side of the middle between
    its mean logits on real and fake (the losses leave its zero point free). `logits`: their [mean, deviation].
    `gradient`: each side's gradient norm in its last update. `update`: how much the optimizers change the weights in a
    step, relative to them (Adam and its kin). `slope`: the root mean square norm of the critic's gradient with respect
    to real samples. `spread`: the root of the real samples' total variance, so `slope` times `spread` is a difference
    in logits. `penalty`: the penalties' share of the critic's loss terms by size, where this step had some. `variety`:
    the fakes' variance over the data's along the lens's axes, within classes where there are some; `by_class`: the
    same for each that has 5 fakes, else None. `lag`: the mean squared distance between what the generator and its
    running average make of the same noise, over the fakes' variance. `modes`: how many fakes are nearest to each.
    `recognised`: for each class how many of its fakes are nearest to its mean, and how many there are.
    `place`: the fakes' mean along the first axes, in deviations of the data.
    """
    game: Duel = training.game  # type: ignore[assignment]
    with looking_on(game):
        with torch.no_grad():
            played = game.play(real)
            logits = {
                "real": first_logits(game, real.real, real.cond),
                "fake": first_logits(game, played.fake, played.cond),
                "held_out": first_logits(game, held_out.real, held_out.cond),
            }
            raw = training.average(played.z, real.cond)
            slow = each(lambda part, like: part.to(like.dtype), game.show(raw), real.real)
        slope = slope_on(game, real)
    fakes, slow_places = lens(played.fake), lens(slow)
    whole = torch.cat([part.detach().float().flatten(1) for part in leaves(real.real)], 1)
    found = {
        "accuracy": {name: round(value, 1) for name, value in right(logits).items()},
        "logits": {name: [short(part.mean()), short(part.std())] for name, part in logits.items()},
        "gradient": {"generator": gradient_norm(game.generator), "critic": gradient_norm(game.critic)},
        "update": {
            "generator": update_size(training.optimizers[0]),
            "critic": update_size(training.optimizers[1]),
        },
        "slope": short(slope),
        "spread": short(whole.var(0).sum().sqrt()),
        **varieties(fakes, real.cond, lens),
        "lag": short((fakes - slow_places).square().sum(1).mean() / fakes.var(0).sum().clamp_min(1e-12)),
        "modes": lens.counts(fakes),
        **({"recognised": lens.recognised(fakes, real.cond.cpu())} if lens.labels and real.cond is not None else {}),
        "place": [short(value) for value in (fakes.mean(0) / lens.deviation)[:SHOWN_AXES]],
    }
    share = penalty_share(losses)
    return found if share is None else {**found, "penalty": share}


def short(value: Tensor | float) -> float:
    """A number with five digits."""
    return float(f"{float(value):.5g}")


def right(logits: Mapping[str, Tensor]) -> dict[str, float]:
    """How often the critic is right, in percent, on real, fake and held-out samples."""
    middle = (logits["real"].mean() + logits["fake"].mean()) / 2
    return {
        "real": 100 * float((logits["real"] > middle).float().mean()),
        "fake": 100 * float((logits["fake"] < middle).float().mean()),
        "held_out": 100 * float((logits["held_out"] > middle).float().mean()),
    }


def slope_on(game: Duel, real: Batch) -> Tensor:
    """The root mean square norm of the critic's gradient with respect to real samples."""
    points = leaf(real.real)
    with torch.enable_grad():
        total = first_logits(game, points, real.cond).sum()
        inputs = [part for part in leaves(points) if part.requires_grad]
        gradients = torch.autograd.grad(total, inputs, allow_unused=True) if inputs else ()
    squares = [part.float().square().flatten(1).sum(1) for part in gradients if part is not None]
    return torch.stack(squares).sum(0).mean().sqrt() if squares else torch.zeros(())


def gradient_norm(module: nn.Module) -> float:
    """The norm of the gradients that the last update left."""
    gradients = [part.grad for part in module.parameters() if part.grad is not None]
    return short(torch.stack(torch._foreach_norm(gradients)).norm()) if gradients else 0.0


@torch.no_grad()
def update_size(optimizer: Any) -> float:
    """The norm of the last step of Adam, AdamW or RMSprop by their moments, over that of the weights; 0 for others.

    Biases are taken out as Adam does (Kingma and Ba, 2015, algorithm 1); weight decay isn't counted.
    """
    steps, weights = [], []
    inner = getattr(optimizer, "optimizer", optimizer)  # Fabric wraps it
    for group in inner.param_groups:
        for part in group["params"]:
            kept = inner.state.get(part, {})
            second = kept.get("exp_avg_sq", kept.get("square_avg"))
            first = kept.get("exp_avg", part.grad)
            if second is None or first is None or part.numel() < 2:
                continue
            unbiased = 1.0
            if "exp_avg" in kept:
                number = float(kept["step"])
                unbiased = (1 - group["betas"][1] ** number) ** 0.5 / (1 - group["betas"][0] ** number)
            steps.append(group["lr"] * unbiased * (first / (second.sqrt() + 1e-12)).norm())
            weights.append(part.norm())
    return short(torch.stack(steps).norm() / torch.stack(weights).norm().clamp_min(1e-12)) if steps else 0.0


def varieties(fakes: Tensor, cond: Tensor | None, lens: Lens) -> dict[str, Any]:
    """The fakes' variance over the data's: within classes where there are some, else of all."""
    if not lens.labels or cond is None:
        return {"variety": short(fakes.var(0).sum() / lens.within[0].clamp_min(1e-12))}
    by_class: list[float | None] = []
    ours, theirs = 0.0, 0.0
    for number, data in enumerate(lens.within.tolist()):
        group = fakes[cond.cpu() == number]
        by_class.append(None)
        if len(group) > 1 and data > 0:
            variance = float(group.var(0).sum())
            ours, theirs = ours + variance * (len(group) - 1), theirs + data * (len(group) - 1)
            by_class[-1] = short(variance / data) if len(group) >= 5 else None
    found = {"variety": short(ours / theirs)} if theirs else {}
    return {**found, "by_class": by_class} if any(value is not None for value in by_class) else found


def penalty_share(losses: Mapping[str, Tensor]) -> float | None:
    """How much of the critic's loss, by size, is not the game itself; None where the last step had no such term."""
    sizes = {name: abs(float(loss)) for name, loss in losses.items() if name.startswith("critic/")}
    others = sum(value for name, value in sizes.items() if name != "critic/adversarial")
    return short(others / max(sum(sizes.values()), 1e-12)) if len(sizes) > 1 else None
