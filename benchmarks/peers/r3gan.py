"""R3GAN's own networks, small, trained by its own `AdversarialTraining` in the order of its `training_loop.py`."""

import sys
from copy import deepcopy
from typing import Any

import torch
from packaging.version import parse
from torch import nn

from peers.common import Comparison, Judging, pictures, player, stand_in
from peers.fetch import PLACE
from rivals.engine.losses import relativistic
from rivals.engine.terms import Term, r1, r2

BATCH, LATENT, LR, BETAS, GAMMA = 32, 64, 2e-4, (0.0, 0.9), 0.05
WIDTHS = (256, 128, 64, 32)


def compare() -> Comparison:
    """Both penalties in every step, and ours with them in every fourth."""
    sys.path.append(str(PLACE / "r3gan"))
    stand_in("pkg_resources", parse_version=parse)
    stand_in("requests")
    stand_in("distutils")
    stand_in("distutils.util", strtobool=bool)
    from R3GAN.Networks import Discriminator, Generator
    from R3GAN.Trainer import AdversarialTraining

    def networks() -> tuple[Any, Any]:
        stages = {
            "WidthPerStage": list(WIDTHS),
            "CardinalityPerStage": [width // 16 for width in WIDTHS],
            "BlocksPerStage": [1] * len(WIDTHS),
            "ExpansionFactor": 2,
        }
        mirrored = {key: value[::-1] if isinstance(value, list) else value for key, value in stages.items()}
        return Generator(LATENT, **stages), Discriminator(**mirrored)

    data = pictures(BATCH, 3, 32)
    generator, critic = networks()
    average = deepcopy(generator).eval().requires_grad_(False)
    adams = {side: torch.optim.Adam(side.parameters(), LR, betas=BETAS) for side in (critic, generator)}
    trainer = AdversarialTraining(generator, critic)

    def turn(side: nn.Module, accumulate: Any) -> None:
        adams[side].zero_grad(set_to_none=True)
        side.requires_grad_(True)
        accumulate()
        side.requires_grad_(False)
        adams[side].step()

    def theirs(steps: int) -> None:
        for step in range(steps):
            real = data[step % len(data)]
            for_critic, for_generator = torch.randn(BATCH, LATENT), torch.randn(BATCH, LATENT)
            turn(critic, lambda z=for_critic, x=real: trainer.AccumulateDiscriminatorGradients(z, x, None, GAMMA))
            turn(generator, lambda z=for_generator, x=real: trainer.AccumulateGeneratorGradients(z, x, None))
            with torch.no_grad():
                for kept, current in zip(average.parameters(), generator.parameters(), strict=True):
                    kept.copy_(current.lerp(kept, 0.999))

    def ours(every: int) -> Any:
        own_generator, own_critic = networks()
        return player(
            own_generator,
            Judging(own_critic),
            data,
            latent=LATENT,
            loss=relativistic,
            penalties={"r1": Term(r1, GAMMA, every), "r2": Term(r2, GAMMA, every)},
            lr=LR,
            betas=BETAS,
            channels_last=False,
        )

    generator.requires_grad_(False)
    critic.requires_grad_(False)
    ways = {"rivals": ours(1), "rivals, penalties every 4th step": ours(4)}
    return Comparison("R3GAN", theirs, ways, BATCH)
