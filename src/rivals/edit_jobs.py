"""Pictures to be edited before the first step: what is asked, what is given for good pictures, a recipe, a judge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .engine.data import spread
from .engine.errors import RequestError
from .engine.gamma import PENALTIES, gamma_for, weighed
from .engine.model import Model
from .engine.names import named
from .engine.needs import Needs
from .engine.processes import Spread, check_processes
from .engine.recipe import Recipe, change, from_plain, parse
from .jobs import Job, Request, Tell, ends, estimate, kept_recipe, resumed, same_data, telling, with_budget
from .modalities.images.cache import Survey, survey
from .modalities.images.edits.data import dataset
from .modalities.images.edits.judge import EditJudge, Pairs, repairs, space_for_crops
from .modalities.images.edits.methods import RESTORATION
from .modalities.images.edits.methods_translate import TRANSLATION
from .modalities.images.edits.modality import Edits, edit
from .modalities.images.edits.recipes import choose_edits, choose_recipe, needs, usual_method
from .modalities.images.edits.recipes_translate import SETTINGS
from .modalities.images.edits.scores import as_given, score_names
from .modalities.images.edits.sheets import damage_sheet, sheet
from .modalities.images.edits.starts import Start, start_of
from .modalities.images.edits.store import Shelf, crops, load
from .modalities.images.edits.tasks import TASKS
from .modalities.images.features import check as check_features
from .picture_jobs import tell_skipped

VALIDATION = 64  # pictures at most, that choose the best state and are in no verdict
SHOWN, SIDE = 6, 128  # pictures of a sheet, and their pixels at most


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Look at the pictures, choose what is not given, and check that it can be done.

    `stored` is what `open_folder` found. Nothing is written but the cache of decoded pictures.

    Raises:
        RequestError: the request can't be served.
    """
    check_request(request)
    going = resumed(request, stored)
    start = begun(request)
    task = task_of(request, kept_recipe(request), start)
    looked = survey(request.source, learning=False, progress=telling(tell, "reading"))
    tell({"kind": "found", "found": asdict(looked.found)})
    recipe, reasons = going or chosen(request, task, looked, device, start)
    edits = announced(request, recipe, reasons, needs, device, start, tell)
    shelf = load(looked, edits.channels, edits.crop, progress=telling(tell, "decoding"))
    tell_skipped(looked.found.skipped, shelf.found.skipped, tell)
    same_data(stored, shelf.content, request, "pictures")
    if going is None and request.recipe is None:
        recipe = with_gamma(recipe, edits, shelf, tuple(request.changes), tell)
    validation, held_out = parted(shelf, shelf.held_out)
    space = feature_space(request, stored)
    words = f"what is given for good pictures is shown in {request.folder / 'pictures' / 'damage.png'}"
    tell({"kind": "event", "step": 0, "words": words})
    return Job(
        folder=request.folder,
        source=str(request.source),
        recipe=recipe,
        modality=edits,
        content=shelf.content,
        found=asdict(shelf.found),
        features=space,
        scores=score_names(),
        dataset=lambda device: dataset(shelf, edits),
        judge=lambda tell: EditJudge.of(shelf, edits, validation, held_out, tell, space=space),
        sheet=sheet_of(repairs(shelf, edits), edits, validation),
        spread=Spread.kept(stored or {}),
        takes_best=not torch.equal(validation, held_out),
        start=None if start is None else start.weights,
        pictures={"damage.png": damage_sheet(shelf, edits, recipe.seed)},
    )


def announced(
    request: Request,
    recipe: Recipe,
    reasons: Sequence[str],
    needs: Callable[[Recipe, Edits], Needs],
    device: torch.device,
    start: Start | None,
    tell: Tell,
) -> Edits:
    """What is asked of pictures by a recipe; told of with what it will take, before anything is decoded.

    Raises:
        RequestError: it can't be done: what can't costs no time.
    """
    edits: Edits = from_plain(Edits, dict(recipe.data), "the recipe: data")
    if start is not None:
        start.check(edits, recipe.generator)
    check_processes(recipe.batch, request.processes, device)
    told = estimate(recipe, needs(recipe, edits), device, "data.crop, or the networks' width")
    plan = {"kind": "plan", "folder": str(request.folder), "recipe": asdict(recipe), "reasons": reasons, **told}
    tell({**plan, "items": "crops", "shape": f"{edits.crop}x{edits.crop}, {edits.channels} channels"})
    return edits


def check_request(request: Request) -> None:
    """Refuse what is for tables, and what does not go together.

    Raises:
        RequestError: such a request.
    """
    if any(request.data.get(name) for name in ("columns", "query", "constraints")):
        raise RequestError(f"columns, queries and constraints are for tables, and {request.source} is none")
    if request.data.get("epsilon") is not None or request.data.get("delta") is not None:
        raise RequestError(f"differential privacy is for tables so far, and {request.source} is none")
    if request.recipe is not None and request.recipe.modality != "edits":
        raise RequestError(f"the recipe is of {request.recipe.modality}, and pictures are to be edited here")


def begun(request: Request) -> Start | None:
    """The weights that training begins with; None where none are asked for, or training has begun already."""
    from .api import load as load_model

    place = request.data.get("start")
    if not place or (request.folder / "state").exists():
        return None
    return start_of(place, load_model)


