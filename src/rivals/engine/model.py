"""Saved models: a folder of plain JSON and safetensors. Loading one runs no code from the file."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

import rivals

from .build import build_network
from .errors import RequestError
from .files import write_whole
from .modality import Modality
from .parallel import seed_torch
from .recipe import Use, from_plain
from .types import Sample, each

FORMAT = 1
Made = TypeVar("Made")


@dataclass(frozen=True)
class Model:
    """A trained generator and what it takes to use it."""

    network: nn.Module
    modality: Modality
    name: str  # of the modality
    generator: Use
    latent: int
    about: Mapping[str, Any]  # where it comes from: method, steps, source, scores

    def sample(self, count: int, *, seed: int = 0, wish: str | None = None) -> Sample:
        """Draw `count` samples, (count, ...); the same seed and count give the same samples.

        Samples are drawn in batches of 250, each from a seed of its own: only whole batches are the same for another
        count.
        """
        parts = list(self.stream(count, seed=seed, wish=wish))
        return each(lambda *tensors: torch.cat(tensors), parts[0], *parts[1:])

    def stream(self, count: int, *, seed: int = 0, wish: str | None = None, batch: int = 250) -> Iterator[Sample]:
        """Draw `count` samples in batches: memory stays flat however many."""
        if count < 1:
            raise RequestError(f"at least one sample can be drawn, not {count}")
        for number, start in enumerate(range(0, count, batch)):
            yield self.one_batch(min(batch, count - start), seed=seed + 1_000_003 * number, wish=wish)

    def one_batch(self, count: int, *, seed: int, wish: str | None = None) -> Sample:
        """One batch of samples from a seed of its own, which covers draws inside the network and `show` too."""
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            cond = self.modality.condition(wish, count)
            z = torch.randn(count, self.latent)
        return self.from_noise(z, cond, seed=seed + 1)

    def from_noise(self, z: Tensor, cond: Tensor | None = None, *, seed: int = 0) -> Sample:
        """What the generator makes of noise (count, latent) and conditions, on the CPU; `seed` is of what it draws."""

        def shown(raw: Any) -> Sample:
            return each(lambda part: part.float().cpu(), self.modality.show(raw))

        return self.taken(z, cond, shown, seed=seed)

    @torch.inference_mode()
    def taken(self, z: Tensor, cond: Tensor | None, take: Callable[[Any], Made], *, seed: int = 0) -> Made:
        """What `take` makes of the generator's output; `seed` is of what either draws."""
        device = next(self.network.parameters()).device
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed, device)
            raw = self.network.eval()(z.to(device), None if cond is None else cond.to(device))
            return take(raw)

    def interpolate(self, frames: int, *, seed: int = 0, wish: str | None = None, stops: int = 5) -> Sample:
        """A walk of `frames` samples through `stops` points of noise and back to the first, of equal length each."""
        with torch.random.fork_rng(devices=[]):
            seed_torch(seed)
            points = torch.randn(stops, self.latent)
            cond = self.modality.condition(wish, stops)
        if cond is not None and wish is None:
            cond = cond[:1].expand(stops, *cond.shape[1:])  # a walk within one condition
        ways = torch.arange(frames) * stops / frames
        here = ways.long() % stops
        z = arc(points[here], points[(here + 1) % stops], (ways % 1)[:, None])
        return self.from_noise(z, None if cond is None else cond[here])

    def save(self, folder: Path) -> None:
        """Write `model.json` and `generator.safetensors`, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: part.contiguous().cpu() for name, part in self.network.state_dict().items()}
        card = {
            "format": FORMAT,
            "rivals": rivals.__version__,
            "modality": {"name": self.name, **asdict(self.modality)},  # type: ignore[call-overload]
            "generator": asdict(self.generator),
            "latent": self.latent,
            "about": dict(self.about),
        }
        write_whole(folder / "generator.safetensors", save(tensors))
        write_whole(folder / "model.json", json.dumps(card, indent=2).encode())

    @classmethod
    def load(cls, folder: Path, find: Callable[[str], Any]) -> Self:
        """Read a saved model back, ready to sample; `find` gives a modality's class by its name.

        Raises:
            RequestError: no model there, one of another version, or a damaged one.
        """
        try:
            card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RequestError(f"there is no model in {folder}") from None
        except (OSError, ValueError) as error:
            raise RequestError(f"{folder / 'model.json'} is damaged: {error}") from None
        if not isinstance(card, dict) or card.get("format") != FORMAT:
            told = card.get("format") if isinstance(card, dict) else None
            raise RequestError(
                f"{folder} has model format {told}; this is Rivals {rivals.__version__}, which reads format {FORMAT}"
            )
        try:
            values = dict(card["modality"])
            name = values.pop("name")
            modality = from_plain(find(name), values, f"{folder}: modality")
            use = from_plain(Use, card["generator"], f"{folder}: generator")
            latent = from_plain(int, card["latent"], f"{folder}: latent")
        except (KeyError, TypeError) as error:
            raise RequestError(f"{folder / 'model.json'} is damaged: {error}") from None
        network = build_network(use, modality.generators, "generator", latent=latent, **modality.common())
        try:
            network.load_state_dict(load_file(folder / "generator.safetensors"))
        except (OSError, SafetensorError, RuntimeError) as error:
            first = str(error).splitlines()[0]
            raise RequestError(f"{folder / 'generator.safetensors'} is missing or damaged: {first}") from None
        return cls(network.eval().requires_grad_(False), modality, name, use, latent, card.get("about", {}))


def arc(start: Tensor, stop: Tensor, share: Tensor) -> Tensor:
    """Noise between two noises along the great circle, so that every frame has a likely length (White, 2016)."""
    cosine = torch.cosine_similarity(start, stop, dim=1).clamp(-1, 1)[:, None]
    angle = torch.arccos(cosine).clamp(1e-4, math.pi - 1e-4)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * stop) / torch.sin(angle)
