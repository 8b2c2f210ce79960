"""Checkpoints: all that changes in a training, written so that a kill at any moment loses little and breaks none.

A checkpoint is two files in `state/`: `step-N.safetensors`, and `step-N.json`, which holds the hash of the first and is
renamed into place last. The newest pair whose hash holds is the one that counts; the last two are kept.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch.optim import Optimizer

from .errors import RequestError
from .files import digest, write_whole
from .train import Training

FORMAT = 1
KEPT = 2


class Checkpoint(NamedTuple):
    """A checkpoint read back: tensors by name, plain values, and what was wrong with newer ones, in words."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]
    passed_over: tuple[str, ...]


def save_checkpoint(folder: Path, training: Training, extra: Mapping[str, Any]) -> None:
    """Write a checkpoint of `training` with some plain values of the run, and drop all but the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    content = save(training_tensors(training))
    stem = f"step-{training.step:09d}"
    values = {
        "format": FORMAT,
        "step": training.step,
        "seconds": training.seconds,
        "stream": training.stream,
        "groups": [[plain_group(group) for group in each.param_groups] for each in training.optimizers],
        "sha256": hashlib.sha256(content).hexdigest(),
        "extra": dict(extra),
    }
    write_whole(folder / f"{stem}.safetensors", content)
    values["own_sha256"] = own_digest(values)
    write_whole(folder / f"{stem}.json", json.dumps(values).encode())
    drop_old(folder)


def own_digest(values: Mapping[str, Any]) -> str:
    """The hash of a checkpoint's plain values."""
    others = {name: value for name, value in values.items() if name != "own_sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def plain_group(group: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's settings without its parameters."""
    return {name: value for name, value in group.items() if name != "params"}


def training_tensors(training: Training) -> dict[str, Tensor]:
    """All tensors of a training by name: the game, the running average, the optimizers' moments."""
    game: Any = training.game
    tensors = {f"game.{name}": part for name, part in game.state_dict().items()}
    tensors |= {f"average.{name}": part for name, part in training.average.state_dict().items()}
    for side, optimizer in enumerate(training.optimizers):
        for number, moments in optimizer.state_dict()["state"].items():
            for name, part in moments.items():
                tensors[f"optimizer.{side}.{number}.{name}"] = torch.as_tensor(part)
    return {name: part.detach().cpu().contiguous() for name, part in tensors.items()}


def drop_old(folder: Path) -> None:
    """Keep the last two checkpoints; drop older ones and what unfinished writes left."""
    kept = {path.stem for path in sorted(folder.glob("step-*.json"))[-KEPT:]}
    for path in [*folder.glob("step-*"), *folder.glob(".*.part")]:
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def drop_newer(folder: Path, step: int) -> None:
    """Drop checkpoints after `step`: those that turned out to be damaged, or lie on a way not taken."""
    for path in folder.glob("step-*"):
        if path.stem > f"step-{step:09d}":
            path.unlink(missing_ok=True)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint whose hash holds; None where there is none at all.

    Raises:
        RequestError: there are checkpoints, and every one is damaged or of another version.
    """
    passed_over: list[str] = []
    for manifest in sorted(folder.glob("step-*.json"), reverse=True):
        weights = manifest.with_suffix(".safetensors")
        try:
            values = json.loads(manifest.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise RequestError(f"{manifest} has checkpoint format {values['format']}; this Rivals reads {FORMAT}")
            if own_digest(values) != values["own_sha256"] or digest(weights) != values["sha256"]:
                raise ValueError("its hash does not hold")
            return Checkpoint(load_file(weights), values, tuple(passed_over))
        except RequestError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            passed_over.append(f"{weights.name} is damaged ({error}); the one before is used")
    if passed_over:
        raise RequestError(
            f"no checkpoint in {folder} can be read: {'; '.join(passed_over)}; start again in a new --out"
        )
    return None


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Put a training back to where the checkpoint was taken.

    Raises:
        RequestError: the checkpoint is of other networks.
    """
    tensors, values = checkpoint.tensors, checkpoint.values
    game: Any = training.game
    try:
        game.load_state_dict(under(tensors, "game."))
        training.average.load_state_dict(under(tensors, "average."))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise RequestError(f"the checkpoint does not fit this run's networks: {first}") from None
    for side, optimizer in enumerate(training.optimizers):
        restore_optimizer(optimizer, under(tensors, f"optimizer.{side}."), values["groups"][side])
    training.step, training.seconds, training.stream = values["step"], values["seconds"], values["stream"]


def restore_optimizer(optimizer: Optimizer, moments: Mapping[str, Tensor], groups: list[dict[str, Any]]) -> None:
    """Put an optimizer's moments and settings back."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, part in moments.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = part
    now = optimizer.state_dict()["param_groups"]
    kept = [
        {
            **group,
            **{k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()},
            "params": group["params"],
            "fused": group.get("fused"),
        }
        for group, saved in zip(now, groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": kept})
    for parameter, values in optimizer.state.items():
        for key, part in values.items():
            if part.shape == parameter.shape:  # a fused step walks weights and moments by memory: lay both out alike
                values[key] = torch.empty_like(parameter).copy_(part)


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): part for name, part in tensors.items() if name.startswith(prefix)}
