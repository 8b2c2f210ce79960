"""What rows are asked for in training and, by models that know no row without, when sampling."""

import math
from dataclasses import replace

import pytest
import torch

from rivals.engine.build import build_game
from rivals.engine.errors import RequestError
from rivals.engine.ledger import Privacy
from rivals.engine.recipe import Recipe, Use, change
from rivals.modalities.tables.asking import Asking, Balanced, asking_of, drawn_from, mix_of
from rivals.modalities.tables.columns import Column
from rivals.modalities.tables.encode import Compact, Encoders
from rivals.modalities.tables.encode_numbers import NumberEncoder
from rivals.modalities.tables.layout import Part, layout_of
from rivals.modalities.tables.modality import Tables, dataset
from rivals.modalities.tables.recipes import choose_recipe

from .test_rows_game import compact_of, tables

USE = Use("rows", {})
RECIPE = Recipe(modality="tables", generator=USE, critic=USE)
LAYOUT = layout_of(
    [("x", Part("value")), ("x", Part("mode", 2)), ("a", Part("category", 3)), ("b", Part("category", 4))]
)


def test_a_balanced_value_is_drawn_by_the_logarithm_of_its_frequency_and_its_rows_alike():
    counts = (900, 90, 10)
    slots = torch.zeros(1000, 3, dtype=torch.uint8)
    slots[:, 1] = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    torch.manual_seed(0)
    rows = Balanced.of(slots, torch.arange(1000), LAYOUT).draw(torch.full((60_000,), 1))
    wanted = torch.tensor([math.log1p(count) for count in counts])
    found = slots[rows, 1].long().bincount(minlength=3) / 60_000
    assert torch.allclose(found, wanted / wanted.sum(), atol=0.01)
    each = rows.bincount(minlength=1000)[990:].float()  # ten rows share the rarest value
    assert each.min() > 0.9 * each.mean()


def test_values_that_no_training_row_has_are_never_drawn():
    slots = torch.tensor([[0, 0, 0], [1, 2, 3], [0, 2, 3]], dtype=torch.uint8)
    by_slot = Balanced.of(slots, torch.tensor([1, 2]), LAYOUT)
    torch.manual_seed(0)
    for column in range(3):
        assert set(by_slot.draw(torch.full((2000,), column)).tolist()) <= {1, 2}


def test_a_balanced_batch_fulfils_its_conditions_and_leaves_held_out_rows_as_they_are():
    modality = tables()
    compact = compact_of(modality, 1000)
    compact.slots[:, 2] = (torch.arange(1000) >= 980).byte()
    asking = Asking(nothing=0, several=0.5, balanced=True, modes=False)
    data = dataset(modality, compact, torch.arange(500, 1000), torch.arange(500), asking)
    torch.manual_seed(0)
    real, cond = data.cut(torch.arange(500, 1000))
    start = [segment.start for segment in modality.encoders.layout.softmaxes]
    rows, places = torch.nonzero(cond >= 0, as_tuple=True)
    assert (real[rows, torch.tensor(start)[places] + cond[rows, places]] == 1).all()
    assert (cond[:, 0] == -1).all()  # a mode of x
    assert (cond >= 0).sum(1).min() == 1
    rare = (real[:, start[2] + 1] == 1).float().mean()
    assert rare > 0.15  # 4 % of the training rows
    held, _ = data.cut(torch.arange(500))
    assert torch.equal(held, modality.encoders.rows(compact, torch.arange(500)))


def test_a_model_that_knows_no_row_without_a_wish_is_asked_by_true_frequencies():
    shares = torch.tensor([0.0, 0.3, 0.7, 0.9, 0.09, 0.01, 0.25, 0.25, 0.25, 0.25])
    mix = mix_of(Asking(nothing=0, modes=False), shares, LAYOUT)
    assert [len(part) for part in mix] == [0, 3, 4]
    assert mix_of(Asking(), shares, LAYOUT) == ()
    torch.manual_seed(0)
    cond = drawn_from(mix, 20_000)
    assert ((cond >= 0).sum(1) == 1).all()
    assert (cond[:, 0] == -1).all()
    found = cond[cond[:, 1] >= 0, 1].bincount(minlength=3) / (cond[:, 1] >= 0).sum()
    assert torch.allclose(found, torch.tensor([0.9, 0.09, 0.01]), atol=0.01)


@pytest.mark.parametrize("method", ["r3gan", "ctgan"])
def test_a_table_of_plain_numbers_is_asked_for_nothing(method):
    number = NumberEncoder("x", 0.0, 10.0, 0.0, 0.0, 0.0, (5.0,), (5.0,), (1.0,))
    modality = Tables((Column("x", "number", low=0.0, high=10.0),), Encoders((number,)))
    recipe, _ = choose_recipe(modality, method, None, 10)
    compact = Compact(torch.rand(500, 1), torch.empty(500, 0, dtype=torch.uint8))
    data = dataset(modality, compact, torch.arange(500), torch.arange(0), asking_of(recipe))
    played = build_game(recipe, modality).play(data.cut(torch.arange(500)))
    assert played.cond.shape == (500, 0)
    assert played.fake.shape == (500, 1)
    assert torch.isfinite(played.on_fake.logits[0]).all()


def test_a_recipe_says_how_rows_are_asked():
    assert asking_of(RECIPE) == Asking()
    assert asking_of(change(RECIPE, "data.balanced", "true")) == Asking(balanced=True)
    with pytest.raises(RequestError, match="did you mean 'balanced'"):
        asking_of(change(RECIPE, "data.balance", "true"))
    with pytest.raises(RequestError, match="between 0 and 1"):
        asking_of(change(RECIPE, "data.nothing", "2"))
    private = replace(change(RECIPE, "data.balanced", "true"), privacy=Privacy(3.0))
    with pytest.raises(RequestError, match="as likely as any other"):
        asking_of(private)
