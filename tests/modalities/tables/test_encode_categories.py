import numpy as np
import pytest

from rivals.modalities.tables.clusters import split
from rivals.modalities.tables.columns import Typed
from rivals.modalities.tables.encode_categories import CategoryEncoder, shares


def there_and_back(encoder, codes, draws=None):
    draws = np.zeros(len(codes)) if draws is None else draws
    return encoder.decode(encoder.encode(Typed(None, codes), draws), draws).codes


def test_a_slot_a_category_and_one_for_missing():
    encoder = CategoryEncoder("x", 3, missing=True)
    codes = np.array([0, 2, -1, 1], np.int32)
    assert encoder.encode(Typed(None, codes), np.zeros(4))[0].tolist() == [0, 2, 3, 1]
    assert there_and_back(encoder, codes).tolist() == codes.tolist()
    assert [part.width for part in encoder.parts()] == [4]


def test_a_constant_has_no_segment():
    encoder = CategoryEncoder("x", 1)
    assert encoder.parts() == ()
    assert there_and_back(encoder, np.zeros(3, np.int32)).tolist() == [0, 0, 0]


def test_members_of_a_cluster_are_drawn_by_their_counts():
    encoder = CategoryEncoder("x", 6, (1, 0, 1, 0), (40, 30, 20, 10), True)
    assert (encoder.own, encoder.slots) == (2, 5)
    assert encoder.slot_of(np.array([0, 1, 2, 3, 4, 5, -1])).tolist() == [0, 1, 3, 2, 3, 2, 4]
    draws = (np.arange(6000) + 0.5) / 6000
    codes = np.tile([0, 1, 2, 3, 4, 5, -1], 6000)[:6000].astype(np.int32)
    found = there_and_back(encoder, codes, np.random.default_rng(0).permutation(draws))
    assert np.array_equal(encoder.slot_of(found), encoder.slot_of(codes))
    third = found[encoder.slot_of(codes) == 3]
    assert (third == 2).mean() == pytest.approx(40 / 60, abs=0.03)
    assert set(found[encoder.slot_of(codes) == 2]) == {3, 5}


@pytest.mark.parametrize("draw", [0.0, 1 - 2**-53])
def test_the_ends_of_the_draws_stay_in_the_cluster(draw):
    encoder = CategoryEncoder("x", 5, (0, 1, 0, 1), (9, 7, 1, 1))
    for slot, members in ((1, {1, 3}), (2, {2, 4})):
        assert set(encoder.decode([np.full(3, slot)], np.full(3, draw)).codes) <= members


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("categories", [5, 15, 16, 17, 1000])
def test_no_column_takes_more_slots_than_it_may(categories, missing):
    own, groups = shares(categories, missing, 16)
    assert own + groups + missing <= 16
    assert own == categories or own + groups + missing == 16


def test_split_gives_clusters_of_equal_weight_and_of_neighbours():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])
    of = np.repeat(np.arange(4), 250)
    labels = split(centres[of] + rng.normal(0, 0.5, (1000, 2)), np.ones(1000), 4)
    assert all(len(set(labels[of == place])) == 1 for place in range(4))
    weights = rng.integers(1, 9, 1000).astype(float)
    labels = split(rng.normal(size=(1000, 3)), weights, 6)
    shares_of = np.bincount(labels, weights) / weights.sum()
    assert shares_of == pytest.approx(np.full(6, 1 / 6), abs=0.02)


def test_every_cluster_has_a_member_however_uneven_the_weights():
    for features in (0, 2):
        points = np.random.default_rng(0).normal(size=(9, features))
        labels = split(points, np.array([1e6, 1, 1, 1, 1, 1, 1, 1, 1]), 8)
        assert sorted(set(labels)) == list(range(8))
