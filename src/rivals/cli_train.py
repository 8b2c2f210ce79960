"""`rivals train` on the command line."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .cli_parts import Device, shown, split_setting

TRAIN_EXAMPLES = (
    "Examples:\n\n"
    "  rivals train photos/ --minutes 10\n\n"
    "  rivals train digits --method wgan-gp --steps 5000\n\n"
    '  rivals train faces --until "fd_share<5" --minutes 60\n\n'
    "  rivals train photos/ --out runs/photos --resume\n\n"
    "  rivals train photos/ --processes 2\n\n"
    "  rivals train photos/ --task super-resolution --scale 4\n\n"
    "  rivals train photos/ --task denoise --start runs/denoise\n\n"
    "  rivals train horses/ zebras/ --method cut\n\n"
    "  rivals train photos/ --style painting.jpg\n\n"
    "  rivals train patients.csv --minutes 5 --column zip=category\n\n"
    "  rivals train patients.csv --epsilon 3\n\n"
    "  torchrun --nproc-per-node=2 -m rivals train photos/"
)


class Precision(StrEnum):
    """Floating-point precision."""

    full = "32"
    bf16 = "bf16"
    half = "16"


PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def train(
    source: Annotated[
        str,
        typer.Argument(
            help="Pictures: folder, zip, .npz, IDX, Parquet, digits, faces. Rows: CSV, Parquet, Excel, database URL."
        ),
    ],
    onto: Annotated[
        str | None, typer.Argument(help="Of pictures: those that SOURCE is to be turned into.", show_default=False)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Edit pictures: super-resolution, denoise, deblur, deblock, inpaint, colourise, pairs."),
    ] = None,
    scale: Annotated[int | None, typer.Option(help="Of super-resolution.", min=1, show_default="4")] = None,
    style: Annotated[
        list[Path] | None, typer.Option(help="A picture whose style is taken over. May be repeated.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Begin with the weights of a run that edits pictures, or of a .safetensors.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="A method; `rivals recipes` lists them.", show_default="r3gan")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe as JSON, such as another run's recipe.json.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: optimizer.lr=1e-4. May be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder.", show_default="runs/NAME")] = None,
    minutes: Annotated[float | None, typer.Option(help="Train this long.", show_default="10")] = None,
    steps: Annotated[int | None, typer.Option(help="Train this many steps.")] = None,
    until: Annotated[
        str | None, typer.Option(help='Stop at "fd<5", "fd<5, agreement>97", "plateau", "equilibrium".')
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, noise, data order.", show_default="0")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, or begin it.")] = False,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Floating-point precision.", show_default="bf16 on a GPU that has it, else 32"),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature space of the verdict.", show_default="by the data")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Of a table, what a column is: age=integer. May be repeated.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="Of a database: SQL, or a table's name.")] = None,
    constraint: Annotated[
        list[str] | None, typer.Option(help="Of a table, what all rows keep: 'end > start'. May be repeated.")
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Of a table: train with differential privacy; 1 is strong, 10 weak.")
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Of the same.", show_default="10^-k, below 1/(10 rows)")] = None,
    loggers: Annotated[str, typer.Option(help="By comma: tensorboard, mlflow, wandb; or none.")] = "tensorboard",
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes on a CPU.", show_default="measured with --minutes, else 1")
    ] = None,
    checkpoint_every: Annotated[float, typer.Option(help="Seconds between checkpoints.", min=0)] = 20.0,
) -> None:
    """Train a GAN on SOURCE: samples, verdict and report go to the run's folder."""
    from . import api
    from .display import Display
    from .engine.launch import Command
    from .engine.recipe import read

    display = Display()
    with shown(display):
        api.train(
            source,
            onto=onto,
            task=task,
            scale=scale,
            style=style or (),
            start=start,
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
            columns=dict(split_setting(text, "--column") for text in column or []),
            query=query,
            constraints=constraint or (),
            epsilon=epsilon,
            delta=delta,
            loggers=[name.strip() for name in loggers.split(",") if name.strip() not in ("", "none")],
            checkpoint_seconds=checkpoint_every,
            tell=display,
            command=Command(tuple(sys.argv[1:]), processes),
        )
