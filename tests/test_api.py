import json
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rivals
from rivals import jobs
from rivals.engine.errors import RequestError, StoppedError
from rivals.engine.run import run_lock
from rivals.engine.schedule import Target
from rivals.modalities.images import Images

METHODS = ["r3gan", "wgan-gp", "dcgan", "hinge"]


def bytes_of(folder):
    """What a run is worth: the last and the best generator. Cards and models."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in ("model", "best")
        for path in sorted((folder / part).iterdir())
    }


class StopAt:
    """Asks to stop, as Ctrl-C does, when the run's log comes to its nth line of a kind."""

    def __init__(self, number, kind="verdict"):
        self.left, self.kind = number, kind

    def __call__(self, entry):
        if entry["kind"] == self.kind:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)


def test_all_files_of_a_runs_folder_appear(make_pictures, train, tmp_path, log_of):
    told = []
    model = train(make_pictures(classes=("cat", "dog")), tmp_path / "run", tell=told.append, loggers=("tensorboard",))
    names = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    for name in (
        "run.json", "recipe.json", "modality.json", "log.jsonl", "verdict.json", "report.html",
        "model/model.json", "model/generator.safetensors", "best/model.json", "best/generator.safetensors",
        "pictures/final.png", "pictures/interpolation.gif", "pictures/neighbours.png",
        "samples/step-000000006.png", "state/step-000000006.json", "state/step-000000006.safetensors",
    ):  # fmt: skip
        assert name in names
    assert any(name.startswith("tensorboard/") for name in names)
    assert not any(name.endswith(".part") for name in names)
    assert model.sample(3).shape == (3, 3, 8, 8)
    kinds = [entry["kind"] for entry in told]
    assert [kind for kind in kinds if kind in ("found", "plan", "judging", "done")] == [
        "found",
        "plan",
        "judging",
        "done",
    ]
    assert {"round", "verdict"} <= {line["kind"] for line in log_of(tmp_path / "run")}
    verdict = json.loads((tmp_path / "run/verdict.json").read_text())
    assert verdict["step"] == 6
    assert {"scores", "floor", "protocol", "neighbours"} <= set(verdict)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_broken_off_anywhere_and_resumed_ends_with_the_same_bytes(method, make_pictures, train, tmp_path):
    data = make_pictures(classes=("cat", "dog"))
    train(data, tmp_path / "whole", method=method, seed=3)
    whole = bytes_of(tmp_path / "whole")
    stops = {"r3gan": (1, 4), "wgan-gp": (2,), "dcgan": (3,), "hinge": (5,)}[method]
    for stop in stops:
        out = tmp_path / f"broken{stop}"
        with pytest.raises(KeyboardInterrupt):
            train(data, out, method=method, seed=3, tell=StopAt(stop))
        assert (out / "model/model.json").exists(), "an interrupted run has a model"
        assert json.loads((out / "model/model.json").read_text())["about"]["step"] <= 6
        train(data, out, resume=True)
        assert bytes_of(out) == whole


def test_a_run_broken_off_twice_ends_with_the_same_bytes_and_a_whole_log(make_pictures, train, tmp_path, log_of):
    data = make_pictures()
    train(data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", tell=StopAt(1))
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", resume=True, tell=StopAt(2))
    train(data, tmp_path / "run", resume=True)
    assert bytes_of(tmp_path / "run") == bytes_of(tmp_path / "whole")
    verdicts = [[line for line in log_of(tmp_path / name) if line["kind"] == "verdict"] for name in ("whole", "run")]
    assert verdicts[0] == verdicts[1]


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stop=st.integers(1, 9))
def test_it_makes_no_difference_at_which_step_a_run_is_stopped(stop, make_pictures, train, tmp_path, monkeypatch):
    from rivals.engine.run import Beat

    monkeypatch.setattr(Beat, "log_due", lambda beat: True)  # a line for every step, so that any step can be stopped at
    data = make_pictures()
    if not (tmp_path / "whole").exists():
        train(data, tmp_path / "whole", steps=10)
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", steps=10, tell=StopAt(stop, "round"))
    train(data, tmp_path / "run", steps=10, resume=True)
    assert bytes_of(tmp_path / "run") == bytes_of(tmp_path / "whole")


