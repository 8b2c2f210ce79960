"""The classifiers that the benchmark trains, and what it measures in their features.

    python benchmarks/judges.py          # trains those that are not there, writes results/judges.json

A judge learns from all 60,000 training pictures of MNIST or Fashion-MNIST and is tested on the 10,000 others, which
are also the held-out pictures that generators are compared with.
"""

import argparse
import json
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import sets
from common import RUNS, write_result
from rivals.engine.model import Model
from rivals.engine.types import leaves
from rivals.judging.compare import frechet_from, moments, total_variance
from rivals.modalities.images.features import DigitsNet
from train_digits_judge import folded, warp, with_norms

FOLDER = RUNS / "judges"
BATCH, PEAK_RATE, DECAY, PICTURE_WEIGHT = 256, 6e-3, 0.02, 1.0
EPOCHS = {"mnist": 6, "fashion": 6}
LEARNED = 60_000  # pictures
SAMPLES = 10_000


class Judge(NamedTuple):
    """A classifier and the features (10,000, 64) of held-out and of training pictures."""

    network: DigitsNet
    held_out: Tensor
    train: Tensor
    facts: dict

    def embed(self, pictures: Tensor) -> Tensor:
        """Features (n, 64) of grey pictures (n, 1, 32, 32) or (n, 1, 28, 28) in [-1, 1]."""
        return self._read(self.network.features, pictures)

    def classes(self, pictures: Tensor) -> Tensor:
        """Class numbers (n) of grey pictures in [-1, 1]."""
        return self._read(self.network, pictures).argmax(1)

    @staticmethod
    @torch.inference_mode()
    def _read(network: nn.Module, pictures: Tensor) -> Tensor:
        return torch.cat([network(part) for part in cropped(pictures).split(500)]).clone()


def cropped(pictures: Tensor) -> Tensor:
    """The middle 28x28 of pictures that were padded to 32x32."""
    edge = (pictures.shape[-1] - 28) // 2
    return pictures[..., edge : edge + 28, edge : edge + 28]


def as_pictures(pixels: np.ndarray) -> Tensor:
    """(n, h, w) uint8 -> (n, 1, h, w) float32 in [-1, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).unsqueeze(1)


def jitter(x: Tensor, rng: torch.Generator) -> Tensor:
    """Clothes, half of them mirrored, each scaled and shifted a little (n, 1, 28, 28)."""
    n = len(x)
    sides = torch.randint(0, 2, (n,), generator=rng) * 2.0 - 1
    scale = 1 + 0.16 * (torch.rand(n, generator=rng) - 0.5)
    shift = (torch.rand(2, n, generator=rng) * 2 - 1) * (2 / 14)  # up to 2 pixels
    zero = torch.zeros(n)
    rows = torch.stack([sides * scale, zero, shift[0], zero, scale, shift[1]], 1).view(n, 2, 3)
    return F.grid_sample(x + 1, F.affine_grid(rows, [n, 1, 28, 28], align_corners=False), align_corners=False) - 1


VARIED = {"mnist": warp, "fashion": jitter}


def learn(name: str, epochs: int) -> DigitsNet:
    """A judge that names pictures and redraws each at half size from its features, as the shipped one of digits."""
    pixels, numbers = sets.part(name, "train")
    pictures, labels = cropped(as_pictures(pixels[:LEARNED])), torch.from_numpy(numbers[:LEARNED].astype(np.int64))
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    net = with_norms(DigitsNet()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    redraw = nn.Linear(64, 196)
    optimizer = torch.optim.AdamW([*net.parameters(), *redraw.parameters()], lr=PEAK_RATE, weight_decay=DECAY)
    steps = epochs * (len(labels) // BATCH)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        order = torch.randperm(len(labels), generator=rng)
        for chosen in order[: len(order) // BATCH * BATCH].split(BATCH):
            x = VARIED[name](pictures[chosen], rng)
            with torch.autocast("cpu", torch.bfloat16):
                found = net.features(x.contiguous(memory_format=torch.channels_last))
                logits, drawn = net.head(found), redraw(found)
            error = F.mse_loss(drawn.float(), F.avg_pool2d(x, 2).flatten(1))
            loss = F.cross_entropy(logits.float(), labels[chosen]) + PICTURE_WEIGHT * error
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            plan.step()
        print(f"{name}: epoch {epoch + 1} of {epochs}, loss {loss:.4f}", flush=True)
    return folded(net)


def make(name: str, epochs: int) -> None:
    """Train a judge, test it, and keep its weights with the features of the real pictures and what it is worth."""
    began = time.monotonic()
    network = learn(name, epochs).requires_grad_(False)
    seconds = round(time.monotonic() - began)
    judge = Judge(network, torch.empty(0), torch.empty(0), {})
    (train, train_labels), (test, labels) = sets.part(name, "train"), sets.part(name, "t10k")
    right = judge.classes(as_pictures(test)) == torch.from_numpy(labels.astype(np.int64))
    rows = np.sort(np.random.default_rng(0).permutation(len(train_labels))[:SAMPLES])
    real = {"held_out": judge.embed(as_pictures(test)), "train": judge.embed(as_pictures(train[rows]))}
    facts = {
        "test_accuracy_percent": round(100 * float(right.double().mean()), 2),
        "data": sets.provenance(name),
        "network": "the small convolutional classifier of the feature space 'digits', 102,570 parameters",
        "input": "28x28 grey, the middle of 32x32",
        "features": "64, after the rectifier; what the linear layer of the 10 logits reads",
        "training": f"{LEARNED} pictures, {epochs} epochs, batch {BATCH}, AdamW, one cycle to {PEAK_RATE}, "
        f"decay {DECAY}, bf16, seed 0, {torch.get_num_threads()} threads, {seconds} s",
        "objective": f"cross-entropy + {PICTURE_WEIGHT:g} x squared error of redrawing the picture at 14x14",
        "augmentation": (VARIED[name].__doc__ or "").split("(n")[0].strip(" ."),
        "total_variance": round(total_variance(real["held_out"]), 3),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {**{f"network.{key}": value for key, value in network.state_dict().items()}, **real}
    aside = FOLDER / f"part-{os.getpid()}"
    contiguous = {key: value.contiguous() for key, value in tensors.items()}
    aside.write_bytes(safetensors.torch.save(contiguous, {"facts": json.dumps(facts)}))
    aside.rename(weights_of(name))


def weights_of(name: str) -> Path:
    return FOLDER / f"{name}.safetensors"


@lru_cache
def judge(name: str) -> Judge:
    """The judge of "mnist" or "fashion"; trained the first time, in two to four minutes."""
    if not weights_of(name).exists():
        make(name, EPOCHS[name])
    tensors = safetensors.torch.load_file(weights_of(name))
    with safetensors.safe_open(weights_of(name), "pt") as file:
        facts = json.loads(file.metadata()["facts"])
    network = DigitsNet()
    weights = {key.removeprefix("network."): value for key, value in tensors.items() if key.startswith("network.")}
    network.load_state_dict(weights)
    return Judge(network.eval().requires_grad_(False), tensors["held_out"], tensors["train"], facts)


def share(features: Tensor, held_out: Tensor) -> float:
    """The Fréchet distance in percent of the held-out features' total variance."""
    return 100 * frechet_from(*moments(features), *moments(held_out)) / total_variance(held_out)


