import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from rivals.judging.comparison import (
    Clock,
    Comparison,
    Entry,
    standings,
)
from rivals.judging.comparison_page import command_words, comparison_page, in_line, mean_curve
from rivals.judging.comparison_words import rank_words, ranking_words
from rivals.judging.record import Record, read_record
from rivals.judging.student import mean_interval, t_quantile

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00\u202e'
PROTOCOL = {"extractor": "digits-cnn", "samples": 10_000, "data_sha256": "ab12", "classifier": "right on 99.5 %"}


def entry(method, seed, score, *, failure="", protocol=(), folder=None, **recipe):
    verdict = {
        "scores": {"fd": 1.0, "fd_share": score, "agreement": 97.0}, "floor": {"fd_share": 0.5}, "step": 100,
        "seconds": 20.0, "protocol": {**PROTOCOL, **dict(protocol)},
    }  # fmt: skip
    log = {
        "round": [{"kind": "round", "step": 50, "seconds": 15.0}],
        "verdict": [{"kind": "verdict", "step": step, "scores": {"fd_share": 500.0 / step}} for step in (25, 75)],
        "event": [],
    }
    told = {"method": method, "batch": 32, "critic_steps": 5, "steps": 100, "minutes": None, **recipe}
    return Entry(
        method,
        seed,
        Record(
            folder or Path(f"/nowhere/{method}-{seed}"),
            {"source": "x"},
            told,
            {"height": 8},
            verdict if score else {},
            log,
            (),
        ),
        failure,
    )


def comparison(*entries, **about):
    return Comparison({"source": "photos/", "methods": [], "steps": 100, **about}, entries)


def group(**scores):
    return [entry(name, seed, score) for name, many in scores.items() for seed, score in enumerate(many)]


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 99])
@pytest.mark.parametrize("inside", [0.5, 0.95, 0.999])
def test_quantiles_are_those_of_students_t(freedom, inside):
    assert t_quantile(freedom, inside) == pytest.approx(stats.t.ppf(0.5 + inside / 2, freedom), rel=1e-9)


@given(st.lists(st.floats(0.01, 1e3), min_size=2, max_size=9))
def test_the_interval_is_that_of_the_mean(values):
    low, high = mean_interval(values)
    if len(set(values)) == 1:
        assert low == pytest.approx(values[0])
        assert high == pytest.approx(values[0])
    else:
        assert (low, high) == pytest.approx(
            stats.t.interval(0.95, len(values) - 1, loc=sum(values) / len(values), scale=stats.sem(values)), rel=1e-7
        )


def test_one_value_has_no_interval():
    assert mean_interval([3.0]) is None


scores = st.lists(st.floats(0.1, 100), min_size=1, max_size=4)


@given(st.dictionaries(st.sampled_from("abcdef"), scores, min_size=1), st.randoms())
def test_ranks_follow_from_the_intervals_whatever_the_order(many, random):
    entries = group(**many)
    found = {one.method: one for one in standings(entries)}
    for one in found.values():
        span = one.interval or (one.scores[0], one.scores[0])
        below = [other for other in found.values() if (other.interval or other.scores[:1] * 2)[1] < span[0]]
        assert one.rank == 1 + len(below)
        assert all(one.method in found[name].near for name in one.near)
        assert not {other.method for other in below} & set(one.near)
    order = [one.mean for one in standings(entries)]
    assert min(one.rank for one in found.values()) == 1
    ranks = [one.rank for one in standings(entries)]
    assert ranks == sorted(ranks)
    assert order[0] is not None
    random.shuffle(entries)
    for one in standings(entries):
        assert (one.rank, set(one.near)) == (found[one.method].rank, set(found[one.method].near))


def test_a_method_with_a_failed_or_missing_seed_is_not_ranked_and_stands_last():
    entries = [
        *group(good=[9.0, 9.1]),
        entry("half", 0, 1.0),
        entry("half", 1, None, failure="NaN"),
        *group(late=[2.0]),
    ]
    entries.append(entry("late", 1, None))
    found = {one.method: one for one in standings(entries)}
    assert [one.method for one in standings(entries)] == ["good", "half", "late"]
    assert (found["good"].rank, found["half"].rank, found["late"].rank) == (1, None, None)
    assert rank_words(found["half"], ()) == "– (1 of 2 failed)"
    assert found["half"].mean == 1.0
    assert entries[3].state == "failed"
    assert entries[5].state == "unfinished"


def test_a_score_that_is_no_number_is_no_result():
    assert entry("a", 0, math.nan).state == "unfinished"
    assert entry("a", 0, math.inf).final("fd_share") is None


@pytest.mark.parametrize(
    ("many", "told"),
    [
        ({"a": [1.0, 1.1, 1.2], "b": [9.0, 9.1, 9.2]}, "with 1.1 ± 0.248 % (mean of 3 seeds, 95 % interval), clear"),
        ({"a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.5]}, "its interval overlaps that of b: a tie, these 3 seeds do"),
        ({"a": [1.0, 2.0], "b": [2.0, 3.0], "c": [1.0, 9.0]}, "overlaps those of b and c"),
        ({"a": [1.0, 2.0], "b": [2.0, 3.0]}, "Two seeds give very wide intervals"),
        ({"a": [3.0], "b": [2.5]}, "b has the lowest distance, 2.5 %, before a (3 %)."),
        ({"a": [3.0], "b": [2.5]}, "One seed a method, so there is no interval"),
        ({"a": [3.0, 3.5, 3.2]}, "a comes first with"),
        ({"a": [None]}, "No method has finished all of its runs"),
        ({"a": [1.0], "b": [None]}, "1 run not finished yet: the same command with --resume goes on."),
    ],
)  # fmt: skip
def test_the_words_say_who_leads_and_what_is_a_tie(many, told):
    assert told in " ".join(ranking_words(comparison(*group(**many))))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (entry("b", 0, 1.0, protocol={"samples": 500}), "the number of samples (10000, 500)"),
        (entry("b", 0, 1.0, protocol={"extractor": "random"}), "the feature space (digits-cnn, random)"),
        (entry("b", 0, 1.0, steps=900), "steps (100, 900)"),
    ],
)
def test_what_can_not_be_compared_is_not_ranked(other, told):
    mixed = comparison(entry("a", 0, 2.0), other)
    assert [one.rank for one in mixed.standings] == [None, None]
    (words,) = ranking_words(mixed)
    assert words.startswith("Not ranked, since the runs are not comparable.")
    assert told in words
    assert mixed.plain()["incomparable"]
    assert told in comparison_page(mixed).decode()


