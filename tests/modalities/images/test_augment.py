from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation
from torch.autograd import grad, gradcheck, gradgradcheck

from rivals.engine.errors import RequestError
from rivals.modalities.images import augment_moves as moves
from rivals.modalities.images.augment import GROUPS, OPERATIONS, augment, resolve

MOVES = ["xflip", "rot90", "xint", "scale", "rotate", "aniso", "xfrac"]
COLOURS = ["brightness", "contrast", "lumaflip", "hue", "saturation"]
SHARES = st.floats(0.02, 0.98)
NORMAL = NormalDist().inv_cdf


def pictures(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def drawing(*numbers):
    """A draw under which every operation is applied, with these numbers (one row of up to three an operation)."""

    def draw(*shape, device=None):
        row = torch.zeros(shape, dtype=torch.float64, device=device)
        for at, values in enumerate(numbers):
            row[:, at, 1 : 1 + len(values)] = torch.tensor(values, dtype=torch.float64)
        return row

    return draw


def changed(sample, name, *values):
    return augment(sample, [name], 1.0, draw=drawing(values))


def seeded(seed=0):
    """The same numbers every time it is asked for the same shapes."""

    def draw(*shape, device=None):
        return torch.rand(shape, generator=torch.Generator().manual_seed(seed + len(shape)), dtype=torch.float64)

    return draw


# Derivatives


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_first_and_a_second_derivative(name):
    sample = pictures(1, 3, 4, 3).requires_grad_()
    assert gradcheck(lambda x: augment(x, [name], 1.0, draw=seeded()), (sample,))
    assert gradgradcheck(lambda x: augment(x, [name], 1.0, draw=seeded()), (sample,))


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_groups_have_a_first_and_a_second_derivative(group, channels):
    sample = pictures(1, channels, 4, 3).requires_grad_()
    assert gradgradcheck(lambda x: augment(x.square(), [group], 1.0, draw=seeded()), (sample,))


@pytest.mark.parametrize("group", GROUPS)
def test_a_gradient_penalty_is_taken_through(group):
    sample, weight = pictures(3, 3, 6, 6), pictures(3, 6, 6, seed=1).requires_grad_()

    def logits(x):
        return (augment(x, [group], 0.7, draw=seeded()) * weight).sum((1, 2, 3))

    leaf = sample.clone().requires_grad_()
    (slope,) = grad(logits(leaf).sum(), leaf, create_graph=True)
    penalty = slope.square().sum()
    penalty.backward()
    one, dense = pictures(1, seed=2), torch.zeros(3, 108, 108, dtype=torch.float64)  # each picture's map as a matrix
    with torch.no_grad():
        zero = augment(torch.zeros_like(sample), [group], 0.7, draw=seeded())
        for at in range(108):
            basis = torch.zeros(3, 108, dtype=torch.float64)
            basis[:, at] = one
            dense[:, :, at] = ((augment(basis.view_as(sample), [group], 0.7, draw=seeded()) - zero) / one).flatten(1)
    products = dense.mT @ weight.detach().flatten()
    assert penalty.item() == pytest.approx(products.square().sum().item())
    expected = 2 * (dense @ products[..., None]).sum(0)[:, 0]
    torch.testing.assert_close(weight.grad.flatten(), expected)


def test_second_derivatives_of_pixels_taken_between_reach_a_picture_that_is_squared():
    uniform = torch.full((3, 2), 0.2, dtype=torch.float64)
    m = moves.rotate(moves.unmoved(pictures(2, 1, 4, 4)), moves.Luck(uniform, uniform, uniform[0]), 1.0)
    assert gradgradcheck(lambda x: moves.resample(x**2, m), (pictures(2, 1, 4, 4).requires_grad_(),))


# How often


@pytest.mark.parametrize("nothing", [0, 0.0, torch.tensor(0.0), torch.zeros(2)])
def test_nothing_is_done_at_strength_zero(nothing):
    sample = pictures(2, 3, 8, 8)
    assert augment(sample, ["full"], nothing, draw=None) is sample
    assert augment(sample, [], 1.0, draw=None) is sample


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_applied_to_about_the_share_of_pictures_that_was_asked_for(name):
    count = 2000
    sample = pictures(1, 3, 8, 8, dtype=torch.float32).expand(count, -1, -1, -1)
    seen = {"xflip": 1 / 2, "rot90": 3 / 4, "lumaflip": 1 / 2, "translation": 8 / 9}.get(name, 1.0)
    seen = {"xint": 3 / 4, "xint-slight": 0.0}.get(name, seen)  # rounds within half a pixel of none
    for strength in (0.3, torch.tensor(0.8)):
        torch.manual_seed(1)
        moved = (augment(sample, [name], strength) - sample).abs().amax((1, 2, 3)) > 1e-4
        share = float(strength) * seen
        assert moved.float().mean().item() == pytest.approx(share, abs=0.01 + 4 * (share * (1 - share) / count) ** 0.5)


def test_strength_can_differ_from_picture_to_picture():
    sample = pictures(6, 3, 8, 8)
    strength = torch.tensor([0.0, 1.0] * 3)
    same = (augment(sample, ["shift", "color", "cutout"], strength) - sample).abs().amax((1, 2, 3)) < 1e-9
    assert same.tolist() == [True, False] * 3


def test_operations_are_applied_independently_of_each_other():
    torch.manual_seed(0)
    sample = torch.zeros(4000, 1, 2, 2)
    sample[:, :, 0, 0] = 1
    out = augment(sample, ["brightness", "contrast"], 0.5)
    brighter, scaled = out[:, 0, 1, 1] != 0, ((out[:, 0, 0, 0] - out[:, 0, 1, 1]) - 1).abs() > 1e-4
    assert (brighter & scaled).float().mean().item() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("group", GROUPS)
def test_a_picture_does_not_depend_on_its_neighbours(group):
    sample = pictures(5, 3, 9, 8)
    rows = {}

    def keep(*shape, device=None):
        rows[len(shape)] = torch.rand(shape, dtype=torch.float64)
        return rows[len(shape)]

    together = augment(sample, [group], 0.7, draw=keep)
    for at in range(5):
        alone = augment(sample[at : at + 1], [group], 0.7, draw=lambda *s, device, at=at: rows[len(s)][at : at + 1])
        torch.testing.assert_close(alone[0], together[at])


def test_two_processes_draw_what_one_would(monkeypatch):
    sample = pictures(6, 3, 8, 8)
    torch.manual_seed(3)
    whole = augment(sample, ["full", "noise", "cutout"], 0.6)
    halves = []
    for rank in (0, 1):
        monkeypatch.setattr("rivals.engine.parallel.processes", lambda rank=rank: (rank, 2))
        torch.manual_seed(3)
        halves.append(augment(sample[3 * rank : 3 * rank + 3], ["full", "noise", "cutout"], 0.6))
    torch.testing.assert_close(torch.cat(halves), whole)


# Colours


@given(u=SHARES)
def test_brightness_shifts_the_mean(u):
    sample = pictures(2, 3, 8, 8)
    torch.testing.assert_close(changed(sample, "brightness", u), sample + 0.2 * NORMAL(u))


@given(u=SHARES)
def test_contrast_and_saturation_multiply_by_powers_of_two(u):
    sample = pictures(2, 3, 8, 8)
    torch.testing.assert_close(changed(sample, "contrast", u), sample * 2 ** (0.5 * NORMAL(u)))
    grey = sample.mean(1, keepdim=True)
    torch.testing.assert_close(changed(sample, "saturation", u), grey + (sample - grey) * 2 ** NORMAL(u))


def test_a_third_of_a_turn_of_hue_is_an_exchange_of_channels():
    sample = pictures(2, 3, 8, 8)
    torch.testing.assert_close(changed(sample, "hue", 5 / 6), sample.roll(1, 1))


def test_grey_pictures_know_luma_only():
    sample = pictures(2, 1, 8, 8)
    torch.testing.assert_close(changed(sample, "lumaflip", 0.9), -sample)
    torch.testing.assert_close(changed(sample, "hue", 0.9), sample)
    torch.testing.assert_close(changed(sample, "saturation", 0.9), sample)


@given(u=st.tuples(*[SHARES] * 5))
def test_colours_together_are_the_product_of_their_matrices(u):
    axis = np.ones(3) / 3**0.5
    along = np.outer(axis, axis)
    expected = np.eye(4)
    expected[:3, 3] = 0.2 * NORMAL(u[0])
    for linear in (
        np.eye(3) * 2 ** (0.5 * NORMAL(u[1])),
        np.eye(3) - 2 * along * (u[2] > 0.5),
        Rotation.from_rotvec(axis * np.pi * (2 * u[3] - 1)).as_matrix(),
        along + (np.eye(3) - along) * 2 ** NORMAL(u[4]),
    ):
        expected = np.block([[linear, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]) @ expected
    sample = pictures(1, 3, 4, 4)
    out = augment(sample, COLOURS, 1.0, draw=drawing(*[(part,) for part in u]))
    shown = np.einsum("ij,jhw->ihw", expected[:3, :3], sample[0].numpy()) + expected[:3, 3, None, None]
    np.testing.assert_allclose(out[0].numpy(), shown, atol=1e-9)


@given(u=st.tuples(SHARES, SHARES, SHARES), channels=st.sampled_from([1, 3]))
def test_color_is_diffaugments_brightness_saturation_and_contrast_in_turn(u, channels):
    sample = pictures(3, channels, 8, 8)
    expected = sample + (u[0] - 0.5)
    expected = torch.lerp(expected.mean(1, keepdim=True), expected, 2 * u[1])
    expected = torch.lerp(expected.mean((1, 2, 3), keepdim=True), expected, u[2] + 0.5)
    torch.testing.assert_close(changed(sample, "color", *u), expected)


@given(u=SHARES, v=SHARES)
def test_colours_after_color_work_on_what_it_made(u, v):
    sample = pictures(3, 3, 8, 8)
    names = ["lumaflip", "contrast", "brightness", "color", "saturation"]
    numbers = [(0.9,), (u,), (v,), (u, v, v), (u,)]
    together = augment(sample, ["color", *names], 1.0, draw=drawing((v, u, u), *numbers[:3], numbers[4]))
    step = changed(sample, "color", v, u, u)
    for name, values in [(n, k) for n, k in zip(names, numbers, strict=True) if n != "color"]:
        step = changed(step, name, *values)
    torch.testing.assert_close(together, step)


@pytest.mark.parametrize("channels", [2, 4])
def test_colours_leave_alpha_alone_and_do_to_the_rest_what_they_do_without_it(channels):
    sample = pictures(4, channels, 8, 8)
    out = augment(sample, ["color", *COLOURS], 1.0, draw=seeded())
    torch.testing.assert_close(out[:, -1], sample[:, -1])
    torch.testing.assert_close(out[:, :-1], augment(sample[:, :-1], ["color", *COLOURS], 1.0, draw=seeded()))


# Places


def test_a_flip_is_undone_by_a_flip():
    sample = pictures(2, 3, 8, 9)
    flipped = changed(sample, "xflip", 0.9)
    torch.testing.assert_close(flipped, sample.flip(3), rtol=0, atol=0)
    assert torch.equal(changed(flipped, "xflip", 0.9), sample)
    assert torch.equal(changed(sample, "xflip", 0.1), sample)


@given(
    u=SHARES,
    v=SHARES,
    height=st.integers(8, 20),
    width=st.integers(8, 20),
    name=st.sampled_from(["xint", "translation"]),
)
def test_whole_shifts_are_slices_of_the_mirrored_picture(u, v, height, width, name):
    sample = pictures(1, 2, height, width)
    if name == "xint":
        right, down = (round((2 * part - 1) * size / 8) for part, size in ((u, width), (v, height)))
    else:
        reach = [int(size / 8 + 0.5) for size in (width, height)]
        places = [part * (2 * far + 1) for part, far in zip((u, v), reach, strict=True)]
        assume(all(abs(place - round(place)) > 1e-4 for place in places))  # where float32 may cut otherwise
        right, down = (int(part * (2 * far + 1)) - far for part, far in zip((u, v), reach, strict=True))
    padded = np.pad(sample[0].numpy(), ((0, 0), (4, 4), (4, 4)), mode="reflect")
    expected = padded[:, 4 - down : 4 - down + height, 4 - right : 4 - right + width]
    np.testing.assert_array_equal(changed(sample, name, u, v)[0].numpy(), expected)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_are_those_of_torch_whole_or_interpolated(turns):
    sample = pictures(2, 3, 9, 9)
    expected = sample.rot90(turns, (2, 3))
    assert torch.equal(changed(sample, "rot90", ((turns + 2) % 4 + 0.5) / 4), expected)
    torch.testing.assert_close(changed(sample, "rotate", (turns / 2 % 2) / 2 + 0.5), expected)


def test_a_picture_that_is_no_square_is_never_put_on_its_side():
    sample = pictures(400, 1, 8, 12)
    out = augment(sample, ["rot90"], 1.0)
    turned = [torch.equal(a, b.rot90(2, (1, 2))) for a, b in zip(out, sample, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(out, sample, strict=True)]
    assert sum(turned) + sum(kept) == 400
    assert 150 < sum(turned) < 250


def turn(angle):  # seen on a screen, where y points downwards, counterclockwise
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


@settings(max_examples=60)
@given(
    u=st.lists(st.tuples(SHARES, SHARES), min_size=7, max_size=7),
    height=st.integers(8, 14),
    width=st.integers(8, 14),
)
def test_moves_together_are_one_affine_map_as_scipy_applies_it(u, height, width):
    sample = pictures(1, 1, height, width)
    quarter = np.pi / 2 * (int(4 * u[1][0]) - 2) if height == width else np.pi * (int(2 * u[1][0]) - 1)
    factor, squeeze = 2 ** (0.2 * NORMAL(u[3][0])), 2 ** (0.2 * NORMAL(u[5][0]))
    linear, shift = np.eye(2), np.zeros(2)  # of x and y, from the middle: where a point goes, step by step
    for a, b in (
        (np.diag([-1.0 if u[0][0] > 0.5 else 1.0, 1.0]), (0, 0)),
        (turn(quarter), (0, 0)),
        (np.eye(2), [np.round((2 * part - 1) / 8 * size) for part, size in zip(u[2], (width, height), strict=True)]),
        (np.eye(2) * factor, (0, 0)),
        (turn(np.pi * (2 * u[4][0] - 1)), (0, 0)),
        (np.diag([squeeze, 1 / squeeze]), (0, 0)),
        (np.eye(2), [NORMAL(part) / 8 * size for part, size in zip(u[6], (width, height), strict=True)]),
    ):
        linear, shift = a @ linear, a @ shift + b
    back = np.linalg.inv(linear)[::-1, ::-1]  # scipy counts rows first, and from the corner
    middle = np.array([height - 1, width - 1]) / 2
    offset = middle - back @ (middle + shift[::-1])
    expected = affine_transform(sample[0, 0].numpy(), back, offset, order=1, mode="mirror")
    names = ["xflip", "rot90", "xint", "scale", "rotate", "aniso", "xfrac"]
    out = augment(sample, names, 1.0, draw=drawing(*[u[at] for at in (0, 1, 2, 3, 4, 5, 6)]))
    np.testing.assert_allclose(out[0, 0].numpy(), expected, atol=1e-8)


# Noise and cutout


@given(u=SHARES, v=SHARES, height=st.integers(8, 20), width=st.integers(8, 20))
def test_cutout_is_grey_in_half_of_the_height_and_width_about_its_centre(u, v, height, width):
    sample = pictures(1, 3, height, width) + 2  # never grey
    out = changed(sample, "cutout", u, v)[0]
    for y in range(height):
        for x in range(width):
            inside = abs((x + 0.5) / width - u) < 0.25 and abs((y + 0.5) / height - v) < 0.25
            assert torch.equal(out[:, y, x], torch.zeros_like(out[:, y, x]) if inside else sample[0, :, y, x])


def test_noise_is_white_and_of_a_half_normal_deviation():
    torch.manual_seed(0)
    out = augment(torch.zeros(400, 1, 16, 16), ["noise"], 1.0)
    deviations = out.flatten(1).std(1)
    assert deviations.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.15)
    white = (out / deviations.view(-1, 1, 1, 1)).flatten(1)
    assert white.mean(1).abs().max().item() < 5 / 16
    beside = (out[..., 1:] * out[..., :-1]).mean((1, 2, 3)) / deviations.square()
    assert beside.mean().item() == pytest.approx(0, abs=0.02)


# Requests


@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 4),
    height=st.integers(2, 18),
    width=st.integers(2, 18),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
    group=st.sampled_from(sorted(GROUPS) + sorted(OPERATIONS)),
    strength=st.floats(0, 1),
)
def test_shape_and_type_stay_and_values_are_finite(batch, channels, height, width, dtype, group, strength):
    sample = pictures(batch, channels, height, width).to(dtype)
    for given_sample in (sample, sample.to(memory_format=torch.channels_last)):
        out = augment(given_sample, [group], strength)
        assert (out.shape, out.dtype, out.device) == (sample.shape, sample.dtype, sample.device)
        assert out.isfinite().all()


