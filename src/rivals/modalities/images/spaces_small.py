"""Two small feature spaces that are always there: the digits classifier and filters that nobody trained."""

from functools import partial
from importlib.resources import files

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .measures import layers_of
from .spaces import Extractor, digest, in_batches, resized

RANDOM_SEED = 20200225  # of the space "random"; another seed is another space


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


def digits() -> Extractor:
    """The space of the built-in digits: 64 features of a classifier that has seen none of the 5,000 built-in ones.

    It was trained on the other 55,000 training digits of MNIST. It knows digits and nothing else: a distance between
    pictures of something else is a number without a meaning.
    """
    network = DigitsNet()
    weights = files("rivals.modalities.images").joinpath("digits.safetensors").read_bytes()
    network.load_state_dict(safetensors.torch.load(weights))
    prepare = partial(resized, size=28, colour=False)
    return Extractor(
        name="digits-cnn64",
        digest=digest(network),
        dimensions=64,
        embed=in_batches(network, network.features, prepare, batch=512),
        classify=in_batches(network, network, prepare, batch=512),
        classes=tuple("0123456789"),
        resizer="28x28 grey: alpha over white, mean of RGB, bilinear with antialiasing (torch)",
        head=network.head,
        layers=layers_of(network, [f"features.{number}" for number in (1, 4, 6, 9)], prepare),  # rectified
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
        digest=digest(network),
        dimensions=2 * sum(RandomNet.widths),
        embed=in_batches(network, network, partial(resized, size=64, colour=True), batch=128),
        classify=None,
        classes=(),
        resizer="64x64 RGB: alpha over white, grey repeated, bilinear with antialiasing (torch)",
        quick=1_000,
        full=5_000,
    )


def _he_uniform(bits: np.random.PCG64, wide: int, narrow: int) -> nn.Parameter:
    """Filters (wide, narrow, 3, 3), uniform with variance 2 / fan-in; only exact or correctly rounded operations."""
    fan_in = narrow * 9
    unit = (bits.random_raw(wide * fan_in) >> 11) * 2.0**-53  # in [0, 1), exactly
    values = ((2 * unit - 1) * np.sqrt(6 / fan_in)).astype(np.float32).reshape(wide, narrow, 3, 3)
    return nn.Parameter(torch.from_numpy(values), requires_grad=False)
