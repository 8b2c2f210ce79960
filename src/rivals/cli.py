"""The command line: one short function a verb, no logic of its own. torch is imported inside the verbs."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .engine.errors import RequestError, StoppedError

app = typer.Typer(
    name="rivals",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train, judge and use generative adversarial networks.",
    epilog="Try it: [bold]rivals train digits --minutes 3[/], then [bold]rivals sample runs/digits --grid[/]",
)


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(StrEnum):
    """Floating-point precision."""

    full = "32"
    bf16 = "bf16"
    half = "16"


PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


@app.command(
    epilog="Examples:\n\n"
    "  rivals train photos/ --minutes 10\n\n"
    "  rivals train digits --method wgan-gp --steps 5000\n\n"
    '  rivals train faces --until "fd_share<5" --minutes 60\n\n'
    "  rivals train photos/ --out runs/photos --resume\n\n"
    "  torchrun --nproc-per-node=2 -m rivals train photos/"
)
def train(
    source: Annotated[str, typer.Argument(help="Folder, zip, .npz, IDX, Parquet or Arrow of pictures; digits; faces.")],
    method: Annotated[str | None, typer.Option(help="A method; `rivals recipes` lists them. [default: r3gan]")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe as JSON, such as another run's recipe.json.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: optimizer.lr=1e-4. May be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder. [default: runs/NAME]")] = None,
    minutes: Annotated[float | None, typer.Option(help="Train this long. [default: 10]")] = None,
    steps: Annotated[int | None, typer.Option(help="Train this many steps.")] = None,
    until: Annotated[str | None, typer.Option(help='Stop at a quality: "fd<5", "agreement>97".')] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, noise, data order. [default: 0]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or begin it.")] = False,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    precision: Annotated[Precision | None, typer.Option(help="Floating-point precision. [default: 32]")] = None,
    features: Annotated[str | None, typer.Option(help="Feature space of the verdict. [default: by the data]")] = None,
    loggers: Annotated[str, typer.Option(help="By comma: tensorboard, mlflow, wandb; or none.")] = "tensorboard",
    checkpoint_every: Annotated[float, typer.Option(help="Seconds between checkpoints.", min=0)] = 20.0,
) -> None:
    """Train a GAN on SOURCE: samples, verdict and report go to the run's folder."""
    from . import api
    from .display import Display
    from .engine.recipe import read

    display = Display()
    try:
        api.train(
            source,
            out=out,
            method=method,
            recipe=None if recipe is None else read(recipe),
            changes=dict(split_setting(text) for text in set_ or []),
            minutes=minutes,
            steps=steps,
            until=until,
            seed=seed,
            resume=resume,
            device=device.value,
            precision=None if precision is None else PRECISIONS[precision.value],
            features=features,
            loggers=[name.strip() for name in loggers.split(",") if name.strip() not in ("", "none")],
            checkpoint_seconds=checkpoint_every,
            tell=display,
        )
    except KeyboardInterrupt:
        display.clear()
        say("interrupted: the same command with --resume goes on from what was saved")
        raise typer.Exit(130) from None
    finally:
        display.clear()


