import json
import shlex

import numpy as np
import pytest
import scipy.stats

from rivals.engine.errors import RequestError
from rivals.engine.facts import MATCHING, REPEATED
from rivals.engine.gamma import SHARE
from rivals.engine.looks import YOUNG, Look, grown, middle, moved, since
from rivals.engine.symptoms import VARIETY, at_most, lost_classes
from rivals.judging.doctor import examine, words
from rivals.judging.findings import numbers_missing

SPREAD = 10.0
GAMMA = SHARE * SPREAD**2
FACTS = {
    "train": 5000, "held_out": 500, "looked_at": 2000, "repeated": 0.0, "near": 0.0, "agreement": 0.9, "chance": 0.25,
    "alike": [[0, 1, 0.2]], "modes": [{"share": 0.1, "class": n % 4, "of_it": 0.9} for n in range(10)],
    "recognised": [[450, 500]] * 4,
}  # fmt: skip


def one_look(**changes):
    """The signals of a healthy run."""
    seen = {
        "logits": {"real": [2.0, 2.0], "fake": [0.0, 2.0], "held_out": [1.9, 2.0]},
        "gradient": {"generator": 3.0, "critic": 1.0},
        "update": {"generator": 0.02, "critic": 0.03},
        "slope": 2.0, "spread": SPREAD, "variety": 0.8, "by_class": [0.8, 0.7, 0.9, 0.8], "lag": 0.1,
        "modes": [7, 6, 6, 7, 6, 6, 7, 6, 6, 7], "recognised": [[14, 16]] * 4, "place": [0.1, 0.0, 0.0, 0.0],
    }  # fmt: skip
    return {**seen, **changes}


@pytest.fixture
def run(tmp_path):
    """Writes a run's folder: ten looks, each changed by `look(number)`."""

    def write(look=lambda number: {}, recipe=None, facts=None, found=None, events=(), verdicts=(), accuracy=None):
        folder = tmp_path / "run"
        folder.mkdir()
        weight = {"start": GAMMA, "stop": 0.1 * GAMMA}
        usual = {
            "method": "r3gan", "batch": 32, "optimizer": {"lr": 3e-3}, "critic_terms": {"r1": weight, "r2": weight},
            "average_half_life": {"start": 10_000.0}, "augment": {"operations": []}, "precision": "32-true",
        }  # fmt: skip
        counts = {"ant": 1300, "bee": 1250, "cat": 1200, "dog": 1250}
        seen = {"found": {"count": 5000, "duplicates": 0, "classes": counts, **(found or {})}}
        (folder / "run.json").write_text(json.dumps(seen))
        (folder / "recipe.json").write_text(json.dumps({**usual, **(recipe or {})}))
        (folder / "modality.json").write_text(json.dumps({"classes": list(counts)}))
        (folder / "data.json").write_text(json.dumps({**FACTS, **(facts or {})}))
        right = {"real": 70.0, "fake": 70.0, "held_out": 69.0, **(accuracy or {})}
        lines = []
        for number in range(10):
            line = {"kind": "round", "step": 100 * number + 1, "progress": 0.1 * (number + 1), "accuracy": right}
            changed = look(number)
            lines.append(line if changed is None else {**line, "signals": one_look(**changed)})
        lines += [{"kind": "event", "step": step, "words": text} for step, text in events]
        lines += [{"kind": "verdict", "step": step, "scores": {"fd": fd}} for step, fd in verdicts]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return folder

    return write


def names(folder):
    return [finding.name for finding in examine(folder).findings if finding.problem]


def test_a_healthy_run_gets_one_line(run):
    found = examine(run())
    assert found.healthy
    assert found.findings == ()
    (line,) = words(found)
    assert line.endswith("is healthy: nothing found in 10 looks at the game, its data and its settings")


def late(**changes):
    """Changes from the fourth look on."""
    return lambda number: changes if number >= 3 else {}


