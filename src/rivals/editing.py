"""Pictures edited by a trained model: files to files, or a picture in memory."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from . import api
from .editing_plan import Job, Jobs, find_jobs
from .engine.cost import bytes_free
from .engine.errors import RequestError
from .engine.files import sweep
from .engine.interrupt import interruptible
from .engine.model import Model
from .engine.processes import thread_count
from .jobs import Tell
from .modalities.images.edits import files, saving
from .modalities.images.edits.ensemble import ensembled
from .modalities.images.edits.holes import binary, read_mask
from .modalities.images.edits.modality import Edits
from .modalities.images.edits.whole import Editor
from .modalities.images.pictures import UnusableError, quiet, rebit
from .modalities.images.sources import cannot_read, tally
from .modalities.images.workers import in_order

USUAL_MEMORY = 2 * 2**30
PROGRAM = 400 * 2**20  # what Python, torch and a model take, where the system doesn't tell
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LATER = 64 * 2**20  # what the first pieces add to that: kernels, threads
READING = 12  # bytes for each pixel of a picture while it is read


@dataclass(frozen=True)
class Done:
    """What became of some pictures.

    Args:
        written: files made.
        there: how many outputs were there before.
        skipped: reason -> pictures that could not be edited.
        examples: reason -> the first of them.
        words: what is to be known of pictures that were edited -> of how many.
    """

    written: tuple[Path, ...]
    there: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, int] = field(default_factory=dict)


class Outcome(NamedTuple):
    """Of one picture: what is to be known of it, or why it was skipped."""

    words: tuple[str, ...] = ()
    reason: str = ""


def edit(
    run: str | Path | Model,
    inputs: Any,
    *,
    out: str | Path | None = None,
    mask: Any = None,
    memory: float | str | None = None,
    best: bool = False,
    back: bool = False,
    ensemble: bool = False,
    tell: Tell = lambda entry: None,
) -> Any:
    """Edit pictures with a model of `train(..., task=...)` and its kin.

    Args:
        run: a run's folder, or a model.
        inputs: a picture's file, a folder, a pattern such as "photos/*.jpg", or several of these; or one picture in
            memory: (height, width), (height, width, 1 to 4) uint8 or uint16, or a `PIL.Image.Image`.
        out: a file for one picture, a folder for more; `NAME-edited` if not given. Nothing is replaced.
        mask: of the holes, for models that fill them: a picture, white in holes; or a folder of them with the
            pictures' names; in memory (height, width), not zero in holes.
        memory: of the whole program, in bytes or as "1GB"; 2 GB, or half of what is free, if not given.
        best: the run's best state instead of its last.
        back: the other way round, of a model that goes both ways.
        ensemble: the mean of eight turned and mirrored looks, of a model that restores pictures, in eight times the
            time (`SelfEnsemble`).
        tell: called with progress.

    Returns:
        `Done` of files; of a picture in memory what became of it, of the same kind.

    Raises:
        RequestError: the request can't be served, or not one of the pictures could be edited.
        KeyboardInterrupt: interrupted; whole pictures are there, and the same call goes on.
    """
    model = run if isinstance(run, Model) else api.load(run, best=best)
    task = edits_of(model).task
    if back and not edits_of(model).back:
        raise RequestError("this model goes one way only; a method that goes both ways is cyclegan")
    model = ensembled(model) if ensemble else model
    allowed = memory_of(memory)
    if isinstance(inputs, np.ndarray | Image.Image):
        return edit_in_memory(model, inputs, mask, allowed, back)
    named = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    for what, names in (("an input", named), ("--out", [out]), ("--mask", [mask])):
        if any(isinstance(name, str) and not name for name in names):  # Path("") is the working folder
            raise RequestError(f"{what} has no name; give it one" + (" or leave it out" if names is not named else ""))
    given = [Path(each) for each in named]
    if task == "inpaint" and mask is None:
        raise RequestError("this model fills holes: say where by --mask, a picture that is white in them")
    if task != "inpaint" and mask is not None:
        raise RequestError(f"--mask is for models that fill holes, and this one's task is {task}")
    jobs = find_jobs(given, None if out is None else Path(out), None if mask is None else Path(mask))
    return edit_files(model, jobs, allowed, tell, back=back)


class Ledger:
    """What became of pictures so far; tells of progress."""

    def __init__(self, jobs: Jobs, tell: Tell) -> None:
        self.jobs, self.tell = jobs, tell
        self.written: list[Path] = []
        self.refused: list[tuple[str, str]] = []
        self.words: Counter[str] = Counter()

    def add(self, job: Job, outcome: Outcome) -> None:
        """One picture is done with."""
        if outcome.reason:
            self.refused.append((outcome.reason, str(job.source)))
        else:
            self.written.append(job.target)
            self.words.update(outcome.words)
        self.told(0.0)

    def told(self, share: float) -> None:
        """How many pictures are done with, and what share of the next one."""
        done = len(self.written) + len(self.refused)
        self.tell({"kind": "editing", "done": done, "total": len(self.jobs.todo), "share": share})


def edit_files(model: Model, jobs: Jobs, memory: float, tell: Tell, *, back: bool = False) -> Done:
    """Edit what is to be edited: several pictures at a time as far as they fit, then the large ones one by one."""
    editors = cache(lambda channels: Editor.of(model.network, edits_of(model), channels, back=back))
    ledger, later = Ledger(jobs, tell), list[Job]()
    threads = torch.get_num_threads()
    workers = max(min(threads, len(jobs.todo)), 1)
    left = memory - program() - LATER
    if left <= 0:
        least = (program() + LATER) / 2**20
        raise RequestError(f"the program alone takes {least:.0f} MB before it reads a picture: give more --memory")
    sweep(job.target for job in jobs.todo)
    with interruptible() as asked, quiet():
        try:
            with thread_count(max(threads // workers, 1)):
                for rows, outcome in in_order(
                    lambda rows: one(jobs.todo[rows.start], editors, left / workers, asked, None),
                    len(jobs.todo) if workers > 1 else 0, 1, workers,
                ):  # fmt: skip
                    if outcome is None:
                        later.append(jobs.todo[rows.start])
                    else:
                        ledger.add(jobs.todo[rows.start], outcome)
            for job in later if workers > 1 else jobs.todo:
                ledger.add(job, one(job, editors, left, asked, ledger.told) or Outcome())
        except KeyboardInterrupt:
            done = sum(job.target.exists() for job in jobs.todo)
            raise KeyboardInterrupt(
                f"{done} of {len(jobs.todo)} pictures are done, each of them whole; the same command goes on"
            ) from None
    if not ledger.written and not jobs.there:
        raise RequestError(nothing_done(jobs, ledger))
    skipped, examples = tally([*jobs.refused, *ledger.refused])
    return Done(tuple(ledger.written), jobs.there, skipped, examples, dict(ledger.words))


def one(
    job: Job,
    editors: Callable[[int], Editor],
    memory: float,
    asked: Callable[[], bool],
    told: Callable[[float], None] | None,
) -> Outcome | None:
    """Edit one picture: read, edited, written.

    Args:
        job: what is to be done.
        editors: by the channels of a picture.
        memory: bytes that it may take.
        asked: whether someone asked to stop.
        told: told what share is done, of a picture that has all to itself; others wait if they are large.

    Returns:
        None where it has to wait until it has the memory for itself.
    """

    def piece(done: int, total: int) -> None:
        if asked():
            raise KeyboardInterrupt
        if told is not None:
            told(done / total)

    piece(0, 1)
    try:
        takes = READING * files.pixels_in(job.source)
        if takes > memory:
            words = f"reading it takes {takes / 2**20:.0f} MB beside the program: give more --memory"
            return None if told is None else Outcome(reason=words)
        picture = files.read(job.source)
        mask, said = (None, ()) if job.mask is None else read_mask(job.mask)
        editor = editors(picture.pixels.shape[2])
        if told is None and not editor.fits(picture, memory):
            return None
        scale = editor.edits.scale
        saving.check_size(job.target, *(scale * side for side in picture.pixels.shape[:2]))
        made = editor.edited(picture, mask, memory, piece)
        alpha = None if picture.alpha is None else files.resized_alpha(picture.alpha, scale)
    except (UnusableError, RequestError) as error:
        return Outcome(reason=str(error))
    except OSError as error:
        return Outcome(reason=cannot_read(error))
    if job.target.exists():  # nothing is replaced, whoever made it
        return Outcome(reason="an output of its name has come meanwhile")
    lost = saving.write(job.target, made, alpha, picture)
    return Outcome((*picture.words, *editor.how.words, *said, *lost))


def edit_in_memory(model: Model, inputs: np.ndarray | Image.Image, mask: Any, memory: float, back: bool) -> Any:
    """One picture in memory: an array gives an array, Pillow's gives Pillow's."""
    if isinstance(inputs, Image.Image):
        pixels = files.array_of(files.in_colours(inputs, inputs.info.get("icc_profile"))[0])
    else:
        pixels = inputs
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.dtype not in (np.uint8, np.uint16) or not 1 <= pixels.shape[2] <= 4:
        raise RequestError(f"a picture is (height, width, 1 to 4) uint8 or uint16, not {pixels.shape} {pixels.dtype}")
    alpha = pixels[..., -1:] if pixels.shape[2] in (2, 4) else None
    picture = files.Picture(pixels if alpha is None else pixels[..., :-1], alpha)
    holes = None if mask is None else binary(255 * (np.asarray(mask) != 0).astype(np.uint8), "the mask")[0]
    editor = Editor.of(model.network, edits_of(model), picture.pixels.shape[2], back=back)
    made = np.asarray(editor.edited(picture, holes, memory - program() - LATER))
    made = made[..., None] if made.ndim == 2 else made
    if alpha is not None:
        made = np.dstack([made, files.resized_alpha(alpha, editor.edits.scale)])
    if made.shape[2] == 1 and (isinstance(inputs, Image.Image) or inputs.ndim == 2):
        made = made[..., 0]
    if not isinstance(inputs, Image.Image):
        return made
    return Image.fromarray(made if made.ndim == 2 else rebit(made, 8))  # Pillow has no colours of 16 bits


def edits_of(model: Model) -> Edits:
    """What a model does to pictures.

    Raises:
        RequestError: it makes something else.
    """
    if not isinstance(model.modality, Edits):
        made = "rows of a table" if model.name == "tables" else "new pictures"
        raise RequestError(f"this model makes {made}; rivals edit needs one of rivals train --task, or of two folders")
    return model.modality


def nothing_done(jobs: Jobs, ledger: Ledger) -> str:
    """Why not one picture was edited, in a line."""
    skipped, examples = tally([*jobs.refused, *ledger.refused])
    if jobs.single:
        return f"{jobs.todo[0].source}: {next(iter(skipped))}"
    told = "; ".join(f"{count}: {reason} (such as {examples[reason]})" for reason, count in skipped.items())
    return f"not one picture could be edited: {told}"


def memory_of(asked: float | str | None) -> float:
    """Bytes from "1GB" or a number; 2 GB, or as much as half of what is free, if nobody says.

    >>> memory_of("1.5 GB") == 1.5 * 2**30, memory_of(10**9)
    (True, 1000000000.0)
    """
    if asked is None:
        free = bytes_free(torch.device("cpu"))
        return float(USUAL_MEMORY if free is None else min(USUAL_MEMORY, program() + free / 2))
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", str(asked), re.IGNORECASE)
    value = float(found[1]) * UNITS[found[2].upper()] if found else 0.0
    if not value:
        raise RequestError(f"memory is given as 800MB or 1.5GB, not as {asked!r}")
    return value


def program() -> int:
    """Bytes that this program holds now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return PROGRAM
