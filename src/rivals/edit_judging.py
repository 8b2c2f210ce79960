"""`rivals judge` for runs that edit pictures, on pictures of their own that they have not seen, or on others."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .api import load
from .edit_jobs import parted
from .engine.errors import RequestError
from .engine.model import Model
from .jobs import Tell, open_folder, telling
from .kinds import modality_of
from .modalities.images.cache import Survey, survey
from .modalities.images.edits.ensemble import LOOKS, NOTE, ensembled
from .modalities.images.edits.judge import EditJudge
from .modalities.images.edits.judge_parts import ALL, HELD_OUT, WHOLE, Judged, space_for_crops
from .modalities.images.edits.judge_unpaired import UnpairedJudge
from .modalities.images.edits.modality import Edits
from .modalities.images.edits.pairs import load_pairs
from .modalities.images.edits.report import write_verdict
from .modalities.images.edits.store import Brought, Shelf, content_of, rows_of
from .modalities.images.edits.store import load as load_shelf
from .modalities.images.edits.tasks import TASKS
from .modalities.images.features import check as check_features
from .modalities.images.sides import CHANNELS
from .translate_jobs import judge_of, set_aside
from .translate_sides import Sides, content_before, shelves
from .translate_sides import look as look_at_sides

LEAST = 32  # pixels of a side of pictures to judge on: SSIM looks through 11
Source = str | Path
Judge = EditJudge | UnpairedJudge


@dataclass(frozen=True)
class Learned:
    """A model that edits pictures, under the name that was given, and what is known of its training."""

    name: str
    model: Model
    edits: Edits
    about: Mapping[str, Any]

    def learned_from(self, content: str) -> bool:
        """Whether its data have this sha256."""
        return content == self.about.get("data_sha256")


def judge_edits(
    run: Source,
    against: Source | None = None,
    *,
    beside: Sequence[Source] = (),
    features: str | None = None,
    count: int | None = None,
    seed: int = 1,
    best: bool = False,
    ensemble: bool = False,
    page: Source | None = None,
    tell: Tell = lambda entry: None,
) -> dict[str, Any]:
    """The verdict on a model that edits pictures, beside what has learned nothing, and beside other models.

    Args:
        run: a run's or a model's folder.
        against: pictures. Of a model that repairs, good ones, which are damaged as its task says; of paired work, pairs
            as they are trained on; of unpaired work, a folder of two folders: by their names the first holds what is
            given, the second what is wanted. The run's own held-out ones if not given; and if these are those that it
            learned from, the held-out ones among them.
        beside: other runs of the same task, scale and channels, judged on the same.
        features: the feature space for sets; the run's own, or the usual one, if not given.
        count: the most pictures.
        seed: of the damage.
        best: judge the run's best state instead of its last.
        ensemble: judge the mean of eight turned and mirrored looks of every model (`SelfEnsemble`).
        page: where to write the verdict as an HTML page.
        tell: called with progress.

    Raises:
        RequestError: the request can't be served.
    """
    if against is not None and modality_of(against) is not None:
        raise RequestError(f"{against} is no set of pictures but a run: --beside {against} judges it on the same")
    ours = learned(run, best=best)
    others = [alike(learned(other), ours) for other in beside]
    models = {each.name: ensembled(each.model) if ensemble else each.model for each in (ours, *others)}
    for one, other in pairwise(sorted([ours.name, *(each.name for each in others)])):
        if one == other:
            raise RequestError(f"{one} is to be judged beside itself: give another run with --beside")
    space = check_features(features or ours.about.get("features") or space_for_crops())
    judge: Judge
    if ours.edits.task in TASKS:
        judge, notes = repair_judge([ours, *others], against, space, tell)
    elif ours.edits.task == "style":
        raise RequestError(f"a style run is judged when it is trained: see {Path(run) / 'report.html'}")
    else:
        judge, notes = sides_judge([ours, *others], against, space, tell)
    judge = replace(judge, seed=seed, most=judge.most if count is None else count)
    state = ("best of its quick verdicts" if best else "last") + (f", {LOOKS}" if ensemble else "")
    judged: Judged = judge.judged(models.pop(ours.name), name=ours.name, state=state, beside=models)
    verdict = {**judged.verdict, "notes": [*notes, *([NOTE] if ensemble else []), *judged.verdict["notes"]]}
    if page is not None:
        write_verdict(Path(page), verdict, judged.shown)
    return verdict


def learned(run: Source, *, best: bool = False) -> Learned:
    """The model in a folder.

    Raises:
        RequestError: there is none, or it makes something else.
    """
    model = load(run, best=best)
    if not isinstance(model.modality, Edits):
        raise RequestError(f"{run} edits no pictures, and is judged for itself")
    about = (open_folder(Path(run), True) or {}) if (Path(run) / "run.json").exists() else model.about
    return Learned(str(run), model, model.modality, about)


def alike(other: Learned, ours: Learned) -> Learned:
    """The other, if both are asked the same of pictures.

    Raises:
        RequestError: they are not.
    """
    for name in ("task", "scale", "seen", "channels"):
        here, there = (getattr(each.edits, name) for each in (ours, other))
        if here != there:
            what = {"seen": "channels of what is given", "channels": "channels of what is made"}.get(name, name)
            raise RequestError(
                f"{other.name} can't be judged beside {ours.name}: its {what} is {there}, and {here} there"
            )
    return other


def repair_judge(
    every: Sequence[Learned], against: Source | None, space: str, tell: Tell
) -> tuple[EditJudge, list[str]]:
    """The judge of models that repair, and what should be known of the pictures."""
    ours, edits = every[0], every[0].edits
    source = ours.about.get("source") if against is None else against
    if source is None:
        raise RequestError("the model does not say what it was trained on; give good pictures with --against")
    looked = survey(source, learning=False, progress=telling(tell, "reading"))
    rows = rows_of(looked)
    contents = [content_of(looked, rows, Brought(each.edits.channels, each.edits.crop)) for each in every]
    owner, notes = owner_of(every, contents, against)
    if owner is None and str(source) == ours.about.get("source"):
        raise changed(str(source))
    least = max(LEAST, math.lcm(WHOLE, edits.scale)) if owner is None else owner.edits.crop
    shelf = load_shelf(looked, edits.channels, least, progress=telling(tell, "decoding"))
    validation, held_out = parted(shelf, everything(shelf) if owner is None else shelf.held_out)
    split = ALL if owner is None else HELD_OUT
    judge = EditJudge.of(shelf, edits, validation, held_out, tell, space=space, split=split)
    return judge, [*notes, *remarks(looked, shelf, edits.channels)]


def owner_of(
    every: Sequence[Learned], contents: Sequence[str], against: Source | None
) -> tuple[Learned | None, list[str]]:
    """Which of the models learned from these pictures, wherever they lie now; and what should be known of that.

    Args:
        every: the models.
        contents: the sha256 of the pictures, as each of them would have been brought them.
        against: where the pictures are, if somebody says.

    Raises:
        RequestError: several did, and held out others of them.
    """
    owners = [each for each, content in zip(every, contents, strict=True) if each.learned_from(content)]
    if not owners:
        return None, []
    for other in owners[1:]:
        if other.about["data_sha256"] != owners[0].about["data_sha256"]:
            raise RequestError(
                f"{owners[0].name} and {other.name} both learned from these pictures, cut in other ways, so that each "
                "may know what the other has not seen: give others with --against"
            )
    known = [each.name for each in owners]
    told = [f"{' and '.join(known)} learned from these pictures: only what was held out then is judged."]
    strangers = [each.name for each in every if each.name not in known]
    others = f"{' and '.join(strangers)} learned from other data, among which some of these pictures may be."
    return owners[0], [*(told if against is not None else []), *([others] if strangers else [])]


def changed(source: str) -> RequestError:
    """The refusal of a run's own pictures that are no longer what they were."""
    return RequestError(
        f"the pictures in {source} are not those that the run was trained on, so nobody knows which it has seen: "
        "give others with --against"
    )


