"""What this machine is fit for: threads, memory, disk, processor, GPU, versions, extras, and what to do."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

import rivals

from .engine import store
from .engine.cost import bytes_free, container_limit, matmul_rate

State = Literal["ok", "note", "wrong"]
GB = 2**30
EXTRAS = {
    "arrow": ("pyarrow", "Parquet and Arrow tables"),
    "faces": ("resvg_py", "the built-in source faces"),
    "features": ("efficientnet_lite_pytorch", "an ImageNet feature space"),
    "video": ("av", "interpolations as MP4"),
    "mlflow": ("mlflow", "logging to MLflow"),
    "wandb": ("wandb", "logging to Weights & Biases"),
    "tensorboard": ("tensorboard", "looking at TensorBoard logs"),
}


@dataclass(frozen=True)
class Check:
    """One thing about the machine.

    Args:
        name: what was looked at.
        state: "ok"; "note" for what could be better; "wrong" for what will stop or spoil a run.
        words: what was found.
        change: what to do about it; empty where nothing is to be done.
    """

    name: str
    state: State
    words: str
    change: str = ""


def checks() -> list[Check]:
    """All that can be said of this machine, in about a second."""
    return [*versions(), *processor(), memory(), *disks(Path.cwd(), store.home(None)), *gpus(), *extras()]


def versions() -> Iterator[Check]:
    """Python, torch and Rivals, and whether they go together."""
    told = f"Rivals {rivals.__version__}, Python {platform.python_version()}, torch {torch.__version__}"
    wanted = next((text for text in requirements() if text.startswith("torch") and text[5:6] in "<>=~! ("), "")
    fits = within(torch.__version__, wanted)
    change = "" if fits else f"pip install '{wanted}'"
    yield Check("versions", "ok" if fits else "wrong", told if fits else f"{told}; Rivals needs {wanted}", change)


def requirements() -> list[str]:
    """What Rivals was installed with, as it is declared; none where it runs from a bare folder."""
    try:
        return [text.split(";")[0].strip() for text in importlib.metadata.requires("rivals") or []]
    except importlib.metadata.PackageNotFoundError:
        return []


def within(version: str, requirement: str) -> bool:
    """Whether a version fits a requirement such as "torch<2.14,>=2.6"; anything fits an empty one.

    >>> within("2.13.0+cpu", "torch<2.14,>=2.6"), within("2.5.1", "torch<2.14,>=2.6")
    (True, False)
    """
    from packaging.requirements import Requirement

    return not requirement or Requirement(requirement).specifier.contains(version, prereleases=True)


def cores() -> int:
    """The cores that this process may use: what its affinity and its container leave of the machine's."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(min(allowed, round(int(quota) / int(period))), 1)
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return allowed


def processor(environment: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Threads, load, and what the processor can do."""
    usable, threads = cores(), torch.get_num_threads()
    asked = environment.get("OMP_NUM_THREADS")
    told = f"{usable} cores to use, {threads} threads" + (f" (OMP_NUM_THREADS={asked})" if asked else "")
    if threads > usable:
        change = f"export OMP_NUM_THREADS={usable}: more threads than cores wait for each other"
        yield Check("threads", "wrong" if threads > 2 * usable else "note", told, change)
    elif threads < usable:
        change = "unset OMP_NUM_THREADS for one long run; keep it for several runs side by side"
        yield Check("threads", "note", told, change if asked else f"export OMP_NUM_THREADS={usable}")
    else:
        yield Check("threads", "ok", told)
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        busy = load > usable + 1
        change = "wait for other work to end, or expect training to take longer than is said" if busy else ""
        yield Check("load", "note" if busy else "ok", f"{load:.1f} processes at work in the last minute", change)
    yield speed()


def speed() -> Check:
    """How fast the processor multiplies, in both precisions."""
    kind = torch.backends.cpu.get_cpu_capability()
    single, half = matmul_rate(torch.device("cpu")) / 1e9, bf16_rate() / 1e9
    told = f"{kind}: {single:.0f} GFLOP/s in float32, {half:.0f} in bfloat16"
    if kind == "DEFAULT":
        return Check(
            "processor", "note", told, "no vector instructions (AVX2): expect training to be many times slower"
        )
    return Check("processor", "ok", told)


def bf16_rate() -> float:
    """Operations a second of a bfloat16 product of 512 x 512 matrices."""
    a = torch.rand(512, 512).bfloat16()
    best = float("inf")
    for _ in range(8):
        began = time.perf_counter()
        (a @ a).sum().item()
        best = min(best, time.perf_counter() - began)
    return 2 * 512**3 / best


def memory() -> Check:
    """Memory that is free now."""
    free = bytes_free(torch.device("cpu"))
    if free is None:
        return Check("memory", "note", "how much memory is free can't be told here")
    limit = " (the container's limit)" if container_limit() == [free] else ""
    told = f"{free / GB:.1f} GB free{limit}"
    if free < 0.5 * GB:
        return Check("memory", "wrong", told, "end other programs: even small networks take about 0.5 GB")
    if free < 2 * GB:
        return Check("memory", "note", told, "enough for small pictures; for larger ones --set micro_batch=8")
    return Check("memory", "ok", told)


def disks(here: Path, cache: Path) -> Iterator[Check]:
    """Room for runs and for decoded pictures, and whether both can be written."""
    for name, folder in (("disk", here), ("cache", cache)):
        place = next(part for part in (folder, *folder.parents) if part.exists())
        other = "cd to another disk, or give --out" if name == "disk" else "set RIVALS_CACHE to another folder"
        if not os.access(place, os.W_OK):
            yield Check(name, "wrong", f"{folder} can't be written to", other)
            continue
        free = shutil.disk_usage(place).free
        told = f"{free / GB:.1f} GB free in {folder}"
        if free < 0.5 * GB:
            yield Check(name, "wrong", told, f"make room, or {other}")
        else:
            note = free < 5 * GB
            yield Check(name, "note" if note else "ok", told, f"large sets need more: {other}" if note else "")


def gpus() -> Iterator[Check]:
    """The GPU, if any, and whether this torch can use it."""
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            told = f"{torch.cuda.get_device_name(number)}, {free / GB:.1f} of {total / GB:.1f} GB free"
            busy = free < total / 4
            change = "other programs hold most of its memory: see nvidia-smi" if busy else ""
            yield Check("gpu", "note" if busy else "ok", told, change)
    elif torch.backends.mps.is_available():
        yield Check("gpu", "ok", "Apple's, by --device mps")
    elif shutil.which("nvidia-smi") and torch.version.cuda is None:
        yield Check(
            "gpu",
            "wrong",
            "there is one, but this torch is built without CUDA",
            "pip install torch, with CUDA: see pytorch.org",
        )
    elif shutil.which("nvidia-smi"):
        yield Check("gpu", "wrong", "torch can't reach it", "see whether nvidia-smi works; update the driver")
    else:
        yield Check("gpu", "ok", "none: training runs on the processor")


def extras() -> Iterator[Check]:
    """Which optional parts are there."""
    there = [name for name, (module, _) in EXTRAS.items() if importlib.util.find_spec(module)]
    missing = [f"{name} ({what})" for name, (_, what) in EXTRAS.items() if name not in there]
    told = f"with {', '.join(there) or 'none'}" + (f"; without {', '.join(missing)}" if missing else "")
    yield Check("extras", "ok", told, "pip install 'rivals[NAME]' for one that you need" if missing else "")
