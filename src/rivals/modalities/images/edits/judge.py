"""The judge of edited pictures that have a true one beside them: a model, and what has learned nothing, on the same."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rivals.engine.data import spread
from rivals.engine.model import Model
from rivals.judging.protocol import Card
from rivals.modalities.images.features import extractor
from rivals.modalities.images.spaces import Extractor

from .baselines import Editor, Pair, baselines
from .data import damaged
from .judge_parts import (
    HELD_OUT,
    SEED,
    SHOWN,
    WHOLE,
    Final,
    Judged,
    Tell,
    card_of,
    check_space,
    distance_words,
    edited,
    editor_of,
    silent,
    space_facts,
    space_for_crops,
)
from .modality import Edits
from .pages import Shown
from .scores import SECOND, as_given, beside_true, first_score, guards, score_names, second_opinion
from .sets import (
    CROP,
    ENOUGH_CROPS,
    ENOUGH_PICTURES,
    Seen,
    ahead_of,
    crops_of,
    enough,
    features_of,
    scores_of,
)
from .store import Shelf, middle

QUICK, QUICK_SIDE, FEW = 16, 128, 4  # pictures of a quick verdict, their pixels at most, and how many at least
FULL, SIDE = 48, 256  # of the whole one: some seconds of a CPU for each of the slower baselines
TUNING = 4  # pictures that a baseline's strength is chosen on
SPACING = 1_000_003  # between the seeds of damage
INTERVAL = "over other pictures (resampled halves), the crops of each together"


class Pairs(Protocol):
    """Where pairs come from: the number of a picture, its pixels a side at most, and a seed for what is drawn."""

    def __call__(self, row: int, most: int, seed: int) -> Pair:
        """What is given (1, seen, h, w), and the true picture (1, channels, scale h, scale w), in [-1, 1]."""
        ...


@dataclass(frozen=True)
class EditJudge(Final):
    """Judges models that edit, on pictures that have a true one beside them.

    Args:
        edits: what is asked of pictures.
        pairs: makes what is given and the true picture.
        validation: rows for quick verdicts, none of the held-out ones: quick verdicts choose the best state.
        held_out: rows for the verdict.
        name, content: of the data, and their sha256.
        space: the feature space in which crops are compared as sets.
        split: which part of the data the held-out rows are.
        damage: what is done to the pictures, in words.
        tell: called with progress.
        seed: of the damage in the verdict.
        most: pictures of the verdict.
    """

    edits: Edits
    pairs: Pairs
    validation: Tensor
    held_out: Tensor
    name: str
    content: str
    space: str
    split: str = HELD_OUT
    damage: str = "as given"
    tell: Tell = silent
    seed: int = SEED
    most: int = FULL

    def __post_init__(self) -> None:
        check_space(self.space)

    @classmethod
    def of(
        cls,
        shelf: Shelf,
        edits: Edits,
        validation: Tensor,
        held_out: Tensor,
        tell: Tell = silent,
        *,
        space: str | None = None,
        split: str = HELD_OUT,
    ) -> "EditJudge":
        """The judge of repairs: good pictures of a shelf are damaged as the task says, each with a seed of its own.

        `validation` and `held_out` are rows of the shelf.
        """
        told = ", ".join(filter(None, (setting_words(*each) for each in edits.damage.items())))
        return cls(
            edits,
            repairs(shelf, edits),
            validation,
            held_out,
            shelf.found.source,
            shelf.content,
            space or space_for_crops(),
            split,
            f"{edits.task}{f', x{edits.scale}' if edits.scale > 1 else ''}{f' ({told})' if told else ''}, by a fixed "
            "seed for each picture",
            tell,
        )

    @classmethod
    def of_pairs(
        cls,
        given: Shelf,
        true: Shelf,
        edits: Edits,
        validation: Tensor,
        held_out: Tensor,
        tell: Tell = silent,
        *,
        space: str | None = None,
        split: str = HELD_OUT,
    ) -> "EditJudge":
        """The judge of paired work: row i of one shelf is given, row i of the other, of equal size, is true."""

        def pair(row: int, most: int, seed: int) -> Pair:
            del seed
            return middle(given, row, most, WHOLE), middle(true, row, most, WHOLE)

        space = space or space_for_crops()
        name = true.found.source
        return cls(edits, pair, validation, held_out, name, true.content, space, split, "pairs as given", tell)

    def quick(self, model: Model, seed: int, share: float) -> dict[str, float]:
        """Mean scores of some validation pictures (`score_names`), and what tells that a model has gone astray.

        See `scores.beside_true` and `scores.guards`.
        """
        count = max(round(share * QUICK), FEW)
        order = torch.randperm(len(self.validation), generator=torch.Generator().manual_seed(seed))[:count]
        run, examples, values = editor_of(model), [], []
        for row in self.validation[order].tolist():
            given, true = self.pairs(row, QUICK_SIDE, seed)
            made = run(given)
            examples.append((made, as_given(given, true.shape[1], true.shape[2:]), true))
            values.append(beside_true(made, true, self.edits.scale))
        means = {name: float(torch.cat([each[name] for each in values]).mean()) for name in score_names()}
        return means | guards(*zip(*examples, strict=True))

    def judged(
        self, model: Model, *, name: str, state: str = "last", beside: Mapping[str, Model] | None = None
    ) -> Judged:
        """The verdict on a model, beside that on every baseline and on other models of the same task, and pictures."""
        tuning = [self.pairs(row, QUICK_SIDE, self.seed) for row in spread(self.validation, TUNING).tolist()]
        ways, missing = baselines(self.edits, tuning)
        learned = {other: editor_of(each) for other, each in (beside or {}).items()}
        pairs = [self.pairs(row, SIDE, self.seed) for row in spread(self.held_out, self.most).tolist()]
        given, true = ([pair[side] for pair in pairs] for side in (0, 1))
        space = extractor(self.space, tell=self.tell) if enough([crops_of(x) for x in true]) else None
        made = edited(editor_of(model), given, "the model", self.tell)
        ours, crops = self.seen(made, true, space), features_of(true, space)

        def rows(ways: Mapping[str, Editor]) -> dict[str, dict[str, Any]]:
            found = {}
            for way, run in ways.items():
                theirs = self.seen(edited(run, given, way, self.tell), true, space)
                found[way] = {**scores_of(theirs, crops)._asdict(), "ahead": ahead_of(ours, theirs, crops)}
            return found

        plain = [as_given(x, y.shape[1], y.shape[2:]) for x, y in pairs]
        verdict = {
            **scores_of(ours, crops)._asdict(),
            "floor": {},
            "beside": rows(learned),
            "baselines": rows(ways),
            "guards": guards(made, plain, true),
            "notes": [*missing, *notes(pairs, space)],
            "protocol": self.protocol(len(pairs), sum(map(len, crops)), space, second=SECOND in ours.values),
            "card": asdict(self.card(model, name, state, true, space)),
            "same": False,
        }
        few = spread(torch.arange(len(pairs)), SHOWN).tolist()
        return Judged(verdict, {"edit": tuple(Shown(plain[n], made[n], true[n]) for n in few)})

    def seen(self, made: Sequence[Tensor], true: Sequence[Tensor], space: Extractor | None) -> Seen:
        """Edited pictures, measured."""
        scale = self.edits.scale
        each = [beside_true(x, y, scale) | second_opinion(x, y) for x, y in zip(made, true, strict=True)]
        return Seen({name: torch.cat([one[name] for one in each]) for name in each[0]}, features_of(made, space))

    def protocol(self, count: int, crops: int, space: Extractor | None, *, second: bool) -> dict[str, Any]:
        """What the numbers mean."""
        border = f"a border of {self.edits.scale} pixels left out" if self.edits.scale > 1 else "the whole picture"
        how = "Gaussian window of 11 pixels, deviation 1.5, K 0.01 and 0.03"
        found = {
            "pictures": f"{count} of the {self.split}, the middle of each, at most {SIDE} pixels a side",
            "damage": self.damage,
            "psnr": f"all channels ({'RGB' if self.edits.channels == 3 else 'grey'}), 8 bits, {border}; mean in dB",
            "ssim": f"likewise; {how} (Wang et al. 2004)",
            first_score(): distance_words(),
            "held_out": count,
        }
        if second:
            found[SECOND] = "the same in EfficientNet-Lite2, which neither training nor choosing states looks through"
        if self.edits.scale > 1 and self.edits.channels == 3:
            found["psnr_y, ssim_y"] = "the same of Y alone (ITU-R BT.601, from 16 to 235), as many papers measure"
        if space is not None:
            found["distance"] = (
                f"FD[{space.name}] and KD[{space.name}] between features of {crops} crops of {CROP} pixels of edited "
                "pictures and the same crops of true ones; fd_share is percent of the true crops' total variance"
            )
            found |= space_facts(space)
        return found

    def card(self, model: Model, name: str, state: str, true: Sequence[Tensor], space: Extractor | None) -> Card:
        """What the numbers stand on."""
        sizes = sorted({f"{x.shape[3]}x{x.shape[2]}" for x in true})
        return card_of(
            model,
            space,
            counts=(len(true), len(true)),
            fakes=name,
            state=state,
            conditions=self.damage,
            data=self.name,
            data_sha256=self.content,
            split=self.split,
            size=sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes, at most {SIDE} pixels a side",
            seed=self.seed,
            interval=INTERVAL,
        )


def setting_words(name: str, setting: Any) -> str:
    """A setting of a damage in words; nothing of what is left out.

    >>> setting_words("sigma", (25.0, 25.0)), setting_words("quality", [10, 40]), setting_words("blind", True)
    ('sigma 25', 'quality 10 to 40', 'blind')
    """
    if isinstance(setting, bool):
        return name if setting else ""
    ends = dict.fromkeys(setting) if isinstance(setting, list | tuple) else [setting]
    return f"{name} {' to '.join(f'{end:g}' for end in ends)}"


def repairs(shelf: Shelf, edits: Edits) -> Pairs:
    """Good pictures and what their task's damage leaves of them: the same for the same picture and seed."""
    whole = math.lcm(WHOLE, edits.scale)

    def pair(row: int, most: int, seed: int) -> Pair:
        true = middle(shelf, row, most, whole)
        return damaged(true, edits, torch.tensor([SPACING * seed + row])), true

    return pair


def notes(pairs: Sequence[Pair], space: Extractor | None) -> Iterator[str]:
    """What should be known beside the numbers."""
    if space is None:
        yield (
            f"No distance between sets: it needs {ENOUGH_CROPS} crops of {CROP} pixels of {ENOUGH_PICTURES} pictures."
        )
    if len(pairs) < 20:
        yield f"Only {len(pairs)} pictures were judged: intervals are wide, and rare faults don't show."
