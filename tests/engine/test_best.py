import pytest

from rivals.engine.best import SEEDS, clearly_better


@pytest.mark.parametrize(
    ("best", "last", "found"),
    [
        ((2.0, 2.2), (3.0, 3.2), (2.1, 3.1)),
        ((2.0, 3.1), (3.0, 3.2), None),  # the ranges overlap: luck would do
        ((2.00, 2.01), (2.05, 2.06), None),  # surely better, but not by much
        ((3.0, 3.2), (2.0, 2.2), None),  # the best was lucky
        ((float("nan"), 2.0), (3.0, 3.0), None),
    ],
)
def test_the_best_is_clearly_better_where_new_samples_say_so_twice(best, last, found):
    asked = []

    def judge(model, seed):
        asked.append((model, seed))
        return {"fd": {"best": best, "last": last}[model][SEEDS.index(seed)]}

    assert clearly_better(judge, "best", "last") == (None if found is None else pytest.approx(found))
    assert sorted(asked) == sorted((model, seed) for model in ("best", "last") for seed in SEEDS)
    assert not {0, 1} & set(SEEDS)  # those of quick verdicts
