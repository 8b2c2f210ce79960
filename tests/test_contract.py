"""What every modality promises, over all of them; a new one adds its tiny data here."""

import json
from dataclasses import asdict
from importlib import import_module

import pytest
import torch

from rivals.engine.build import build_game
from rivals.engine.errors import RequestError
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


def tables(kind, make_pictures):
    from rivals.modalities.tables.encode import encoders_of
    from rivals.modalities.tables.modality import dataset

    columns, cells = typed_table()
    encoders = encoders_of(columns, [cells])
    modality = kind(columns, encoders)
    return modality, dataset(modality, encoders.compact(cells), torch.arange(48), torch.arange(48, 60))


def typed_table():
    import polars as pl

    from rivals.modalities.tables.cells import typed
    from rivals.modalities.tables.survey import infer

    rows = range(60)
    frame = pl.DataFrame({"age": [20 + 7 * n % 41 for n in rows], "group": ["abc"[n % 3] for n in rows],
                          "paid": [f"{1.5 * (n % 17):.2f}" for n in rows]})  # fmt: skip
    columns = infer(frame)
    return columns, {column.name: typed(column, frame[column.name]) for column in columns}


def edits(kind, make_pictures):
    from rivals.modalities.images.cache import survey
    from rivals.modalities.images.edits.data import dataset
    from rivals.modalities.images.edits.store import load
    from rivals.modalities.images.edits.tasks import settings

    modality = kind("denoise", crop=32, damage=settings("denoise", {}))
    return modality, dataset(load(survey(make_pictures(size=32), learning=False), 3, 32), modality)


FITTED = {"edits": edits, "images": images, "tables": tables}


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
    assert READ_BACK[name](modality, files, real, cond, tmp_path)


def pictures_again(modality, files, real, cond, folder):
    from rivals.modalities.images.cache import cut, load, survey

    for number, content in enumerate(files):
        place = folder / "again" / "ab"[int(cond[number])]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:04}{modality.suffix}").write_bytes(content)
    back = load(survey(folder / "again"), height=8, width=8, channels=3)
    again = cut(back, torch.arange(len(files)))
    rows = [sorted(zip(labels.tolist(), part.flatten(1).tolist(), strict=True)) for labels, part in
            ((cond, real), (back.labels, again))]  # fmt: skip
    return len(files) == len(real) and rows[0] == rows[1]


def rows_again(modality, files, real, cond, folder):
    import polars as pl

    from rivals.modalities.tables.cells import typed

    (content,) = files
    frame = pl.read_csv(content, infer_schema=False)
    again = {column.name: typed(column, frame[column.name]) for column in modality.columns}
    was = modality.encoders.decode(real)
    same = [torch.equal(*(torch.nan_to_num(torch.tensor(part)) for part in pair))
            for name in was for pair in zip(was[name], again[name], strict=True) if pair[0] is not None]  # fmt: skip
    return len(frame) == len(real) and len(same) == 3 and all(same)


def crops_again(modality, files, real, cond, folder):
    import io

    import numpy as np
    from PIL import Image

    back = np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in files])
    return torch.allclose(torch.from_numpy(back).movedim(3, 1) / 127.5 - 1, real, atol=1e-6)


READ_BACK = {"edits": crops_again, "images": pictures_again, "tables": rows_again}


def test_all_networks_play_with_what_the_modality_tells_them(fitted):
    name, modality, data = fitted
    for network in modality.generators:
        if network in ("cycle", "fourier"):
            continue  # are given two pictures at once, or a mask beside one: see edits/test_networks.py
        critic = network if network in modality.critics else "patch"
        recipe = Recipe(modality=name, generator=Use(network), critic=Use(critic), latent=6)
        game = build_game(recipe, modality)
        real, cond = data.cut(data.train[:4])
        played = game.play(Batch(real, cond))
        assert [part.shape for part in leaves(played.fake)] == [part.shape for part in leaves(real)]
        assert all(len(logits) == 4 for logits in played.on_real.logits)


def test_conditions_are_drawn_as_often_as_asked(fitted):
    name, modality, data = fitted
    if name == "edits":
        with pytest.raises(RequestError, match="rivals edit RUN"):
            modality.condition(None, 7)
        return
    cond = modality.condition(None, 7)
    like = data.cut(data.train[:7])[1]
    assert (cond is None) == (like is None)
    if cond is not None:
        assert cond.shape == like.shape
        assert cond.dtype == like.dtype


def test_a_saved_model_draws_the_same_samples(fitted, tmp_path):
    name, modality, data = fitted
    use = Use(next(iter(modality.generators)))
    critic = Use(next(iter(modality.critics)))
    game = build_game(Recipe(modality=name, generator=use, critic=critic, latent=6), modality)
    model = Model(game.generator.eval(), modality, name, use, 6, {})
    model.save(tmp_path)
    loaded = Model.load(tmp_path, lambda _: type(modality))
    given = data.cut(data.train[:3])[1] if name == "edits" else None  # which is all that it is made of
    drawn = [each.sample(3, seed=2) if given is None else each.network(torch.zeros(3, 0), given)
             for each in (model, loaded)]  # fmt: skip
    for one, other in zip(*map(leaves, drawn), strict=True):
        assert torch.equal(one, other)
    assert loaded.modality == modality
