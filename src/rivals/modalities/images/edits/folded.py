"""The generator for little time where nothing says what is right but a critic: blocks on folded pixels."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, relu

from .edsr import FOLD, Block
from .translate import GENTLE, Edited, heads
from .upscale import whole_multiple

FEATURES = 16  # of a pixel at full size, from which it is made


class FoldedEditor(nn.Module):
    """Residual blocks without normalisation on pixels folded two by two, as in `EDSR`, and maps that PatchNCE compares.

    What is found is added to what was given: training begins with that. No size below the folded one comes between, so
    edges need not be found again.

    Args:
        shape: (channels, height, width) of what is made.
        seen: channels of what is given: as many as are made, or one, which is added to all.
        width: features.
        blocks: of which each sees 8 pixels more.
        watched: compare the picture, the first map, and two between it and the middle block; else there are no heads.
        projected: width of the vectors that are compared.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        seen: int,
        width: int = 48,
        blocks: int = 6,
        watched: bool = True,
        projected: int = 256,
    ) -> None:
        super().__init__()
        if seen not in (1, shape[0]):
            raise ValueError(f"folded is given as many channels as it makes, or one: not {seen} for {shape[0]}")
        self.multiple = FOLD
        self.layers = nn.ModuleList([nn.Conv2d(seen * FOLD**2, width, 3, 1, 1), *(Block(width) for _ in range(blocks))])
        self.unfold = nn.Conv2d(width, FEATURES * FOLD**2, 3, 1, 1)
        self.last = nn.Conv2d(FEATURES, shape[0], 3, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]
        self.watched = sorted({0, 1, 1 + blocks // 4, 1 + blocks // 2}) if watched else []
        self.heads = heads([width if place else seen for place in self.watched], projected)

    def through(self, x: Tensor, last: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The map after so many layers, and those that are watched on the way."""
        x = whole_multiple(x, FOLD)
        maps = [x] if 0 in self.watched else []  # not folded: mirrored, it has to be the map of a mirrored picture
        x = pixel_unshuffle(x, FOLD)
        for place, layer in enumerate(self.layers[:last], 1):
            x = layer(x)
            if place in self.watched:
                maps.append(x)
        return x, tuple(maps)

    def look(self, x: Tensor) -> tuple[Tensor, ...]:
        """(n, seen, h, w) -> the maps that are watched."""
        return self.through(x, max(self.watched, default=0))[1]

    def edit(self, x: Tensor) -> Edited:
        """(n, seen, h, w) in [-1, 1] -> pictures (n, channels, h, w), about in [-1, 1]."""
        found, maps = self.through(x, len(self.layers))
        found = self.last(relu(pixel_shuffle(self.unfold(found), FOLD)))
        picture = torch.add(x, found[..., : x.shape[2], : x.shape[3]], alpha=GENTLE)
        return Edited(picture, maps, self.heads, self.look, self.edit)

    def forward(self, z: Tensor, cond: Tensor) -> Edited:
        """Z (n, 0), cond (n, seen, h, w) in [-1, 1] -> as `edit`."""
        del z
        return self.edit(cond)
