"""The networks for edited pictures by name, and the terms that only they have."""

from collections.abc import Callable, Mapping

from torch import nn

from rivals.engine.terms import Measure

from .critics import PatchCritic, ScalesCritic, UNetCritic
from .cycle import TERMS as CYCLE
from .cycle import CycleCritic, CycleGenerator
from .edsr import EDSR
from .folded import FoldedEditor
from .fourier import FourierEditor
from .perceptual import perceptual
from .terms import TERMS as EDITING
from .terms_style import TERMS as STYLE
from .translate import ResnetEditor, UNet
from .upscale import RRDB, Compact

GENERATORS: Mapping[str, Callable[..., nn.Module]] = {
    "compact": Compact,
    "cycle": CycleGenerator,
    "edsr": EDSR,
    "folded": FoldedEditor,
    "fourier": FourierEditor,
    "resnet": ResnetEditor,
    "rrdb": RRDB,
    "unet": UNet,
}

CRITICS: Mapping[str, Callable[..., nn.Module]] = {
    "cycle": CycleCritic,
    "patch": PatchCritic,
    "scales": ScalesCritic,
    "unet": UNetCritic,
}

TERMS: Mapping[str, Measure | type[nn.Module]] = {**EDITING, **CYCLE, **STYLE, "perceptual": perceptual}
