import json

import pytest
import torch
from safetensors.torch import load_file

from rivals.api import load
from rivals.engine import between
from rivals.engine.checkpoint import own_digest
from rivals.engine.equilibrium import WINDOW, Standing


def kinds(lines, kind):
    """The lines of a kind; of events, those that are no warnings of the health monitor, which have names."""
    return [line for line in lines if line["kind"] == kind and "name" not in line]


def newest(folder):
    return sorted((folder / "state").glob("step-*.json"))[-1]


@pytest.fixture
def histories(monkeypatch):
    """What `settled` is asked about; it says yes from the fifth verdict on."""
    asked = []

    def settled(history):
        asked.append(list(history))
        return len(history) >= 5

    monkeypatch.setattr(between, "settled", settled)
    return asked


def test_a_run_until_equilibrium_stops_there_and_says_why(make_pictures, train, tmp_path, log_of, histories):
    model = train(make_pictures(), tmp_path / "run", steps=48, until="equilibrium")
    assert model.about["step"] == 10  # the fifth of 24 verdicts over 48 steps
    lines = log_of(tmp_path / "run")
    told = kinds(lines, "verdict")
    assert [line["step"] for line in told] == [2, 4, 6, 8, 10]
    assert all(0 <= line["advantage"] <= 1 and "equilibrium" not in line["scores"] for line in told)
    assert [s.advantage for s in histories[-1]] == pytest.approx([line["advantage"] for line in told], abs=1e-4)
    assert [s.score for s in histories[-1]] == pytest.approx([line["scores"]["fd"] for line in told], rel=1e-4)
    (words,) = [line["words"] for line in kinds(lines, "event")]
    assert words.startswith("equilibrium: stopped; over the last 5 verdicts (steps 2 to 10)")


def test_a_resumed_run_goes_on_with_its_history(make_pictures, train, tmp_path, log_of, histories):
    pictures = make_pictures()
    train(pictures, tmp_path / "run", steps=3, until="equilibrium")  # a verdict at every step
    assert [s.step for s in histories[-1]] == [1, 2, 3]
    before = histories[-1]
    train(pictures, tmp_path / "run", steps=48, until="equilibrium", resume=True)
    assert histories[-1][:3] == before
    assert [s.step for s in histories[-1]] == [1, 2, 3, 4, 6]
    assert all(isinstance(standing, Standing) for standing in histories[-1])
    assert kinds(log_of(tmp_path / "run"), "event")[-1]["words"].startswith("equilibrium: ")
    steps = torch.tensor([line["step"] for line in log_of(tmp_path / "run")])
    train(pictures, tmp_path / "run", steps=48, until="equilibrium", resume=True)  # is there already
    assert torch.equal(torch.tensor([line["step"] for line in log_of(tmp_path / "run")]), steps)


def test_a_checkpoint_from_before_there_were_histories_is_gone_on_with(make_pictures, train, tmp_path, histories):
    pictures = make_pictures()
    train(pictures, tmp_path / "run", steps=3, until="equilibrium")
    path = newest(tmp_path / "run")
    values = json.loads(path.read_text())
    assert len(values["extra"].pop("history")) == 3
    values["own_sha256"] = own_digest(values)
    path.write_text(json.dumps(values))
    train(pictures, tmp_path / "run", steps=6, until="equilibrium", resume=True)
    assert [s.step for s in histories[-1]] == [4, 5, 6]


def test_waiting_for_equilibrium_changes_no_weight(make_pictures, train, tmp_path):
    pictures = make_pictures()
    for name, more in (("with", {"until": "equilibrium"}), ("without", {})):
        train(pictures, tmp_path / name, steps=6, **more)
    one, other = (load_file(newest(tmp_path / name).with_suffix(".safetensors")) for name in ("with", "without"))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_run_that_never_rests_ends_with_its_budget(make_pictures, train, tmp_path, log_of, monkeypatch):
    monkeypatch.setattr(between, "settled", lambda history: False)
    assert train(make_pictures(), tmp_path / "run", steps=WINDOW, until="equilibrium").about["step"] == WINDOW
    lines = log_of(tmp_path / "run")
    assert not kinds(lines, "event")
    assert len(kinds(lines, "verdict")) == WINDOW


