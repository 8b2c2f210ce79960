"""CycleGAN's `CycleGANModel` with its own networks, narrow, as its authors keep it beside CUT."""

import importlib
import sys
from argparse import Namespace

import torch
from torch import Tensor, nn

from peers.common import Comparison, dense, pictures, played, stand_in
from peers.fetch import PLACE
from rivals.engine.game import Duel
from rivals.engine.losses import least_squares
from rivals.engine.terms import Term, adversarial
from rivals.engine.types import Batch, Verdict
from rivals.modalities.images.edits.cycle import Cycle, Pair, cycle, identity_both

BATCH, SIDE, LR, BETAS = 4, 64, 2e-4, (0.5, 0.999)
OPTIONS = Namespace(
    gpu_ids=[],
    isTrain=True,
    checkpoints_dir="",
    name="",
    preprocess="",
    direction="AtoB",
    amp=False,
    input_nc=3,
    output_nc=3,
    netG="resnet_6blocks",
    ngf=16,
    normG="instance",
    no_dropout=True,
    no_antialias=True,
    no_antialias_up=True,
    netD="basic",
    ndf=16,
    n_layers_D=3,
    normD="instance",
    init_type="normal",
    init_gain=0.02,
    gan_mode="lsgan",
    lambda_A=10.0,
    lambda_B=10.0,
    lambda_identity=0.5,
    pool_size=50,
    lr=LR,
    beta1=BETAS[0],
)
NOTE = "the peer shows its critics fakes of up to 50 steps ago, which costs it a copy; ours sees the newest"


class BothWays(nn.Module):
    """A peer's two generators as one."""

    def __init__(self, there: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.there, self.back = there, back

    def forward(self, z: Tensor, cond: Tensor) -> Cycle:
        """Pictures of both kinds, side by side in channels -> those made of them."""
        del z
        first, second = cond.chunk(2, 1)
        return Cycle(Pair(self.there(first), self.back(second)), Pair(second, first), self.there, self.back)


class BothCritics(nn.Module):
    """A peer's two critics as one."""

    def __init__(self, there: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.there, self.back = there, back

    def forward(self, sample: Pair, cond: Tensor | None = None) -> Verdict:
        """A pair of pictures -> logits of both."""
        del cond
        return Verdict((self.there(sample.there), self.back(sample.back)))


def compare() -> Comparison:
    """Both directions at once, 64x64."""
    sys.path.append(str(PLACE / "cut"))
    stand_in("torchvision")
    made = importlib.import_module("models.cycle_gan_model").CycleGANModel
    torch.manual_seed(0)
    model, own = made(OPTIONS), made(OPTIONS)
    first, second = pictures(BATCH, 3, SIDE), pictures(BATCH, 3, SIDE)
    second = [x.flip(0) for x in second]
    given = [{"A": a, "B": b, "A_paths": "", "B_paths": ""} for a, b in zip(first, second, strict=True)]

    def theirs(steps: int) -> None:
        for step in range(steps):
            model.set_input(given[step % len(given)])
            model.optimize_parameters()

    critic_half, generator_half = adversarial(least_squares)
    game = Duel(
        dense(BothWays(own.netG_A, own.netG_B)),
        dense(BothCritics(own.netD_A, own.netD_B)),
        latent=0,
        show=lambda raw: raw.picture,
        generator_terms={
            "adversarial": Term(generator_half, 4.0),
            "cycle": Term(cycle, 10.0),
            "identity_both": Term(identity_both, 5.0),
        },
        critic_terms={"adversarial": Term(critic_half, 2.0)},
        joined=True,
    )
    batches = [Batch(Pair(b, a), torch.cat([a, b], 1)) for a, b in zip(first, second, strict=True)]
    ours = played(game, batches, lr=LR, betas=BETAS)
    return Comparison("CycleGANModel, from CUT's repository", theirs, {"rivals": ours}, BATCH, NOTE)
