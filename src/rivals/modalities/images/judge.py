"""A first verdict on pictures: distance to held-out data, agreement with the asked class, nearest training pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rivals.engine.data import spread
from rivals.engine.model import Model
from rivals.engine.types import leaves
from rivals.judging.compare import frechet_from, moments, nearest, total_variance

from .cache import Pictures, cut
from .features import Extractor


@dataclass(frozen=True)
class PicturesJudge:
    """Judges models against the held-out part of a set of pictures, in one feature space."""

    extractor: Extractor
    pictures: Pictures
    held_out: Tensor  # features (n, d)
    train: Tensor  # features (m, d), of the first training pictures
    classify: Callable[[Tensor, Tensor], Tensor] | None  # pictures, their features -> class numbers
    classifier: str  # what that is, in words

    @classmethod
    def of(cls, pictures: Pictures, extractor: Extractor) -> "PicturesJudge":
        """Embed the data once."""
        held_out = embed_rows(pictures, extractor, spread(pictures.held_out, extractor.full))
        train = embed_rows(pictures, extractor, spread(pictures.train, extractor.full))
        classify, words = classifier(pictures, extractor, train, held_out)
        return cls(extractor, pictures, held_out, train, classify, words)

    def quick(self, model: Model) -> dict[str, float]:
        """Scores from a few samples.

        `fd`, `fd_share` (fd in percent of the held-out features' total variance), and `agreement` (percent of samples
        that are classified as what was asked for) where there are classes.
        """
        return self.scores(model, self.extractor.quick, seed=0)

    def scores(self, model: Model, count: int, *, seed: int) -> dict[str, float]:
        """Scores from `count` samples of a seed."""
        features, right, drawn = [], 0, 0
        images: Any = model.modality
        agreed = images.classes == self.pictures.classes  # or agreement would compare numbers of other classes
        batch = 250
        for number, start in enumerate(range(0, count, batch)):
            size = min(batch, count - start)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed + 1_000_003 * number)
                cond = model.modality.condition(None, size)
                z = torch.randn(size, model.latent)
            sample = leaves(model.from_noise(z, cond, seed=seed + number))[0].clamp(-1, 1)
            embedded = self.extractor.embed(sample)
            features.append(embedded)
            if self.classify is not None and cond is not None and agreed:
                right += int((self.classify(sample, embedded) == cond).sum())
            drawn += size
        distance = frechet_from(*moments(torch.cat(features)), *moments(self.held_out))
        found = {"fd": distance, "fd_share": 100 * distance / total_variance(self.held_out)}
        return found | ({"agreement": 100 * right / drawn} if self.classify is not None and agreed else {})

    def full(self, model: Model, *, count: int | None = None, seed: int = 1) -> dict[str, Any]:
        """The verdict on a finished run: scores, the floor beside them, and the protocol."""
        count = count or self.extractor.full
        scores = self.scores(model, count, seed=seed)
        floor = frechet_from(*moments(self.train), *moments(self.held_out))
        samples = leaves(model.sample(200, seed=seed + 1))[0].clamp(-1, 1)
        near = nearest(self.extractor.embed(samples), self.train)[0][:, 0].median()
        control = nearest(spread(self.held_out, 200), self.train)[0][:, 0].median()
        return {
            "scores": scores,
            "floor": {"fd": floor, "fd_share": 100 * floor / total_variance(self.held_out)},
            "neighbours": {"samples": float(near), "held_out": float(control)},
            "protocol": self.protocol(count, seed),
        }

    def protocol(self, count: int, seed: int) -> dict[str, Any]:
        """What the numbers mean."""
        return {
            "distance": f"FD[{self.extractor.name}]: Frechet distance between Gaussians fitted to the features of "
            "samples and of held-out pictures; fd_share is percent of the held-out features' total variance",
            "extractor": self.extractor.name,
            "extractor_sha256": self.extractor.digest,
            "resizer": self.extractor.resizer,
            "classifier": self.classifier,
            "data_sha256": self.pictures.content,
            "samples": count,
            "held_out": len(self.held_out),
            "train": len(self.pictures.train),
            "floor": f"the same distance between {len(self.train)} training and {len(self.held_out)} held-out pictures",
            "weights": "running average, last state",
            "seed": seed,
            "conditions": "classes as frequent as in the training data" if self.pictures.labels is not None else "none",
        }

    def neighbours(self, model: Model, *, count: int = 12, k: int = 3, seed: int = 2) -> tuple[Tensor, Tensor]:
        """Some samples and the training pictures nearest to each in the feature space.

        Returns:
            (count, channels, height, width) and (count, k, channels, height, width), in [-1, 1].
        """
        samples = leaves(model.sample(count, seed=seed))[0].clamp(-1, 1)
        k = min(k, len(self.train))
        _, which = nearest(self.extractor.embed(samples), self.train, k=k)
        found = cut(self.pictures, spread(self.pictures.train, self.extractor.full)[which.flatten()])
        return samples, found.view(count, k, *found.shape[1:])


def embed_rows(pictures: Pictures, extractor: Extractor, rows: Tensor) -> Tensor:
    """The features of some pictures, (len(rows), d), cut in parts so that memory stays flat."""
    return torch.cat([extractor.embed(cut(pictures, part)) for part in rows.split(500)])


def classifier(
    pictures: Pictures, extractor: Extractor, train: Tensor, held_out: Tensor
) -> tuple[Callable[[Tensor, Tensor], Tensor] | None, str]:
    """What tells the class of a sample: the space's own classifier where its classes are the data's, else a probe."""
    if pictures.labels is None:
        return None, "none: the pictures have no classes"
    truth = pictures.labels[spread(pictures.held_out, extractor.full)]
    if extractor.classify is not None and set(pictures.classes) <= set(extractor.classes):
        own = torch.tensor([extractor.classes.index(name) for name in pictures.classes])
        logits = extractor.classify

        def ask(sample: Tensor, features: Tensor) -> Tensor:
            del features
            return logits(sample)[:, own].argmax(1)

        rows = spread(pictures.held_out, extractor.full)
        right = torch.cat([ask(cut(pictures, part), held_out) for part in rows.split(500)]) == truth
        return ask, f"{extractor.name}, right on {100 * float(right.float().mean()):.1f} % of the held-out pictures"
    probe = linear_probe(train, pictures.labels[spread(pictures.train, extractor.full)], len(pictures.classes))
    right = probe(held_out) == truth
    words = (
        f"linear probe on {extractor.name}, right on {100 * float(right.float().mean()):.1f} % of the held-out pictures"
    )
    return (lambda sample, features: probe(features)), words


def linear_probe(features: Tensor, labels: Tensor, classes: int, *, decay: float = 1e-3) -> Callable[[Tensor], Tensor]:
    """Multinomial logistic regression on standardised features (n, d); gives class numbers for others."""
    mean, deviation = features.mean(0), features.std(0).clamp_min(1e-6)
    rows = (features - mean) / deviation
    weight = torch.zeros(classes, rows.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(rows @ weight.T + bias, labels) + decay * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    fixed, offset = weight.detach(), bias.detach()
    return lambda others: (((others - mean) / deviation) @ fixed.T + offset).argmax(1)