def test_a_run_given_a_new_end_has_verdicts_and_previews_again(make_pictures, train, tmp_path, log_of):
    pictures = make_pictures()
    train(pictures, tmp_path / "run", steps=6)
    train(pictures, tmp_path / "run", steps=12, resume=True)
    assert [line["step"] for line in kinds(log_of(tmp_path / "run"), "verdict")] == [1, 2, 3, 4, 5, 6, 8, 10, 12]
    assert (tmp_path / "run/samples/step-000000012.png").exists()


@pytest.fixture
def scored(monkeypatch):
    """Verdicts that say what they are told to: a list of distances by the seed of their samples, the last for ever."""
    from rivals.modalities.images.judge import PicturesJudge

    def say(**by_seed):
        def scores(judge, model, count, *, seed):
            left = by_seed.get(f"seed{seed}", by_seed["seed1"])
            distance = left.pop(0) if len(left) > 1 else left[0]
            return {"fd": distance, "fd_share": 100 * distance}

        monkeypatch.setattr(PicturesJudge, "scores", scores)

    return say


def test_one_lucky_verdict_stops_no_run(make_pictures, train, tmp_path, log_of, scored):
    scored(seed0=[9.0, 4.0, 9.0, 4.5], seed1=[8.0, 4.9])
    assert train(make_pictures(), tmp_path / "run", until="fd<5").about["step"] == 4
    lines = log_of(tmp_path / "run")
    told = kinds(lines, "verdict")
    assert [line.get("again", {}).get("fd") for line in told] == [None, 8.0, None, 4.9]
    assert [line["best"] for line in told] == [True, True, False, False]
    (event,) = kinds(lines, "event")
    assert event["words"] == "reached fd<5: stopped; fd 4.5, and a second verdict on other samples reached it too"


def test_several_targets_must_all_be_reached(make_pictures, train, tmp_path, scored):
    scored(seed0=[4.0, 4.0, 2.0], seed1=[2.0])
    run = train(make_pictures(), tmp_path / "run", until="fd<5, fd_share<300")
    assert run.about["step"] == 3


def test_a_target_that_was_reached_ends_a_resumed_run_too(make_pictures, train, tmp_path, scored):
    scored(seed0=[9.0, 4.0], seed1=[4.0])
    pictures = make_pictures()
    assert train(pictures, tmp_path / "run", until="fd<5").about["step"] == 2
    assert train(pictures, tmp_path / "run", until="fd<5", resume=True).about["step"] == 2
    assert train(pictures, tmp_path / "run", until="fd<1", resume=True).about["step"] == 6


def test_a_run_stops_at_a_plateau_where_that_is_asked_for(make_pictures, train, tmp_path, log_of, scored):
    scored(seed0=[9.0, 7.0, 5.0, 3.0], seed1=[3.0])
    assert train(make_pictures(), tmp_path / "run", steps=48, until="plateau").about["step"] == 20
    (event,) = kinds(log_of(tmp_path / "run"), "event")
    assert event["words"] == (
        f"plateau: stopped; over the last {WINDOW} verdicts (steps 6 to 20) the score showed no fall beyond its "
        "noise: between 3 and 5, 3 now"
    )  # one fall and then none is within the noise of Kendall's test


def test_a_plateau_is_told_once_and_stops_nothing_by_itself(make_pictures, train, tmp_path, log_of, monkeypatch):
    monkeypatch.setattr(between, "plateau", lambda history: len(history) >= 3)
    assert train(make_pictures(), tmp_path / "run").about["step"] == 6
    (event,) = kinds(log_of(tmp_path / "run"), "event")
    assert event["step"] == 3
    assert event["words"].startswith("no progress: over the last 3 verdicts (steps 1 to 3)")
    assert "--until plateau" in event["words"]