def sides_judge(every: Sequence[Learned], against: Source | None, space: str, tell: Tell) -> tuple[Judge, list[str]]:
    """The judge of paired and of unpaired work, and what should be known of the pictures."""
    ours, edits = every[0], every[0].edits
    sides, owner, notes = None, None, list[str]()
    for place in places(ours, against):
        found, words = seen(edits, *place, tell)
        owner, told = owner_of(every, [content_before(found, each.edits) for each in every], against)
        if sides is None or owner is not None:
            sides, notes = found, [*told, *words]
        if owner is not None:
            break
    assert sides is not None
    if owner is not None:
        shelf_pair = shelves(sides, owner.edits, tell)
        (given, validation), (made, wanted) = (set_aside(shelf, edits.task) for shelf in shelf_pair)
        return judge_of(edits.task, (given, made), (validation, wanted), edits, space)(tell), notes
    if against is None or sources_of(sides) == {os.path.realpath(each) for each in own_sources(ours) if each}:
        raise changed(sides.words)
    channels, decoding = (edits.seen, edits.channels), telling(tell, "decoding")
    if sides.pairs is not None:
        given, made = load_pairs(sides.pairs, LEAST, None, channels, progress=decoding)
        rows = everything(made)
        return EditJudge.of_pairs(given, made, edits, rows[:1], rows, tell, space=space, split=ALL), notes
    given, made = (
        load_shelf(side, colour, LEAST, progress=decoding)
        for side, colour in zip((sides.given, sides.made), channels, strict=True)
    )
    both = everything(given), everything(made)
    return UnpairedJudge(given, made, edits, both, both, space, ALL, tell=tell), notes


