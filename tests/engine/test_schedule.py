import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.schedule import Budget, Curve, Target, Weight, reached, targets

numbers = st.floats(-100, 100)
shares = st.floats(0, 1)


@given(numbers, shares)
def test_a_curve_without_an_end_is_constant(start, progress):
    assert Curve(start)(progress) == start


@pytest.mark.parametrize("shape", ["linear", "cosine", "switch"])
@given(start=numbers, stop=numbers, ends=st.tuples(shares, shares).map(sorted), progress=shares)
def test_a_curve_stays_between_its_ends_and_begins_and_ends_there(shape, start, stop, ends, progress):
    curve = Curve(start, stop, shape, *ends)
    slack = 1e-9 * (1 + abs(start) + abs(stop))
    assert min(start, stop) - slack <= curve(progress) <= max(start, stop) + slack
    if progress < ends[0]:
        assert curve(progress) == pytest.approx(start)
    if progress > ends[1] + 1e-6:
        assert curve(progress) == pytest.approx(stop)


def test_shapes_equal_their_formulas():
    assert Curve(2, 6, "linear", 0.2, 0.6)(0.3) == pytest.approx(3)
    assert Curve(2, 6, "cosine", 0.2, 0.6)(0.3) == pytest.approx(2 + 4 * (1 - math.cos(math.pi / 4)) / 2)
    assert [Curve(2, 6, "switch", 0.5)(p) for p in (0.49, 0.5, 1)] == [2, 6, 6]


@pytest.mark.parametrize("ends", [(-0.1, 1), (0.5, 0.4), (0, 1.1), (math.nan, 1)])
def test_a_curve_outside_of_training_is_refused(ends):
    with pytest.raises(RequestError, match="from begin to end within 0 and 1"):
        Curve(1, 0, "linear", *ends)


def test_an_unknown_shape_is_refused_with_the_known_ones():
    with pytest.raises(RequestError, match="no curve 'wave': there are linear, cosine, switch"):
        Curve(1, 0, "wave")


@pytest.mark.parametrize("every", [0, -1])
def test_a_term_is_taken_every_so_many_steps(every):
    with pytest.raises(RequestError, match=f"not every {every}"):
        Weight(1.0, every=every)


def test_a_budget_needs_an_end():
    with pytest.raises(RequestError, match="give steps or minutes"):
        Budget()


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_budget_is_a_number_above_zero(value):
    with pytest.raises(RequestError, match="steps must be a number above zero"):
        Budget(steps=value)
    with pytest.raises(RequestError, match="minutes must be a number above zero"):
        Budget(seconds=value)


@given(st.integers(1, 100), st.floats(1, 100), st.integers(0, 200), st.floats(0, 200))
def test_progress_is_the_larger_share_and_never_more_than_all(steps, seconds, step, elapsed):
    assert Budget(steps, seconds).progress(step, elapsed) == pytest.approx(min(max(step / steps, elapsed / seconds), 1))
    assert Budget(steps).progress(step, elapsed) == min(step / steps, 1)


@pytest.mark.parametrize("text", ["equilibrium", " equilibrium "])
def test_equilibrium_is_a_target_that_is_met_when_a_run_says_so(text):
    target = Target.parse(text, ("fd",))
    assert target.met({"fd": 3.0, "equilibrium": 1.0})
    assert not target.met({"fd": 3.0, "equilibrium": 0.0})
    assert not target.met({"fd": 3.0})


@pytest.mark.parametrize("text", ["equilibrium<1", "Equilibrium", "balance"])
def test_a_target_like_equilibrium_that_is_none_is_refused(text):
    with pytest.raises(RequestError, match="--until"):
        Target.parse(text, ("fd",))


def test_several_targets_are_reached_together():
    wanted = targets("fd<5, agreement >= 97", ("fd", "agreement"))
    assert reached(wanted, {"fd": 4.0, "agreement": 97.0})
    assert not reached(wanted, {"fd": 4.0, "agreement": 96.0})
    assert not reached(wanted, {"fd": 4.0})
    assert targets(None) == ()
    assert not reached((), {"fd": 4.0})


@pytest.mark.parametrize(
    "text", ["", "fd<5,", ",", "fd<5; agreement>3", "fd<5, sharpness>2", "plateau<1", "fd<5 plateau"]
)
def test_a_list_with_one_bad_target_is_refused(text):
    with pytest.raises(RequestError, match="--until"):
        targets(text, ("fd", "agreement"))
