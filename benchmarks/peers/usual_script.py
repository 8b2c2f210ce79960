"""The multilayer perceptron GAN of countless tutorials, with their habits, on our networks of the same shape.

Ours to write, as it is nobody's: critic first, its fakes made with the generator's graph and detached; new fakes for
the generator, whose backward pass fills the critic's gradients too; sigmoid and BCE; both losses fetched every step.
"""

from itertools import pairwise

import torch
from torch import nn

from peers.common import Comparison, Judging, pictures, player
from rivals.engine.losses import logistic

BATCH, LATENT, LR, BETAS, SIDE = 128, 100, 2e-4, (0.5, 0.999), 28


def networks() -> tuple[nn.Module, nn.Module]:
    """100-256-512-1024-784 and 784-1024-512-256-1 (logit)."""
    widths = (LATENT, 256, 512, 1024, SIDE * SIDE)

    def layers(sizes: tuple[int, ...], slope: float = 0.2) -> list[nn.Module]:
        pairs = pairwise(sizes)
        return [part for a, b in pairs for part in (nn.Linear(a, b), nn.LeakyReLU(slope))][:-1]

    generator = nn.Sequential(*layers(widths), nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE)))
    return generator, nn.Sequential(nn.Flatten(), *layers((*widths[:0:-1], 1)))


def compare() -> Comparison:
    data = pictures(BATCH, 1, SIDE)
    generator, logits = networks()
    critic = nn.Sequential(logits, nn.Sigmoid())
    adam_g = torch.optim.Adam(generator.parameters(), LR, betas=BETAS)
    adam_d = torch.optim.Adam(critic.parameters(), LR, betas=BETAS)
    loss = nn.BCELoss()

    def theirs(steps: int) -> None:
        for step in range(steps):
            real = data[step % len(data)]
            ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
            adam_d.zero_grad()
            fake = generator(torch.randn(len(real), LATENT))
            loss_d = loss(critic(real), ones) + loss(critic(fake.detach()), zeros)
            loss_d.backward()
            adam_d.step()
            adam_g.zero_grad()
            loss_g = loss(critic(generator(torch.randn(len(real), LATENT))), ones)
            loss_g.backward()
            adam_g.step()
            loss_d.item(), loss_g.item()

    own_generator, own_critic = networks()
    ours = player(own_generator, Judging(own_critic), data, latent=LATENT, loss=logistic, lr=LR, betas=BETAS)
    return Comparison("the usual MLP GAN script", theirs, {"rivals": ours}, BATCH)
