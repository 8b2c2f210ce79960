"""What both judges of edited pictures share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

import rivals
from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.judging.protocol import Card
from rivals.modalities.images.features import SELF, choose
from rivals.modalities.images.spaces import Extractor, digest

from .baselines import Editor
from .modality import Edits, edit
from .pages import Shown, write_pictures
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


class Final(ABC):
    """A judge whose verdict leaves pictures in a run's folder."""

    @abstractmethod
    def judged(
        self, model: Model, *, name: str, state: str = "last", beside: Mapping[str, Model] | None = None
    ) -> Judged:
        """The verdict on a model called `name`, beside that on baselines and on other models, and some pictures."""

    def final(self, model: Model, folder: Path) -> dict[str, Any]:
        """The verdict on held-out pictures; some of them go to the folder `pictures` of the run's."""
        judged = self.judged(model, name=str(folder))
        write_pictures(folder, judged.shown)
        return judged.verdict


def edited(run: Editor, given: Sequence[Tensor], who: str, tell: Tell) -> list[Tensor]:
    """What somebody makes of what is given, picture by picture, with progress."""
    made = []
    for number, x in enumerate(given, 1):
        made.append(run(x))
        tell({"kind": "embedding", "what": f"pictures by {who}", "done": number, "total": len(given)})
    return made


def space_facts(space: Extractor) -> dict[str, Any]:
    """What a protocol says of a feature space."""
    return {"extractor": space.name, "extractor_sha256": space.digest, "resizer": space.resizer}


def card_of(model: Model, space: Extractor | None, *, counts: tuple[int, int], **more: Any) -> Card:
    """What the numbers stand on; `counts` are of pictures edited and of true or wanted ones."""
    facts = {"extractor": "none", "extractor_sha256": "", "resizer": ""} if space is None else space_facts(space)
    return Card(
        fakes_sha256=digest(model.network),
        fake_count=counts[0],
        real_count=counts[1],
        train_count=0,
        weights="running average",
        version=rivals.__version__,
        **facts,
        **more,
    )


def edits_of(model: Model) -> Edits:
    """What a model does to pictures."""
    assert isinstance(model.modality, Edits)
    return model.modality


def editor_of(model: Model, *, back: bool = False) -> Editor:
    """A model as a way to edit, on the CPU; or as its way back, if it has one.

    What the network makes goes back into the picture as `rivals edit` does it: nothing changes around a hole, and a
    coloured picture keeps its luma.
    """
    edits, network = edits_of(model), model.network.eval()
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

    return f"{NAME.format(size=0)}: not LPIPS, nothing in it is fitted to what people see"


def check_space(name: str) -> None:
    """Refuse a feature space that edited pictures can't be compared in.

    Raises:
        RequestError: it is learned from pictures of one size and kind.
    """
    if name == SELF:
        raise RequestError("edited pictures are compared in a space that is there already: leave --features self out")
