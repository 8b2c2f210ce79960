"""Devices and processes: a Fabric for this machine."""

import os
from typing import TYPE_CHECKING

import torch

from .errors import RequestError
from .recipe import PRECISIONS

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def launch(device: str, precision: str | None) -> "Fabric":
    """A Fabric for this machine: one device, or as many processes as torchrun started."""
    from lightning_fabric import Fabric

    if device not in ("auto", "cpu", "cuda", "mps"):
        raise RequestError(f"no device {device!r}: there are auto, cpu, cuda, mps")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise RequestError(f"there is no {device} device on this machine; leave --device out")
    kind = next((name for name in ("cuda", "mps") if there[name]), "cpu") if device == "auto" else device
    if kind == "cpu" and precision == "16-mixed":
        raise RequestError("precision 16-mixed needs a GPU: the CPU has no fast 16-bit floats; leave --precision out")
    if precision is not None and precision not in PRECISIONS:
        raise RequestError(f"no precision {precision!r}: there are {', '.join(PRECISIONS)}")
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=kind,
        devices=local,
        num_nodes=max(world // local, 1),
        strategy="ddp" if world > 1 else "auto",
        precision=precision or "32-true",  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric
