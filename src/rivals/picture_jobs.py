"""Pictures before their first step: look at them, choose a recipe, decode them. Refuses what can't be done."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .engine.errors import RequestError
from .engine.model import Model
from .engine.processes import Spread, check_processes
from .engine.recipe import Recipe, change
from .jobs import Job, Request, Tell, ends, estimate, resumed, same_data, telling, with_budget
from .modalities.images.cache import Survey, survey
from .modalities.images.cache import load as load_pictures
from .modalities.images.features import check as check_features
from .modalities.images.features import choose as choose_features
from .modalities.images.features import extractor, reason
from .modalities.images.frames import Frame, pick_frame
from .modalities.images.judge import SEED, PicturesJudge
from .modalities.images.modality import Images, dataset
from .modalities.images.recipes import choose_recipe, needs, settled, with_gamma
from .modalities.images.sides import of_model

FEW = 200  # samples of a quick verdict at least


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Look at the data, choose what is not given, and check that it can be done.

    `stored` is what `open_folder` found. Nothing is written but the cache of decoded pictures.

    Raises:
        RequestError: the request can't be served.
    """
    if any(request.data.get(name) for name in ("columns", "query", "constraints")):
        raise RequestError(f"columns, queries and constraints are for tables, and {request.source} is none")
    if request.data.get("epsilon") is not None or request.data.get("delta") is not None:
        raise RequestError(f"differential privacy is for tables so far, and {request.source} is none")
    looked = survey(request.source, progress=telling(tell, "reading"))
    tell({"kind": "found", "found": asdict(looked.found)})
    going = resumed(request, stored)
    recipe, reasons = going or chosen(request, looked, device)
    check_processes(recipe.batch, request.processes, device)
    frame = Frame(**recipe.data)
    needed = needs(recipe, expected_images(looked, frame))  # before decoding: what can't be done costs no time
    told = estimate(recipe, needed, device, "data.height and data.width, or the networks' width")
    tell(
        {
            "kind": "plan",
            "folder": str(request.folder),
            "recipe": asdict(recipe),
            "reasons": reasons,
            **told,
            "items": "pictures",
            "shape": f"{frame.width}x{frame.height}, {frame.channels} channels",
        }
    )
    pictures = load_pictures(looked, **frame._asdict(), progress=telling(tell, "decoding"))
    tell_skipped(looked.found.skipped, pictures.found.skipped, tell)
    same_data(stored, pictures.content, request, "pictures")
    if going is None and request.recipe is None:
        recipe = with_gamma(recipe, pictures, tuple(request.changes), tell)
    images = Images.of(pictures)
    space = feature_space(request, stored, looked, device)
    if request.features is None and (why := reason(space)):
        tell({"kind": "event", "step": 0, "words": why})
    recipe = settled(recipe, images)
    return Job(
        folder=request.folder,
        source=str(request.source),
        recipe=recipe,
        modality=images,
        content=pictures.content,
        found=asdict(pictures.found),
        features=space,
        scores=("fd", "fd_share", *(("agreement",) if images.classes else ())),
        dataset=lambda device: dataset(pictures, device),
        judge=lambda tell: PictureVerdicts(PicturesJudge.of(pictures, extractor(space, pictures, tell=tell)), images),
        sheet=sheet_of(recipe, images),
        spread=Spread.kept(stored or {}),
    )


def sheet_of(recipe: Recipe, images: Images) -> Callable[[Model], bytes]:
    """A hundred samples of the same noise each time, a class in every column."""
    noise = torch.randn(100, recipe.latent, generator=torch.Generator().manual_seed(recipe.seed))
    labels = torch.arange(100) % len(images.classes) if images.classes else None
    return lambda model: images.sheet(model.from_noise(noise, labels))  # type: ignore[arg-type]


@dataclass(frozen=True)
class PictureVerdicts:
    """The judge of a run."""

    judge: PicturesJudge
    images: Images

    def quick(self, model: Model, seed: int, share: float) -> dict[str, float]:
        """Scores from a share of the usual samples, but not too few."""
        usual = self.judge.extractor.quick
        return self.judge.scores(model, max(round(share * usual), min(usual, FEW)), seed=seed)

    def final(self, model: Model, folder: Path) -> dict[str, Any]:
        """The verdict; a final sheet, an interpolation and nearest neighbours go to the folder."""
        from .modalities.images.pages import write_pictures

        fakes = of_model(model, self.judge.extractor.full, seed=SEED, name=str(folder))
        judged = self.judge.judged(fakes, seed=SEED)
        write_pictures(folder, self.images, judged, model)
        return judged.verdict


def chosen(request: Request, looked: Survey, device: torch.device) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a run that begins, and why it is what it is."""
    changes = dict(request.changes)
    networks = changes.pop("networks", None)
    minutes, steps = ends(request)
    frame, why = pick_frame(request.recipe, changes, looked, device, minutes)
    images = expected_images(looked, frame)
    recipe = request.recipe
    reasons: tuple[str, ...] = (why,)
    if recipe is None:
        choice = choose_recipe(
            images,
            request.method or "r3gan",
            device,
            minutes,
            steps,
            own=request.own,
            networks=networks,
            pictures=looked.training,
        )
        recipe, reasons = choice.recipe, (why, *choice.reasons)
    recipe = replace(recipe, data=frame._asdict())
    for path, value in changes.items():
        recipe = change(recipe, path, value)
    return settled(with_budget(recipe, request.asked), images), reasons


def expected_images(looked: Survey, frame: Frame) -> Images:
    """The modality as far as it is known before decoding."""
    classes = looked.found.classes
    return Images(*frame, looked.bits, tuple(classes), tuple(classes.values()))


def feature_space(request: Request, stored: Mapping[str, Any] | None, looked: Survey, device: torch.device) -> str:
    """The feature space of the verdict: the run's own, or the one asked for, or the data's."""
    kept = None if stored is None else stored.get("features")
    asked = request.features
    if asked is not None and kept is not None and asked != kept:
        raise RequestError(f"the run is judged in the feature space {kept!r}, not {asked!r}; leave --features out")
    side = max(looked.found.median_width, looked.found.median_height)
    space: str = asked or kept or choose_features(looked.found.kind, device.type, side)
    return check_features(space)  # refuses what is not known or not installed


def tell_skipped(before: Mapping[str, int], after: Mapping[str, int], tell: Tell) -> None:
    """Pictures that turned out to be damaged only when they were decoded."""
    more = {reason: count - before.get(reason, 0) for reason, count in after.items() if count > before.get(reason, 0)}
    if more:
        tell({"kind": "event", "step": 0, "words": "skipped " + ", ".join(f"{n} ({why})" for why, n in more.items())})
