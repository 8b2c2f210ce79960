"""Verdicts on pictures: a judge knows the real side once, and is asked about models and other pictures."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

import rivals
from rivals.engine.data import spread
from rivals.engine.model import Model
from rivals.engine.types import leaves
from rivals.judging.compare import frechet_from, moments, nearest, total_variance
from rivals.judging.protocol import Card
from rivals.judging.verdict import INTERVAL, Evidence, Features, verdict_of

from .appearance import appearance
from .cache import Pictures
from .classifier import Classify, asked, classifier, knows
from .copying import memorisation
from .embedding import ALONE, Rows, embedded, reader
from .features import Extractor
from .judged import Judged
from .sides import Side, of_model, of_pictures, renumbered

Tell = Callable[[Mapping[str, Any]], None]

SEED = 1  # of a final verdict
HELD_OUT = "held-out part"
ALL = "all, training and held-out part"


def silent(entry: Mapping[str, Any]) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class PicturesJudge:
    """Judges models and pictures against real pictures (or another model's samples), in one feature space.

    Args:
        extractor: the feature space.
        real: what is judged against.
        held_out: its features (n, d).
        train: features of training pictures (m, d); no rows where nobody knows any.
        classify: rows of an embedding -> class numbers, where there are classes.
        classifier: what that is, in words.
        training: the training pictures, in the order of `train`.
        unseen: features of pictures that no generator has learned from, the control for copies.
        split: which part of the data `real` is.
        content: sha256 of the data.
        learned: how many training pictures there are in all.
        control: the pictures of `unseen`.
        labels: classes of `real`, `train` and `unseen`.
        share: this process's number and how many there are, where several embed together.
    """

    extractor: Extractor
    real: Side
    held_out: Tensor
    train: Tensor
    classify: Classify | None
    classifier: str
    training: Side | None
    unseen: Tensor
    split: str
    content: str
    learned: int
    control: Side | None = None
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    share: tuple[int, int] = ALONE

    @classmethod
    def of(
        cls,
        pictures: Pictures,
        extractor: Extractor,
        *,
        name: str = "",
        split: str = HELD_OUT,
        count: int | None = None,
        share: tuple[int, int] = ALONE,
        tell: Tell = silent,
    ) -> "PicturesJudge":
        """Embed the data once, or take the features from the cache.

        Args:
            pictures: the real ones.
            extractor: the feature space.
            name: of the data, for the score card.
            split: `HELD_OUT` to judge against the held-out part, `ALL` against both parts.
            count: the most pictures of each part; what the space can do in a minute if not given.
            share: as in `embedded`.
            tell: called with progress.
        """
        most = count or extractor.full
        name = name or pictures.found.source
        logits = asked(extractor, pictures.classes)
        training = of_pictures(pictures, spread(pictures.train, most), name)
        held_out = of_pictures(pictures, spread(pictures.held_out, most), name)
        if split == HELD_OUT:
            real = held_out
            learned, unseen = (
                embedded(side, extractor, logits=logits, share=share, progress=progress_of(tell, words))
                for side, words in ((training, "training pictures"), (held_out, "held-out pictures"))
            )
            rows = unseen
        else:
            every = spread(torch.cat([pictures.train, pictures.held_out]).sort().values, most)
            real = of_pictures(pictures, every, name)
            rows = embedded(real, extractor, logits=logits, share=share, progress=progress_of(tell, "real pictures"))
            inside = torch.isin(every, pictures.train)
            training = of_pictures(pictures, every[inside], name)
            held_out = of_pictures(pictures, every[~inside], name)
            learned, unseen = ({key: part[mask] for key, part in rows.items()} for mask in (inside, ~inside))
        sides = {"real": real, "train": training, "unseen": held_out}
        labels = {key: side.labels for key, side in sides.items() if side.labels is not None}
        classify, words = classifier(extractor, pictures.classes if labels else (), learned, unseen, labels)
        return cls(
            extractor,
            real,
            rows["features"],
            learned["features"],
            classify,
            words,
            training,
            unseen["features"],
            split,
            pictures.content,
            len(pictures.train),
            held_out,
            labels,
            share,
        )

    @classmethod
    def of_side(
        cls, side: Side, extractor: Extractor, *, share: tuple[int, int] = ALONE, tell: Tell = silent
    ) -> "PicturesJudge":
        """A judge against a side of which no training part is known, such as another model's samples."""
        logits = asked(extractor, side.classes)
        rows = embedded(
            side, extractor, logits=logits, share=share, progress=progress_of(tell, "samples to judge against")
        )
        none = {key: part[:0] for key, part in rows.items()}
        labels = {} if side.labels is None else {"real": side.labels, "unseen": side.labels}
        known = knows(extractor, side.classes) and side.labels is not None
        classify, words = classifier(extractor, side.classes, none, rows, labels) if known else (None, "none")
        nothing = none["features"]
        return cls(
            extractor, side, rows["features"], nothing, classify, words, None, nothing, "samples of a model",
            side.content, 0, None, labels, share,
        )  # fmt: skip

    @property
    def classes(self) -> tuple[str, ...]:
        """The real side's classes."""
        return self.real.classes

    def quick(self, model: Model) -> dict[str, float]:
        """Scores from a few samples.

        `fd`, `fd_share` (fd in percent of the held-out features' total variance), and `agreement` (percent of samples
        that are classified as what was asked for) where there are classes.
        """
        return self.scores(model, self.extractor.quick, seed=0)

    def scores(self, model: Model, count: int, *, seed: int) -> dict[str, float]:
        """Scores from `count` samples of a seed."""
        drawn = of_model(model, count, seed=seed)
        side, rows = renumbered(drawn, self.classes), self.rows_of(drawn)
        distance = frechet_from(*moments(rows["features"]), *moments(self.held_out))
        found = {"fd": distance, "fd_share": 100 * distance / total_variance(self.held_out)}
        if self.classify is None or side.labels is None:
            return found
        return found | {"agreement": 100 * float((self.classify(rows) == side.labels).double().mean())}

    def rows_of(self, side: Side, tell: Tell = silent) -> Rows:
        """A side's features, and the space's own classes where they are the data's."""
        logits = asked(self.extractor, self.classes)
        return embedded(side, self.extractor, logits=logits, share=self.share, progress=progress_of(tell, side.name))

    def full(self, model: Model, *, count: int | None = None, seed: int = SEED) -> dict[str, Any]:
        """The verdict on a finished run: scores, the floor beside them, and the protocol."""
        return self.judged(of_model(model, count or self.extractor.full, seed=seed), seed=seed).verdict

    def judged(self, fake: Side, rows: Rows | None = None, *, seed: int = SEED, tell: Tell = silent) -> Judged:
        """The verdict on a side, with what a page shows beside it; `rows` are its embedding, if that is done."""
        rows = self.rows_of(fake, tell) if rows is None else rows
        told = None if self.classify is None else self.classify(rows)
        fake = renumbered(fake, self.classes)
        evidence = Evidence(
            fake=Features(rows["features"], fake.labels, told, rows.get("logits")),
            real=self.features("real", self.held_out),
            train=self.features("train", self.train) if len(self.train) > 1 else None,
            unseen=self.features("unseen", self.unseen) if len(self.unseen) > 1 else None,
            classes=self.classes,
            seed=seed,
        )
        verdict = verdict_of(evidence, lambda words: tell({"kind": "comparing", "what": words}))
        tell({"kind": "comparing", "what": "likeness, detail and colours"})
        self.look_at(verdict, fake, fake.labels if fake.labels is not None else told, seed)
        tell({"kind": "comparing", "what": "copies"})
        verdict["memorisation"] = memorisation(fake, rows["features"], self, seed)
        same = fake.content == self.real.content
        return Judged(
            {**verdict, "protocol": self.protocol(fake, seed), "card": asdict(self.card(fake, seed)), "same": same},
            fake,
            rows["features"],
            self,
        )

    def look_at(self, verdict: dict[str, Any], fake: Side, drawn: Tensor | None, seed: int) -> None:
        """Add what the pictures themselves tell to a verdict."""
        found = appearance(fake, drawn, self, seed)
        for name in ("scores", "intervals", "floor"):
            verdict[name] |= getattr(found, name)
        for number, row in found.classes.items():
            verdict["classes"][self.classes[number]] |= row

    def features(self, which: str, rows: Tensor) -> Features:
        """Rows of the real side with their classes."""
        return Features(rows, self.labels.get(which))

    def card(self, fake: Side, seed: int) -> Card:
        """What the numbers stand on."""
        channels, height, width = self.real.part(0).shape[1:]
        return Card(
            fakes=fake.name,
            fakes_sha256=fake.content,
            fake_count=fake.count,
            weights=fake.weights,
            state=fake.state,
            conditions=fake.conditions,
            data=self.real.name,
            data_sha256=self.content,
            split=self.split,
            real_count=self.real.count,
            train_count=len(self.train),
            size=f"{width}x{height}, {channels} channel{'s' * (channels > 1)}",
            extractor=self.extractor.name,
            extractor_sha256=self.extractor.digest,
            resizer=self.extractor.resizer,
            seed=seed,
            interval=INTERVAL,
            version=rivals.__version__,
        )

    def protocol(self, fake: Side, seed: int) -> dict[str, Any]:
        """What the numbers mean."""
        real, learned = (
            ("held-out pictures", "training") if self.split == HELD_OUT else ("the real pictures", "training")
        )
        return {
            "distance": f"FD[{self.extractor.name}]: Frechet distance between Gaussians fitted to the features of "
            f"samples and of {real}; fd_share is percent of their features' total variance",
            "extractor": self.extractor.name,
            "extractor_sha256": self.extractor.digest,
            "resizer": self.extractor.resizer,
            "classifier": self.classifier,
            "data_sha256": self.content,
            "samples": fake.count,
            "held_out": self.real.count,
            "train": self.learned,
            "floor": f"the same distance between {len(self.train)} {learned} and {len(self.unseen)} held-out pictures",
            "weights": f"{fake.weights}, {fake.state} state"
            if fake.state == "last"
            else f"{fake.weights}, {fake.state}",
            "seed": seed,
            "conditions": fake.conditions,
        }

    def neighbours(self, model: Model, *, count: int = 12, k: int = 3, seed: int = 2) -> tuple[Tensor, Tensor]:
        """Some samples and the training pictures nearest to each in the feature space.

        Returns:
            (count, channels, height, width) and (count, k, channels, height, width), in [-1, 1].
        """
        samples = leaves(model.sample(count, seed=seed))[0].clamp(-1, 1)
        return samples, self.nearest_training(reader(self.extractor, False)(samples)["features"], k)

    def nearest_training(self, features: Tensor, k: int) -> Tensor:
        """The k training pictures nearest to each row (n, d): (n, k, channels, height, width)."""
        assert self.training is not None
        _, which = nearest(features, self.train, k=min(k, len(self.train)))
        return self.training.take(which.flatten()).unflatten(0, which.shape)


def progress_of(tell: Tell, words: str) -> Callable[[int, int], None]:
    """Progress of an embedding as entries for a display."""
    return lambda done, total: tell({"kind": "embedding", "what": words, "done": done, "total": total})