def test_two_runs_of_one_seed_are_equal_and_of_another_are_not(make_pictures, train, tmp_path):
    data = make_pictures()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(data, tmp_path / name, steps=3, seed=seed)
    a, b, c = ((tmp_path / name / "model/generator.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_resume_without_a_run_begins_one(make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "a", steps=3)
    train(data, tmp_path / "b", steps=3, resume=True, changes={"batch": "8"})
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_resume_before_the_first_checkpoint_begins_again(make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "a", steps=3)
    train(data, tmp_path / "b", steps=3)
    shutil.rmtree(tmp_path / "b/state")
    shutil.rmtree(tmp_path / "b/model")
    train(data, tmp_path / "b", steps=3, resume=True)
    assert (tmp_path / "a/model/generator.safetensors").read_bytes() == (
        tmp_path / "b/model/generator.safetensors"
    ).read_bytes()


def test_resuming_a_finished_run_is_harmless_and_more_steps_go_on(make_pictures, train, tmp_path, log_of):
    data = make_pictures()
    train(data, tmp_path / "run", steps=3)
    before, lines = bytes_of(tmp_path / "run"), log_of(tmp_path / "run")
    train(data, tmp_path / "run", steps=3, resume=True)
    assert bytes_of(tmp_path / "run") == before
    assert log_of(tmp_path / "run") == lines
    model = train(data, tmp_path / "run", steps=5, resume=True)
    assert model.about["step"] == 5


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_with_other_files_is_refused_and_left_alone(resume, make_pictures, train, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    with pytest.raises(RequestError, match=r"holds other files .*thesis.txt"):
        train(make_pictures(), tmp_path / "out", resume=resume)
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(make_pictures, train, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RequestError, match="is a file; give a folder"):
        train(make_pictures(), tmp_path / "out")


def test_a_second_run_in_the_same_folder_is_refused(make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "run", steps=1)
    before = bytes_of(tmp_path / "run")
    with pytest.raises(RequestError, match=r"already holds a run.*--resume"):
        train(data, tmp_path / "run", steps=1)
    assert bytes_of(tmp_path / "run") == before


@pytest.mark.parametrize("change", ["more", "fewer", "other"])
def test_changed_data_are_refused(change, make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "run", steps=1)
    if change == "fewer":
        next(data.iterdir()).unlink()
    else:
        make_pictures(seed=5, count=24 if change == "other" else 25)
    with pytest.raises(RequestError, match=r"are not those that .* was trained on"):
        train(data, tmp_path / "run", steps=2, resume=True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"changes": {"optimizer.lr": "1"}}, "differs from the run's recipe"),
        ({"method": "gan"}, "the run's method is r3gan, not gan"),
        ({"seed": 9}, "the run's seed is 0, not 9"),
    ],
)
def test_a_resumed_run_keeps_its_recipe(more, words, make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "run", steps=1)
    with pytest.raises(RequestError, match=words):
        train(data, tmp_path / "run", steps=2, resume=True, **more)


@pytest.mark.parametrize("card", ["", "{", "[]", '{"format": 99}', '"x"'])
def test_a_damaged_or_newer_card_is_refused(card, make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "run", steps=1)
    (tmp_path / "run/run.json").write_text(card)
    with pytest.raises(RequestError, match=r"damaged|run format 99"):
        train(data, tmp_path / "run", steps=2, resume=True)


