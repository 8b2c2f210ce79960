"""Which recipe for which table: method, networks and batch, each with its reason."""

from collections.abc import Mapping
from typing import Any

from rivals.engine.method import Method, Optimizer
from rivals.engine.names import named
from rivals.engine.needs import Needs, needs_of
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Curve, Weight

from .asking import Asking, data_of
from .methods import ROWS, TABLE_METHODS
from .modality import Tables

LATENT = 128
BATCH = 250
TAU, SHARP = 0.5, 0.2
"""Temperature of the Gumbel-softmax; CTGAN's own is the second. At 0.5 the rows were harder to tell from real ones."""

GAMMA = 0.1
"""Of R1 and R2 on rows of scalars in [-1, 1] and one-hots, whose total variance is about the number of columns."""

ASKED = {
    "ctgan": Asking(nothing=0, several=0, balanced=True, modes=False),
    "ctab-gan-plus": Asking(nothing=0, several=0, balanced=True),
}
"""How the published methods of rows ask. All others: half of the rows for nothing, and rare values more often."""


def choose_recipe(
    tables: Tables, method: str, minutes: float | None, steps: int | None, *, own: Method | None = None
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a method for a table, and why it is what it is, in sentences.

    Args:
        tables: what the table is.
        method: a name in `TABLE_METHODS`, or of one's `own`.
        minutes: when to stop, by the clock.
        steps: when to stop, by rounds.
        own: a method of one's own, under the name `method`.

    Raises:
        RequestError: there is no such method.
    """
    chosen = own or named(method, TABLE_METHODS, "method")
    batch, published = chosen.batch or BATCH, method in ROWS
    generator = {
        "norm": "batch" if chosen.norm[0] == "none" else chosen.norm[0],
        "tau": SHARP if published else TAU,
        "given": not published,
    }
    recipe = Recipe(
        modality="tables",
        method=method,
        data=data_of(ASKED.get(method, Asking(balanced=True))),
        generator=Use("rows", generator),
        critic=Use("rows", critic_options(tables, chosen, published)),
        latent=LATENT,
        loss=chosen.loss,
        critic_terms=penalties(chosen),
        generator_terms={"asked": Weight(1.0), **chosen.generator_terms},
        spectral=chosen.spectral,
        critic_steps=chosen.critic_steps,
        optimizer=optimizer(chosen),
        critic_optimizer=chosen.critic_optimizer,
        batch=batch - batch % chosen.pack,
        clip_weights=chosen.clip_weights,
        pack=chosen.pack,
        anneal=chosen.anneal or Curve(1.0, 0.0, "cosine", begin=0.5),
        average_half_life=Curve(100.0 * batch),
        minutes=minutes,
        steps=steps,
    )
    width = tables.encoders.layout.width
    reasons = (
        f"{method}: {chosen.title}",
        f"{len(tables.encoders.all)} columns as rows of {width} numbers; perceptrons of two layers of 256",
        f"batch {recipe.batch}: " + ("as published" if chosen.batch else "small, for many updates in the time"),
    )
    return recipe, reasons


def critic_options(tables: Tables, method: Method, published: bool) -> dict[str, Any]:
    """What the critic is: with dropout where it sees packs, and told the last column where there is a term for it."""
    learned = {encoder.column for encoder in tables.encoders.all if encoder.parts()}
    last = [column.name for column in tables.columns if column.name in learned][-1:]
    target = {"target": last[0]} if last and "downstream" in method.generator_terms else {}
    return ({"dropout": 0.5} if method.pack > 1 else {}) | target | ({} if published else {"numbers": True})


def stable(method: Method) -> bool:
    """Whether R1 and R2 hold the critic."""
    return {"r1", "r2"} <= set(method.critic_terms)


def penalties(method: Method) -> Mapping[str, Weight]:
    """The method's terms for the critic, R1 and R2 in the measure of rows."""
    return {
        name: Weight(GAMMA, every=2) if name in ("r1", "r2") else weight for name, weight in method.critic_terms.items()
    }


def optimizer(method: Method) -> Optimizer:
    """As published, but faster where R1 and R2 keep the game of small perceptrons stable."""
    return Optimizer(1e-3, (0.0, 0.95)) if stable(method) else method.optimizer


def needs(recipe: Recipe, tables: Tables) -> Needs:
    """Parameters, operations and memory of a recipe, counted without running it."""
    return needs_of(recipe, tables, (tables.encoders.layout.width,), tables.condition(None, 2))
