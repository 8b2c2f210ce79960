from dataclasses import replace

import numpy as np
import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.judging.compare import frechet
from rivals.modalities.images import own as module
from rivals.modalities.images.cache import cut, load, survey
from rivals.modalities.images.features import extractor
from rivals.modalities.images.own import Lesson, OwnNet, names_classes, own, telling_apart

SHORT = Lesson(steps=4, batch=8)


@pytest.fixture
def stripes(tmp_path):
    """Pictures of bars that lie or stand, somewhere, on noise: two classes; and the same without their names."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (160, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(160) % 2
    for picture, label, at in zip(x, labels, rng.integers(0, 26, 160), strict=True):
        if label:
            picture[at : at + 6] = rng.integers(120, 255, 3)
        else:
            picture[:, at : at + 6] = rng.integers(120, 255, 3)
    np.savez(tmp_path / "named.npz", images=x, labels=labels)
    np.savez(tmp_path / "plain.npz", images=x)
    size = {"height": 32, "width": 32, "channels": 3}
    return {name: load(survey(tmp_path / f"{name}.npz"), **size) for name in ("named", "plain")}


def test_it_is_learned_once_for_the_same_pictures_and_named_by_its_weights(stripes):
    told = []
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = own(stripes["plain"], tell=told.append, lesson=SHORT)
    assert torch.equal(torch.rand(3), expected)  # nobody else's random numbers are touched
    assert first.name == f"self-{first.digest[:8]}"
    assert told[-1] == {"kind": "learning", "what": "the feature space", "done": 4, "total": 4}
    count = len(told)
    again = own(stripes["plain"], tell=told.append, lesson=SHORT)
    assert len(told) == count  # from disk
    assert again.digest == first.digest
    x = cut(stripes["plain"], stripes["plain"].held_out)
    assert torch.equal(again.embed(x), first.embed(x))
    assert own(stripes["plain"], lesson=SHORT, seed=1).digest != first.digest
    assert own(stripes["named"], lesson=SHORT).digest != first.digest


def test_learning_is_the_same_each_time_and_a_damaged_file_is_made_again(stripes):
    first = own(stripes["plain"], lesson=SHORT)
    (kept,) = (module.store.home(None) / "spaces").glob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:1000])
    assert own(stripes["plain"], lesson=SHORT).digest == first.digest


def test_held_out_pictures_are_never_looked_at(stripes):
    pictures = stripes["plain"]
    first = own(pictures, lesson=SHORT)
    pixels = pictures.pixels.clone()
    pixels[pictures.held_out] = 7
    other = replace(pictures, pixels=pixels, content="other")
    assert own(other, lesson=SHORT).digest == first.digest
    pixels[pictures.train] = 7 + torch.arange(32, dtype=torch.uint8)
    assert own(replace(pictures, pixels=pixels, content="third"), lesson=SHORT).digest != first.digest


def test_it_learns_to_name_classes(stripes):
    pictures = stripes["named"]
    space = own(pictures, lesson=Lesson(steps=30, batch=32))
    assert space.classes == pictures.classes
    right = space.classify(cut(pictures, pictures.held_out)).argmax(1) == pictures.labels[pictures.held_out]
    assert right.float().mean() > 0.9


def test_it_learns_to_tell_pictures_apart_and_sees_damage(stripes):
    pictures = stripes["plain"]
    short, longer = (own(pictures, lesson=Lesson(steps=steps, batch=32)) for steps in (1, 20))
    assert longer.classify is None
    x = cut(pictures, pictures.train)
    half, rest = x[::2], x[1::2]
    noise = torch.randn(rest.shape, generator=torch.Generator().manual_seed(0))
    found = [frechet(longer.embed((rest + s * noise).clamp(-1, 1)), longer.embed(half)) for s in (0, 0.3, 0.8)]
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]
    assert short.digest != longer.digest


def test_partners_are_views_of_the_same_picture():
    network = OwnNet(32, 8)
    network.train()
    x = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    lesson = Lesson(redraw=0.0, temperature=0.01)
    torch.manual_seed(0)
    same = telling_apart(network, [x, x], lesson)
    crossed = telling_apart(network, [x, x.roll(1, 0)], lesson)
    assert same < 0.7  # the partner is as near as can be, at cosine 1
    assert crossed > 3


def test_classes_with_too_few_pictures_are_not_named(stripes):
    pictures = stripes["named"]
    assert names_classes(pictures)
    assert not names_classes(replace(pictures, classes=tuple(map(str, range(100)))))
    assert not names_classes(stripes["plain"])


def test_too_few_pictures_are_refused(stripes):
    few = replace(stripes["plain"], train=stripes["plain"].train[:20])
    with pytest.raises(RequestError, match=r"20 are too few .* random"):
        extractor("self", few)
