import json
import re
import shlex
import signal
from pathlib import Path

import pytest
import torch
import typer

import rivals
from rivals import api, cli, comparison, jobs, picture_jobs
from rivals.comparison_plan import Clock
from rivals.engine.errors import RequestError, StoppedError

DOCS = Path(__file__).parents[1] / "docs"


class Stub:
    """Stands in for `api.train`: writes a run's folder as if it had trained, or stops as it is told to."""

    def __init__(self, stops=None, scores=None):
        self.stops, self.scores, self.trained = dict(stops or {}), scores or {}, []

    def __call__(self, source, *, out, method, changes, seed, tell, minutes, steps, **more):
        self.trained.append(out.name)
        assert more["resume"]
        asked = {"minutes": minutes, "steps": steps, "seed": seed}
        name, own = api.own_method(method)
        request = jobs.Request(source=source, folder=out, method=name, own=own, changes=changes,
                               asked={key: value for key, value in asked.items() if value is not None})  # fmt: skip
        job = picture_jobs.prepare(request, None, torch.device("cpu"), tell)
        jobs.write_first_files(job)
        lines = [
            {"kind": "verdict", "step": step, "scores": {"fd": 9.0 / step, "fd_share": 90.0 / step}} for step in (1, 2)
        ]
        (out / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if out.name in self.stops:
            raise self.stops.pop(out.name)
        score = self.scores.get(out.name, 1.0 + len(self.trained))
        verdict = {"scores": {"fd": score, "fd_share": score}, "floor": {"fd_share": 0.5}, "step": 2, "seconds": 4.0,
                   "protocol": {"extractor": job.features, "samples": 16}}  # fmt: skip
        (out / "verdict.json").write_text(json.dumps(verdict))
        tell({"kind": "done", "folder": str(out), "verdict": verdict, "step": 2})


@pytest.fixture
def stub(monkeypatch, quick_judge):
    def make(**more):
        made = Stub(**more)
        monkeypatch.setattr(api, "train", made)
        return made

    return make


@pytest.fixture
def compare(tmp_path):
    def run(source, **more):
        more = {"methods": "r3gan,lsgan", "steps": 2, "changes": {"batch": "8"}, "device": "cpu", **more}
        return rivals.compare(source, out=tmp_path / "out", **more)

    return run


def states(found):
    return {run["folder"]: run["state"] for run in found["runs"]}


def test_every_method_is_trained_with_every_seed_and_ranked(make_pictures, stub, compare, tmp_path):
    scores = {"r3gan-0": 5.0, "r3gan-1": 5.1, "lsgan-0": 1.0, "lsgan-1": 1.1}
    trained = stub(scores=scores).trained
    told = []
    found = compare(make_pictures(), seeds=2, tell=told.append)
    assert trained == ["r3gan-0", "lsgan-0", "r3gan-1", "lsgan-1"], "seed by seed"
    assert [(one["method"], one["rank"], one["scores"]) for one in found["standings"]] == [
        ("lsgan", 1, (1.0, 1.1)), ("r3gan", 2, (5.0, 5.1)),
    ]  # fmt: skip
    assert json.loads((tmp_path / "out/comparison.json").read_text()) == json.loads(json.dumps(found))
    page = (tmp_path / "out/comparison.html").read_text()
    assert "lsgan comes first" in page
    kinds = [entry["kind"] for entry in told]
    assert kinds.index("comparison") < kinds.index("turn")
    assert kinds.count("turn") == 4
    assert kinds[-1] == "compared"
    (plan,) = (entry for entry in told if entry["kind"] == "comparison")
    assert (plan["total"], plan["done"]) == (4, 0)
    assert plan["seconds"] > 0


def test_a_method_that_fails_is_told_of_and_the_others_go_on(make_pictures, stub, compare):
    data = make_pictures()
    made = stub(stops={"r3gan-0": StoppedError("losses were not finite")})
    found = compare(data)
    assert states(found) == {"r3gan-0": "failed", "lsgan-0": "finished"}
    assert found["runs"][0]["failure"] == "losses were not finite"
    assert [one["rank"] for one in found["standings"]] == [1, None]
    again = compare(data, resume=True)
    assert again["runs"][0]["failure"] == "losses were not finite"
    assert made.trained == ["r3gan-0", "lsgan-0"], "neither is trained again"


def test_where_every_run_fails_the_work_has_failed(make_pictures, stub, compare, tmp_path):
    stub(stops={name: StoppedError("NaN") for name in ("r3gan-0", "lsgan-0")})
    with pytest.raises(StoppedError, match="every run failed"):
        compare(make_pictures())
    assert "r3gan-0 failed: NaN" in (tmp_path / "out/comparison.html").read_text()


def test_an_interrupted_comparison_goes_on_where_it_was(make_pictures, stub, compare, tmp_path):
    made = stub(stops={"lsgan-0": KeyboardInterrupt()})
    data = make_pictures()
    with pytest.raises(KeyboardInterrupt):
        compare(data, seeds=2)
    stored = json.loads((tmp_path / "out/comparison.json").read_text())
    assert list(states(stored).values()) == ["finished", "unfinished", "waiting", "waiting"]
    assert "3 runs not finished yet" in (tmp_path / "out/comparison.html").read_text()
    found = compare(data, seeds=2, resume=True)
    assert made.trained == ["r3gan-0", "lsgan-0", "lsgan-0", "r3gan-1", "lsgan-1"]
    assert set(states(found).values()) == {"finished"}


def test_methods_and_seeds_may_be_added(make_pictures, stub, compare):
    made = stub()
    data = make_pictures()
    compare(data)
    compare(data, methods=["r3gan", "lsgan", "dcgan"], seeds=2, resume=True)
    assert made.trained[2:] == ["dcgan-0", "r3gan-1", "lsgan-1", "dcgan-1"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"methods": "r3gan,lsgn"}, "no method 'lsgn': did you mean 'lsgan'"),
        ({"methods": " , "}, "names no method"),
        ({"methods": []}, "names no method"),
        ({"methods": "nowhere.json"}, "can't be read as a method"),
        ({"seeds": 0}, "at least 1, not 0"),
        ({"seeds": 1.5}, "at least 1, not 1.5"),
        ({"seeds": True}, "at least 1"),
        ({"steps": 0}, "r3gan: steps must be a number above zero"),
        ({"minutes": -1}, "r3gan: minutes must be"),
        ({"changes": {"seed": "3"}}, "the seeds are 0, 1, 2"),
        ({"changes": {"bach": "3"}}, "r3gan: bach: no setting 'bach'"),
        ({"features": "x"}, "no feature space 'x'"),
        ({"methods": "r3gan,cgan"}, "cgan: "),
    ],
)
def test_what_can_not_be_done_is_refused_before_anything_is_trained(more, told, make_pictures, stub, compare, tmp_path):
    made = stub()
    with pytest.raises(RequestError, match=re.escape(told)) as error:
        compare(make_pictures(), **more)
    assert "\n" not in str(error.value)
    assert made.trained == []
    assert not (tmp_path / "out/comparison.json").exists()