BAD = {
    "collapse": {"look": late(variety=VARIETY / 2)},
    "partial-collapse": {"look": late(by_class=[0.8, 0.01, 0.7, 0.9])},
    "lost-classes": {"look": late(recognised=[[14, 16], [0, 16], [15, 16], [14, 16]])},
    "missing-modes": {"look": late(modes=[0, 0, 8, 8, 8, 8, 8, 8, 8, 8])},
    "overfitting": {"look": late(logits={"real": [2.0, 0.5], "fake": [0.0, 0.5], "held_out": [0.2, 0.5]})},
    "learning-rate-high": {"look": lambda n: {"update": {"generator": 0.02, "critic": 0.9 if n == 0 else 0.03}}},
    "critic-weak": {"look": lambda n: {"update": {"generator": 0.02, "critic": 0.001}}},
    "steep": {"look": late(slope=50.0)},
    "average-slow": {"look": late(lag=1.3)},
    "vanishing-gradient": {"look": late(gradient={"generator": 1e-4, "critic": 1.0})},
    "oscillation": {"look": lambda n: {"place": [1.0 if n % 2 else -1.0, 0.0, 0.0, 0.0]}},
    "learning-rate-low": {"look": lambda n: {"update": {"generator": 1e-6, "critic": 1e-6}}},
    "labels": {"facts": {"agreement": 0.25 + 0.5 * MATCHING}},
    "duplicates": {"found": {"duplicates": 4000}},
    "alike-classes": {"facts": {"alike": [[0, 1, 0.97]]}},
    "missing-classes": {"found": {"classes": {"0": 900, "1": 1100, "3": 1000}}},
    "few-pictures": {"facts": {"train": 100}},
    "penalty-small": {"recipe": {"critic_terms": {}}},
    "penalty-large": {"recipe": {"critic_terms": {"r1": {"start": 1000 * GAMMA}, "r2": {"start": 1000 * GAMMA}}}},
    "average-fast": {"recipe": {"average_half_life": {"start": 100.0}}},
    "not-finite": {
        "events": [(300, "the critic's loss is not finite at step 300 (adversarial nan); went back to step 0")]
    },
}


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_named_alone_with_its_change(run, name):
    folder = run(**BAD[name])
    assert names(folder) == [name]
    told = list(words(examine(folder)))
    assert told[0].endswith("1 problem, the weightiest first")
    assert told[2].strip().startswith("try: ")
    plain = json.loads(json.dumps(examine(folder).plain()))
    assert not plain["healthy"]
    assert plain["findings"][0]["evidence"]


@pytest.mark.parametrize(
    "name", ["collapse", "partial-collapse", "lost-classes", "overfitting", "average-slow", "steep"]
)
def test_it_is_told_since_when(run, name):
    (finding,) = (found for found in examine(run(**BAD[name])).findings if found.problem)
    assert finding.step == 301


def test_classes_are_called_by_their_names(run):
    (finding,) = (found for found in examine(run(**BAD["partial-collapse"])).findings if found.problem)
    assert finding.words.endswith("'bee'")
    assert finding.evidence["classes"] == {"1": 0.01}


def test_causes_come_before_what_they_cause(run):
    folder = run(
        look=lambda n: {"update": {"generator": 0.02, "critic": 0.9}, "variety": 0.01},
        facts={"agreement": 0.25},
        events=[(300, "the critic's loss is not finite at step 300")],
    )
    assert names(folder) == ["labels", "learning-rate-high", "not-finite", "collapse"]


def test_the_first_change_is_given_as_a_command_that_the_command_line_reads(run):
    folder = run(recipe={"critic_terms": {}}, found={"duplicates": 0})
    values = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**values, "source": "my photos"}))
    (told,) = [line for line in words(examine(folder)) if line.startswith("the first change")]
    parts = shlex.split(told.split(": ", 1)[1])
    assert parts[:3] == ["rivals", "train", "my photos"]
    assert parts[parts.index("--out") + 1] == f"{folder}-2"
    settings = [parts[n + 1] for n, part in enumerate(parts) if part == "--set"]
    weight = float(f"{GAMMA:.3g}")
    assert settings == [f"critic_terms.{name}.start={weight:.3g}" for name in ("r1", "r2")]


def test_a_method_without_penalties_needs_none(run):
    assert names(run(recipe={"method": "dcgan", "critic_terms": {}})) == []


def test_a_young_run_is_not_called_collapsed(run):
    folder = run(look=lambda n: {"variety": 0.01, "update": {"generator": 0.001, "critic": 0.001}})
    found = examine(folder)
    assert found.healthy
    assert [finding.name for finding in found.findings] == ["young"]


def test_a_run_that_got_worse_has_a_note(run):
    found = examine(run(verdicts=[(100, 5.0), (200, 1.0), (400, 1.5), (900, 4.0)]))
    assert found.healthy
    (note,) = found.findings
    assert note.name == "got-worse"
    assert note.step == 200
    assert "--best" in note.change


def test_older_runs_are_read_by_their_accuracies(run):
    found = examine(run(look=lambda n: None, accuracy={"real": 96.0, "held_out": 8.0}))
    assert [finding.name for finding in found.findings] == ["overfitting"]
    assert any("no looks" in note for note in found.notes)


def test_damaged_files_are_survived(run):
    folder = run()
    log = folder / "log.jsonl"
    line = {"kind": "round", "step": 1, "progress": "x", "accuracy": None, "signals": {"modes": 3, "logits": []}}
    log.write_text(log.read_text() + json.dumps(line) + "\n{cut")
    (folder / "data.json").write_text('{"alike": [1, [2]], "modes": 7, "recognised": [[1]], "train": null}')
    (folder / "recipe.json").write_text("[]")
    found = examine(folder)
    assert found.looks == 10
    assert any("recipe.json" in note for note in found.notes)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RequestError, match="there is no run at"):
        examine(tmp_path)


