"""`rivals judge`: fakes against real pictures, each a run, a model, pictures in any form, or a built-in name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .api import load
from .engine.errors import RequestError
from .engine.launch import launch, launched
from .engine.parallel import processes
from .jobs import open_folder, slug, telling
from .judging.frechet import total_variance
from .kinds import modality_of
from .modalities.images.cache import Pictures, Survey, survey
from .modalities.images.cache import load as load_pictures
from .modalities.images.features import Extractor, extractor
from .modalities.images.features import choose as choose_features
from .modalities.images.judge import ALL, HELD_OUT, SEED, PicturesJudge
from .modalities.images.sides import (
    Side,
    channel_words,
    class_words,
    fitting_words,
    of_model,
    of_pictures,
    resized,
    skipped_words,
    widened,
)

Tell = Callable[[Mapping[str, Any]], None]
Source = str | Path


@dataclass(frozen=True)
class Asked:
    """What a person asked for."""

    features: str | None
    count: int | None
    seed: int
    best: bool
    tell: Tell


@dataclass(frozen=True)
class Match:
    """Both sides in one shape, and what had to be done to them, in words."""

    fake: Side
    judge: PicturesJudge
    notes: tuple[str, ...] = ()


def judge(
    fake: Source,
    against: Source | None = None,
    *,
    beside: Sequence[Source] = (),
    features: str | None = None,
    count: int | None = None,
    seed: int = SEED,
    best: bool = False,
    ensemble: bool = False,
    page: str | Path | None = None,
    tell: Tell = lambda entry: None,
) -> dict[str, Any]:
    """The verdict on fakes against real pictures, with intervals, floors and the score card.

    A model is judged against the held-out part of pictures, since it may know the rest by heart; pictures of unknown
    origin against all of them. Features are kept on disk as they are made: an interrupted verdict goes on, and a
    reference set is embedded once. Started by torchrun, each process embeds its share and the first one judges.

    Args:
        fake: a run's or model's folder; or a folder, zip, .npz, IDX file, Parquet or Arrow table of pictures.
        against: the same (of a run its samples), `digits` or `faces`; what the run was trained on if not given.
        beside: of a run that edits pictures, others of its task, judged on the same.
        features: the feature space; the run's own, or chosen from the data, if not given.
        count: the most samples and pictures of a side; what the space embeds in about a minute if not given.
        seed: of samples and of every random choice.
        best: judge a run's best state instead of its last.
        ensemble: of runs that restore pictures: judge the mean of eight turned and mirrored looks (`SelfEnsemble`).
        page: where to write the verdict as an HTML page.
        tell: called with progress.

    Returns:
        {"scores", "intervals", "floor", "classes", "neighbours", "memorisation", "notes", "protocol", "card", "same"};
        of several processes, nothing in all but the first.

    Raises:
        RequestError: the request can't be served.
    """
    if count is not None and count < 2:
        raise RequestError(f"--count {count}: a verdict needs two samples or more on each side")
    if not 0 <= seed < 2**32:
        raise RequestError(f"--seed {seed}: a seed lies between 0 and {2**32 - 1}")
    if modality_of(fake) == "edits":
        from .edit_judging import judge_edits

        how: dict[str, Any] = {"count": count, "seed": seed, "best": best, "ensemble": ensemble}
        return judge_edits(fake, against, beside=beside, features=features, page=page, tell=tell, **how)
    if beside or ensemble:
        raise RequestError(f"--{'beside' if beside else 'ensemble'} is for runs that edit pictures; {fake} is none")
    if modality_of(against) == "edits":
        raise RequestError(f"{against} edits pictures and makes none of its own: nothing can be judged against it")
    if launched():
        launch("auto", None)
    asked = Asked(features, count, seed, best, tell)
    matched = model_match(fake, against, asked) if is_model(fake) else pictures_match(fake, against, asked)
    rows = matched.judge.rows_of(matched.fake, tell)
    if processes()[0] != 0:
        return {}
    real, space = matched.judge.held_out, matched.judge.extractor.name
    if total_variance(real) <= 1e-12 * float(real.square().sum(1).mean()):  # rounding may be left
        raise RequestError(f"to {space} all {len(real)} real pictures are the same: nothing can be judged by them")
    judged = matched.judge.judged(matched.fake, rows, seed=seed, tell=tell)
    same = [SAME] if judged.verdict["same"] else []
    judged.verdict["notes"] = [*same, *matched.notes, *judged.verdict["notes"]]
    if page is not None:
        from .modalities.images.pages import write_verdict

        write_verdict(Path(page), judged)
    return judged.verdict


SAME = (
    "Both sides are the same pictures (their contents have the same hash): the distance is 0 by construction and says "
    "nothing about a generator."
)


def is_model(source: Source) -> bool:
    """Whether this is a run's folder or a model's."""
    return any((Path(source) / name).exists() for name in ("model.json", "run.json"))


def page_name(fake: Source, against: Source | None) -> Path:
    """Where a verdict's page goes if nobody says.

    >>> page_name("my_fakes/", "photos.zip").as_posix(), page_name("runs/digits", None).as_posix()
    ('runs/judge-my_fakes-against-photos.html', 'runs/judge-digits.html')
    """
    return Path("runs") / f"judge-{slug(fake)}{'' if against is None else f'-against-{slug(against)}'}.html"


def model_match(fake: Source, against: Source | None, asked: Asked) -> Match:
    """A model against pictures or another model."""
    folder = Path(fake)
    model = load(folder, best=asked.best)
    images: Any = model.modality
    about = run_facts(folder)
    source = against if against is not None else about.get("source")
    if source is None:
        raise RequestError(f"{folder} does not say what it was trained on; give the pictures with --against")
    if is_model(source):
        return models_match(folder, Path(source), asked)
    looked = look(source, asked)
    own = against is None or str(against) == about.get("source")
    channels = images.channels if own else both(images.channels, looked.channels)
    pictures = decoded(looked, images.height, images.width, channels, asked)
    side_length = max(images.height, images.width)
    name = asked.features or about.get("features") or choose_features(looked.found.kind, side=side_length)
    space = extractor(name, pictures, tell=asked.tell)
    side = sampled(folder, asked, space)
    split = HELD_OUT if len(pictures.train) > 1 else ALL
    known = PicturesJudge.of(
        pictures, space, name=str(source), split=split, count=asked.count, share=processes(), tell=asked.tell
    )
    sizes, size = list(looked.found.sizes), (images.height, images.width)
    told = [*fitting_words(sizes, size, "The real pictures"), *skipped_words(pictures, "real")]
    told += channel_words(images.channels, looked.channels, channels)
    return Match(
        widened(side, channels) if channels != images.channels else side,
        known,
        (*told, *class_words(side.classes, pictures.classes)),
    )


def models_match(fake: Path, real: Path, asked: Asked) -> Match:
    """A model's samples against those of another."""
    models: list[Any] = [load(folder).modality for folder in (fake, real)]
    name = asked.features or run_facts(real).get("features") or run_facts(fake).get("features")
    space = extractor(name or choose_features("folder", side=max(models[1].height, models[1].width)), tell=asked.tell)
    sides = [sampled(fake, asked, space), sampled(real, replace(asked, best=False, seed=asked.seed + 1), space)]
    (height, width), there = ((one.height, one.width) for one in models)
    told = channel_words(models[0].channels, models[1].channels, both(*(one.channels for one in models)))
    if there != (height, width):
        sides[1] = resized(sides[1], height, width)
        told.append(
            f"The samples of {real} ({there[1]}x{there[0]}) were brought to {width}x{height}: bilinear, antialiased."
        )
    if models[0].channels != models[1].channels:
        sides = [widened(side, both(*(one.channels for one in models))) for side in sides]
    told += class_words(sides[0].classes, sides[1].classes)
    return Match(sides[0], PicturesJudge.of_side(sides[1], space, share=processes(), tell=asked.tell), tuple(told))


