from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine import spending
from rivals.engine.spending import ASIDE, FIRST, FIRST_SECONDS, SHARE, Spent, due, next_of, next_within


@given(st.integers(1, 60), st.integers(1, 200))
def test_evenly_spread_events_come_once_each_and_the_last_at_the_end(times, steps):
    at, seen = next_of(0.0, times), []
    for step in range(1, steps + 1):
        progress = step / steps
        if progress + spending.SLACK >= at:
            seen.append(progress)
            at = next_of(progress, times)
    assert len(seen) == min(times, steps)
    assert seen[-1] == 1.0
    assert at > 1
    assert due(1.0, times) == times


def played(total, cost, *, most=24):
    """A run of `total` seconds in rounds of a hundredth: when it was looked, and what that took of the time."""
    spent, at, seen, seconds = Spent(), next_within(0.0, total, Spent(), 0.0, most), [], 0.0
    while seconds < total:
        seconds += total / 2000
        progress = min(seconds / total, 1.0)
        if progress + spending.SLACK >= at:
            taken = cost(progress)
            seconds += taken
            spent = Spent(spent.seconds + taken, taken, spent.times + 1)
            room = SHARE * total - spent.seconds - ASIDE * (1 - progress) * total
            at = next_within(min(seconds / total, 1.0), total, spent, room, most)
            seen.append(progress)
    return seen, spent.seconds / seconds


@given(total=st.floats(60, 5000), share=st.floats(1e-5, 0.011))
def test_verdicts_keep_to_their_share_of_the_time(total, share):
    seen, taken = played(total, lambda progress: share * total)
    assert taken < SHARE
    assert 2 <= len(seen) <= 25
    assert seen[0] <= FIRST + 0.001
    assert seen[0] * total <= FIRST_SECONDS + 0.01 * total
    assert seen[-1] > 1 - 2 * share - 0.001


def test_cheap_verdicts_are_many_evenly_spread_and_not_more_than_most():
    seen, _ = played(600.0, lambda progress: 0.1)
    gaps = [after - before for before, after in pairwise(seen)]
    assert 20 <= len(seen) <= 24
    assert max(gaps) < 1.5 * min(gaps)


def test_dear_verdicts_are_two():
    seen, _ = played(60.0, lambda progress: 4.0)
    assert len(seen) == 2
    assert seen[0] == pytest.approx(FIRST, abs=0.01)


def test_verdicts_that_become_dearer_are_made_rarer():
    seen, taken = played(600.0, lambda progress: 0.5 if progress < 0.5 else 6.0)
    early, late = sum(progress < 0.5 for progress in seen), sum(progress >= 0.5 for progress in seen)
    assert early > late >= 1
    assert taken < SHARE


def test_what_is_clocked_is_added_up_even_where_it_fails(monkeypatch):
    now = iter([10.0, 12.5, 20.0, 21.0])
    monkeypatch.setattr(spending.time, "perf_counter", lambda: next(now))
    spent = Spent()
    with spent.clocked():
        pass
    with pytest.raises(KeyError), spent.clocked():
        raise KeyError
    assert spent == Spent(3.5, 1.0, 2)
