"""Pictures to be turned into others, before the first step: pairs, two kinds without pairs, or a style to take over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .edit_jobs import announced, begun, check_request, feature_space, sheet_of, with_gamma
from .engine.data import Dataset, spread
from .engine.errors import RequestError
from .engine.model import Model
from .engine.names import named
from .engine.processes import Spread
from .engine.recipe import Recipe, change, parse
from .jobs import Job, Request, Tell, ends, kept_recipe, resumed, same_data, with_budget
from .modalities.images.edits import pairs, unpaired
from .modalities.images.edits.judge import EditJudge
from .modalities.images.edits.judge_unpaired import SETS, UnpairedJudge
from .modalities.images.edits.methods import EDIT_METHODS
from .modalities.images.edits.modality import Edits, edit
from .modalities.images.edits.recipes_translate import SETTINGS, USUAL, choose_edits, choose_recipe, needs
from .modalities.images.edits.scores import as_given, score_names
from .modalities.images.edits.sheets import sheet
from .modalities.images.edits.starts import Start
from .modalities.images.edits.store import Shelf, middle
from .modalities.images.edits.tasks import TASKS
from .translate_sides import Sides, content, look, refuse_same_pictures, refuse_same_place, shelves

VALIDATION = 48  # pictures at most, that choose the best state and are in no verdict
SHOWN, SIDE = 6, 128  # pictures of a sheet, and their pixels at most


def translates(request: Request) -> bool:
    """Whether a request, or the run that goes on, turns pictures into others."""
    recipe = kept_recipe(request)
    kept = None if recipe is None else recipe.data.get("task")
    asked = request.data.get("task")
    return bool(request.data.get("onto") or request.data.get("style")) or (asked or kept) in SETTINGS


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Look at the pictures, choose what is not given, and check that it can be done.

    `stored` is what `open_folder` found. Nothing is written but the cache of decoded pictures.

    Raises:
        RequestError: the request can't be served.
    """
    check_request(request)
    going = resumed(request, stored)
    start = begun(request)
    task = task_of(request, kept_recipe(request))
    onto, styles = request.data.get("onto"), request.data.get("style") or ()
    if onto is not None:
        refuse_same_place(request.source, onto)
    sides = look(task, request.source, onto, styles, asked_data(request).get("damage.given", "left"), tell)
    refuse_same_pictures(sides, tell)
    recipe, reasons = going or chosen(request, sides, device, start)
    edits = announced(request, recipe, reasons, needs, device, start, tell)
    given, made = shelves(sides, edits, tell)
    known = content(task, given.content, made.content)
    same_data(stored, known, request, "pictures")
    if going is None and request.recipe is None:
        recipe = with_gamma(recipe, edits, made, tuple(request.changes), tell)
    (given, validation), (made, wanted) = set_aside(given, task), set_aside(made, task)
    space = feature_space(request, stored)
    return Job(
        folder=request.folder,
        source=sides.words,
        recipe=recipe,
        modality=edits,
        content=known,
        found={**asdict(made.found), "given": asdict(given.found)},
        features=space,
        scores=score_names() if task == "pairs" else SETS,
        dataset=lambda device: dataset_of(task, given, made, edits),
        judge=judge_of(task, (given, made), (validation, wanted), edits, space),
        sheet=paired_sheet(given, made, edits, validation)
        if task == "pairs"
        else partial(shown, edits, (few(given, validation), few(made, wanted))),
        spread=Spread.kept(stored or {}),
        takes_best=True,
        start=None if start is None else start.weights,
    )