def pictures_match(fake: Source, against: Source | None, asked: Asked) -> Match:
    """Pictures against pictures, or against a model's samples; of two sizes the smaller is taken."""
    if against is None:
        there = Path(fake).exists()
        raise RequestError(
            f"say what the pictures in {fake} are to be judged against: --against PICTURES"
            if there
            else f"there is no run at {fake}"
        )
    if asked.best:
        raise RequestError(f"--best is for runs, and {fake} is none; leave it out")
    left = look(fake, asked)
    right = None if is_model(against) else look(against, asked)
    if right is None:
        images: Any = load(against).modality
        shapes = [shape_of(left), (images.height, images.width, images.channels)]
    else:
        shapes = [shape_of(left), shape_of(right)]
    height, width = min(((h, w) for h, w, _ in shapes), key=lambda size: size[0] * size[1])
    if right is None:
        height, width = shapes[1][:2]
    channels = both(shapes[0][2], shapes[1][2])
    fakes = decoded(left, height, width, channels, asked)
    pictures = None if right is None else decoded(right, height, width, channels, asked)
    kind = left.found.kind if right is None else right.found.kind
    name = asked.features or choose_features(kind, side=max(height, width))
    space = extractor(name, pictures, tell=asked.tell)
    rows = every_row(fakes, asked.count or space.full)
    side = of_pictures(fakes, rows, str(fake))
    told = [
        *fitting_words(list(left.found.sizes), (height, width), "The fakes"),
        *skipped_words(fakes, "fake"),
        *channel_words(shapes[0][2], shapes[1][2], channels),
    ]
    if right is None or pictures is None:
        real = widened(sampled(Path(against), asked, space), channels)
        told += class_words(side.classes, real.classes)
        return Match(side, PicturesJudge.of_side(real, space, share=processes(), tell=asked.tell), tuple(told))
    told += fitting_words(list(right.found.sizes), (height, width), "The real pictures")
    told += [*skipped_words(pictures, "real"), *class_words(side.classes, pictures.classes)]
    known = PicturesJudge.of(
        pictures, space, name=str(against), split=ALL, count=asked.count, share=processes(), tell=asked.tell
    )
    return Match(side, known, tuple(told))