def task_of(request: Request, recipe: Recipe | None, start: Start | None) -> str:
    """The task: what is asked for, or that of the recipe or of the run whose weights are taken.

    Raises:
        RequestError: there is none, it is not known, or it differs from the recipe's.
    """
    asked = request.data.get("task")
    if asked is not None:
        named(asked, {**TASKS, **SETTINGS}, "task")
    kept = None if recipe is None else str(recipe.data.get("task"))
    if asked is not None and kept is not None and asked != kept:
        raise RequestError(f"the run's task is {kept}, not {asked}; another task needs a new --out")
    scale = request.data.get("scale")
    if recipe is not None and scale not in (None, recipe.data.get("scale")):
        raise RequestError(f"the run's scale is {recipe.data.get('scale')}, not {scale}; another needs a new --out")
    found = asked or kept
    if found is None and start is not None:
        found = start.edits.task if start.edits else ("super-resolution" if start.scale > 1 else None)
    if found is None:
        what = "--scale is for --task super-resolution" if scale else "pictures are edited for a task"
        raise RequestError(f"{what}: add --task, one of {', '.join({**TASKS, **SETTINGS})}")
    return found


def chosen(
    request: Request, task: str, looked: Survey, device: torch.device, start: Start | None
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run that begins, and why it is what it is."""
    changes = dict(request.changes)
    networks = changes.pop("networks", None)
    minutes, steps = ends(request)
    given = {path.removeprefix("data."): parse(value) for path, value in changes.items() if path.startswith("data.")}
    recipe = request.recipe
    if recipe is not None:
        kept = dict(recipe.data)
        given = {**{name: kept[name] for name in ("channels", "crop") if name in kept}, **damage_of(kept), **given}
    scale = request.data.get("scale") if recipe is None else scale_of(task, recipe.data.get("scale"))
    if scale is None and start is not None and start.scale > 1 and task == "super-resolution":
        scale = start.scale
    if start is not None and start.edits is not None and start.edits.task == task:
        given = {"channels": start.channels, **damage_of(asdict(start.edits)), **given}
    edits, why = choose_edits(task, scale, given, looked, device, minutes)
    reasons: tuple[str, ...] = (why,)
    if recipe is None:
        choice = choose_recipe(
            edits,
            request.method or usual_method(task),
            device,
            minutes,
            steps,
            own=request.own,
            networks=networks,
            start=None if start is None else start.use,
        )
        recipe, reasons = choice.recipe, (why, *choice.reasons)
    recipe = replace(recipe, data=asdict(edits), generator=recipe.generator if start is None else start.use)
    for path, value in changes.items():
        if not path.startswith("data."):
            recipe = change(recipe, path, value)
    return with_budget(recipe, request.asked), reasons


def damage_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the damage in a recipe's data, as changes."""
    return {f"damage.{name}": value for name, value in (data.get("damage") or {}).items()}


def scale_of(task: str, scale: Any) -> int | None:
    """The scale in a recipe's data, where the task has one."""
    return int(scale) if task == "super-resolution" and scale else None


def with_gamma(recipe: Recipe, edits: Edits, shelf: Shelf, given: tuple[str, ...], tell: Tell) -> Recipe:
    """The weights of R1 and R2 measured on crops, where a method of the engine's own is in units of that."""
    own = {path.split(".")[1] for path in given if path.startswith("critic_terms.") and not path.endswith(".every")}
    names = [name for name in PENALTIES if name in recipe.critic_terms and name not in own]
    if recipe.method in (*RESTORATION, *TRANSLATION) or not names:
        return recipe
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        rows, drawn = shelf.train[torch.randint(len(shelf.train), (256,))], torch.rand(256, 3)
    gamma = gamma_for(crops(shelf, rows, edits.crop, drawn=drawn))  # the same in every process
    words = f"gamma {gamma:g} for {' and '.join(names)}, by the crops' total variance"
    tell({"kind": "event", "step": 0, "words": f"{words} (--set critic_terms.{names[0]}=... for another)"})
    return weighed(recipe, gamma, names)


def parted(shelf: Shelf, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (n,) that are not learned from, in two: a quarter to choose the best state by, the rest for the verdict.

    Equal pictures are never parted: the quarter is chosen of those that there are once. Where there are none, or no
    more, all serve for both.
    """
    few = spread(shelf.alone(rows), min(max(len(rows) // 4, 1), VALIDATION))
    rest = rows[~torch.isin(rows, few)]
    return (few, rest) if len(few) and len(rest) else (rows, rows)


def feature_space(request: Request, stored: Mapping[str, Any] | None) -> str:
    """The space that crops are compared in as sets: the run's own, the one asked for, or the usual one."""
    kept = None if stored is None else stored.get("features")
    if request.features is not None and kept is not None and request.features != kept:
        words = f"the run is judged in the feature space {kept!r}, not {request.features!r}; leave --features out"
        raise RequestError(words)
    return check_features(request.features or kept or space_for_crops())


def sheet_of(pairs: Pairs, edits: Edits, rows: Tensor) -> Callable[[Model], bytes]:
    """Some validation pictures each time: as given, as made, and as they truly are."""
    few = [pairs(row, SIDE, 0) for row in spread(rows, SHOWN).tolist()]
    return partial(shown, few, edits)


def shown(few: list[tuple[Tensor, Tensor]], edits: Edits, model: Model) -> bytes:
    """A sheet of a model."""
    device = next(model.network.parameters()).device
    cells = []
    for given, true in few:
        made = edit(model.network, edits, given.to(device)).float().cpu().clone()
        cells += [as_given(given, edits.channels, true.shape[2:]), made, true]
    return sheet(cells, 6 if len(few) > 1 else 3)
