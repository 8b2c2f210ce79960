"""What every modality promises, over all of them; a new one adds its tiny data here."""

import json
from dataclasses import asdict
from importlib import import_module

import pytest
import torch

from rivals.engine.build import build_game
from rivals.engine.model import Model
from rivals.engine.recipe import Recipe, Use, from_plain
from rivals.engine.types import Batch, leaves
from rivals.modalities import MODALITIES


def images(kind, make_pictures):
    from rivals.modalities.images.cache import load, survey
    from rivals.modalities.images.modality import dataset

    looked = survey(make_pictures(classes=("a", "b")))
    pictures = load(looked, height=8, width=8, channels=3)
    return kind.of(pictures), dataset(pictures)


FITTED = {"images": images}


@pytest.fixture(params=MODALITIES)
def fitted(request, make_pictures):
    module, name = MODALITIES[request.param].split(":")
    return request.param, *FITTED[request.param](getattr(import_module(module), name), make_pictures)


def test_a_modality_is_plain_values_that_come_back_from_json(fitted):
    _, modality, _ = fitted
    assert from_plain(type(modality), json.loads(json.dumps(asdict(modality))), "here") == modality


def test_items_render_to_files_that_read_back_as_the_same_items(fitted, tmp_path):
    name, modality, data = fitted
    real, cond = data.cut(torch.cat([data.train, data.held_out]))
    files = list(modality.render(real))
    assert len(files) == len(leaves(real)[0])
    classes = cond if cond is not None else torch.zeros(len(files))
    for number, content in enumerate(files):
        folder = tmp_path / "again" / "ab"[int(classes[number])]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:04}{modality.suffix}").write_bytes(content)
    from rivals.modalities.images.cache import cut, load, survey

    back = load(survey(tmp_path / "again"), height=8, width=8, channels=3)
    again = cut(back, torch.arange(len(files)))
    rows = [sorted(zip(labels.tolist(), part.flatten(1).tolist(), strict=True)) for labels, part in
            ((classes, leaves(real)[0]), (back.labels, again))]  # fmt: skip
    assert rows[0] == rows[1], name


def test_all_networks_play_with_what_the_modality_tells_them(fitted):
    name, modality, data = fitted
    for network in modality.generators:
        recipe = Recipe(modality=name, generator=Use(network), critic=Use(network), latent=6)
        game = build_game(recipe, modality)
        real, cond = data.cut(data.train[:4])
        played = game.play(Batch(real, cond))
        assert [part.shape for part in leaves(played.fake)] == [part.shape for part in leaves(real)]
        assert all(len(logits) == 4 for logits in played.on_real.logits)


def test_conditions_are_drawn_as_often_as_asked(fitted):
    _, modality, data = fitted
    cond = modality.condition(None, 7)
    like = data.cut(data.train[:7])[1]
    assert (cond is None) == (like is None)
    if cond is not None:
        assert cond.shape == like.shape
        assert cond.dtype == like.dtype


def test_a_saved_model_draws_the_same_samples(fitted, tmp_path):
    name, modality, _ = fitted
    use = Use(next(iter(modality.generators)))
    game = build_game(Recipe(modality=name, generator=use, critic=use, latent=6), modality)
    model = Model(game.generator.eval(), modality, name, use, 6, {})
    model.save(tmp_path)
    loaded = Model.load(tmp_path, lambda _: type(modality))
    for one, other in zip(leaves(model.sample(3, seed=2)), leaves(loaded.sample(3, seed=2)), strict=True):
        assert torch.equal(one, other)
    assert loaded.modality == modality
