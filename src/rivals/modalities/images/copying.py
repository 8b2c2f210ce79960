"""Whether samples are copies of training pictures: pixels under shifts, and crowding in the feature space."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rivals.engine.data import spread
from rivals.judging.memory import authenticity, copies, ct_score

from .cache import uncut
from .sides import PART, Side

if TYPE_CHECKING:
    from .judge import PicturesJudge

LOOKED_AT = 1_000  # samples
CONTROL = 500  # held-out pictures that set the limit and test it
LEAST = 100  # held-out pictures without which there is no limit
BYTES = 2**27  # of the training pictures that are compared
SMALLEST = 8  # pixels


def memorisation(fake: Side, rows: Tensor, judge: "PicturesJudge", seed: int) -> dict[str, Any]:
    """What is known of copying, as JSON-ready values; nothing where no training pictures are known.

    `share` of `looked_at` samples are copies of one of the `searched` training pictures, with the interval from `low`
    to `high`; `rows` says which, `matches` of what. `authenticity` and `ct` are of the feature space, and
    `authenticity_real` is what unseen pictures have.
    """
    if len(judge.train) < 2 or len(judge.unseen) < 2:
        return {}
    return crowding(rows, judge, seed) | found_copies(fake, judge)


def crowding(rows: Tensor, judge: "PicturesJudge", seed: int) -> dict[str, Any]:
    """Authenticity and the CT score, of as many samples as there are unseen pictures."""
    some = spread(rows, len(judge.unseen))
    of_both = authenticity(torch.cat([some, judge.unseen]), judge.train).double().split([len(some), len(judge.unseen)])
    names = ("authenticity", "authenticity_real")
    found = {name: float(each.mean()) for name, each in zip(names, of_both, strict=True)}
    cells = max(1, min(10, len(some) // 100))
    return found | (
        {"ct": ct_score(some, judge.train, judge.unseen, cells=cells, seed=seed)} if len(some) >= 20 else {}
    )


def found_copies(fake: Side, judge: "PicturesJudge") -> dict[str, Any]:
    """Copies among the first samples; of pictures, which may be sorted, evenly spread ones."""
    training, control = judge.training, judge.control
    if training is None or control is None or control.count < LEAST:
        return {}
    picture = training.part(0)[0]
    if min(picture.shape[1:]) < SMALLEST:
        return {}
    looked = first_rows(fake, LOOKED_AT)
    searched = spread(torch.arange(training.count), max(1, BYTES // picture.numel()))
    found = copies(
        bytes_of(fake, looked),
        bytes_of(training, searched),
        bytes_of(control, spread(torch.arange(control.count), CONTROL)),
    )
    flagged = found.flags.nonzero()[:, 0]
    return {
        "share": found.share.value,
        "low": found.share.low,
        "high": found.share.high,
        "looked_at": len(looked),
        "searched": len(searched),
        "false_alarms": [found.alarms, found.tested],
        "rows": looked[flagged].tolist(),
        "matches": searched[found.matches.which[flagged]].tolist(),
    }


def first_rows(side: Side, most: int) -> Tensor:
    """Rows of a side: the first samples of a model, which are cheap to draw again; of pictures evenly spread ones."""
    every = torch.arange(side.count)
    return every[:most] if side.drawn else spread(every, most)


def bytes_of(side: Side, rows: Tensor) -> Tensor:
    """Pictures as 8 bits, (n, channels, height, width), made part by part."""
    made = [side.take(some) for some in rows.split(PART)]
    return torch.cat([torch.from_numpy(uncut(part, 8)).permute(0, 3, 1, 2).contiguous() for part in made])
