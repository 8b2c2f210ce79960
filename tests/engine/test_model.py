import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.build import build_game
from rivals.engine.errors import RequestError
from rivals.engine.model import Model, arc
from rivals.engine.names import named
from rivals.engine.recipe import Recipe, Use
from rivals.modalities.images import Images


def known(name):
    return named(name, {"images": Images}, "modality")


def made(classes=(), network="dcgan"):
    images = Images(8, 8, 1, 8, classes, (3, 1)[: len(classes)])
    options = {"width": 4} if network != "mlp" else {}
    recipe = Recipe(modality="images", generator=Use(network, options), critic=Use("mlp"), latent=6)
    game = build_game(recipe, images)
    return Model(game.generator.eval().requires_grad_(False), images, "images", recipe.generator, 6, {"step": 3})


@pytest.mark.parametrize("classes", [(), ("a", "b")])
@pytest.mark.parametrize("network", ["dcgan", "mlp", "r3gan"])
def test_a_saved_model_is_the_same_when_it_is_loaded(network, classes, tmp_path):
    model = made(classes, network)
    model.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m", known)
    assert torch.equal(loaded.sample(7, seed=4), model.sample(7, seed=4))
    assert (loaded.modality, loaded.generator, loaded.latent, loaded.about) == (
        model.modality,
        model.generator,
        6,
        {"step": 3},
    )
    loaded.save(tmp_path / "n")
    for name in ("model.json", "generator.safetensors"):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_a_seed_gives_the_same_samples_whatever_was_drawn_before_and_leaves_the_generator_alone():
    model = made(("a", "b"))
    first = model.sample(5, seed=2)
    torch.manual_seed(77)
    expected = torch.rand(3)
    torch.manual_seed(77)
    assert torch.equal(model.sample(5, seed=2), first)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.equal(model.sample(5, seed=3), first)


def test_samples_come_in_batches_and_are_as_many_as_asked():
    parts = list(made().stream(601, batch=250))
    assert [len(part) for part in parts] == [250, 250, 101]
    assert not torch.equal(parts[0][:101], parts[2])


def test_more_samples_of_a_seed_begin_with_the_same_whole_batches():
    model = made()
    assert torch.equal(model.sample(500, seed=1)[:250], model.sample(250, seed=1))


@pytest.mark.parametrize("count", [0, -1])
def test_no_sample_is_refused(count):
    with pytest.raises(RequestError, match="at least one sample"):
        made().sample(count)


def saved(tmp_path):
    made().save(tmp_path)
    return tmp_path, json.loads((tmp_path / "model.json").read_text())


def test_another_format_is_refused_with_both_versions(tmp_path):
    folder, card = saved(tmp_path)
    (folder / "model.json").write_text(json.dumps({**card, "format": 99}))
    with pytest.raises(RequestError, match=r"model format 99; this is Rivals .* which reads format 1"):
        Model.load(folder, known)


@pytest.mark.parametrize("at", [0, 1, 40, -2])
def test_a_card_that_was_cut_short_is_refused(at, tmp_path):
    folder, _ = saved(tmp_path)
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text[:at])
    with pytest.raises(RequestError, match="damaged"):
        Model.load(folder, known)


@pytest.mark.parametrize("key", ["modality", "generator", "latent"])
def test_a_card_that_lacks_something_is_refused(key, tmp_path):
    folder, card = saved(tmp_path)
    card.pop(key)
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(RequestError, match="damaged"):
        Model.load(folder, known)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modality": {"name": "smells"}}, "no modality 'smells'"),
        ({"modality": {"name": "images", "height": "x", "width": 8, "channels": 1}}, "a whole number was expected"),
        ({"modality": 3}, "damaged"),
        ({"latent": "six"}, "a whole number was expected"),
        ({"latent": 7}, "damaged"),
        ({"generator": {"name": "dcgun"}}, "no generator 'dcgun'"),
        ({"generator": {"name": "os.system"}}, "no generator 'os.system'"),
        ({"generator": {"name": "dcgan", "options": {"widht": 3}}}, "did you mean 'width'"),
    ],
)
def test_a_card_that_says_something_else_is_refused_in_a_line(change, words, tmp_path):
    folder, card = saved(tmp_path)
    (folder / "model.json").write_text(json.dumps({**card, **change}))
    with pytest.raises(RequestError, match=words) as told:
        Model.load(folder, known)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("how", ["cut", "empty", "gone", "text"])
def test_damaged_weights_are_refused(how, tmp_path):
    folder, _ = saved(tmp_path)
    path = folder / "generator.safetensors"
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"weights" * 40}[how])
    with pytest.raises(RequestError, match="missing or damaged"):
        Model.load(folder, known)


def test_a_walk_comes_back_to_where_it_began_in_even_steps():
    model = made()
    walk = model.interpolate(20, seed=1, stops=4)
    assert walk.shape == (20, 1, 8, 8)
    assert torch.equal(walk, model.interpolate(20, seed=1, stops=4))
    around = (torch.roll(walk, -1, 0) - walk).flatten(1).norm(dim=1)
    assert around[-1] < 3 * around[:-1].max()


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_an_arc_begins_and_ends_at_its_points_and_keeps_the_length(seed, share):
    a, b = torch.nn.functional.normalize(torch.randn(2, 64, generator=torch.Generator().manual_seed(seed)), dim=1)[
        :, None
    ]
    point = arc(a, b, torch.tensor([[share]]))
    assert float(point.norm()) == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(arc(a, b, torch.zeros(1, 1)), a, atol=1e-4, rtol=0)
    torch.testing.assert_close(arc(a, b, torch.ones(1, 1)), b, atol=1e-4, rtol=0)


def test_classes_of_a_wish_take_turns_and_frames_keep_theirs():
    model = made(("a", "b"))
    both = model.sample(4, seed=0, wish="a,b")
    assert torch.equal(model.sample(4, seed=0, wish="a")[0], both[0])
    assert torch.equal(model.sample(4, seed=0, wish="b")[1], both[1])
