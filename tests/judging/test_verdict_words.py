import pytest

from rivals.judging.verdict_words import spans, verdict_sentences


def words(**parts):
    return " ".join(verdict_sentences({"card": {"extractor": "x"}, **parts}))


def test_a_distance_at_the_floor_is_no_difference():
    assert "sees no difference" in words(scores={"fd_share": 1.2}, floor={"fd_share": 1.0})
    assert "3 × the floor" in words(scores={"fd_share": 3.0}, floor={"fd_share": 1.0})
    assert words(scores={"fd_share": 3.0}) == "FD[x] is 3 % of the real pictures' variance."


@pytest.mark.parametrize(
    ("precision", "recall", "told"),
    [(0.9, 0.3, "lack of variety"), (0.3, 0.9, "many fakes do not look real"), (0.9, 0.9, None), (0.3, 0.3, None)],
)
def test_quality_and_variety_are_told_apart(precision, recall, told):
    said = words(scores={"precision": precision, "recall": recall}, floor={"precision": 0.9, "recall": 0.9})
    assert (told in said) if told else ("variety" not in said and "look real" not in said)


def test_copies_are_said_and_so_is_what_may_have_been_missed():
    assert "up to 0.4 %" in words(memorisation={"share": 0.0, "high": 0.004, "looked_at": 1000})
    assert "5 % of the fakes are close to copies" in words(memorisation={"share": 0.05, "looked_at": 1000})
    assert "a sign of copying" in words(neighbours={"samples": 0.5, "held_out": 1.0})


@pytest.mark.parametrize("edges", [None, [1], ["a", "b"], [float("nan"), 1], {"low": 1}])
def test_an_interval_that_is_none_is_left_out(edges):
    assert spans({"intervals": {"fd": edges}}, "fd") == ""
