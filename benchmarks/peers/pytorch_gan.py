"""PyTorch-GAN's scripts `gan.py` and `dcgan.py`, their very statements run on data in memory.

Left out are only: torchvision, the download, writing pictures, and printing (what is printed is still computed).
"""

import ast
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from peers.common import Comparison, Judging, Play, pictures, player
from peers.fetch import PLACE
from rivals.engine.losses import logistic

OUT = ("torchvision", "makedirs", "DataLoader(")


def load(script: Path, data: list[Tensor]) -> tuple[dict[str, Any], Play]:
    """The script's names after all it does before training, and its training loop."""
    tree = ast.parse(script.read_text())
    before = [
        part for part in tree.body if not isinstance(part, ast.For) and not any(w in ast.unparse(part) for w in OUT)
    ]
    loop = [part for part in tree.body if isinstance(part, ast.For)]
    names: dict[str, Any] = {"print": lambda *_: None, "save_image": lambda *_, **__: None, "__name__": "__main__"}
    with patch.object(sys, "argv", [script.name]):
        exec(compile(ast.Module(before, []), script.name, "exec"), names)
    names["opt"].n_epochs = 1
    code = compile(ast.Module(loop, []), script.name, "exec")
    labels = torch.zeros(len(data[0]), dtype=torch.long)

    def play(steps: int) -> None:
        names["dataloader"] = [(data[i % len(data)], labels) for i in range(steps)]
        exec(code, names)

    return names, play


def perceptron_logits(critic: nn.Module, x: Tensor) -> Tensor:
    """`gan.py`'s critic without its sigmoid."""
    layers: Any = critic.get_submodule("model")
    return layers[:-1](x.flatten(1))


def convolution_logits(critic: nn.Module, x: Tensor) -> Tensor:
    """`dcgan.py`'s critic without its sigmoid."""
    head: Any = critic.get_submodule("adv_layer")
    return head[0](critic.get_submodule("model")(x).flatten(1))


def compare(name: str) -> Comparison:
    """`gan` or `dcgan`, in its script's default settings."""
    script = PLACE / "pytorch-gan" / "implementations" / name / f"{name}.py"
    options = load(script, [torch.zeros(1)])[0]["opt"]
    data = pictures(options.batch_size, options.channels, options.img_size)
    _, theirs = load(script, data)
    own, _ = load(script, data)
    logits = perceptron_logits if name == "gan" else convolution_logits
    ours = player(
        own["generator"],
        Judging(own["discriminator"], logits),
        data,
        latent=options.latent_dim,
        loss=logistic,
        lr=options.lr,
        betas=(options.b1, options.b2),
    )
    return Comparison(f"PyTorch-GAN {name}.py", theirs, {"rivals": ours}, options.batch_size)