def test_the_layout_in_memory_does_not_matter():
    sample = pictures(3, 3, 8, 9)
    there = augment(sample.to(memory_format=torch.channels_last), ["full", "cutout"], 0.8, draw=seeded())
    torch.testing.assert_close(there, augment(sample, ["full", "cutout"], 0.8, draw=seeded()))


def test_reduced_precision_around_it_does_not_reach_the_places():
    sample = pictures(3, 3, 28, 28, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = augment(sample, ["full"], 0.8, draw=seeded())
    assert torch.equal(inside, augment(sample, ["full"], 0.8, draw=seeded()))


@pytest.mark.parametrize("group", [*GROUPS, "noise"])
def test_shapes_can_be_traced_without_data(group):
    sample = torch.empty(2, 3, 8, 8, device="meta")
    sample.requires_grad_()
    out = augment(sample, [group], torch.tensor(0.5, device="meta"))
    (slope,) = grad(out.square().sum(), sample, create_graph=True)
    (again,) = grad(slope.square().sum(), sample)
    assert out.shape == slope.shape == again.shape == sample.shape


def test_groups_hold_known_operations_and_resolve_once_each():
    assert resolve(["diffaugment", "cutout", "xflip", "light", "diffaugment"]) == (
        *("color", "translation", "cutout"),
        *("xflip", "xint-slight"),
    )
    assert all(set(names) <= set(OPERATIONS) for names in GROUPS.values())
    assert not {"noise", "cutout"} & set(GROUPS["full"])
    assert not {"xflip", "rot90", "rotate"} & {*GROUPS["shift"], *GROUPS["light"]}


@pytest.mark.parametrize(
    ("name", "near"), [("brightnes", "brightness"), ("diffaug", "diffaugment"), ("rotation", "rot")]
)
def test_unknown_names_are_told_with_the_nearest(name, near):
    with pytest.raises(RequestError, match=f"no augmentation '{name}': did you mean '{near}"):
        augment(pictures(1, 1, 8, 8), ["xint", name], 0.5)


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan"), float("inf")])
def test_a_strength_that_is_no_probability_is_refused(strength):
    with pytest.raises(RequestError, match="from 0 to 1"):
        augment(pictures(1, 1, 8, 8), ["xint"], strength)