def draw(model: Model, count: int, *, seed: int = 1) -> Tensor:
    """`count` samples in [-1, 1], of every class in turn where there are classes."""
    classes = len(model.modality.classes)  # type: ignore[attr-defined]
    noise = torch.randn(count, model.latent, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(count) % classes if classes else None
    parts = torch.arange(count).split(250)
    drawn = [model.from_noise(noise[rows], None if labels is None else labels[rows]) for rows in parts]
    return torch.cat([leaves(part)[0] for part in drawn]).clamp(-1, 1)


def score(model: Model, name: str) -> dict[str, float]:
    """How far samples are from the held-out pictures of "mnist" or "fashion", and whether they are what was asked for.

    Returns:
        `fd_share`: percent of the held-out variance; `agreement`: percent, where the model knows classes.
    """
    known = judge(name)
    samples = draw(model, SAMPLES)
    found = {"fd_share": share(known.embed(samples), known.held_out)}
    if model.modality.classes:  # type: ignore[attr-defined]
        found["agreement"] = 100 * float((known.classes(samples) == torch.arange(SAMPLES) % 10).double().mean())
    return {key: round(value, 3) for key, value in found.items()}


def protocol(name: str) -> dict:
    """What `score` means, with the floor: the same distance between real pictures."""
    known = judge(name)
    return {
        "distance": f"Frechet distance of {SAMPLES} samples to the 10,000 held-out pictures in the judge's features, "
        "in percent of their total variance",
        "floor": round(share(known.train, known.held_out), 3),
        "floor_of": "10,000 training pictures against the 10,000 held-out",
        "labels": "as many of each class",
        "weights": "running average, last state",
        "judge": known.facts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="of mnist, fashion")
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds; writes no result")
    given = parser.parse_args()
    names = given.names or list(EPOCHS)
    if given.quick:
        use_quick()
    result = {name: protocol(name) for name in names}
    print(json.dumps(result, indent=1))
    if not given.quick:
        write_result("judges", result)


def use_quick() -> None:
    """For a smoke run: worse judges, apart from the real ones, and fewer samples."""
    global FOLDER, LEARNED, SAMPLES
    FOLDER, LEARNED, SAMPLES = RUNS / "judges-quick", 5_120, 1_000
    EPOCHS.update(dict.fromkeys(EPOCHS, 1))


if __name__ == "__main__":
    main()
