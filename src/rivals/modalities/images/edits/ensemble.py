"""The geometric self-ensemble: a network looks at a picture turned and mirrored in eight ways, and the mean counts."""

from dataclasses import replace
from itertools import product

from torch import Tensor, nn

from rivals.engine.errors import RequestError
from rivals.engine.model import Model

from .modality import Edits, edit
from .reach import multiple_of
from .tasks import TASKS
from .upscale import whole_multiple

LOOKS = "mean of eight turned and mirrored looks (--ensemble)"
NOTE = f"The numbers of every model are those of the {LOOKS}."
WAYS = tuple(product(range(4), (False, True)))  # quarter turns, and whether it is mirrored then


class SelfEnsemble(nn.Module):
    """The mean of what a network makes of a picture in eight ways, each turned back.

    A network errs a little differently each time, and the mean evens that out: its squared error is at most the mean of
    theirs. It is smoother where nobody can know, and takes eight times as long. Timofte et al., 2016, Seven Ways to
    Improve Example-Based Single Image Super Resolution.

    Args:
        network: a generator that restores pictures.
        edits: what it does.
    """

    def __init__(self, network: nn.Module, edits: Edits) -> None:
        super().__init__()
        self.network, self.edits = network, edits

    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> (n, channels, scale h, scale w), about in [-1, 1]."""
        del z
        # A network folds or halves from the first row and column on, which a turned look has at another side: with
        # whole multiples it folds the same pixels together, wherever it begins, in pieces as in the whole picture.
        whole = whole_multiple(cond, multiple_of(self.network))
        mean = sum((self.look(whole, *way) for way in WAYS[1:]), self.look(whole, *WAYS[0])) / len(WAYS)
        return mean[..., : self.edits.scale * cond.shape[2], : self.edits.scale * cond.shape[3]]

    def look(self, cond: Tensor, quarters: int, mirrored: bool) -> Tensor:
        """What the network makes of a turned and mirrored picture, turned back."""
        given = cond.rot90(quarters, (2, 3))
        made = edit(self.network, self.edits, given.flip(3) if mirrored else given)
        return (made.flip(3) if mirrored else made).rot90(-quarters, (2, 3))


def ensembled(model: Model) -> Model:
    """The model with its `SelfEnsemble` as its network.

    Raises:
        RequestError: it translates pictures, and what it does to turned ones is nothing like it.
    """
    edits = model.modality
    if not isinstance(edits, Edits) or edits.task not in TASKS:
        task = getattr(edits, "task", "another")
        raise RequestError(f"--ensemble is for models that restore pictures, and this one's task is {task}")
    return replace(model, network=SelfEnsemble(model.network, edits).eval())
