"""The recipe of a private run: what is known of a table beforehand is how many rows it has, and nothing else."""

from collections.abc import Callable

import torch
from torch import Tensor

from rivals.engine.ledger import Privacy
from rivals.engine.method import Method, Optimizer
from rivals.engine.names import named
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Curve, Weight

from .asking import Asking, data_of
from .layout import Layout
from .methods import TABLE_METHODS
from .recipes import penalties

METHOD = "gan"
BATCH, SHARE = 512, 1 / 50  # rows of a batch at most, and of the table
STEPS = 2000
CRITIC_WIDTH = 64
PAIRS = 1000.0  # weight of the distance between tables of two columns


def private_recipe(
    rows: int, privacy: Privacy, method: str | None, steps: int | None, own: Method | None
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe, and why it is what it is.

    Args:
        rows: of the table.
        privacy: what was asked for.
        method: a name in `TABLE_METHODS`, or of one's `own`; "gan" if not given.
        steps: rounds.
        own: a method of one's own.

    Raises:
        RequestError: there is no such method.
    """
    name = method or METHOD
    chosen = own or named(name, TABLE_METHODS, "method")
    recipe = Recipe(
        modality="tables",
        method=name,
        data=data_of(Asking()),
        generator=Use("rows", {"norm": "batch", "given": True}),
        critic=Use("rows", {"width": CRITIC_WIDTH}),
        latent=64,
        loss=chosen.loss,
        critic_terms=penalties(chosen),
        generator_terms={"asked": Weight(1.0), "pairs": Weight(PAIRS), **chosen.generator_terms},
        spectral=chosen.spectral,
        critic_steps=chosen.critic_steps,
        optimizer=Optimizer(1e-3, (0.5, 0.9)),
        batch=min(BATCH, max(round(SHARE * rows), 1)),
        clip_weights=chosen.clip_weights,
        pack=chosen.pack,
        anneal=Curve(1.0, 0.2),
        average_half_life=Curve(20_000.0),
        precision="32-true",
        steps=steps or STEPS,
        privacy=privacy,
    )
    reasons = (
        f"{name}: {chosen.title}",
        f"critic of two layers of {CRITIC_WIDTH}, since the noise grows with its parameters",
        f"batch {recipe.batch}: of rows that are drawn each by itself; all {recipe.steps} steps are charged beforehand",
    )
    return recipe, reasons


def conditions(asking: Asking, shares: Tensor, layout: Layout) -> Callable[[int], Tensor]:
    """Draws what the generator is asked for: columns as real rows are asked for them, slots by their noisy shares.

    Args:
        asking: as real rows are asked.
        shares: (width,) of the slots.
        layout: of the row.
    """
    places = asking.places(layout)
    own = [shares[s.start : s.start + s.width].double() + 1e-9 for s in layout.softmaxes]

    def drawn(count: int) -> Tensor:
        """(count, softmaxes) int64, -1 where nothing is asked."""
        asked, _ = asking.columns(count, places)
        slots = [torch.multinomial(part, count, replacement=True) for part in own]
        return torch.where(asked, torch.stack(slots, 1), -1) if slots else torch.zeros(count, 0, dtype=torch.int64)

    return drawn
