"""Weights that training begins with: of a run, or of a file that programs for super-resolution know."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rivals.engine.build import build_network
from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.recipe import Use

from .modality import Edits
from .upscale import fold_of

PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".pkl")
PREFIXES = ("params_ema.", "params.", "module.")
OLDEST = {
    "model.0": "conv_first",
    "model.3": "conv_up1",
    "model.6": "conv_up2",
    "model.8": "conv_hr",
    "model.10": "conv_last",
}
OLDER = {"trunk_conv": "conv_body", "upconv1": "conv_up1", "upconv2": "conv_up2", "HRconv": "conv_hr"}
CONVERT = (
    'python -c "import sys, torch; from safetensors.torch import save_file; d = torch.load(sys.argv[1], '
    "map_location='cpu', weights_only=True); d = d.get('params_ema', d.get('params', d)); "
    'save_file({k: v.contiguous() for k, v in d.items()}, sys.argv[2])"'
)


@dataclass(frozen=True)
class Start:
    """A generator with its weights.

    Attributes:
        use: its network and options.
        weights: its state.
        edits: what it was trained for, if a run says so.
        seen, channels, scale: what it is given and makes.
    """

    use: Use
    weights: Mapping[str, Tensor]
    edits: Edits | None
    seen: int
    channels: int
    scale: int

    def check(self, edits: Edits, use: Use) -> None:
        """Refuse weights that don't fit what is asked of pictures now.

        Args:
            edits: what is asked.
            use: the generator of the recipe, which the weights are for.

        Raises:
            RequestError: another scale, other channels, or another network.
        """
        for name, ours, theirs in (
            ("scale", edits.scale, self.scale),
            ("channels of what is given", edits.seen, self.seen),
            ("channels of what is made", edits.channels, self.channels),
        ):
            if ours != theirs:
                raise RequestError(f"--start has weights for {theirs} as {name}, and {edits.task} here has {ours}")
        known = {"shape": (edits.channels, edits.crop, edits.crop), "seen": edits.seen, "scale": edits.scale}
        network = build_network(use, edits.generators, "generator", latent=0, **known)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines()[1:3]]
            raise RequestError(f"--start: the weights don't fit {use.name}: {' '.join(lines)}") from None


def start_of(place: str | Path, load: Callable[[Path], Model]) -> Start:
    """The weights in a run's or a model's folder, or in a .safetensors with ESRGAN's or Real-ESRGAN's names.

    Args:
        place: the folder or file.
        load: reads the model in a folder.

    Raises:
        RequestError: there are none, or they are of something else, or in a format that can hold programs.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        model = load(path)
        if not isinstance(model.modality, Edits):
            raise RequestError(f"--start {path} makes new samples and edits none: give a run of rivals train --task")
        edits = model.modality
        return Start(model.generator, model.network.state_dict(), edits, edits.seen, edits.channels, edits.scale)
    if path.suffix.lower() in PICKLES:
        raise RequestError(
            f"--start {path} is a pickle, which can run programs and isn't read; convert it once: {CONVERT} "
            f"{path} {path.with_suffix('.safetensors')}"
        )
    if not path.is_file() or path.suffix.lower() != ".safetensors":
        raise RequestError(f"--start {path} is no run's folder and no .safetensors file")
    try:
        weights = renamed(load_file(path))
    except (OSError, SafetensorError) as error:
        raise RequestError(f"--start {path} can't be read: {error}") from None
    found = rrdb_of(weights) or compact_of(weights)
    if found is None:
        some = ", ".join(list(weights)[:3])
        raise RequestError(f"--start {path} holds neither RRDB's nor the compact network's weights, but {some} ...")
    if not all(value.isfinite().all() for value in weights.values()):
        raise RequestError(f"--start {path} holds numbers that are infinite or none (NaN): it is damaged")
    return found


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under today's names: without what is before all of them, and from ESRGAN's two older ways."""
    for prefix in PREFIXES:
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        weights = own or weights
    if "model.0.weight" in weights:
        return {oldest(name): value for name, value in weights.items()}
    return {older(name): value for name, value in weights.items()}


def older(name: str) -> str:
    """A name of ESRGAN's published code in today's.

    >>> older("RRDB_trunk.3.RDB1.conv5.bias"), older("trunk_conv.weight")
    ('body.3.rdb1.conv5.bias', 'conv_body.weight')
    """
    name = re.sub(r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2.", name)
    part, dot, rest = name.partition(".")
    return f"{OLDER.get(part, part)}{dot}{rest}"


def oldest(name: str) -> str:
    """A name of ESRGAN's first code in today's, for networks that enlarge four times.

    >>> oldest("model.1.sub.3.RDB1.conv5.0.bias"), oldest("model.1.sub.23.weight"), oldest("model.3.weight")
    ('body.3.rdb1.conv5.bias', 'conv_body.weight', 'conv_up1.weight')
    """
    block = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(\w+)", name)
    if block:
        return "body.{}.rdb{}.conv{}.{}".format(*block.groups())
    part, _, kind = name.rpartition(".")
    return f"{'conv_body' if part.startswith('model.1.sub.') else OLDEST.get(part, part)}.{kind}"


def rrdb_of(weights: Mapping[str, Tensor]) -> Start | None:
    """A network of residual dense blocks, its sizes told by its weights; None where these are of something else."""
    convolutions = [weights.get(f"{name}.weight") for name in ("conv_first", "conv_last", "body.0.rdb1.conv1")]
    first, last, grown = (None if value is None or not convolves(value) else value for value in convolutions)
    if first is None or last is None or grown is None:
        return None
    channels, inputs = len(last), first.shape[1]
    fold = next((fold for fold in map(fold_of, (4, 2, 1)) if inputs == channels * fold**2), 0)
    if not fold:
        return None
    blocks = sum(re.fullmatch(r"body\.\d+\.rdb1\.conv1\.weight", name) is not None for name in weights)
    use = Use("rrdb", {"width": len(first), "blocks": blocks, "growth": len(grown)})
    return Start(use, weights, None, channels, channels, 4 // fold)


def compact_of(weights: Mapping[str, Tensor]) -> Start | None:
    """The compact network; None where the weights are of something else."""
    convolutions = [
        name for name, value in weights.items() if re.fullmatch(r"body\.\d{1,4}\.weight", name) and convolves(value)
    ]
    if "body.0.weight" not in convolutions or "body.1.weight" not in weights or len(convolutions) < 2:
        return None
    first, last = weights["body.0.weight"], weights[max(convolutions, key=lambda name: int(name.split(".")[1]))]
    channels = first.shape[1]
    scale = math.isqrt(len(last) // channels)
    if scale < 1 or len(last) != channels * scale**2:
        return None
    use = Use("compact", {"width": len(first), "depth": len(convolutions) - 2})
    return Start(use, weights, None, channels, channels, scale)


def convolves(value: Tensor) -> bool:
    """Whether this can be a convolution's weight, (made, given, height, width), none of them zero."""
    return value.ndim == 4 and value.numel() > 0
