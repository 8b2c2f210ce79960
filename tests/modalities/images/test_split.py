"""Groups of equal pictures, which are never parted (the choice of what is held out: test_cache.py)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rivals.modalities.images.split import alone, together

PRINTS = st.integers(1, 30).flatmap(
    lambda count: st.lists(st.lists(st.integers(0, 12), min_size=count, max_size=count), min_size=1, max_size=3)
)


@given(PRINTS)
def test_groups_are_the_connected_parts_of_what_is_equal(prints):
    arrays = [np.array(each, np.uint64) for each in prints]
    groups = together(*arrays)
    count = len(groups)
    same = np.logical_or.reduce([each[:, None] == each[None] for each in arrays])
    _, parts = connected_components(coo_matrix(same), directed=False)
    np.testing.assert_array_equal(groups[:, None] == groups[None], parts[:, None] == parts[None])
    assert all(groups[row] == np.flatnonzero(parts == parts[row])[0] for row in range(count)), "its first row"
    rows = np.arange(count)[::2]
    assert alone(rows, groups).tolist() == [row for row in rows.tolist() if (parts == parts[row]).sum() == 1]
