"""torch.compile where it can be had: the generator, and a critic that no penalty is taken through."""

import torch
from torch import nn

from .game import Duel
from .types import Batch

GRADIENT_TERMS = ("r1", "r2", "gradient_penalty", "dragan")  # torch.compile has no second derivatives


def compile_parts(game: Duel, batch: Batch) -> str:
    """Compile what can be, try it on a batch, and take it back where it fails.

    No CUDA graphs: the critic's penalties, the shapes of a last verdict's batches and the running average's copies are
    outside what a graph may hold, and the rounds that are left are too short to gain by a graph of the generator alone.

    Returns:
        What was done, in words.
    """
    parts = {"generator": game.generator}
    if not set(GRADIENT_TERMS) & set(game.critic_terms):
        parts["critic"] = game.critic
    for module in parts.values():
        module.compile()
    state = torch.random.get_rng_state()
    try:
        trial(game, batch)
    except Exception as error:  # whatever a compiler raises, training goes on without it
        for module in parts.values():
            undo(module)
        return f"torch.compile failed, so nothing is compiled: {' '.join(str(error).split())[:160]}"
    finally:
        torch.random.set_rng_state(state)
        game.zero_grad(set_to_none=True)
    return f"compiled: {' and '.join(parts)}"


def trial(game: Duel, batch: Batch) -> None:
    """A forward and backward pass of both sides' losses; buffers are put back as they were."""
    kept = {name: part.clone() for name, part in game.named_buffers()}
    try:
        played = game.play(batch)
        for losses in (game.critic_loss(played, 0, 0.0), game.generator_loss(played, 0, 0.0)):
            if losses:
                torch.stack(list(losses.values())).sum().backward()
    finally:
        with torch.no_grad():
            for name, part in game.named_buffers():
                part.copy_(kept[name])


def undo(module: nn.Module) -> None:
    """Run a module as it is written again."""
    module._compiled_call_impl = None
