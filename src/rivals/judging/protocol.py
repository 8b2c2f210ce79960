"""The score card: what a number means, without which it can't be compared with another."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a verdict was taken on and with.

    Args:
        fakes: whose samples were judged, as the person named it.
        fakes_sha256: of what made them: the pictures' contents, or the generator's weights and settings.
        fake_count: samples that were judged.
        weights: which of a run's weights: "running average", "raw"; "not known" of pictures from elsewhere.
        state: "last", or "best of N" quick verdicts, which flatters.
        conditions: what the samples were asked for.
        data: the real side, as the person named it.
        data_sha256: of the pictures' contents and how they were decoded.
        split: which part of the data: "held-out part", "all", "samples of a model".
        real_count: how many of them were judged against.
        train_count: training pictures that copies were looked for among; 0 where there are none.
        size: of both sides' pictures, as "28x28, 1 channel".
        extractor: the feature space's name.
        extractor_sha256: of its weights.
        resizer: how pictures are brought to the extractor's size.
        seed: of samples and of every random choice.
        interval: how the confidence intervals were made.
        version: of Rivals.
    """

    fakes: str
    fakes_sha256: str
    fake_count: int
    weights: str
    state: str
    conditions: str
    data: str
    data_sha256: str
    split: str
    real_count: int
    train_count: int
    size: str
    extractor: str
    extractor_sha256: str
    resizer: str
    seed: int
    interval: str
    version: str


DECIDING = {
    "data_sha256": "the real pictures (by their contents)",
    "split": "the part of the real pictures",
    "real_count": "the number of real pictures",
    "fake_count": "the number of samples",
    "size": "the pictures' size",
    "extractor": "the feature space",
    "extractor_sha256": "the feature space's weights",
    "resizer": "the resizer",
    "conditions": "what the samples were asked for",
    "weights": "the weights",
    "state": "the state of the run that was judged",
}
"""Parts that must agree for two numbers to be compared, in words. Names, seeds and versions may differ."""

_HASHES = ("data_sha256", "extractor_sha256")
_OLD = {"samples": "fake_count", "held_out": "real_count", "train": "train_count"}


def card_of(verdict: Values) -> dict[str, Any]:
    """A verdict's card as plain values; of a verdict from before there were cards, what its protocol says.

    >>> card_of({"protocol": {"samples": 500, "extractor": "random-conv256"}})
    {'fake_count': 500, 'extractor': 'random-conv256'}
    """
    known = [field.name for field in fields(Card)]
    card = verdict.get("card")
    if isinstance(card, Mapping):
        return {name: card[name] for name in known if name in card}
    protocol = verdict.get("protocol")
    renamed = {_OLD.get(name, name): told for name, told in protocol.items()} if isinstance(protocol, Mapping) else {}
    weights, _, state = str(renamed.get("weights", "")).partition(", ")
    told = renamed | ({"weights": weights, "state": state.removesuffix(" state")} if state else {})
    return {name: told[name] for name in known if name in told}


def differences(a: Card | Values, b: Card | Values) -> list[str]:
    """Which parts of two score cards differ so that their numbers can't be compared, each in words.

    A part that one of the cards does not know differs from one that is known.

    >>> differences({"extractor": "digits-cnn64"}, {"extractor": "random-conv256"})
    ['the feature space differs: digits-cnn64 and random-conv256']
    """
    left, right = (vars(card) if isinstance(card, Card) else card for card in (a, b))
    unequal = varying([{name: card.get(name) for name in DECIDING} for card in (left, right)])
    return [
        f"{DECIDING[name]} differs: {_shown(name, left.get(name))} and {_shown(name, right.get(name))}"
        for name in unequal
    ]


def varying(cards: Sequence[Values]) -> dict[str, list[str]]:
    """What is not the same in all of these, with the values found, as JSON without outer quotes.

    >>> varying([{"samples": 10, "seed": 1}, {"samples": 20, "seed": 1}])
    {'samples': ['10', '20']}
    """
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for card in cards for name in card):
        values = list(dict.fromkeys(json.dumps(card.get(name), sort_keys=True).strip('"') for card in cards))
        if len(values) > 1:
            found[str(name)] = values
    return found


def _shown(name: str, value: object) -> str:
    """A part's value, a hash by its first digits."""
    if value is None:
        return "not known"
    return str(value)[:12] if name in _HASHES else str(value)
