import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from rivals.engine.data import Dataset
from rivals.engine.errors import RequestError, StoppedError
from rivals.engine.launch import environment, launch, spread_out
from rivals.engine.processes import (
    GAIN,
    MEMORY_RATE,
    MESSAGE_RATE,
    Spread,
    check_processes,
    choose,
    crowding,
    decide,
    measure,
    reason,
    sharing,
    spreads,
    thread_count,
)
from rivals.engine.types import Batch
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

IMAGES = Images(8, 8, 1)
CPU = torch.device("cpu")


def small(minutes=1.0, batch=4):
    recipe = choose_recipe(IMAGES, "gan", CPU, minutes, None, networks="mlp").recipe
    return replace(recipe, batch=batch)


def noise(least=1):
    """Random pictures; a batch of fewer than `least` can't be had."""

    def cut(rows):
        if len(rows) < least:
            raise ValueError("too few rows")
        return Batch(torch.rand(len(rows), 1, 8, 8), None)

    return Dataset(cut, torch.arange(16), torch.arange(2))


@given(st.integers(1, 64), st.integers(1, 512))
def test_every_spread_fills_the_cores_and_shares_the_batch_evenly(cores, batch):
    first, *others = spreads(cores, batch)
    assert first == Spread(1, cores)
    assert len({first, *others}) == 1 + len(others)
    for spread in others:
        assert batch % spread.processes == 0
        assert spread == Spread(1, 1) or spread.processes * spread.threads == cores


@given(st.integers(2, 16), st.integers(1, 64), st.data())
def test_another_spread_is_chosen_only_where_it_gains_enough(cores, batch, data):
    ways = spreads(cores, batch)
    seconds = {way: data.draw(st.floats(1e-3, 1e3)) for way in ways}
    chosen = choose(seconds, ways[0])
    if chosen == ways[0]:
        assert all(seconds[way] * GAIN >= seconds[ways[0]] for way in ways)
    else:
        assert seconds[chosen] == min(seconds.values())
        assert seconds[ways[0]] > GAIN * seconds[chosen]


def test_what_was_not_measured_is_not_chosen():
    alone, two = Spread(1, 2), Spread(2, 1)
    assert choose({}, alone) == alone
    assert choose({two: 1.0}, alone) == alone
    assert "nothing else is possible" in reason(alone, {alone: 1.0}, alone)


def test_the_reason_names_what_was_measured():
    alone, two = Spread(1, 2), Spread(2, 1)
    assert (
        reason(two, {alone: 1.35, two: 1.0}, alone)
        == "2 processes of 1 thread: measured 1.35x of 1 process of 2 threads"
    )
    kept = reason(alone, {alone: 0.72, two: 1.0}, alone)
    assert kept.startswith("1 process of 2 threads: 2 processes of 1 thread measured 0.72x of 1 process of 2 threads")


def test_a_measurement_times_every_spread_and_leaves_the_threads_as_they_were():
    with thread_count(2):
        seconds = measure(small(), IMAGES, noise(), seconds=0.05)
        assert torch.get_num_threads() == 2
    assert set(seconds) == {Spread(1, 2), Spread(1, 1), Spread(2, 1)}
    assert all(0 < value < 60 for value in seconds.values())


def test_a_spread_that_cannot_be_played_is_left_out():
    with thread_count(2):
        seconds = measure(small(), IMAGES, noise(least=3), seconds=0.0)
        assert set(seconds) == {Spread(1, 2), Spread(1, 1)}
        assert measure(small(), IMAGES, noise(least=9), seconds=0.0) == {}


def test_processes_cost_what_they_send_or_read_and_one_costs_nothing(monkeypatch):
    from rivals.engine import processes

    sides = (nn.Linear(9, 10), nn.Linear(19, 10))  # 100 and 200 numbers of four bytes
    own = 400 + 3 * 800
    assert sharing(Spread(1, 8), sides, 3) == 0
    for shared, more in ((True, own * 2 / MEMORY_RATE), (False, own * 2 * (3 / 4 - 1 / 2) / MESSAGE_RATE)):
        monkeypatch.setattr(processes, "worth_it", lambda count, shared=shared: shared)
        two, four = (sharing(Spread(count, 1), sides, 3) for count in (2, 4))
        assert four - two == pytest.approx(more)


def test_crowding_lies_between_cores_of_their_own_and_one_core_for_all(monkeypatch):
    from rivals.engine import processes

    assert crowding(Spread(1, 2)) == 1
    assert 1 <= crowding(Spread(2, 1)) <= 2
    for together, expected in ((100.0, 1.0), (40.0, 2.5), (1.0, 4.0)):
        rates = iter([100.0, *[together] * 4])
        monkeypatch.setattr(processes, "matmul_rate", lambda device, rates=rates: next(rates))
        assert crowding(Spread(4, 1)) == pytest.approx(expected)


def test_how_it_is_decided(monkeypatch):
    from rivals.engine import processes

    told = []
    more = {"modality": IMAGES, "dataset": noise(), "tell": told.append}
    with thread_count(4):
        assert decide(small(), asked=3, kept=Spread(2, 2), **more) == Spread(3, 1)
        assert decide(small(), asked=None, kept=Spread(2, 2), **more) == Spread(2, 2)
        by_steps = replace(small(), minutes=None, steps=5)
        assert decide(by_steps, asked=None, kept=None, **more) == Spread(1, 4)
        assert told == []
        monkeypatch.setattr(processes, "measure", lambda *found: {Spread(1, 4): 2.0, Spread(4, 1): 1.0})
        assert decide(small(), asked=None, kept=None, **more) == Spread(4, 1)
    assert told == [
        {
            "kind": "spread",
            "processes": 4,
            "threads": 1,
            "words": "4 processes of 1 thread: measured 2.00x of 1 process of 4 threads",
        }
    ]
    monkeypatch.setattr(processes, "measure", lambda *found: pytest.fail("one core leaves no choice"))
    with thread_count(1):
        assert decide(small(), asked=None, kept=None, **more) == Spread(1, 1)


