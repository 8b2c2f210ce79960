import pytest
import torch
from torch.func import functional_call, grad, vmap

from rivals.modalities.tables.layout import Part, layout_of
from rivals.modalities.tables.told import Told, asked_places

LAYOUT = layout_of(
    [("a", Part("value")), ("a", Part("mode", 2)), ("b", Part("category", 3)), ("c", Part("category", 4))]
)
COND = torch.tensor([[-1, 2, -1], [1, -1, 3], [-1, -1, -1]])


def test_what_is_asked_has_its_place_and_nothing_has_the_one_behind_the_last():
    assert asked_places(COND, LAYOUT).tolist() == [[2 + 2, 9], [1, 2 + 3 + 3], [9, 9]]
    assert asked_places(COND[2:], LAYOUT).tolist() == [[9]]
    assert asked_places(COND[:0], LAYOUT).shape == (0, 3)
    packs = torch.stack([COND, COND.flip(0)])
    assert asked_places(packs, LAYOUT).tolist() == [[[4, 9], [1, 8], [9, 9]], [[9, 9], [1, 8], [4, 9]]]
    alone = vmap(lambda cond: asked_places(cond, LAYOUT))(COND)
    assert alone.tolist() == [[9, 2 + 2, 9], [1, 9, 2 + 3 + 3], [9, 9, 9]]


def beside(layer, x, places):
    """The same by a product with ones beside the numbers."""
    ones = torch.zeros(len(x), len(layer.asked)).scatter(1, places, 1.0)[:, :-1]
    return torch.cat([x, ones], 1) @ torch.cat([layer.weight, layer.asked[:-1].T], 1).T + layer.bias


@pytest.mark.parametrize("count", [1, 3])
def test_a_told_layer_is_a_linear_layer_of_numbers_and_ones(count):
    torch.manual_seed(0)
    layer, x, places = Told(5, 9, 4), torch.randn(count, 5), asked_places(COND, LAYOUT)[:count]
    found, want = layer(x, places), beside(layer, x, places)
    torch.testing.assert_close(found, want)
    mine, theirs = (torch.autograd.grad(y.square().sum(), list(layer.parameters())) for y in (found, want))
    torch.testing.assert_close(mine, theirs)


def test_what_nobody_asked_for_never_counts():
    layer, x = Told(5, 9, 4), torch.randn(3, 5)
    places = torch.full((3, 3), 9)
    before = layer(x, places)
    with torch.no_grad():
        layer.asked.add_(1.0)
    assert torch.equal(before, layer(x, places))


def test_rows_own_gradients_under_torch_func_are_those_of_one_row_at_a_time():
    layer, x, places = Told(5, 9, 4), torch.randn(3, 5), asked_places(COND, LAYOUT)
    values = {name: part.detach() for name, part in layer.named_parameters()}

    def loss(parameters, row, asked):
        return functional_call(layer, parameters, (row[None], asked[None])).square().sum()

    found = vmap(grad(loss), in_dims=(None, 0, 0))(values, x, places)
    for row in range(3):
        one = torch.autograd.grad(
            layer(x[row : row + 1], places[row : row + 1]).square().sum(), list(layer.parameters())
        )
        for part, want in zip(found.values(), one, strict=True):
            torch.testing.assert_close(part[row], want)
