"""Who tells the class of a picture: the feature space's own classifier, or a linear probe on its features."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from rivals.judging.probe import linear_probe

from .embedding import Rows
from .features import Extractor

Classify = Callable[[Rows], Tensor]


def asked(extractor: Extractor, classes: tuple[str, ...]) -> bool:
    """Whether to ask the space's own classifier: where its classes are the data's, or where it costs nothing."""
    return extractor.head is not None or knows(extractor, classes)


def knows(extractor: Extractor, classes: tuple[str, ...]) -> bool:
    """Whether the feature space's own classifier knows these classes."""
    return bool(classes) and extractor.classify is not None and set(classes) <= set(extractor.classes)


def classifier(
    extractor: Extractor, classes: tuple[str, ...], train: Rows, unseen: Rows, labels: Mapping[str, Tensor]
) -> tuple[Classify | None, str]:
    """What tells the class of a sample: the space's own classifier where its classes are the data's, else a probe."""
    if not classes:
        return None, "none: the pictures have no classes"
    if not knows(extractor, classes) and len(train["features"]) < 2:
        return None, "none: too few pictures to teach one"
    ask: Classify
    if knows(extractor, classes):
        own = torch.tensor([extractor.classes.index(name) for name in classes])

        def ask(rows: Rows) -> Tensor:
            return rows["logits"][:, own].argmax(1)

        words = extractor.name
    else:
        probe = linear_probe(train["features"], labels["train"], len(classes))

        def ask(rows: Rows) -> Tensor:
            return probe(rows["features"])

        words = f"linear probe on {extractor.name}"
    if not len(unseen["features"]):
        return ask, words
    right = 100 * float((ask(unseen) == labels["unseen"]).float().mean())
    return ask, f"{words}, right on {right:.1f} % of the held-out pictures"