def test_a_run_by_the_clock_is_judged_at_its_end_and_once_before(make_pictures, train, tmp_path, log_of):
    train(make_pictures(), tmp_path / "run", steps=20, minutes=1000.0)
    steps = [line["step"] for line in kinds(log_of(tmp_path / "run"), "verdict")]
    assert len(steps) >= 2
    assert steps == sorted(set(steps))
    assert steps[-1] == 20
    assert (tmp_path / "run/samples/step-000000020.png").exists()


def test_a_run_that_is_short_of_time_is_judged_by_fewer_samples_all_along(
    make_pictures, train, tmp_path, log_of, monkeypatch
):
    pictures = make_pictures()
    monkeypatch.setattr(between, "affordable", lambda seconds, total: 0.5)
    train(pictures, tmp_path / "run", steps=4, minutes=1000.0)
    monkeypatch.setattr(between, "affordable", lambda seconds, total: 0.25)
    train(pictures, tmp_path / "run", steps=8, minutes=1000.0, resume=True)
    assert {line["share"] for line in kinds(log_of(tmp_path / "run"), "verdict")} == {0.5}
    train(pictures, tmp_path / "steps")  # without a clock, always all
    assert not any("share" in line for line in kinds(log_of(tmp_path / "steps"), "verdict"))


def test_the_cost_of_judging_is_in_the_log_the_checkpoint_and_the_verdict(make_pictures, train, tmp_path, log_of):
    pictures = make_pictures()
    train(pictures, tmp_path / "run")
    spent = json.loads(newest(tmp_path / "run").read_text())["extra"]["spent"]
    verdict = json.loads((tmp_path / "run/verdict.json").read_text())
    assert spent["verdict"]["times"] == 6
    assert spent["preview"]["times"] == 6
    assert verdict["judging_seconds"] == pytest.approx(sum(each["seconds"] for each in spent.values()))
    assert 0 < verdict["judging_seconds"] < verdict["seconds"]
    assert all("judging_seconds" in line for line in kinds(log_of(tmp_path / "run"), "round"))
    train(pictures, tmp_path / "run", steps=8, resume=True)
    later = json.loads((tmp_path / "run/verdict.json").read_text())
    assert later["judging_seconds"] > verdict["judging_seconds"]


def test_the_best_state_is_the_one_with_the_lowest_quick_distance(make_pictures, train, tmp_path, log_of, scored):
    scored(seed0=[9.0, 3.0, 7.0, 2.0, 8.0, 6.0], seed11=[2.0, 6.0], seed12=[2.1, 6.1], seed1=[6.0])
    told = []
    model = train(make_pictures(), tmp_path / "run", tell=told.append)
    assert load(tmp_path / "run", best=True).about["step"] == 4
    assert load(tmp_path / "run").about["step"] == model.about["step"] == 6
    best = json.loads((tmp_path / "run/verdict.json").read_text())["best"]
    event = [entry for entry in told if entry["kind"] == "event"][-1]
    assert best.pop("words") in event["words"]
    assert best == {"fd": 2.0, "fd_share": 200.0, "step": 4, "clearly_better": True}
    assert "--best takes the best one" in event["words"]


def test_the_score_of_the_best_state_is_its_own(make_pictures, train, tmp_path, log_of):
    pictures = make_pictures()
    train(pictures, tmp_path / "run")
    told = kinds(log_of(tmp_path / "run"), "verdict")
    lowest = min(told, key=lambda line: line["scores"]["fd"])
    assert lowest == [line for line in told if line["best"]][-1]
    best = load(tmp_path / "run", best=True)
    assert best.about["step"] == lowest["step"]
    judged = judge_of(pictures)
    again = judged.scores(best, judged.extractor.quick, seed=0)
    assert again["fd"] == pytest.approx(lowest["scores"]["fd"], rel=1e-4)


def judge_of(pictures):
    """The judge of a run on these pictures."""
    from rivals import picture_jobs
    from rivals.modalities.images.cache import load as load_pictures
    from rivals.modalities.images.cache import survey
    from rivals.modalities.images.judge import PicturesJudge

    loaded = load_pictures(survey(pictures), height=8, width=8, channels=3)
    return PicturesJudge.of(loaded, picture_jobs.extractor("random"))