def test_an_empty_class_folder_is_a_missing_class_and_no_gap(run):
    folder = run(found={"classes": {"0": 900, "1": 1100, "3": 1000}, "empty": ["2", None, 7]})
    (finding,) = (found for found in examine(folder).findings if found.problem)
    assert finding.evidence == {"sparse": {"2": 0.0, "None": 0.0, "7": 0.0}, "gaps": []}
    assert finding.words.startswith("of '2' there are 0, of a usual class 1000")


def test_gaps_are_only_taken_for_gaps_in_numbered_classes():
    assert numbers_missing(["0", "1", "2", "4"]) == [3]
    assert numbers_missing([str(n) for n in range(1, 13) if n != 7]) == [7]
    assert numbers_missing(["0", "1", "2"]) == []
    assert numbers_missing(["2019", "2021", "2022"]) == []
    assert numbers_missing(["10", "200", "3000"]) == []


def asked(right, many, *, looks=2):
    """Looks of a run at whose end so many of `many` fakes a class were recognised, two looks together."""
    each = [[[part, many // looks] for part in row] for row in ([count // looks for count in right],) * looks]
    lines = [
        {"step": n, "progress": (n + 1) / looks, "accuracy": dict.fromkeys(("real", "fake", "held_out"), 60.0),
         "signals": one_look(recognised=row)}
        for n, row in enumerate(each)
    ]  # fmt: skip
    return [Look.of(line) for line in lines]


@pytest.mark.parametrize(("many", "said"), [(6, False), (8, False), (40, True), (400, True)])
def test_a_class_is_called_lost_only_on_enough_fakes(many, said):
    """0 of 8 is no wonder where 35 % are due: it happens in one of thirty such classes."""
    usual = round(0.7 * many / 2) * 2
    found = lost_classes(asked([0, *[usual] * 9], many), [(45, 50)] * 10)
    assert (found is not None) == said
    assert found is None or list(found.evidence["classes"]) == ["0"]


def test_classes_that_are_made_poorly_are_hardly_ever_called_lost_and_lost_ones_nearly_always_are():
    rng, known = np.random.default_rng(0), [(45, 50)] * 10

    def alarms(first, many):
        shares = np.array([first, *[0.7] * 9]) * 0.9
        return sum(
            lost_classes(asked(2 * rng.binomial(many // 2, shares), many), known) is not None for _ in range(300)
        )

    assert alarms(0.35, 12) + alarms(0.35, 40) + alarms(0.35, 120) <= 0.05 * 900
    assert alarms(0.02, 120) >= 0.95 * 300


def test_the_chance_of_few_is_the_binomials():
    assert at_most(3, 20, 0.3) == pytest.approx(scipy.stats.binom.cdf(3, 20, 0.3), rel=1e-9)
    assert at_most(2000, 40_000, 0.1) == pytest.approx(0, abs=1e-12), "a long run's counts are no problem"


def looks_of(*updates, variety=0.5):
    lines = [
        {"step": 100 * n, "progress": n / 10, "accuracy": dict.fromkeys(("real", "fake", "held_out"), 60.0),
         "signals": one_look(update={"generator": update, "critic": 0.0}, variety=variety)}
        for n, update in enumerate(updates)
    ]  # fmt: skip
    return [Look.of(line) for line in lines]


def test_the_way_of_the_weights_is_the_area_under_their_steps():
    looks = looks_of(0.02, 0.02, 0.0)
    assert moved(looks, "generator") == pytest.approx(100 * 0.02 + 50 * 0.02)
    assert moved(looks, "critic") == 0
    assert YOUNG > 0


def test_grown_looks_are_those_of_the_later_half():
    looks = looks_of(*[0.01] * 11)
    assert [look.step for look in grown(looks)] == [500, 600, 700, 800, 900, 1000]
    assert grown(looks[:2]) == []


def test_since_is_the_first_of_an_unbroken_row_at_the_end():
    looks = looks_of(0.1, 0.9, 0.1, 0.9, 0.9)
    assert since(looks, lambda look: look.update["generator"] > 0.5) == 300
    assert since(looks, lambda look: look.update["generator"] < 0.5) is None


def test_the_middle_passes_over_what_is_no_number():
    assert middle([3.0, None, float("nan"), 1.0]) == 2.0
    assert middle([]) != middle([])
    assert REPEATED < 1


def test_weights_that_a_run_calls_usual_are_no_fault(run):
    terms = {name: {"start": 80 * GAMMA} for name in ("r1", "r2")}
    told = {"items": "rows", "usual": dict.fromkeys(terms, 80 * GAMMA)}
    assert names(run(recipe={"critic_terms": terms}, found=told)) == []


def test_rows_are_called_rows(run):
    folder = run(**BAD["overfitting"], facts={"train": 100}, found={"items": "rows"})
    found = examine(folder).findings
    assert {"few-rows", "overfitting"} <= {finding.name for finding in found}
    assert not [finding for finding in found if "picture" in finding.words + finding.change + finding.title]
