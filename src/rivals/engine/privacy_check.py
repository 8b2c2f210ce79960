"""What a private training can't have, and why; asked before anything is trained."""

import copy
from collections.abc import Mapping

import torch
from torch import nn

from .errors import RequestError
from .game import Duel, coupled_parts
from .losses import Loss, wasserstein
from .parallel import processes
from .recipe import Recipe
from .terms import dragan
from .types import Round, each

PROBE = 4  # fakes


def blind(loss: Loss) -> Loss:
    """The loss with a generator's half that never looks at real rows, which would reach it without noise.

    That of a relativistic loss compares each fake with a real row. Under privacy the generator minimises -D(G(z))
    instead: like a relativistic critic, it does not care for the zero point of the logits, which such a critic leaves
    free, and where fakes are far behind both have the same gradient.
    """
    return loss._replace(generator=wasserstein.generator, relativistic=False) if loss.relativistic else loss


def check_recipe(recipe: Recipe) -> None:
    """Refuse settings that would look at the data without being charged, or tie rows together.

    Raises:
        RequestError: one of them is set; says why and what to do.
    """
    refused: Mapping[str, object] = {
        "pack: a pack mixes several rows, and one row would weigh as many times; leave it at 1": recipe.pack > 1,
        "augment: its strength follows the critic's overfitting to real rows, and its operations take whole batches; "
        "leave it out": recipe.augment.operations,
        "loss relativistic_average: it compares with the mean of a batch, and a private gradient is that of one pair "
        "alone; take relativistic": recipe.loss == "relativistic_average",
        "until: it stops by scores on real rows, which are not charged; give --steps": recipe.until,
        "minutes: how much noise there must be follows from the number of steps; give --steps": recipe.minutes,
        "compile: torch.compile can't take gradients pair by pair; leave it out": recipe.compile,
        f"precision {recipe.precision}: a gradient's bound needs 32 bits; leave it out": recipe.precision != "32-true",
        "processes: a private training plays in one; leave --processes out": processes()[1] > 1,
    }
    for words, there in refused.items():
        if there:
            raise RequestError(f"private training has no {words}")


def check_game(game: Duel) -> None:
    """Refuse a critic or terms that tie rows together, remember them, or show them to the generator.

    Raises:
        RequestError: says which and why.
    """
    for part in coupled_parts(game.critic):
        raise RequestError(
            f"private training needs a critic that sees each row alone, and {type(part).__name__} ties a batch "
            "together: take a critic with another norm and without batch deviation"
        )
    for part in coupled_parts(game.generator):
        if getattr(part, "running_mean", None) is None:
            raise RequestError(
                f"private training needs fakes that follow from their own conditions alone, and the generator's "
                f"{type(part).__name__} ties a batch together without running statistics: take another generator"
            )
    for name, term in game.critic_terms.items():
        if isinstance(term.measure, nn.Module):
            raise RequestError(f"private training has no term {name!r}: it remembers real rows without noise")
        if term.measure is dragan:
            raise RequestError(f"private training has no term {name!r}: it needs the spread of a batch; take r1")


def check_generator_terms(game: Duel, cond: torch.Tensor | None) -> None:
    """Refuse terms of the generator's that read real rows: tried on fakes beside rows that are not numbers.

    No real row reaches the generator's turn whatever its terms are; this says so before training.

    Args:
        game: as built; a copy is asked.
        cond: conditions for `PROBE` fakes, if the game has any.

    Raises:
        RequestError: names the term.
    """
    game = copy.deepcopy(game)
    with torch.random.fork_rng(devices=[]):
        z = torch.randn(PROBE, game.latent)
        raw = game.generator(z, cond)
        fake = game.show(raw)
        nothing = each(lambda part: torch.full_like(part, float("nan") if part.is_floating_point() else 0), fake)
        for name, term in game.generator_terms.items():
            if not bool(torch.isfinite(term.measure(Round(game.judge, nothing, fake, cond, raw, z))).all()):
                raise RequestError(
                    f"private training has no term {name!r} for the generator: it reads real rows, which would reach "
                    "the generator without noise; leave it out"
                )
