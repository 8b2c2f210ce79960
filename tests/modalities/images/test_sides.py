import pytest
import torch

from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images import Images
from rivals.modalities.images.networks import PerceptronGenerator
from rivals.modalities.images.sides import (
    PART,
    Side,
    channel_words,
    class_words,
    fitting_words,
    of_model,
    renumbered,
    resized,
    rounded,
    widened,
)


def model(classes=()):
    torch.manual_seed(0)
    network = PerceptronGenerator((1, 8, 8), latent=4, classes=len(classes))
    return Model(network, Images(8, 8, 1, 8, classes, (1,) * len(classes)), "images", Use("mlp"), 4, {})


def plain(channels):
    return Side("s", "c", 3, lambda number: torch.rand(3, channels, 4, 4))


def test_parts_of_a_model_are_the_same_in_any_order_and_leave_random_numbers_alone():
    side = of_model(model(("a", "b")), PART + 7, seed=3)
    torch.manual_seed(9)
    last = side.part(1)
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(9))
    assert last.shape == (7, 1, 8, 8)
    side.part(0)
    assert torch.equal(side.part(1), last)
    assert side.labels.shape == (PART + 7,)
    taken = side.take(torch.tensor([PART + 2, 0]))
    assert torch.equal(taken[0], last[2])


def test_another_seed_or_other_weights_are_other_content():
    first = of_model(model(), 10, seed=1)
    assert of_model(model(), 10, seed=1).content == first.content
    assert of_model(model(), 10, seed=2).content != first.content
    other = model()
    with torch.no_grad():
        next(other.network.parameters()).add_(1e-3)
    assert of_model(other, 10, seed=1).content != first.content


def test_samples_are_what_a_file_would_hold():
    x = torch.rand(1000) * 3 - 1.5
    levels = (rounded(x, 8) + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert levels.min() >= 0
    assert levels.max() <= 255


@pytest.mark.parametrize(("have", "want"), [(1, 3), (1, 2), (1, 4), (2, 4), (3, 4), (3, 3)])
def test_channels_are_added_without_changing_what_is_there(have, want):
    torch.manual_seed(0)
    before = torch.rand(3, have, 4, 4)
    side = Side("s", "c", 3, lambda number: before)
    wide = widened(side, want)
    after = wide.part(0)
    assert after.shape == (3, want, 4, 4)
    assert torch.equal(after[:, 0], before[:, 0])
    if want in (2, 4):
        assert torch.equal(after[:, -1], before[:, -1] if have in (2, 4) else torch.ones(3, 4, 4))
    assert wide.content != side.content


def test_a_side_is_brought_to_another_size():
    assert resized(plain(1), 6, 8).part(0).shape == (3, 1, 6, 8)


def test_labels_are_numbered_by_name():
    side = Side("s", "c", 3, plain(1).part, torch.tensor([0, 1, 1]), ("cat", "dog"))
    assert renumbered(side, ("ape", "dog", "cat")).labels.tolist() == [2, 1, 1]
    assert renumbered(side, ("ape", "dog")).labels is None


def test_what_was_done_to_the_sides_is_said():
    assert fitting_words(["8x8"], (8, 8), "The fakes") == []
    (told,) = fitting_words(["64x48", "9x9"], (8, 8), "The fakes")
    assert "The fakes (64x48, 9x9) were brought to 8x8: scaled (Lanczos" in told
    assert channel_words(3, 3, 3) == []
    assert "grey is repeated" in channel_words(1, 3, 3)[0]
    assert "turned to grey" in channel_words(1, 3, 1)[0]
    assert class_words(("a",), ("a",)) == class_words((), ("a",)) == []
    assert "don't match" in class_words(("a",), ("b",))[0]
    assert "missing from the fakes: b" in class_words(("a",), ("a", "b"))[0]
