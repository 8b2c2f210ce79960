import numpy as np
import pytest
import torch
from torch import nn

from rivals.engine.errors import RequestError
from rivals.modalities.images.edits.holes import binary
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.tasks import grey, holed
from rivals.modalities.images.edits.ways import editor, way


class Known(nn.Module):
    """Makes a fixed number of channels of what it is given by a given function; keeps what it saw."""

    def __init__(self, make):
        super().__init__()
        self.make, self.nothing = make, nn.Parameter(torch.zeros(()))

    def forward(self, z, cond):
        self.seen = cond
        return self.make(cond)


def noise(channels, height=20, width=24, kind=np.uint8):
    return np.random.default_rng(1).integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)


def luma(pixels):
    return pixels.astype(float) @ [0.299, 0.587, 0.114]


def edited(edits, make, pixels):
    network = Known(make)
    return editor(network, edits, way(edits, pixels.shape[2] - (edits.task == "inpaint")))(pixels), network


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(20, 24), (1, 1), (1, 50), (33, 3)])
def test_an_edit_that_does_nothing_gives_the_picture_back_to_the_bit(kind, size):
    for channels in (1, 3):
        pixels = noise(channels, *size, kind)
        made, _ = edited(Edits("denoise", channels, channels), lambda x: x, pixels)
        np.testing.assert_array_equal(np.rint(made).astype(kind), pixels)


def test_a_colour_model_sees_a_grey_picture_three_times_and_gives_grey_back():
    pixels = noise(1)
    made, network = edited(Edits("denoise"), lambda x: x, pixels)
    assert network.seen.shape[1] == 3
    assert made.shape[2] == 1
    np.testing.assert_allclose(made, pixels, atol=1e-3)
    made, _ = edited(Edits("unpaired"), lambda x: x, pixels)
    assert made.shape[2] == 3  # a translation may well bring colours


def test_a_grey_model_edits_the_luma_and_keeps_the_colours():
    pixels = noise(3) // 4 + 90
    how = way(Edits("denoise", 1, 1), 3)
    assert "luma" in how.words[0]
    made, network = edited(Edits("denoise", 1, 1), lambda x: x + 0.1, pixels)
    np.testing.assert_allclose((network.seen[0, 0, :20, :24].numpy() + 1) * 127.5, luma(pixels), atol=1e-3)
    np.testing.assert_allclose(made, pixels + 12.75, atol=1e-3)
    larger, _ = edited(
        Edits("super-resolution", 1, 1, 2), lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3), pixels
    )
    assert larger.shape == (40, 48, 3)


def test_colours_are_put_around_the_luma_that_was_given():
    for channels in (1, 3):
        pixels = noise(channels) // 4 + 90
        colour = torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1)
        made, network = edited(Edits("colourise", 3, 1), lambda x, colour=colour: 0 * x + colour, pixels)
        assert network.seen.shape[1] == 1
        given = pixels[..., 0].astype(float) if channels == 1 else luma(pixels)
        np.testing.assert_allclose(luma(made), given, atol=1e-2)
        wanted = (colour - grey(colour))[0, :, 0, 0].numpy() * 127.5
        np.testing.assert_allclose((made - luma(made)[..., None])[0, 0], wanted, atol=1e-2)


def test_holes_are_given_as_they_were_learned_and_all_else_stays():
    pixels = noise(3)
    mask = np.zeros((20, 24, 1), np.uint8)
    mask[5:9, 3:11] = 255
    edits = Edits("inpaint", 3, 4)
    made, network = edited(edits, lambda x: 0 * x[:, :3] + 1, np.dstack([pixels, mask]))
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    hole = torch.from_numpy(mask).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(network.seen[..., :20, :24], torch.cat([x * (1 - hole), hole], 1), atol=1e-6, rtol=0)
    random = torch.Generator().manual_seed(0)
    layout = holed(x, 1, random, share=(0.2, 0.2), boxes=1.0, thick=(2.0, 6.0))
    assert layout.shape[1] == network.seen.shape[1]
    assert set(layout[:, -1].unique().tolist()) == set(network.seen[:, -1].unique().tolist()) == {0.0, 1.0}
    assert (layout[:, :-1][layout[:, -1:].expand(-1, 3, -1, -1) > 0] == 0).all()
    inside = mask[..., 0] > 0
    assert (made[inside] == 255).all()
    np.testing.assert_array_equal(np.rint(made[~inside]), pixels[~inside])


def test_holes_of_a_colour_picture_need_a_colour_model():
    with pytest.raises(RequestError, match="grey"):
        way(Edits("inpaint", 1, 2), 3)


def test_where_there_is_no_hole_the_network_is_not_asked():
    made, network = edited(
        Edits("inpaint", 3, 4), lambda x: 1 / 0, np.dstack([noise(3), np.zeros((20, 24, 1), np.uint8)])
    )
    np.testing.assert_array_equal(made, noise(3))
    assert not hasattr(network, "seen")


def test_masks_are_black_and_white_or_nearly():
    levels = np.zeros((40, 50), np.uint8)
    levels[10:20, 5:30] = 255
    mask, words = binary(levels, "m.png")
    assert mask.sum() == 250
    assert words == ()
    soft = np.clip(levels.astype(int) + np.random.default_rng(0).integers(-20, 20, levels.shape), 0, 255).astype(
        np.uint8
    )
    again, words = binary(soft, "m.jpg")
    np.testing.assert_array_equal(again, mask)
    assert "nearer" in words[0]
    ones, words = binary(levels // 255, "m.png")
    np.testing.assert_array_equal(ones, mask)
    assert "ones" in words[0]


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (np.zeros((4, 4), np.uint8), "all black"),
        (np.full((4, 4), 255, np.uint8), "all white"),
        (np.tile(np.arange(256, dtype=np.uint8), (4, 1)), "neither black nor white"),
    ],
)
def test_what_is_no_mask_is_refused(levels, words):
    with pytest.raises(RequestError, match=words):
        binary(levels, "m.png")
