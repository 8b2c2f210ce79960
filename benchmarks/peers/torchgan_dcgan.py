"""torchgan's DCGAN at 32x32, trained by the `train_ops` of its own losses."""

import sys
from typing import Any

import torch

from peers.common import Comparison, Judging, pictures, player, stand_in
from peers.fetch import PLACE
from rivals.engine.losses import logistic

BATCH, LATENT, LR, BETAS = 64, 100, 2e-4, (0.5, 0.999)


def compare(width: int) -> Comparison:
    """Its networks with `step_channels=width`, its minimax losses, Adam."""
    sys.path.append(str(PLACE))
    for name in ("torchvision", "torchvision.models", "torchvision.utils"):
        stand_in(name)
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator, DCGANGenerator

    def networks() -> tuple[Any, Any]:
        generator = DCGANGenerator(LATENT, out_size=32, out_channels=3, step_channels=width)
        return generator, DCGANDiscriminator(in_size=32, in_channels=3, step_channels=width)

    data = pictures(BATCH, 3, 32)
    generator, critic = networks()
    adams = [torch.optim.Adam(side.parameters(), LR, betas=BETAS) for side in (generator, critic)]
    losses = MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()
    device = torch.device("cpu")

    def theirs(steps: int) -> None:
        for step in range(steps):
            losses[0].train_ops(generator, critic, adams[0], device, BATCH)
            losses[1].train_ops(generator, critic, adams[1], data[step % len(data)], device)

    generator_2, critic_2 = networks()
    ours = player(generator_2, Judging(critic_2), data, latent=LATENT, loss=logistic, lr=LR, betas=BETAS)
    return Comparison(f"torchgan DCGAN-32 width {width}", theirs, {"rivals": ours}, BATCH)
