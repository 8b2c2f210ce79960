"""Telling networks what is asked for."""

from typing import Literal

import torch
from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.types import Verdict

Condition = Literal["none", "concat", "projection", "auxiliary"]
CONDITIONS = ("none", "concat", "projection", "auxiliary")


class LabelledNoise(nn.Module):
    """(z, labels) -> z with the label's learned vector beside it; z alone when there are no classes.

    Args:
        classes: how many classes there are; 0 for none.
        width: width of a label's vector.
    """

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(classes, width) if classes else None
        self.width = width if classes else 0

    def forward(self, z: Tensor, cond: Tensor | None) -> Tensor:
        """(batch, latent), (batch,) int64 -> (batch, latent + width)."""
        if self.embed is None:
            return z
        return torch.cat([z, self.embed(labels(cond, self.embed.num_embeddings))], 1)


class Planes(nn.Module):
    """Labels as one more channel of a sample, a learned plane for each (Mirza and Osindero, 2014, for maps).

    Args:
        classes: how many classes there are.
        shape: the sample's shape without its channels, such as (height, width).
    """

    def __init__(self, classes: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(classes, torch.Size(shape).numel())

    def forward(self, sample: Tensor, cond: Tensor | None) -> Tensor:
        """(batch, channels, *shape), (batch,) int64 -> (batch, channels + 1, *shape)."""
        plane = self.embed(labels(cond, self.embed.num_embeddings)).view(-1, 1, *self.shape)
        return torch.cat([sample, plane.to(sample.dtype)], 1)


class Head(nn.Module):
    """The end of a critic: feature vectors to a verdict.

    Args:
        width: of the feature vectors.
        classes: how many classes there are; 0 for none.
        condition: "projection" adds the product of features and label vector to the logit (Miyato and Koyama, 2018);
            "auxiliary" gives class logits beside it (Odena et al., 2017); "none" and "concat" leave the head alone.
    """

    def __init__(self, width: int, classes: int = 0, condition: str = "none") -> None:
        super().__init__()
        if condition not in CONDITIONS:
            raise RequestError(f"no condition {condition!r}: there are {', '.join(CONDITIONS)}")
        self.logit = nn.Linear(width, 1)
        self.project = nn.Embedding(classes, width) if classes and condition == "projection" else None
        self.classify = nn.Linear(width, classes) if classes and condition == "auxiliary" else None
        if self.project is not None:
            nn.init.normal_(self.project.weight, std=width**-0.5)

    def forward(self, features: Tensor, cond: Tensor | None) -> Verdict:
        """(batch, width), (batch,) int64 -> logits (batch, 1), features, class logits (batch, classes) if any."""
        logits = self.logit(features)
        if self.project is not None:
            asked = self.project(labels(cond, self.project.num_embeddings))
            logits = logits + (asked * features).sum(1, keepdim=True)
        return Verdict((logits,), (features,), None if self.classify is None else self.classify(features))


def labels(cond: Tensor | None, classes: int) -> Tensor:
    """The labels, or an error that says that they are missing."""
    if cond is None:
        raise RequestError(f"this network was built for {classes} classes and needs a label for each sample")
    return cond