def test_the_measured_accuracy_of_the_classifier_is_no_difference():
    mixed = comparison(entry("a", 0, 2.0), entry("b", 0, 1.0, protocol={"classifier": "right on 99.4 %"}))
    assert mixed.differences == {}


def test_time_lies_on_straight_lines_between_what_the_log_tells():
    clock = Clock.of(entry("a", 0, 1.0).record)
    assert [clock(step) for step in (0, 25, 50, 75, 100, 200)] == [0.0, 7.5, 15.0, 17.5, 20.0, 40.0]
    assert Clock.of(Record(Path("x"), {}, {}, {}, {}, {"round": [], "verdict": [], "event": []}, ()))(7.0) == 0.0


def test_a_curve_counts_the_pictures_of_all_critic_steps():
    assert entry("a", 0, 1.0).curve("fd_share") == [(7.5, 25 * 32 * 5, 20.0), (17.5, 75 * 32 * 5, 500 / 75)]
    assert entry("a", 0, 1.0).pictures_a_second == 100 * 32 * 5 / 20


def test_the_mean_of_curves_goes_as_far_as_all_do():
    assert mean_curve([[(0.0, 2.0), (4.0, 6.0)], [(2.0, 4.0), (6.0, 8.0), (9.0, 9.0)]]) == [(1.0, 3.0), (5.0, 7.0)]


def test_numbers_that_change_are_told_in_a_line():
    weight = {"start": 1.0, "stop": 0.1, "shape": "cosine", "begin": 0, "end": 1, "every": 4}
    assert in_line({"terms": {"r1": weight}, "lr": 1}) == {
        "terms": {"r1": "1.0 to 0.1 (cosine, every 4 steps)"},
        "lr": 1,
    }


def test_the_page_shows_all_of_it_and_stands_alone(tmp_path):
    entries = []
    for seed in (0, 1, 2):
        for method, score in (("r3gan", 1.0), ("hinge", 9.0)):
            folder = tmp_path / f"{method}-{seed}"
            (folder / "pictures").mkdir(parents=True)
            Image.new("L", (40, 40), 99).save(folder / "pictures/final.png")
            entries.append(entry(method, seed, score + seed / 10, folder=folder, loss=method))
    entries.append(entry("gan", 0, None, failure="losses were not finite"))
    page = comparison_page(comparison(*entries, seeds=3)).decode()
    words = " ".join(re.sub("<[^>]+>", " ", page).replace("\u00a0", " ").split())
    for told in (
        "r3gan comes first with 1.1 ± 0.248 %", "gan-0 failed: losses were not finite", "– (1 of 1 failed)",
        "Real against real, the floor, is 0.5 %", "loss r3gan hinge", "data sha256 ab12", "rivals compare photos/",
        "over seconds", "over pictures",
    ):  # fmt: skip
        assert told in words, told
    assert page.count('class="beside"') == 2 * 2 * 3, "two charts, two methods of three seeds; the third has one"
    assert page.count("<img ") == 2
    assert all(found.startswith("data:image/") for found in re.findall('src="([^"]*)"', page))
    assert not re.search(r"url\(|@import|<link|<iframe|http", page.split("</style>")[1].split("<script>")[0])


def test_hostile_words_stay_words():
    wild = comparison(
        entry(HOSTILE, 0, 1.0, protocol={HOSTILE: HOSTILE}, loss=HOSTILE),
        entry("b", 0, None, failure=HOSTILE),
        source=HOSTILE, methods=[HOSTILE], changes={HOSTILE: HOSTILE},
    )  # fmt: skip
    page = comparison_page(wild).decode()
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "\x00" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("odd", [None, "x", [], {}, True, math.nan, math.inf, -1, 10**400, {"a": [1]}])
def test_any_value_of_a_runs_folder_may_be_odd(odd, tmp_path):
    whole = entry("a", 0, 1.0).record
    for number, part in enumerate(("run", "recipe", "modality", "verdict")):
        for key in getattr(whole, part):
            folder = tmp_path / f"{number}-{key}"
            folder.mkdir()
            for name in ("run", "recipe", "modality", "verdict"):
                values = {**getattr(whole, name), **({key: odd} if name == part else {})}
                (folder / f"{name}.json").write_text(json.dumps(values))
            (folder / "log.jsonl").write_text(json.dumps({"kind": "verdict", "step": 5, "scores": odd}) + "\n")
            mixed = comparison(Entry("a", 0, read_record(folder)), entry("a", 1, 2.0))
            assert comparison_page(mixed)
            json.dumps(mixed.plain())


def test_the_command_is_told_again():
    about = {"source": "my photos", "methods": ["a", "b"], "minutes": 5.0, "seeds": 3, "changes": {"batch": "8"}}
    assert list(command_words(about)) == [
        "my photos", "--methods", "a,b", "--minutes", "5", "--seeds", "3", "--set", "batch=8",
    ]  # fmt: skip