def test_two_processes_in_one_folder_are_refused(make_pictures, train, tmp_path):
    code = (
        "import sys; from pathlib import Path; from rivals.engine.run import run_lock\n"
        "with run_lock(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RequestError, match="another process is working on"):
            train(make_pictures(), tmp_path / "run", steps=1)
        other.kill()
    with run_lock(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_until_stops_when_the_quality_is_reached(make_pictures, train, tmp_path, log_of):
    model = train(make_pictures(), tmp_path / "run", steps=60, until="fd<1e9")
    assert model.about["step"] == 10
    assert any("reached fd<1e9: stopped" in line.get("words", "") for line in log_of(tmp_path / "run"))


@pytest.mark.parametrize("until", ["sharpness<3", "fd", "fd<", "<5", "fd=5", "fd<x", "fd<1.2.3", "agreement>90"])
def test_a_quality_that_is_none_is_refused_before_training(until, make_pictures, train, tmp_path):
    with pytest.raises(RequestError, match="--until"):
        train(make_pictures(), tmp_path / "run", until=until)
    assert not (tmp_path / "run/log.jsonl").exists()


def test_a_refused_request_leaves_a_folder_that_the_right_one_can_use(make_pictures, train, tmp_path):
    data = make_pictures()
    with pytest.raises(RequestError):
        train(data, tmp_path / "run", until="sharpness<3")
    train(data, tmp_path / "run", steps=1)


@pytest.mark.parametrize(("text", "scores", "met"), [
    ("fd<5", {"fd": 4.9}, True), ("fd<5", {"fd": 5.0}, False), ("fd <= 5", {"fd": 5.0}, True),
    ("agreement>97", {"fd": 1.0}, False), ("agreement >= 9.7e1", {"agreement": 97.0}, True),
])  # fmt: skip
def test_a_target_is_met_by_its_own_score_only(text, scores, met):
    assert Target.parse(text).met(scores) is met


def break_loss(monkeypatch, steps):
    """The critic's adversarial loss is not a number at the given calls."""
    from rivals.engine import build

    calls = [0]
    real = build.adversarial

    def broken(loss):
        critic, generator = real(loss)

        def sometimes(r):
            calls[0] += 1
            return critic(r) * (float("nan") if steps(calls[0]) else 1.0)

        return sometimes, generator

    monkeypatch.setattr(build, "adversarial", broken)


def test_a_loss_that_is_no_number_takes_the_run_back_and_it_goes_on(
    make_pictures, train, tmp_path, monkeypatch, log_of
):
    break_loss(monkeypatch, lambda call: call == 4)
    model = train(make_pictures(), tmp_path / "run")
    assert model.about["step"] == 6
    assert all(torch.isfinite(part).all() for part in model.network.parameters())
    (event,) = [line for line in log_of(tmp_path / "run") if line["kind"] == "event"]
    assert "critic's loss is not finite at step 3" in event["words"]
    assert "went back to step 3" in event["words"]
    assert "halved both learning rates" in event["words"]
    manifest = json.loads((tmp_path / "run/state/step-000000006.json").read_text())
    assert manifest["stream"] == 1
    lr = json.loads((tmp_path / "run/recipe.json").read_text())["optimizer"]["lr"]
    assert [groups[0]["initial_lr"] for groups in manifest["groups"]] == [pytest.approx(lr / 2)] * 2


def test_after_the_third_accident_the_run_stops_with_a_diagnosis_and_a_model(
    make_pictures, train, tmp_path, monkeypatch
):
    break_loss(monkeypatch, lambda call: call >= 4)
    with pytest.raises(StoppedError, match=r"not finite 3 times \(steps 3, 3, 3; last in the critic: adversarial\)"):
        train(make_pictures(), tmp_path / "run")
    saved = rivals.load(tmp_path / "run")
    assert saved.about["step"] == 3
    assert torch.isfinite(saved.sample(2)).all()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"precision": "16-mixed"}, "needs a GPU"),
        ({"method": "wgann"}, "no method 'wgann': did you mean 'w?gan.*wgan-gp"),
        ({"features": "incepton"}, "no feature space 'incepton'.*nearest: inception"),
        ({"loggers": ["x"]}, "no logger 'x'"),
        ({"steps": 0}, "steps must be a number above zero"),
        ({"minutes": -1.0}, "minutes must be a number above zero"),
        ({"changes": {"batch": "0"}}, "batch must be at least 1"),
        ({"changes": {"data.height": "2"}}, "data.height lies between 4 and 4096"),
        ({"changes": {"data.channels": "5"}}, "data.channels lies between 1 and 4"),
        ({"changes": {"data.size": "5"}}, "data.size: no such setting"),
        ({"changes": {"data.width": "wide"}}, "data.width is a whole number"),
        ({"changes": {"critic.options.condition": "projection"}}, "needs classes"),
        ({"changes": {"critic_terms.r3": "1"}}, "no term 'r3'"),
        ({"changes": {"critic_terms.classify_real": "1"}}, "needs class logits"),
        ({"changes": {"clip": "-1"}}, "clip"),
        ({"changes": {"optimizer.betas": "[0.5, 1.5]"}}, "beta"),
        ({"changes": {"average_half_life": "-1"}}, "average_half_life"),
        ({"changes": {"critic_terms.r1": "NaN"}}, "r1"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_with_a_line(more, words, make_pictures, train, tmp_path):
    with pytest.raises(RequestError, match=words) as told:
        train(make_pictures(), tmp_path / "run", **more)
    assert "\n" not in str(told.value)


def test_settings_reach_the_run(make_pictures, train, tmp_path):
    changes = {"data.height": "12", "data.width": "16", "data.channels": "1", "batch": "4", "clip": "1", "latent": "5"}
    model = train(make_pictures(), tmp_path / "run", steps=1, changes=changes)
    assert model.sample(2).shape == (2, 1, 12, 16)
    stored = json.loads((tmp_path / "run/recipe.json").read_text())
    assert (stored["batch"], stored["clip"], stored["latent"]) == (4, 1.0, 5)


def test_an_auxiliary_classifier_brings_its_terms(make_pictures, train, tmp_path):
    train(
        make_pictures(classes=("a", "b")), tmp_path / "run", steps=2, changes={"critic.options.condition": "auxiliary"}
    )
    stored = json.loads((tmp_path / "run/recipe.json").read_text())
    assert "classify_real" in stored["critic_terms"]
    assert "classify_fake" in stored["generator_terms"]


def test_a_recipe_of_another_run_can_be_used_again(make_pictures, train, tmp_path):
    from rivals.engine.recipe import read

    data = make_pictures()
    train(data, tmp_path / "a", steps=2, changes={"batch": "8", "optimizer.lr": "5e-4"})
    train(data, tmp_path / "b", steps=2, recipe=read(tmp_path / "a/recipe.json"), changes={})
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_a_method_beside_a_whole_recipe_is_not_ignored(make_pictures, train, tmp_path):
    from rivals.engine.recipe import read

    data = make_pictures()
    train(data, tmp_path / "a", steps=1)
    with pytest.raises(RequestError, match="method"):
        train(data, tmp_path / "b", steps=1, recipe=read(tmp_path / "a/recipe.json"), method="wgan-gp", changes={})


def test_fewer_pictures_than_a_batch_train(make_pictures, train, tmp_path):
    train(make_pictures(count=8), tmp_path / "run", steps=2, changes={"batch": "64"})
    assert (tmp_path / "run/verdict.json").exists()


def test_a_run_is_judged_again_with_the_same_scores(make_pictures, train, tmp_path):
    data = make_pictures(classes=("a", "b"))
    train(data, tmp_path / "run", steps=2)
    first = json.loads((tmp_path / "run/verdict.json").read_text())
    again = rivals.judge(tmp_path / "run")
    assert again["scores"] == pytest.approx(first["scores"])
    assert again["protocol"] == first["protocol"]
    shutil.rmtree(data)
    with pytest.raises(RequestError, match="nothing at"):
        rivals.judge(tmp_path / "run")


def test_the_last_and_the_best_state_load_without_the_data(make_pictures, train, tmp_path):
    data = make_pictures()
    model = train(data, tmp_path / "run")
    shutil.rmtree(data)
    for place in (tmp_path / "run", tmp_path / "run/model", str(tmp_path / "run")):
        assert torch.equal(rivals.load(place).sample(3, seed=4), model.sample(3, seed=4))
    assert rivals.load(tmp_path / "run", best=True).sample(1).shape == (1, 3, 8, 8)


def test_loading_what_is_not_there_says_so(tmp_path):
    with pytest.raises(RequestError, match="there is no run at"):
        rivals.load(tmp_path / "none")
    with pytest.raises(RequestError, match="there is no model in"):
        rivals.load(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RequestError, match="has no model yet"):
        rivals.load(tmp_path)


def test_processes_must_share_a_batch_evenly(monkeypatch, make_pictures, train, tmp_path):
    monkeypatch.setattr("rivals.engine.processes.processes", lambda: (0, 3))
    with pytest.raises(RequestError, match=r"batch 8 can't be shared evenly by 3 processes: --set batch=(6|9)"):
        train(make_pictures(), tmp_path / "run")


def test_networks_that_need_more_memory_than_there_is_are_refused(make_pictures, train, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "bytes_free", lambda device: 1000)
    with pytest.raises(RequestError, match=r"of memory and 0.0 GB are free: lower --set micro_batch=2"):
        train(make_pictures(), tmp_path / "run")


def test_the_modality_of_a_run_is_the_one_of_its_model(make_pictures, train, tmp_path):
    model = train(make_pictures(classes=("x", "y"), channels=1), tmp_path / "run", steps=1)
    assert isinstance(model.modality, Images)
    assert model.modality.classes == ("x", "y")
    assert sum(model.modality.counts) == 24 - 4
    stored = json.loads((tmp_path / "run/modality.json").read_text())
    assert stored["name"] == "images"


@pytest.mark.parametrize("bad", [{"steps": 0}, {"minutes": float("nan")}, {"minutes": -1.0}, {"loggers": ["x"]}])
def test_whatever_was_refused_the_right_request_can_use_the_folder(bad, make_pictures, train, tmp_path):
    data, run = make_pictures(), tmp_path / "run"
    with pytest.raises(RequestError):
        train(data, run, **bad)
    assert train(data, run, steps=2).about["step"] == 2


def test_a_resumed_run_keeps_its_precision(make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "run", steps=2, precision="bf16-mixed")
    assert json.loads((tmp_path / "run/recipe.json").read_text())["precision"] == "bf16-mixed"
    train(data, tmp_path / "run", steps=4, resume=True)
    assert json.loads((tmp_path / "run/recipe.json").read_text())["precision"] == "bf16-mixed"
    train(data, tmp_path / "whole", steps=4, precision="bf16-mixed")
    one, two = (rivals.load(tmp_path / name).sample(4) for name in ("run", "whole"))
    assert torch.isfinite(one).all()
    assert one.shape == two.shape


def test_precision_can_be_a_setting(make_pictures, train, tmp_path):
    train(make_pictures(), tmp_path / "run", steps=1, changes={"batch": "8", "precision": "bf16-mixed"})
    assert json.loads((tmp_path / "run/recipe.json").read_text())["precision"] == "bf16-mixed"


def test_a_resumed_run_is_judged_in_the_space_it_began_with(make_pictures, train, tmp_path):
    data = make_pictures()
    train(data, tmp_path / "run", steps=1, features="digits")
    assert json.loads((tmp_path / "run/run.json").read_text())["features"] == "digits"
    with pytest.raises(RequestError, match="judged in the feature space 'digits'"):
        train(data, tmp_path / "run", steps=2, resume=True, features="random")
    train(data, tmp_path / "run", steps=2, resume=True)
    assert "digits" in json.loads((tmp_path / "run/verdict.json").read_text())["protocol"]["extractor"]


def test_accidents_are_counted_on_over_an_interruption(make_pictures, train, tmp_path, monkeypatch):
    data, run = make_pictures(), tmp_path / "run"
    with monkeypatch.context() as patch:
        break_loss(patch, lambda call: call == 4)
        train(data, run, steps=6)  # one accident, then well
    break_loss(monkeypatch, lambda call: call >= 2)
    with pytest.raises(StoppedError, match="not finite 2 times"):
        train(data, run, steps=12, resume=True)
    assert torch.isfinite(rivals.load(run).sample(2)).all()


def test_class_names_with_spaces_and_commas_get_a_report_and_can_be_wished_for(make_pictures, train, tmp_path):
    model = train(make_pictures(classes=(" a cat ", "b,c", "d")), tmp_path / "run", steps=2)
    assert (tmp_path / "run/report.html").exists()
    for name in model.modality.classes:
        assert len(model.sample(3, wish=name)) == 3


def test_networks_can_be_asked_for(make_pictures, train, tmp_path):
    changes = {"batch": "8", "networks": "r3gan", "generator.options.width": "8", "critic.options.width": "8"}
    train(make_pictures(), tmp_path / "run", steps=2, changes=changes)
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert recipe["generator"]["name"] == recipe["critic"]["name"] == "r3gan"
    assert recipe["critic"]["options"]["group_size"] is None  # dense on a CPU


def test_a_logger_that_fails_is_left_out_and_training_goes_on(make_pictures, train, tmp_path, monkeypatch, log_of):
    from rivals.engine import loggers

    class Broken(loggers.TensorBoard):
        def scalars(self, step, values):
            raise ConnectionError("no network")

    monkeypatch.setitem(loggers.LOGGERS, "tensorboard", Broken)
    model = train(make_pictures(), tmp_path / "run", steps=3, loggers=("tensorboard",))
    assert model.about["step"] == 3
    (event,) = [line for line in log_of(tmp_path / "run") if line["kind"] == "event"]
    assert "left out: no network" in event["words"]