def test_a_folder_that_holds_something_else_is_left_alone(make_pictures, stub, compare, tmp_path):
    stub()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("years of work")
    with pytest.raises(RequestError, match=r"holds other files \('thesis.tex'"):
        compare(make_pictures())
    with pytest.raises(RequestError, match="holds other files"):
        compare(make_pictures(), resume=True)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock"] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "already holds a comparison: go on by --resume"),
        ({"resume": True, "steps": 3}, "has steps 2, not 3"),
        ({"resume": True, "changes": {"batch": "16"}}, "has changes"),
        ({"resume": True, "features": "random"}, "has features None, not random"),
    ],
)
def test_a_comparison_is_not_mixed_with_another(more, told, make_pictures, stub, compare):
    stub()
    data = make_pictures()
    compare(data)
    with pytest.raises(RequestError, match=told):
        compare(data, **more)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "runs": 3}', "null"])
def test_a_damaged_card_is_told(content, make_pictures, stub, compare, tmp_path):
    stub()
    data = make_pictures()
    compare(data)
    (tmp_path / "out/comparison.json").write_text(content)
    with pytest.raises(RequestError, match=r"comparison.json is damaged"):
        compare(data, resume=True)


def test_other_pictures_are_refused_even_where_all_runs_are_finished(make_pictures, stub, compare):
    stub()
    data = make_pictures()
    compare(data)
    (data / "000.png").unlink()
    with pytest.raises(RequestError, match="r3gan-0: the pictures in"):
        compare(data, resume=True)