def test_a_batch_that_does_not_come_out_even_is_refused():
    check_processes(8, None, CPU)
    check_processes(8, 4, CPU)
    with pytest.raises(RequestError, match="batch 8 can't be shared evenly by 3 processes: --set batch=9"):
        check_processes(8, 3, CPU)
    with pytest.raises(RequestError, match="is for a CPU"):
        check_processes(8, 1, torch.device("cuda"))


def test_variables_are_put_back(monkeypatch):
    monkeypatch.setenv("HERE", "before")
    monkeypatch.delenv("NOT_HERE", raising=False)
    with environment({"HERE": "now", "NOT_HERE": "now"}):
        assert (os.environ["HERE"], os.environ["NOT_HERE"]) == ("now", "now")
    assert os.environ["HERE"] == "before"
    assert "NOT_HERE" not in os.environ


def test_one_process_gets_its_threads_and_no_company():
    with spread_out(Spread(1, 2), ("no such verb",), "cpu", None) as fabric:
        assert torch.get_num_threads() == 2
        assert fabric.world_size == 1
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_a_process_that_does_not_start_stops_the_work_with_its_own_words():
    words = ("train", "nowhere", "--no-such-option")
    with (
        pytest.raises(StoppedError, match=r"process 2 of 2 ended with code 2 .*--processes 1"),
        spread_out(Spread(2, 1), words, "cpu", None),
    ):
        pytest.fail("it never began")
    assert not torch.distributed.is_initialized()
    assert launch("cpu", None).world_size == 1


def command(script, data, out, *more):
    words = ["train", data, "--out", out, "--device", "cpu", "--features", "random", "--loggers", "none", *more]
    return [sys.executable, str(script), *map(str, words)]


def finish(words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300, **more)


@pytest.mark.slow
def test_two_processes_train_as_one_does(script, make_pictures, tmp_path):
    data = make_pictures(classes=("a", "b"))
    words = ["--steps", 20, "--set", "batch=8", "--set", "optimizer.eps=0.01"]
    outs = []
    for count in (1, 2):
        done = finish(command(script, data, tmp_path / str(count), "--processes", count, *words))
        assert (done.returncode, done.stderr) == (0, "")
        outs.append(done.stdout)
        assert spread_of(tmp_path / str(count)) == {"processes": count, "threads": 1}
    one, two = (load_file(tmp_path / name / "model/generator.safetensors") for name in ("1", "2"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-4)
    scores = [json.loads((tmp_path / name / "verdict.json").read_text())["scores"] for name in ("1", "2")]
    assert scores[0]["fd"] == pytest.approx(scores[1]["fd"], rel=1e-2)
    assert all(out.count("Trained 20 steps") == 1 for out in outs), "only the first process speaks"


def spread_of(folder: Path):
    return json.loads((folder / "run.json").read_text())["spread"]


def children(process):
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in path.read_text().split()]


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def until(holds, process=None, seconds=120.0):
    began = time.monotonic()
    while not holds():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() - began < seconds, "it takes too long"
        time.sleep(0.05)


@pytest.fixture
def start(script, make_pictures, tmp_path):
    """Starts a long run of two processes; gives the first, and the other's id, once they train beyond `step`."""
    data, running = make_pictures(), []

    def newest():
        return max([int(path.stem.split("-")[-1]) for path in (tmp_path / "run/state").glob("*.json")], default=0)

    def begin(*more):
        before = newest()
        words = command(script, data, tmp_path / "run", "--steps", 1_000_000, "--checkpoint-every", 0, *more)
        pipe = subprocess.PIPE
        process = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        running.append(process)
        until(lambda: newest() > before + 3, process)
        (other,) = children(process)
        return process, other

    yield begin
    for process in running:
        process.kill()
        process.communicate()


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
NEW = ("--processes", 2, "--set", "batch=8")


@pytest.mark.slow
@needs_proc
def test_a_killed_process_stops_the_run_which_goes_on_in_two_and_saves_at_sigterm(start, tmp_path):
    process, other = start(*NEW)
    os.kill(other, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("rivals: process 2 of 2 was ended by SIGKILL: the same command with --resume goes on")
    assert errors.count("\n") == 1
    process, other = start("--resume")  # two processes again, as the run's folder says
    process.terminate()
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "rivals: interrupted: the same command with --resume goes on from what was saved\n"
    assert (tmp_path / "run/model/model.json").exists()
    assert not alive(other)
    assert "Done" not in out


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("who", ["both", "the other"])
def test_ctrl_c_saves_and_ends_all(start, tmp_path, who):
    process, other = start(*NEW)
    if who == "both":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    else:
        os.kill(other, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("rivals: interrupted: ")
    assert errors.count("\n") == 1
    assert (tmp_path / "run/model/model.json").exists()
    assert not alive(other)


@pytest.mark.slow
@needs_proc
def test_a_first_process_that_is_killed_leaves_nobody_behind(start):
    process, other = start(*NEW)
    process.kill()
    until(lambda: not alive(other), seconds=20)
    assert not alive(other)


def test_a_run_from_python_starts_no_processes(train, make_pictures, tmp_path):
    train(make_pictures(), tmp_path / "run", steps=None, minutes=0.002)
    assert spread_of(tmp_path / "run") is None
