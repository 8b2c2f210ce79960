"""BasicSR's `SRGANModel` with its own networks, narrow: what Real-ESRGAN is trained by, without the perceptual loss."""

import importlib
import logging
import sys
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

from torch import Tensor, nn

from peers.common import Comparison, Judging, dense, pictures, played, stand_in
from peers.fetch import PLACE
from rivals.engine.game import Duel
from rivals.engine.losses import logistic
from rivals.engine.terms import Term, adversarial, pixels
from rivals.engine.types import Batch

BATCH, CROP, SCALE, LR, BETAS = 4, 96, 4, 1e-4, (0.9, 0.99)
ADVERSARIAL = 0.1
NETWORKS: dict[str, dict[str, Any]] = {
    "SRVGGNetCompact": {"num_feat": 32, "num_conv": 8, "upscale": SCALE},
    "RRDBNet": {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 32, "num_block": 2, "num_grow_ch": 16, "scale": SCALE},
}
CRITIC = {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 16, "skip_connection": True}
NOTE = (
    "critic of spectral norm, whose power iteration runs once in our pass over real and fake, and twice in the "
    "peer's; no perceptual loss on either side"
)


class Editing(nn.Module):
    """A peer's generator as `(z, cond) -> raw`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Small pictures -> large ones."""
        del z
        return self.network(cond)


def package(name: str, path: Path, **holds: Any) -> ModuleType:
    """A package without what its own `__init__` does, which imports every part of the library and what those need."""
    module = ModuleType(name)
    module.__path__ = [str(path)]
    for key, value in holds.items():
        setattr(module, key, value)
    sys.modules[name] = module
    return module


def library() -> Any:
    """`SRGANModel`, its networks and losses registered."""
    root = PLACE / "basicsr" / "basicsr"
    stand_in("torchvision")
    stand_in("tqdm", tqdm=None)
    stand_in("distutils")
    stand_in("distutils.version", LooseVersion=None)
    unused = MagicMock()
    package("basicsr", root)
    package("basicsr.utils", root / "utils", get_root_logger=logging.getLogger, imwrite=None, tensor2img=None)
    package("basicsr.ops", root / "ops")
    package("basicsr.ops.dcn", root / "ops" / "dcn", ModulatedDeformConvPack=nn.Module, modulated_deform_conv=unused)
    package("basicsr.metrics", root / "metrics", calculate_metric=None)
    registry = importlib.import_module("basicsr.utils.registry")

    def build(known: Any) -> Any:
        def made(options: dict[str, Any]) -> nn.Module:
            options = deepcopy(options)
            return known.get(options.pop("type"))(**options)

        return made

    package("basicsr.archs", root / "archs", build_network=build(registry.ARCH_REGISTRY))
    package("basicsr.archs.vgg_arch", root / "archs", VGGFeatureExtractor=None)
    for name in ("srvgg", "rrdbnet", "discriminator"):
        importlib.import_module(f"basicsr.archs.{name}_arch")
    package("basicsr.losses", root / "losses", build_loss=build(registry.LOSS_REGISTRY))
    for name in ("basic", "gan"):
        importlib.import_module(f"basicsr.losses.{name}_loss")
    package("basicsr.models", root / "models", lr_scheduler=None)
    sys.modules["basicsr.models"].lr_scheduler = importlib.import_module("basicsr.models.lr_scheduler")  # type: ignore[attr-defined]
    return importlib.import_module("basicsr.models.srgan_model").SRGANModel


def options(name: str) -> dict[str, Any]:
    """As in the library's own files of options, where it trains Real-ESRGAN."""
    adam = {"type": "Adam", "lr": LR, "betas": list(BETAS)}
    return {
        "num_gpu": 0,
        "dist": False,
        "is_train": True,
        "path": {},
        "network_g": {"type": name, **NETWORKS[name]},
        "network_d": CRITIC,
        "train": {
            "ema_decay": 0.999,
            "optim_g": dict(adam),
            "optim_d": dict(adam),
            "scheduler": {"type": "MultiStepLR", "milestones": [400_000], "gamma": 0.5},
            "pixel_opt": {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"},
            "gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": ADVERSARIAL},
        },
    }


def compare(name: str) -> Comparison:
    """Super-resolution by 4 with one of the library's generators and its U-Net critic."""
    made = library()
    model, own = made(options(name)), made(options(name))
    large = pictures(BATCH, 3, CROP)
    pairs = [(x, nn.functional.interpolate(x, scale_factor=1 / SCALE, mode="area")) for x in large]
    taken = 0

    def theirs(steps: int) -> None:
        nonlocal taken
        for _ in range(steps):
            taken += 1
            good, small = pairs[taken % len(pairs)]
            model.update_learning_rate(taken, warmup_iter=-1)
            model.feed_data({"lq": small, "gt": good})
            model.optimize_parameters(taken)

    critic_half, generator_half = adversarial(logistic)
    game = Duel(
        Editing(dense(own.net_g)),
        dense(Judging(own.net_d)),
        latent=0,
        generator_terms={"adversarial": Term(generator_half, ADVERSARIAL), "pixels": Term(pixels)},
        critic_terms={"adversarial": Term(critic_half)},
        joined=True,
    )
    ours = played(game, [Batch(good, small) for good, small in pairs], lr=LR, betas=BETAS)
    return Comparison(f"BasicSR SRGANModel, {name}", theirs, {"rivals": ours}, BATCH, NOTE)
