"""`rivals judge` for runs that edit pictures, on pictures of their own that they have not seen, or on others."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .api import load
from .edit_jobs import parted
from .engine.errors import RequestError
from .jobs import open_folder
from .modalities.images.cache import Survey, survey
from .modalities.images.edits.judge import EditJudge
from .modalities.images.edits.judge_parts import ALL, HELD_OUT, WHOLE, Judged, space_for_crops
from .modalities.images.edits.judge_unpaired import UnpairedJudge
from .modalities.images.edits.modality import Edits
from .modalities.images.edits.pairs import find_pairs, load_pairs
from .modalities.images.edits.report import write_verdict
from .modalities.images.edits.store import Brought, Shelf, content_of, rows_of
from .modalities.images.edits.store import load as load_shelf
from .modalities.images.edits.tasks import TASKS
from .modalities.images.features import check as check_features
from .modalities.images.sides import CHANNELS

Tell = Callable[[Mapping[str, Any]], None]
LEAST = 32  # pixels of a side of pictures to judge on: SSIM looks through 11
Source = str | Path


def judge_edits(
    run: Source,
    against: Source | None = None,
    *,
    features: str | None = None,
    count: int | None = None,
    seed: int = 1,
    best: bool = False,
    page: Source | None = None,
    tell: Tell = lambda entry: None,
) -> dict[str, Any]:
    """The verdict on a model that edits pictures, beside what has learned nothing.

    Args:
        run: a run's or a model's folder.
        against: pictures. Of a model that repairs, good ones, which are damaged as its task says; the run's own
            held-out ones if not given. Of paired work, pairs as they are trained on; of unpaired work, a folder of two
            folders: by their names the first holds what is given, the second what is wanted.
        features: the feature space for sets; the run's own, or the usual one, if not given.
        count: the most pictures.
        seed: of the damage.
        best: judge the run's best state instead of its last.
        page: where to write the verdict as an HTML page.
        tell: called with progress.

    Raises:
        RequestError: the request can't be served.
    """
    folder = Path(run)
    model = load(folder, best=best)
    edits = model.modality
    assert isinstance(edits, Edits)
    about = (open_folder(folder, True) or {}) if (folder / "run.json").exists() else {}
    space = check_features(features or about.get("features") or space_for_crops())
    judge: EditJudge | UnpairedJudge
    notes: list[str] = []
    if edits.task in TASKS:
        judge, notes = repair_judge(edits, against, about, space, tell)
    elif against is None:
        raise RequestError(f"say what {run} is to be judged on: --against PICTURES, set out as those it learned from")
    elif edits.task == "pairs":
        judge = pairs_judge(edits, against, space, tell)
    elif edits.task == "unpaired":
        judge = kinds_judge(edits, Path(against), space, tell)
    else:
        raise RequestError(f"a {edits.task} run is judged when it is trained: see {folder / 'report.html'}")
    judge = replace(judge, seed=seed, most=judge.most if count is None else count)
    judged: Judged = judge.judged(model, name=str(run), state="best of its quick verdicts" if best else "last")
    verdict = {**judged.verdict, "notes": [*notes, *judged.verdict["notes"]]}
    if page is not None:
        write_verdict(Path(page), verdict, judged.shown)
    return verdict


def repair_judge(
    edits: Edits, against: Source | None, about: Mapping[str, Any], space: str, tell: Tell
) -> tuple[EditJudge, list[str]]:
    """The judge of a model that repairs, and what should be known of the pictures."""
    source = about.get("source") if against is None else against
    if source is None:
        raise RequestError("the model does not say what it was trained on; give good pictures with --against")
    looked = look(source, tell)
    known = content_of(looked, rows_of(looked), Brought(edits.channels, edits.crop))
    own = known == about.get("data_sha256")  # wherever they lie now
    if not own and str(source) == about.get("source"):
        raise RequestError(
            f"the pictures in {source} are not those that the run was trained on, so nobody knows which it has seen: "
            "give others with --against"
        )
    least = edits.crop if own else max(LEAST, math.lcm(WHOLE, edits.scale))
    shelf = shelf_of(looked, edits.channels, least, tell)
    validation, held_out = parted(shelf.held_out if own else everything(shelf))
    judge = EditJudge.of(shelf, edits, validation, held_out, tell, space=space, split=HELD_OUT if own else ALL)
    return judge, list(remarks(looked, shelf, edits.channels))


def pairs_judge(edits: Edits, against: Source, space: str, tell: Tell) -> EditJudge:
    """The judge of paired work."""
    half = "right" if edits.damage.get("given") == "right" else "left"
    found = find_pairs(against, None, half)  # type: ignore[arg-type]
    given, true = load_pairs(found, LEAST, None, (edits.seen, edits.channels), progress=decoding(tell))
    rows = everything(true)
    return EditJudge.of_pairs(given, true, edits, rows[:1], rows, tell, space=space, split=ALL)


def kinds_judge(edits: Edits, against: Path, space: str, tell: Tell) -> UnpairedJudge:
    """The judge of unpaired work, on a folder of two folders."""
    folders = sorted(path for path in against.iterdir() if path.is_dir()) if against.is_dir() else []
    if len(folders) != 2:
        raise RequestError(
            f"{against} holds {len(folders)} folders; two are needed: by their names the first of pictures that are "
            "given, the second of the kind that is wanted"
        )
    given, wanted = (
        shelf_of(look(folder, tell), channels, LEAST, tell)
        for folder, channels in zip(folders, (edits.seen, edits.channels), strict=True)
    )
    rows = everything(given), everything(wanted)
    return UnpairedJudge(given, wanted, edits, rows, rows, space, ALL, tell=tell)


def everything(shelf: Shelf) -> Tensor:
    """All rows of a shelf (n,)."""
    return torch.cat([shelf.train, shelf.held_out]).sort().values


def look(source: Source, tell: Tell) -> Survey:
    """A source's pictures, looked at."""
    return survey(
        source,
        learning=False,
        progress=lambda done, total: tell({"kind": "reading", "done": done, "total": total}),
    )


def decoding(tell: Tell) -> Callable[[int, int], None]:
    """Progress of decoding."""
    return lambda done, total: tell({"kind": "decoding", "done": done, "total": total})


def shelf_of(looked: Survey, channels: int, least: int, tell: Tell) -> Shelf:
    """A source's pictures, decoded."""
    return load_shelf(looked, channels, least, progress=decoding(tell))


def remarks(looked: Survey, shelf: Shelf, channels: int) -> Iterator[str]:
    """What was left out, and what was done to the channels."""
    for reason, count in shelf.found.skipped.items():
        example = shelf.found.examples.get(reason, "?")
        yield f"Skipped {count} file{'s' * (count > 1)}: {reason}, such as {example}."
    if looked.channels != channels:
        yield f"The pictures are {CHANNELS[looked.channels]} and were judged as {CHANNELS[channels]}, like the model's."
