"""`rivals judge` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from .cli_parts import shown
from .engine.errors import RequestError

EXAMPLES = (
    "Examples:\n\n"
    "  rivals judge runs/digits\n\n"
    "  rivals judge runs/digits --against digits --best --json\n\n"
    "  rivals judge my_fakes/ --against my_photos/ --features efficientnet --count 5000\n\n"
    "  rivals judge synthetic.csv --against real.csv --target income\n\n"
    "  rivals judge runs/denoised --against held_out/ --beside runs/plain\n\n"
    "  rivals judge runs/denoised --ensemble\n\n"
    "  rivals judge runs/a --against runs/b --out verdict.html\n\n"
    "  torchrun --nproc-per-node=2 -m rivals judge my_fakes.zip --against photos/"
)


def judge(
    fake: Annotated[str, typer.Argument(help="A run, a model, or a folder, zip, .npz, IDX or Parquet of pictures.")],
    against: Annotated[
        str | None, typer.Option(help="The same, or digits or faces; by default the run's held-out part.")
    ] = None,
    beside: Annotated[
        list[str] | None, typer.Option(help="Of runs that edit pictures: another, judged on the same. May be repeated.")
    ] = None,
    features: Annotated[str | None, typer.Option(help="Feature space; by default the run's, or by the data.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Of tables: the column that usefulness is measured on.", show_default="the last")
    ] = None,
    held_out: Annotated[
        str | None, typer.Option(help="Of tables: real rows that the generator has not seen, the control for privacy.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="Most pictures a side; by default what about a minute embeds.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of samples and of every random choice.")] = 1,
    best: Annotated[bool, typer.Option("--best", help="The run's best state instead of its last.")] = False,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Of runs that restore pictures: the mean of eight turned looks.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, and no page without --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="The page; by default runs/judge-FAKE-against-REAL.html.")] = None,
) -> None:
    """Judge FAKE against real pictures or rows: likeness, variety, copies, each with its interval and floor."""
    import json

    from rich.console import Console

    from . import judge_verb
    from .display import Display
    from .display_verdict import show_edit_verdict, show_table_verdict, show_verdict
    from .kinds import makes_rows, modality_of

    if out is not None and out.is_dir():
        raise RequestError(f"--out {out} is a folder; name the page, such as {out / 'verdict.html'}")
    display = Display(Console(stderr=True, highlight=False))
    page = out if out is not None or as_json else judge_verb.page_name(fake, against)
    rows = makes_rows(fake)
    for option, given in (("--beside", beside), ("--ensemble", ensemble)):
        if rows and given:
            raise RequestError(f"{option} is for runs that edit pictures, and {fake} makes rows of a table")
    if not rows and (target is not None or held_out is not None):
        raise RequestError(f"--target and --held-out are for tables, and {fake} is none")
    with shown(display, "the same command goes on from the features that were kept"):
        if rows:
            from .table_judging import judge_tables

            if features is not None:
                raise RequestError("a table is judged column by column, in no feature space: leave --features out")
            verdict = judge_tables(
                fake,
                against,
                target=target,
                held_out=held_out,
                count=count,
                seed=seed,
                best=best,
                page=page,
                tell=display,
            )
        else:
            verdict = judge_verb.judge(
                fake,
                against,
                beside=beside or (),
                features=features,
                count=count,
                seed=seed,
                best=best,
                ensemble=ensemble,
                page=page,
                tell=display,
            )
    if not verdict:
        return  # one of several processes; the first tells
    if as_json:
        typer.echo(json.dumps(verdict, indent=2))
        return
    show = show_edit_verdict if modality_of(fake) == "edits" else show_verdict
    (show_table_verdict if rows else show)(verdict)
    typer.echo(f"page: {page}")
