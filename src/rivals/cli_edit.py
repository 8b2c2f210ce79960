"""`rivals edit` on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from .cli_parts import shown

EDIT_EXAMPLES = (
    "Examples:\n\n"
    "  rivals edit runs/sr picture.jpg --out large.png\n\n"
    "  rivals edit runs/denoise photos/ --out clean/\n\n"
    '  rivals edit runs/denoise "photos/*.jpg" --memory 1GB\n\n'
    "  rivals edit runs/denoise picture.jpg --ensemble\n\n"
    "  rivals edit runs/inpaint picture.jpg --mask mask.png --out whole.png\n\n"
    "  rivals edit runs/inpaint photos/ --mask masks/ --out whole/\n\n"
    "  rivals edit runs/horses zebra.jpg --back"
)


def edit(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a model's, of one that edits pictures.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help='Pictures, a folder, or a pattern in quotes: "photos/*.jpg".'),
    ],
    out: Annotated[
        str | None,
        typer.Option(help="A .png, .jpg, .webp or .tif; of several pictures a folder.", show_default="NAME-edited"),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(help="White where a picture is to be filled; or a folder of masks with the pictures' names."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Most memory of the whole program, such as 1GB.", show_default="2GB, or half of what is free"
        ),
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="The best state instead of the last.")] = False,
    back: Annotated[bool, typer.Option("--back", help="The other way round, of a model that goes both ways.")] = False,
    ensemble: Annotated[
        bool,
        typer.Option("--ensemble", help="Of models that restore: the mean of eight turned looks."),
    ] = False,
) -> None:
    """Edit pictures of any size with a trained model: enlarge, restore, fill or translate them."""
    from . import editing
    from .display import Display

    display = Display()
    with shown(display):
        done = editing.edit(
            run, inputs, out=out, mask=mask, memory=memory, best=best, back=back, ensemble=ensemble, tell=display
        )
    display.edited(done)