def test_a_method_from_a_file_is_named_after_it(make_pictures, stub, compare, tmp_path):
    made = stub()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.json").write_text('{"loss": "hinge"}')
    found = compare(make_pictures(), methods=["r3gan", str(tmp_path / "a/mine.json")])
    assert made.trained == ["r3gan-0", "mine-0"]
    assert {one["method"] for one in found["standings"]} == {"r3gan", "mine"}
    with pytest.raises(RequestError, match="two methods 'mine'"):
        compare(make_pictures(), methods=[str(tmp_path / "a/mine.json"), str(tmp_path / "b/mine.json")])


def test_several_processes_are_refused(make_pictures, compare, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RequestError, match="one process"):
        compare(make_pictures())


def test_the_time_left_learns_from_the_runs_that_are_done():
    clock = Clock({"a": 10.0, "b": 20.0})
    assert [clock.run("a"), clock.run("b")] == [10.0, 20.0]
    clock.took["a"] = 16.0
    assert [clock.run("a"), clock.run("b"), clock.more] == [16.0, 26.0, 6.0]


def test_a_real_comparison_from_the_command_line(make_pictures, quick_judge, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    data = make_pictures(classes=("cat", "dog"))
    words = ["compare", str(data), "--methods", "r3gan,lsgan", "--steps", "2", "--set", "batch=8", "--device", "cpu"]
    monkeypatch.setattr("sys.argv", ["rivals", *words, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as done:
        cli.main()
    out, err = capsys.readouterr()
    assert (done.value.code or 0, err) == (0, "")
    for told in ("Comparing r3gan, lsgan with 1 seed each: 2 runs", "Takes about", "run 2 of 2, lsgan-0: done, FD",
                 "has the lowest distance", "One seed a method", "comparison.html"):  # fmt: skip
        assert told in out
    found = json.loads((tmp_path / "out/comparison.json").read_text())
    assert set(states(found).values()) == {"finished"}
    assert found["incomparable"] == {}
    assert all(len(run["curve"]) >= 1 for run in found["runs"])
    assert (tmp_path / "out/comparison.html").read_text().count("<img ") == 2
    assert (tmp_path / "out/r3gan-0/report.html").exists()


def test_ctrl_c_in_the_middle_of_a_run_saves_it_and_resume_ends_it(make_pictures, quick_judge, compare, tmp_path):
    data = make_pictures()
    judged = []

    def stop(entry):
        if entry["kind"] == "verdict":
            judged.append(entry["step"])
            if len(judged) == 2:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        compare(data, methods="r3gan", steps=6, tell=stop)
    assert not (tmp_path / "out/r3gan-0/verdict.json").exists()
    assert "1 run not finished yet" in (tmp_path / "out/comparison.html").read_text()
    found = compare(data, methods="r3gan", steps=6, resume=True, tell=stop)
    assert states(found) == {"r3gan-0": "finished"}
    assert judged == [1, 2, 3, 4, 5, 6], "it went on where it was"


@pytest.mark.parametrize("text", [(DOCS / "compare.md").read_text(encoding="utf-8"), "".join(
    command.epilog or "" for command in cli.app.registered_commands if command.callback is cli.compare
)], ids=["docs", "help"])  # fmt: skip
def test_the_command_lines_that_are_shown_parse(text):
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("rivals compare")]
    assert len(lines) >= 3
    group = typer.main.get_command(cli.app)
    for line in lines:
        words = shlex.split(line)[2:]
        context = group.commands["compare"].make_context("compare", list(words))
        assert context.params["source"] == words[0]
        if not any(word.endswith(".json") for word in context.params["methods"].split(",")):
            assert comparison.read_methods(context.params["methods"])
