"""The networks for pictures by name, and the terms that only pictures have."""

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from rivals.engine.terms import Measure

from .fast import FastCritic, FastGenerator
from .networks import (
    ConvCritic,
    ConvGenerator,
    PerceptronCritic,
    PerceptronGenerator,
    ResidualCritic,
    ResidualGenerator,
)
from .projected import ProjectedCritic
from .resnets import BigCritic, BigGenerator, ResnetCritic, ResnetGenerator
from .style import StyleCritic, StyleGenerator
from .terms import consistency
from .terms_style import PathLength, reconstruct

GENERATORS: Mapping[str, Callable[..., nn.Module]] = {
    "biggan": BigGenerator,
    "dcgan": ConvGenerator,
    "fastgan": FastGenerator,
    "mlp": PerceptronGenerator,
    "projected": FastGenerator,
    "r3gan": ResidualGenerator,
    "sagan": partial(ResnetGenerator, attention=True),
    "sngan": ResnetGenerator,
    "stylegan2": StyleGenerator,
}

CRITICS: Mapping[str, Callable[..., nn.Module]] = {
    "biggan": BigCritic,
    "dcgan": ConvCritic,
    "fastgan": FastCritic,
    "mlp": PerceptronCritic,
    "projected": ProjectedCritic,
    "r3gan": ResidualCritic,
    "sagan": partial(ResnetCritic, attention=True),
    "sngan": ResnetCritic,
    "stylegan2": StyleCritic,
}

TERMS: Mapping[str, Measure | type[nn.Module]] = {
    "consistency": consistency,
    "path_length": PathLength,
    "reconstruct": reconstruct,
}
