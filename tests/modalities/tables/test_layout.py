import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.modalities.tables.layout import Part, draw, layout_of, log_softmax_segments, one_hots, relax, with_given

WIDTHS = (2, 7, 3, 40)
LAYOUT = layout_of([("a", Part("value")), *[(f"c{w}", Part("category", w)) for w in WIDTHS], ("b", Part("value"))])


def raw(count=5, dtype=torch.float64, scale=3.0):
    return scale * torch.randn(count, LAYOUT.width, dtype=dtype)


def parts(rows, layout=LAYOUT):
    return [rows[:, s.start : s.start + s.width] for s in layout.softmaxes]


def test_scalars_come_first_and_segments_follow_without_gaps():
    assert [(s.column, s.start, s.width, s.kind) for s in LAYOUT.segments] == [
        ("a", 0, 1, "scalar"), ("b", 1, 1, "scalar"),
        ("c2", 2, 2, "softmax"), ("c7", 4, 7, "softmax"), ("c3", 11, 3, "softmax"), ("c40", 14, 40, "softmax"),
    ]  # fmt: skip
    assert LAYOUT.width == 2 + sum(WIDTHS)


@given(widths=st.lists(st.integers(2, 9), max_size=5), scalars=st.integers(0, 3), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_log_probabilities_are_those_of_torch_one_segment_at_a_time(widths, scalars, seed):
    layout = layout_of([("x", Part("value"))] * scalars + [("y", Part("category", width)) for width in widths])
    rows = 50 * torch.randn(4, layout.width, generator=torch.Generator().manual_seed(seed))
    found = log_softmax_segments(rows, layout)
    assert torch.equal(found[:, :scalars], torch.zeros(4, scalars))
    for mine, logits in zip(parts(found, layout), parts(rows, layout), strict=True):
        torch.testing.assert_close(mine, logits.log_softmax(1), atol=1e-6, rtol=1e-6)


def test_relaxed_rows_are_tanh_and_the_gumbel_softmax_of_torch():
    rows = raw(6, torch.float32)
    torch.manual_seed(3)
    found = relax(rows, LAYOUT, 0.5)
    torch.manual_seed(3)
    noise = -(-torch.rand(6, sum(WIDTHS)).log()).log()
    torch.testing.assert_close(found[:, :2], rows[:, :2].tanh())
    noisy = torch.cat([torch.zeros(6, 2), noise], 1) + rows
    for mine, logits in zip(parts(found), parts(noisy), strict=True):
        torch.testing.assert_close(mine, (logits / 0.5).softmax(1), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("place", [-1e4, 1e4])
def test_a_segment_far_from_the_others_still_sums_to_one(place):
    rows = raw(dtype=torch.float32)
    rows[:, 4:11] += place
    for part in parts(relax(rows, LAYOUT, 0.2)):
        torch.testing.assert_close(part.sum(1), torch.ones(5))


def test_slots_are_drawn_with_the_softmax_s_probabilities():
    layout = layout_of([("x", Part("category", 3))])
    chances = torch.tensor([0.7, 0.2, 0.1])
    torch.manual_seed(0)
    drawn = relax(chances.log().expand(20_000, 3), layout, 0.2, hard=True).mean(0)
    torch.testing.assert_close(drawn, chances, atol=4 * math.sqrt(0.25 / 20_000), rtol=0)


def test_hard_rows_are_one_hot_where_soft_ones_are_largest_with_their_gradient():
    rows = raw().requires_grad_()
    weights = torch.randn_like(rows)
    found = {}
    for hard in (False, True):
        torch.manual_seed(1)
        shown = relax(rows, LAYOUT, 0.5, hard)
        found[hard] = shown.detach(), torch.autograd.grad((shown * weights).sum(), rows)[0]
    torch.testing.assert_close(found[True][1], found[False][1])
    for soft, hard in zip(parts(found[False][0]), parts(found[True][0]), strict=True):
        assert torch.equal(hard.round(), torch.nn.functional.one_hot(soft.argmax(1), soft.shape[1]).double())
        torch.testing.assert_close(hard, hard.round())


def test_of_equal_logits_one_is_hot():
    shown = relax(torch.full((2, LAYOUT.width), 1e30), LAYOUT, 1.0, hard=True)  # noise is nothing beside these
    for part in parts(shown):
        assert torch.equal(part, torch.nn.functional.one_hot(torch.zeros(2, dtype=torch.long), part.shape[1]).float())


def test_relaxing_is_twice_differentiable():
    layout = layout_of([("a", Part("value")), ("b", Part("mode", 2)), ("c", Part("mode", 3))])
    rows = torch.randn(2, layout.width, dtype=torch.float64, requires_grad=True)

    def seeded(values):
        torch.manual_seed(2)
        return relax(values, layout, 0.7)

    assert torch.autograd.gradcheck(seeded, rows)
    assert torch.autograd.gradgradcheck(seeded, rows)
    assert torch.autograd.gradgradcheck(lambda values: log_softmax_segments(values, layout), rows)


def test_half_precision_is_relaxed_in_full():
    rows = raw(dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        shown = relax(rows, LAYOUT, 0.2)
    assert shown.dtype == torch.float32
    for part in parts(shown):
        torch.testing.assert_close(part.sum(1), torch.ones(5), atol=1e-5, rtol=0)


def test_one_hots_are_where_the_slots_say():
    slots = torch.tensor([[1, 6, 0, 39], [0, 0, 2, 5]], dtype=torch.uint8)
    rows = one_hots(torch.tensor([[0.5, -1.0], [0.0, 1.0]]), slots, LAYOUT)
    assert rows.dtype == torch.float32
    assert rows[:, :2].tolist() == [[0.5, -1.0], [0.0, 1.0]]
    assert torch.stack([part.argmax(1) for part in parts(rows)], 1).tolist() == slots.tolist()
    assert rows[:, 2:].sum(1).tolist() == [4, 4]


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="width 54"):
        relax(torch.zeros(2, 3), LAYOUT, 0.2)


@pytest.mark.parametrize("place", [0.0, 1e4])
def test_drawn_slots_come_by_their_probabilities(place):
    torch.manual_seed(0)
    one = raw(1, torch.float32, scale=1.5)
    one[:, 4:11] += place
    scalars, slots = draw(one.expand(20_000, -1), LAYOUT)
    torch.testing.assert_close(scalars, one[:, :2].tanh().expand(20_000, -1))
    assert slots.dtype == torch.int64
    for logits, drawn in zip(parts(one), slots.T, strict=True):
        wanted = logits.double().softmax(1)[0]
        found = drawn.bincount(minlength=logits.shape[1]).double()
        chi = ((found - 20_000 * wanted).square() / (20_000 * wanted)).sum()
        assert chi < 2.2 * logits.shape[1] + 12, "far beyond what chance does"


def test_what_is_sure_is_always_drawn():
    rows = with_given(raw(2000, torch.float32), torch.tensor([[1, 6, -1, 39]]).expand(2000, -1), LAYOUT)
    slots = draw(rows, LAYOUT)[1]
    assert (slots[:, [0, 1, 3]] == torch.tensor([1, 6, 39])).all()
    assert slots[:, 2].unique().tolist() == [0, 1, 2]


@given(
    widths=st.lists(st.integers(2, 300), max_size=6),
    scale=st.sampled_from([0.0, 1.0, 20.0, 1e5]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_drawn_slots_lie_within_their_softmax(widths, scale, seed):
    layout = layout_of([("x", Part("value"))] + [("y", Part("category", width)) for width in widths])
    rows = scale * torch.randn(200, layout.width, generator=torch.Generator().manual_seed(seed))
    slots = draw(rows, layout)[1]
    assert slots.shape == (200, len(widths))
    assert ((slots >= 0) & (slots < torch.tensor(widths, dtype=torch.long))).all()