def set_aside(shelf: Shelf, task: str) -> tuple[Shelf, Tensor]:
    """A shelf without some of what is learned from, and these: they choose the best state, and are in no verdict.

    None of them equals a picture that is left. Where there are too few to spare, and of paintings, all serve for both.
    """
    free, count = shelf.alone(shelf.train), min(len(shelf.train) // 5, VALIDATION)
    if min(count, len(free)) < 2 or (task == "style" and not len(shelf.held_out)):
        return shelf, shelf.train
    spared = spread(free, count)
    return replace(shelf, train=shelf.train[~torch.isin(shelf.train, spared)]), spared


def task_of(request: Request, recipe: Recipe | None) -> str:
    """Which of the three it is: by what is given, or as the recipe or the run that goes on has it.

    Raises:
        RequestError: what is given does not go together, is not enough, or differs from the recipe's.
    """
    asked, onto, style = (request.data.get(name) for name in ("task", "onto", "style"))
    if asked is not None:
        named(asked, {**TASKS, **SETTINGS}, "task")
    if asked in TASKS:
        raise RequestError(
            f"{asked} is learned from good pictures alone, damaged on purpose: leave the others out, or give --task "
            "pairs for pictures that belong together by name"
        )
    if request.data.get("scale") is not None:
        raise RequestError("--scale is for --task super-resolution; these pictures keep their size")
    if style and onto:
        raise RequestError(f"--style takes the place of a second folder: leave {onto} out, or --style")
    kept = None if recipe is None else str(recipe.data.get("task"))
    found = asked or ("style" if style else None) or (kept if kept in SETTINGS else None) or "unpaired"
    if kept is not None and found != kept:
        raise RequestError(f"the run's task is {kept}, not {found}; another task needs a new --out")
    if found == "unpaired" and not onto:
        raise RequestError(f"give two folders: rivals train {request.source} ONTO, pictures of the kind that is wanted")
    if (found == "style") != bool(style):
        raise RequestError("a style comes from pictures: give --style painting.jpg, and no other task")
    return str(found)


def asked_data(request: Request) -> dict[str, Any]:
    """What was asked of `Edits`: of the run that goes on or a given recipe, changed by the command."""
    recipe = kept_recipe(request)
    kept = {} if recipe is None else dict(recipe.data)
    given: dict[str, Any] = {name: kept[name] for name in ("channels", "crop") if name in kept}
    given |= {f"damage.{name}": value for name, value in (kept.get("damage") or {}).items()}
    changes = request.changes.items()
    return given | {path.removeprefix("data."): parse(value) for path, value in changes if path.startswith("data.")}


def chosen(request: Request, sides: Sides, device: torch.device, start: Start | None) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run that begins, and why it is what it is."""
    changes = dict(request.changes)
    networks = changes.pop("networks", None)
    minutes, steps = ends(request)
    name = request.method or USUAL[sides.task]
    method = request.own or named(name, EDIT_METHODS, "method")
    back = method.networks == "cycle" if request.recipe is None else bool(request.recipe.data.get("back"))
    halves = sides.pairs is not None and sides.pairs.made.half is not None
    edits = choose_edits(sides.task, asked_data(request), (sides.given, sides.made), halves, device, minutes, back=back)
    recipe = request.recipe
    reasons: tuple[str, ...] = ("the recipe that was given",)
    if recipe is None:
        choice = choose_recipe(edits, name, method, device, minutes, steps, networks=networks)
        recipe, reasons = choice.recipe, choice.reasons
    if start is not None:
        if back != (start.use.name == "cycle"):
            raise RequestError("--start and --method differ: only cyclegan goes both ways, with weights that do")
        recipe = replace(recipe, generator=start.use)
    recipe = replace(recipe, data=asdict(edits))
    for path, value in changes.items():
        if not path.startswith("data."):
            recipe = change(recipe, path, value)
    return with_budget(recipe, request.asked), reasons


def dataset_of(task: str, given: Shelf, made: Shelf, edits: Edits) -> Dataset:
    """The data of a task."""
    make = {"pairs": pairs.dataset, "style": unpaired.styled, "unpaired": unpaired.dataset}[task]
    return make(given, made, edits)


def judge_of(
    task: str, sides: tuple[Shelf, Shelf], validation: tuple[Tensor, Tensor], edits: Edits, space: str
) -> Callable[[Tell], EditJudge | UnpairedJudge]:
    """Makes the judge; `validation` are the rows of both sides for quick verdicts."""
    given, made = sides
    if task == "pairs":
        rows = validation[0], given.held_out
        return lambda tell: EditJudge.of_pairs(given, made, edits, *rows, tell, space=space)
    last = given.held_out, made.held_out if len(made.held_out) else made.train
    return lambda tell: UnpairedJudge(given, made, edits, validation, last, space, tell=tell)


def paired_sheet(given: Shelf, made: Shelf, edits: Edits, rows: Tensor) -> Callable[[Model], bytes]:
    """Some validation pictures each time: as given, as made, and as they truly are."""
    return sheet_of(lambda row, most, _: (middle(given, row, most), middle(made, row, most)), edits, rows)


def few(shelf: Shelf, rows: Tensor) -> list[Tensor]:
    """The middles of some pictures, each (1, channels, h, w)."""
    return [middle(shelf, row, SIDE) for row in spread(rows, SHOWN).tolist()]


def shown(edits: Edits, some: tuple[Sequence[Tensor], Sequence[Tensor]], model: Model) -> bytes:
    """A sheet: pictures as given and as made; of a network that goes both ways also back again, and the other way."""
    device = next(model.network.parameters()).device

    def run(x: Tensor, back: bool) -> Tensor:
        return edit(model.network, edits, x.to(device), back=back).float().cpu().clone()

    cells = []
    for way, pictures in enumerate(some if edits.back else some[:1]):
        for x in pictures:
            made = run(x, bool(way))
            cells += [as_given(x, made.shape[1], x.shape[2:]), made]
            cells += [as_given(run(made, not way), made.shape[1], x.shape[2:])] if edits.back else []
    return sheet(cells, 6)
