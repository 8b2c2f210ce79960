"""What both judges of edited pictures share."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.modalities.images.features import SELF, choose

from .baselines import Editor
from .modality import Edits, edit
from .pages import Shown
from .scores import first_score
from .sets import CROP
from .ways import way

Tell = Callable[[Mapping[str, Any]], None]

SHOWN = 5  # pictures on the page
WHOLE = 8  # sides are multiples of this
SEED = 1
HELD_OUT, ALL = "held-out part", "all"


class Judged(NamedTuple):
    """A verdict as JSON-ready values, and pictures to show beside it, by kind."""

    verdict: dict[str, Any]
    shown: dict[str, tuple[Shown, ...]]


def silent(entry: Mapping[str, Any]) -> None:
    """Tell nobody."""


def editor_of(model: Model, edits: Edits, *, back: bool = False) -> Editor:
    """A model as a way to edit, on the CPU; or as its way back, if it has one.

    What the network makes goes back into the picture as `rivals edit` does it: nothing changes around a hole, and a
    coloured picture keeps its luma.
    """
    network = model.network.eval()
    device = next(network.parameters()).device

    def run(given: Tensor) -> Tensor:
        return edit(network, edits, given.to(device), back=back).float().cpu().clone()

    if back:
        return run
    how = way(edits, edits.seen - (edits.task == "inpaint"))
    return lambda given: how.back(given, run(how.given(given))).clamp(-1, 1)


def space_for_crops() -> str:
    """The feature space for crops if nobody named one."""
    return choose("folder", side=CROP)


def distance_words() -> str:
    """What the first score is."""
    if first_score() == "dissimilarity":
        return "1 - MS-SSIM (Wang et al. 2003), since no feature network is installed: pip install 'rivals[features]'"
    from .perceptual import NAME

    return f"{NAME}: not LPIPS, nothing in it is fitted to what people see"


def check_space(name: str) -> None:
    """Refuse a feature space that edited pictures can't be compared in.

    Raises:
        RequestError: it is learned from pictures of one size and kind.
    """
    if name == SELF:
        raise RequestError("edited pictures are compared in a space that is there already: leave --features self out")