def split_setting(text: str) -> tuple[str, str]:
    """`optimizer.lr=1e-4` in two."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise RequestError(f"--set {text!r} does not read as NAME=VALUE, such as optimizer.lr=1e-4")
    return path.strip(), value.strip()


@app.command(
    epilog="Examples:\n\n"
    "  rivals sample runs/digits --count 100 --wish 7 --seed 1 --out sevens/\n\n"
    "  rivals sample runs/digits --grid --out sheet.png\n\n"
    "  rivals sample runs/digits --interpolate --out walk.gif"
)
def sample(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a model's.")],
    count: Annotated[int, typer.Option(help="How many samples (or frames).", min=1)] = 64,
    wish: Annotated[str | None, typer.Option(help="A class, or several by comma.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of PNGs; a .png with --grid; .gif or .mp4 with --interpolate.")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="One sheet instead of a file a sample.")] = False,
    interpolate: Annotated[bool, typer.Option("--interpolate", help="A walk between samples, as GIF or MP4.")] = False,
    best: Annotated[bool, typer.Option("--best", help="The best state instead of the last.")] = False,
) -> None:
    """Draw samples from a trained model; the data is not needed."""
    from . import api
    from .display import Display
    from .sampling import write_samples

    display = Display()
    model = api.load(run, best=best)
    written = write_samples(
        model,
        run,
        count=count,
        wish=wish,
        seed=seed,
        out=out,
        grid=grid,
        interpolate=interpolate,
        progress=lambda done, total: display({"kind": "writing", "done": done, "total": total}),
    )
    display.clear()
    typer.echo(written)


@app.command(epilog="Example:\n\n  rivals judge runs/digits --json")
def judge(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    against: Annotated[
        str | None, typer.Option(help="Pictures to judge against. [default: the run's held-out part]")
    ] = None,
    features: Annotated[str | None, typer.Option(help="Feature space. [default: by the data]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Judge a trained model: distance to held-out pictures, agreement with the asked class, with the protocol."""
    import json

    from . import api
    from .display import scores_words

    verdict = api.judge(run, against, features=features)
    if as_json:
        typer.echo(json.dumps(verdict, indent=2))
        return
    typer.echo(f"{scores_words(verdict['scores'])}; real against real: {scores_words(verdict['floor'])}")
    for name, words in verdict["protocol"].items():
        typer.echo(f"  {name}: {words}")


@app.command(epilog="Examples:\n\n  rivals recipes\n\n  rivals recipes wgan-gp")
def recipes(name: Annotated[str | None, typer.Argument(help="A method, for all of it.")] = None) -> None:
    """List the methods there are, each with its paper."""
    from rich.console import Console

    from .engine.methods import METHODS
    from .engine.names import named

    console = Console(highlight=False)
    if name is None:
        for key, method in METHODS.items():
            console.print(f"[bold]{key:12}[/] {method.title}\n{'':13}{method.paper}", soft_wrap=True)
        console.print("\nOne in full: rivals recipes NAME. To use one: rivals train photos/ --method NAME")
        return
    method = named(name, METHODS, "method")
    optimizer = method.optimizer
    lines = {
        "what": method.title,
        "paper": method.paper,
        "read": method.url,
        "minimise": method.formula,
        "critic steps": method.critic_steps,
        "terms": ", ".join(f"{key} x {weight.start:g}" for key, weight in method.critic_terms.items()) or "none",
        "networks": method.networks or "the modality's own",
        "norm": f"generator {method.norm[0]}, critic {'spectral' if method.spectral else method.norm[1]}",
        "Adam": f"lr {optimizer.lr:g}, betas {optimizer.betas[0]:g} and {optimizer.betas[1]:g}",
        "batch": method.batch or "chosen by the modality",
    }
    for key, value in lines.items():
        console.print(f"[bold]{key:12}[/] {value}", soft_wrap=True)


@app.command(epilog="Example:\n\n  rivals report runs/digits")
def report(run: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Write the run's page, report.html, again."""
    from .judging.report import write_report

    if not (run / "run.json").exists():
        raise RequestError(f"there is no run at {run}")
    typer.echo(write_report(run))


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Train, judge and use generative adversarial networks."""
    if version:
        from . import __version__

        typer.echo(f"rivals {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a verb. Exit codes: 0 done, 1 the work failed, 2 the request can't be served, 130 interrupted (saved)."""
    try:
        app()
    except RequestError as error:
        say(str(error))
        raise SystemExit(2) from None
    except StoppedError as error:
        say(str(error))
        raise SystemExit(1) from None
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:  # a full or read-only disk, a folder one may not write to
        say(f"{error.filename or 'the disk'}: {error.strerror or error}")
        raise SystemExit(2) from None


def say(words: str) -> None:
    """One line to the error stream."""
    print(f"rivals: {' '.join(words.split())}", file=sys.stderr)
