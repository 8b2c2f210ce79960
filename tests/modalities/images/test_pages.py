import io

import numpy as np
import pytest
import torch
from PIL import Image

from rivals.modalities.images.pages import colour_frames, gif, mp4, side_by_side


def frames(count=5, channels=3, height=6, width=9):
    return torch.linspace(-1, 1, count).view(-1, 1, 1, 1).expand(count, channels, height, width).contiguous()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_gif_has_every_frame_and_goes_on_for_ever(channels):
    with Image.open(io.BytesIO(gif(frames(channels=channels), least=12))) as image:
        assert image.n_frames == 5
        assert image.size == (18, 12)
        assert image.info["loop"] == 0
        image.seek(4)
        assert np.asarray(image.convert("RGB")).min() == 255


@pytest.mark.parametrize(("height", "width"), [(6, 9), (7, 7)])
def test_an_mp4_plays_with_every_frame(height, width):
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(mp4(frames(12, 3, height, width), least=32))) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 12
    assert pictures[0].mean() < 20
    assert pictures[-1].mean() > 235


def test_alpha_is_put_on_white():
    clear = torch.full((1, 4, 2, 2), -1.0)
    assert (colour_frames(clear, 1) == 255).all()
    solid = clear.clone()
    solid[:, 3] = 1
    assert (colour_frames(solid, 1) == 0).all()


def test_frames_are_enlarged_by_a_whole_factor():
    assert colour_frames(frames(1, 1, 5, 4), 12).shape == (1, 15, 12, 3)


def test_walks_stand_side_by_side():
    both = side_by_side([frames(), frames().flip(0)])
    assert both.shape == (5, 3, 6, 18)
    assert torch.equal(both[:, :, :, :9], frames())