def places(ours: Learned, against: Source | None) -> list[tuple[Source, Source | None]]:
    """Where both sides may be: the run's own, or in a folder; two kinds in one may be either way round.

    Raises:
        RequestError: nothing is given and the run doesn't say what it learned from, or there are no two folders.
    """
    if against is None:
        given, made = own_sources(ours)
        if given is None or made is None:
            raise RequestError(f"say what {ours.name} is to be judged on: --against PICTURES, set out as it learned")
        return [(given, None if made == given else made)]
    if ours.edits.task == "pairs":
        return [(against, None)]
    folders = two_folders(Path(against))
    return [folders, folders[::-1]]


def own_sources(ours: Learned) -> tuple[str | None, str | None]:
    """What a run was given and what it was to make of it, as far as it says."""
    found = ours.about.get("found") or {}
    return (found.get("given") or {}).get("source"), found.get("source")


def sources_of(sides: Sides) -> set[str]:
    """Where both sides really lie."""
    return {os.path.realpath(side.found.source) for side in (sides.given, sides.made)}


def seen(edits: Edits, given: Source, made: Source | None, tell: Tell) -> tuple[Sides, list[str]]:
    """Both sides, looked at, and what was said of them."""
    words = list[str]()

    def told(entry: Mapping[str, Any]) -> None:
        if entry["kind"] == "event":
            words.append(f"{entry['words'][0].upper()}{entry['words'][1:]}.")
        elif entry["kind"] == "reading":
            tell(entry)

    return look_at_sides(edits.task, given, made, (), edits.damage.get("given", "left"), told), words


def two_folders(against: Path) -> tuple[Path, Path]:
    """The two folders in a folder, by name.

    Raises:
        RequestError: there are fewer or more.
    """
    folders = sorted(path for path in against.iterdir() if path.is_dir()) if against.is_dir() else []
    if len(folders) != 2:
        raise RequestError(
            f"{against} holds {len(folders)} folders; two are needed: by their names the first of pictures that are "
            "given, the second of the kind that is wanted"
        )
    return folders[0], folders[1]


def everything(shelf: Shelf) -> Tensor:
    """All rows of a shelf (n,)."""
    return torch.cat([shelf.train, shelf.held_out]).sort().values


def remarks(looked: Survey, shelf: Shelf, channels: int) -> Iterator[str]:
    """What was left out, and what was done to the channels."""
    for reason, count in shelf.found.skipped.items():
        example = shelf.found.examples.get(reason, "?")
        yield f"Skipped {count} file{'s' * (count > 1)}: {reason}, such as {example}."
    if looked.channels != channels:
        yield f"The pictures are {CHANNELS[looked.channels]} and were judged as {CHANNELS[channels]}, like the model's."
