"""What a network costs, counted without running it: for plans, times and memory said before the first step."""

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .types import Sample, size


class Cost(NamedTuple):
    """Of one forward pass over one sample: parameters, floating-point operations, numbers kept for the way back."""

    parameters: int
    flops: float
    activations: float


def cost(network: nn.Module, *inputs: Sample) -> Cost:
    """Count a network's cost by running it on the "meta" device, where nothing is computed.

    Args:
        network: on the meta device.
        inputs: of a batch of two, on the meta device.
    """
    flops, numbers = 0.0, 0

    def count(module: nn.Module, _: Any, output: Any) -> None:
        nonlocal flops, numbers
        if not isinstance(output, Tensor):
            return
        numbers += output.numel()
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.ConvTranspose2d) and isinstance(weight, Tensor):
            flops += 2 * weight.numel() * output.numel() / output.shape[1] / (module.stride[0] * module.stride[1])
        elif isinstance(module, nn.Conv2d) and isinstance(weight, Tensor):
            flops += 2 * weight[0].numel() * output.numel()
        elif isinstance(module, nn.Linear):
            flops += 2 * module.in_features * output.numel()

    hooks = [part.register_forward_hook(count) for part in network.modules() if not list(part.children())]
    try:
        network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    half = size(inputs[0])
    return Cost(sum(p.numel() for p in network.parameters()), flops / half, numbers / half)


def round_flops(generator: Cost, critic: Cost, *, penalties: int, critic_steps: int) -> float:
    """Operations for one sample of a round: forward once, backward twice that, a penalty about four times that.

    `generator` and `critic` are what one forward pass costs; `penalties` counts the gradient penalties taken in a
    critic's turn, `critic_steps` the critic's turns in a round.
    """
    critic_turn = generator.flops + (6 + 4 * penalties) * critic.flops
    generator_turn = 3 * generator.flops + 3 * critic.flops
    return critic_steps * critic_turn + generator_turn


def bytes_needed(generator: Cost, critic: Cost, *, batch: int, penalties: int) -> int:
    """Memory of a training: weights, gradients, Adam's moments, the average, and one turn's activations."""
    weights = 4 * (5 * generator.parameters + 4 * critic.parameters)
    kept = 2 * generator.activations + (2 + 2 * penalties) * critic.activations
    return int(weights + 4 * batch * kept)


def bytes_free(device: torch.device) -> int | None:
    """Memory that is free on the device now; None where nothing tells."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    limits = []
    table = Path("/proc/meminfo")
    if table.exists():
        lines = dict(line.split(":", 1) for line in table.read_text().splitlines() if ":" in line)
        limits.append(int(lines["MemAvailable"].split()[0]) * 1024)
    elif "SC_AVPHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limits += container_limit()
    return min(limits) if limits else None


def container_limit() -> list[int]:
    """What a container leaves, where there is one."""
    group = Path("/sys/fs/cgroup")
    try:
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = int(stat["inactive_file"]) + int(stat["active_file"])  # given back when it is needed
        used = int((group / "memory.current").read_text()) - cached
        return [int((group / "memory.max").read_text()) - used]
    except (OSError, ValueError, KeyError):
        return []


def matmul_rate(device: torch.device) -> float:
    """Floating-point operations a second of a float32 product of 512 x 512 matrices, measured in about 50 ms."""
    a = torch.rand(512, 512, device=device)
    best = float("inf")
    for _ in range(8):
        began = time.perf_counter()
        (a @ a).sum().item()  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * 512**3 / best