def sampled(folder: Path, asked: Asked, space: Extractor) -> Side:
    """The samples of a run's or a model's folder."""
    model = load(folder, best=asked.best)
    state = f"best of {verdicts_in(folder)} quick verdicts" if asked.best else "last"
    return of_model(model, asked.count or space.full, seed=asked.seed, name=str(folder), state=state, keep=True)


def verdicts_in(folder: Path) -> int:
    """How many quick verdicts a run has chosen its best state from."""
    from .judging.record import read_log

    return len(read_log(folder / "log.jsonl")[0]["verdict"])


def run_facts(folder: Path) -> dict[str, Any]:
    """What a run's folder says of itself; nothing of a model's."""
    return (open_folder(folder, True) or {}) if (folder / "run.json").exists() else {}


def look(source: Source, asked: Asked) -> Survey:
    """A source's pictures, looked at."""
    return survey(source, learning=False, progress=telling(asked.tell, "reading"))


def decoded(looked: Survey, height: int, width: int, channels: int, asked: Asked) -> Pictures:
    """A source's pictures in one shape."""
    return load_pictures(
        looked,
        height=height,
        width=width,
        channels=channels,
        progress=telling(asked.tell, "decoding"),
    )


def shape_of(looked: Survey) -> tuple[int, int, int]:
    """Height and width of the median picture, and channels."""
    return looked.found.median_height, looked.found.median_width, looked.channels


def both(one: int, other: int) -> int:
    """Channels that hold what either side has.

    >>> both(1, 3), both(2, 3), both(1, 2)
    (3, 4, 2)
    """
    return (3 if max(one, other) >= 3 else 1) + (one % 2 == 0 or other % 2 == 0)


def every_row(pictures: Pictures, most: int) -> Any:
    """Rows of both parts, evenly spread."""
    import torch

    from .engine.data import spread

    return spread(torch.arange(len(pictures.pixels)), most)
