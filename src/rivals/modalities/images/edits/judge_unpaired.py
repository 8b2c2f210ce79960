"""The judge of pictures of one kind turned into another, without pairs: sets against sets, in both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rivals.engine.data import spread
from rivals.engine.model import Model
from rivals.judging.compare import frechet, mmd, total_variance
from rivals.judging.protocol import Card
from rivals.judging.verdict import INTERVAL
from rivals.modalities.images.features import extractor
from rivals.modalities.images.spaces import Extractor

from .baselines import Editor, matched
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
    edits_of,
    silent,
    space_facts,
)
from .modality import Edits
from .pages import Shown
from .scores import Scores, as_given, guards_unpaired, mean_scores, unlikeness
from .sets import CROP, crops_of, distances
from .store import Shelf, middle

QUICK, FEW, FULL = 48, 16, 200  # pictures of each kind: of a quick verdict, at the least, of the whole one
SIDE = 256  # pixels at most, and no more than twice the crops that were learned from
WIDE = 1024  # pixels at most of pictures of a kind of which there are few
IDENTITY = 24  # pictures that the identity error is taken on
MANY = 20  # pictures of a kind, from which on whole ones are compared rather than their crops
CROPS = 64  # of one picture, where crops are compared
FEWEST = 4  # pictures or crops of a set; of fewer, mirror images are taken too
Pictures = Sequence[Tensor]
SETS = ("fd", "fd_share", "kid")


@dataclass(frozen=True)
class UnpairedJudge(Final):
    """Judges models that turn pictures of one kind into another.

    Args:
        source: pictures that are given.
        target: pictures of the wanted kind.
        edits: what is asked of pictures.
        validation: rows of both for quick verdicts.
        held_out: rows of both for the verdict.
        space: the feature space.
        split: which part of the data the held-out rows are.
        tell: called with progress.
        seed: of what is drawn for intervals.
        most: pictures of each kind in the verdict.
    """

    source: Shelf
    target: Shelf
    edits: Edits
    validation: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]
    space: str
    split: str = HELD_OUT
    tell: Tell = silent
    seed: int = SEED
    most: int = FULL

    def __post_init__(self) -> None:
        check_space(self.space)

    def side(self, shelf: Shelf, *, quick: bool = False) -> int:
        """Pixels a side of a kind's pictures, at most: those of a few paintings are all looked at, crop by crop."""
        if len(shelf.places) < MANY:
            return WIDE
        return (
            max(self.edits.crop, 2 * CROP if len(self.target.places) < MANY else 0)
            if quick
            else (min(SIDE, 2 * self.edits.crop))
        )

    @cached_property
    def extractor(self) -> Extractor:
        """The feature space."""
        return extractor(self.space, tell=self.tell)

    @cached_property
    def wanted(self) -> tuple[list[Tensor], Tensor]:
        """Pictures of the wanted kind for quick verdicts, and features of them or of their crops."""
        rows = spread(self.validation[1], QUICK)
        pictures = cut(self.target, rows, self.side(self.target, quick=True))
        return pictures, self.features(pictures, whole=len(pictures) >= MANY)

    def features(self, pictures: Pictures, *, whole: bool) -> Tensor:
        """Features of pictures or of their crops (n, d)."""
        parts = pictures if whole else [some for x in pictures if len(some := crops_of(x, CROPS))] or pictures
        if sum(map(len, parts)) < FEWEST:
            parts = [turned for part in parts for turned in (part, part.flip(3), part.flip(2), part.flip(2, 3))]
        return torch.cat([self.extractor.embed(part) for part in parts])

    def quick(self, model: Model, seed: int, share: float) -> dict[str, float]:
        """`fd`, `fd_share` and `kid` of edited validation pictures against wanted ones, and the guard rails."""
        wanted, real = self.wanted
        order = torch.randperm(len(self.validation[0]), generator=torch.Generator().manual_seed(seed))
        rows = self.validation[0][order[: max(round(share * QUICK), FEW)]]
        given = cut(self.source, rows, self.side(self.source, quick=True))
        run = editor_of(model)
        made = [run(x) for x in given]
        fake = self.features(made, whole=len(wanted) >= MANY)
        found = frechet(fake, real)
        scores = {"fd": found, "fd_share": 100 * found / (total_variance(real) or 1.0), "kid": mmd(fake, real)}
        return scores | guards_unpaired(made, given, wanted)

    def judged(
        self, model: Model, *, name: str, state: str = "last", beside: Mapping[str, Model] | None = None
    ) -> Judged:
        """The verdict on a model, both ways where it goes both ways, beside unedited and recoloured pictures.

        Other models stand beside each way that they go.
        """
        rows = [spread(some, self.most) for some in self.held_out]
        shelves = (self.source, self.target)
        there = [cut(shelf, some, self.side(shelf)) for shelf, some in zip(shelves, rows, strict=True)]
        others = [
            cut(shelf, spread(apart(shelf, some, judged), len(judged)), self.side(shelf))
            for shelf, some, judged in zip(shelves, self.held_out, rows, strict=True)
        ]
        models = {"": model, **(beside or {})}
        runs = {each: editor_of(one) for each, one in models.items()}
        found, shown = self.direction(runs, there[0], there[1], others[1], "the model")
        verdict = {**found, "directions": {}}
        sheets = {"edit": shown}
        if self.edits.back:
            back = {each: editor_of(one, back=True) for each, one in models.items() if edits_of(one).back}
            verdict["directions"]["back"], sheets["back"] = self.direction(
                back, there[1], there[0], others[0], "the way back"
            )
        verdict |= {
            "notes": list(notes(there)),
            "protocol": self.protocol(there),
            "card": asdict(self.card(model, name, state, there)),
            "same": False,
        }
        return Judged(verdict, sheets)

    def direction(
        self, runs: Mapping[str, Editor], given: Pictures, wanted: Pictures, others: Pictures, who: str
    ) -> tuple[dict[str, Any], tuple[Shown, ...]]:
        """One way: scores of what is made of what is given, against wanted pictures; and pictures to show.

        `runs` are the model, under "", and others that are put beside it.
        `others` are more pictures of the wanted kind, for the floor and for the histograms that are matched. Without
        any there is no floor, and the histograms are those of the wanted pictures themselves.
        """
        whole = len(wanted) >= MANY
        real = self.features(wanted, whole=whole)
        made = {each: edited(run, given, each or who, self.tell) for each, run in runs.items()}
        channels = made[""][0].shape[1]
        same = wanted[:IDENTITY] if wanted[0].shape[1] == given[0].shape[1] == channels else ()
        plain = [as_given(x, channels, x.shape[2:]) for x in given]
        like = others or [*wanted[1:], *wanted[:1]]  # none is matched to itself
        ways: dict[str, tuple[Pictures, Pictures]] = {
            **{each: (made[each], [run(x) for x in same]) for each, run in runs.items()},
            "nothing done": (plain, same),
            "histogram matching": (list(matched(plain, like)), list(matched(same, like))),
        }
        found = {}
        for way, (pictures, kept) in ways.items():
            self.tell({"kind": "comparing", "what": way or who})
            sets = distances(self.features(pictures, whole=whole), real, self.seed)
            each = {"content": torch.cat([unlikeness(x, y) for x, y in zip(pictures, plain, strict=True)])}
            if same:
                each["identity"] = torch.stack(
                    [127.5 * (x - y).double().abs().mean() for x, y in zip(kept, same, strict=True)]
                )
            means = mean_scores(each)
            found[way] = Scores(sets.scores | means.scores, sets.intervals | means.intervals)
        floor = distances(self.features(others, whole=whole), real, self.seed).scores if others else {}
        few = spread(torch.arange(len(given)), SHOWN).tolist()
        verdict = {
            **found.pop("")._asdict(),
            "floor": floor,
            "beside": {way: found.pop(way)._asdict() for way in runs if way},
            "baselines": {way: scores._asdict() for way, scores in found.items()},
            "guards": guards_unpaired(made[""], plain, wanted),
        }
        return verdict, tuple(Shown(plain[n], made[""][n]) for n in few)

    def protocol(self, there: Sequence[Pictures]) -> dict[str, Any]:
        """What the numbers mean."""
        space, whole = self.extractor, len(there[1]) >= MANY
        return {
            "pictures": f"{len(there[0])} given and {len(there[1])} of the wanted kind, of the {self.split}, the "
            f"middle of each, at most {self.side(self.source)} pixels a side",
            "distance": f"FD[{space.name}] and KD[{space.name}] between features of "
            f"{'pictures' if whole else f'crops of {CROP} pixels'} made and of the wanted kind; fd_share is percent "
            "of the latter's total variance",
            "content": f"mean over pictures of what lies between each and what was made of it: {distance_words()}",
            "identity": f"mean absolute change of {IDENTITY} pictures, at most, that are already of the wanted kind",
            "floor": "the same distances of as many other pictures of the wanted kind, where there are as many",
            "histogram matching": "channel by channel, each to another picture of the wanted kind in turn, or, where "
            "there are no others, to one of those that are compared with",
            **space_facts(space),
            "held_out": len(there[1]),
        }

    def card(self, model: Model, name: str, state: str, there: Sequence[Pictures]) -> Card:
        """What the numbers stand on."""
        return card_of(
            model,
            self.extractor,
            counts=(len(there[0]), len(there[1])),
            fakes=name,
            state=state,
            conditions=f"pictures of {self.source.found.source}",
            data=self.target.found.source,
            data_sha256=f"{self.source.content} {self.target.content}",
            split=self.split,
            size=f"at most {self.side(self.source)} pixels a side",
            seed=self.seed,
            interval=INTERVAL,
        )


def cut(shelf: Shelf, rows: Tensor, side: int) -> list[Tensor]:
    """The middles of some pictures, each (1, channels, h, w) in [-1, 1]."""
    return [middle(shelf, row, side, WHOLE) for row in rows.tolist()]


def apart(shelf: Shelf, held_out: Tensor, judged: Tensor) -> Tensor:
    """Rows that a floor is taken from: none of those judged, training pictures where these are; none if too few.

    Args:
        shelf: of a kind.
        held_out: rows that may be judged.
        judged: those of them that are.
    """
    for some in (shelf.train[~torch.isin(shelf.train, held_out)], held_out[~torch.isin(held_out, judged)]):
        if len(some) >= len(judged):
            return some
    return judged[:0]


def notes(there: Sequence[Pictures]) -> list[str]:
    """What should be known beside the numbers."""
    few = min(len(there[0]), len(there[1]))
    told = []
    if len(there[1]) < MANY:
        told.append(f"There are {len(there[1])} pictures of the wanted kind: crops were compared, not whole pictures.")
    if few < 50:
        told.append(f"Distances of {few} pictures are biased upwards and vary much: compare them at equal counts only.")
    return told
