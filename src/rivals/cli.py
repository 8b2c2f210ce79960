"""The command line: one short function a verb, no logic of its own. torch is imported inside the verbs."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from .cli_doctor import DOCTOR_EPILOG, doctor
from .cli_edit import EDIT_EXAMPLES, edit
from .cli_judge import EXAMPLES, judge
from .cli_parts import Device, say, shown, split_setting
from .cli_train import TRAIN_EXAMPLES, train
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


app.command(epilog=TRAIN_EXAMPLES)(train)


@app.command(
    epilog="Examples:\n\n"
    "  rivals compare photos/ --methods r3gan,wgan-gp,hinge --minutes 5 --seeds 3\n\n"
    "  rivals compare digits --methods r3gan,dcgan --steps 2000 --out runs/two\n\n"
    "  rivals compare photos/ --seeds 3 --resume"
)
def compare(
    source: Annotated[str, typer.Argument(help="Pictures, as `rivals train` takes them.")],
    methods: Annotated[
        str, typer.Option(help="By comma: names of `rivals recipes`, or JSON files.")
    ] = "r3gan,wgan-gp,hinge",
    minutes: Annotated[float | None, typer.Option(help="Train each run this long.", show_default="5")] = None,
    steps: Annotated[int | None, typer.Option(help="Train each run this many steps.")] = None,
    seeds: Annotated[int, typer.Option(help="Runs a method gets; from 2 on there are intervals.")] = 1,
    out: Annotated[Path | None, typer.Option(help="The comparison's folder.", show_default="runs/compare-NAME")] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature space of the verdicts.", show_default="by the data")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting of every recipe: batch=64. May be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on; finished runs are not trained again.")] = False,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
) -> None:
    """Train methods against each other on SOURCE: one page with a ranking, curves and samples."""
    from . import comparison
    from .display_comparison import ComparisonDisplay

    display = ComparisonDisplay()
    with shown(display):
        comparison.compare(
            source,
            methods=methods,
            minutes=minutes,
            steps=steps,
            seeds=seeds,
            out=out,
            features=features,
            changes=dict(split_setting(text) for text in set_ or []),
            resume=resume,
            device=device.value,
            tell=display,
        )


@app.command(
    epilog="Examples:\n\n"
    "  rivals sample runs/digits --count 100 --wish 7 --seed 1 --out sevens/\n\n"
    "  rivals sample runs/digits --grid --out sheet.png\n\n"
    "  rivals sample runs/digits --interpolate --out walk.gif\n\n"
    "  rivals sample runs/patients --count 100000 --wish 'age=25..40, sex=F' --out synthetic.parquet"
)
def sample(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a model's.")],
    count: Annotated[int, typer.Option(help="How many samples (or frames).", min=1)] = 64,
    wish: Annotated[str | None, typer.Option(help="A class, or several by comma; of rows: age=25..40, sex=F.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of PNGs; a .png with --grid; .gif or .mp4 with --interpolate; a table's file."),
    ] = None,
    balance: Annotated[
        str | None, typer.Option(help="Of a table: as many rows of each category of this column.")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="One sheet instead of a file a sample.")] = False,
    interpolate: Annotated[bool, typer.Option("--interpolate", help="A walk between samples, as GIF or MP4.")] = False,
    best: Annotated[bool, typer.Option("--best", help="The best state instead of the last.")] = False,
) -> None:
    """Draw samples from a trained model; the data is not needed."""
    from . import api
    from .display import Display
    from .engine.memory import keep_freed
    from .sampling import write_samples

    keep_freed()
    display = Display()
    model = api.load(run, best=best)
    written = write_samples(
        model,
        run,
        count=count,
        wish=wish,
        seed=seed,
        out=out,
        balance=balance,
        grid=grid,
        interpolate=interpolate,
        progress=lambda done, total: display({"kind": "writing", "done": done, "total": total}),
    )
    display.clear()
    typer.echo(written)


app.command(epilog=EXAMPLES)(judge)
app.command(epilog=EDIT_EXAMPLES)(edit)


@app.command(epilog="Examples:\n\n  rivals recipes\n\n  rivals recipes wgan-gp")
def recipes(name: Annotated[str | None, typer.Argument(help="A method, for all of it.")] = None) -> None:
    """List the methods there are, each with its paper; or one with its formula, numbers and measured scores."""
    from rich.console import Console

    from .engine.methods import METHODS
    from .engine.names import named
    from .methods_words import in_full, measured_words
    from .modalities.images.edits.methods import EDIT_METHODS, RESTORATION

    console = Console(highlight=False)
    if name is None:
        for key, method in {**METHODS, **EDIT_METHODS}.items():
            kind = "" if key in METHODS else " (of edited pictures)"
            console.print(f"[bold]{key:16}[/] {method.title}{kind}\n{'':17}{method.paper}", soft_wrap=True, markup=True)
        console.print("\nOne in full: rivals recipes NAME. To use one: rivals train photos/ --method NAME")
        return
    for word, told in in_full(named(name, EDIT_METHODS, "method"), in_gamma=name not in RESTORATION).items():
        console.print(f"[bold]{word:12}[/] {told}", soft_wrap=True)
    for told in measured_words(name):
        console.print(f"[bold]{'measured':12}[/] {told}", soft_wrap=True)


@app.command(epilog="Examples:\n\n  rivals report runs/digits\n\n  rivals report runs/a runs/b --out both.html")
def report(
    runs: Annotated[list[Path], typer.Argument(help="A run's folder, or several for one page side by side.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Of several runs, the page.", show_default="report.html in the folder they share"),
    ] = None,
) -> None:
    """Write a run's page, report.html, again; or show several runs side by side, ranked where that is fair."""
    from .cli_parts import report_on

    report_on(runs, out)


app.command(epilog=DOCTOR_EPILOG)(doctor)


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
