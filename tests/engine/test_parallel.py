import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def arguments(data, out, *more):
    return ["train", str(data), "--out", str(out), "--device", "cpu", *map(str, more)]


def one(script, *words):
    env = {**ENV, "RIVALS_CACHE": os.environ["RIVALS_CACHE"]}
    return subprocess.run([sys.executable, script, *words], env=env, capture_output=True, text=True, check=False)


def two(script, *words):
    env = {**ENV, "RIVALS_CACHE": os.environ["RIVALS_CACHE"]}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script]
    return subprocess.run([*launch, *words], env=env, capture_output=True, text=True, check=False)


def weights(folder: Path):
    return load_file(folder / "model/generator.safetensors")


def assert_close(one, other, atol):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["r3gan", "wgan-gp", "dcgan"])
def test_two_processes_end_with_the_weights_of_one_with_the_whole_batch(method, script, make_pictures, tmp_path):
    data = make_pictures(classes=("a", "b"))
    small = ["--set", "batch=8", "--set", "optimizer.eps=0.01"]  # or Adam makes rounding seen where gradients vanish
    words = ["--method", method, "--steps", 5, *small]
    single = one(script, *arguments(data, tmp_path / "one", *words))
    assert single.returncode == 0, single.stderr
    both = two(script, *arguments(data, tmp_path / "two", *words))
    assert both.returncode == 0, both.stderr
    assert_close(weights(tmp_path / "one"), weights(tmp_path / "two"), 1e-6)


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_in_one(script, make_pictures, tmp_path):
    data = make_pictures()
    words = ["--set", "batch=8"]
    assert two(script, *arguments(data, tmp_path / "run", "--steps", 3, *words)).returncode == 0
    done = one(script, *arguments(data, tmp_path / "run", "--steps", 5, "--resume"))
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "run/model/model.json").read_text()
    assert '"step": 5' in card
    assert all(torch.isfinite(part).all() for part in weights(tmp_path / "run").values())


@pytest.mark.slow
def test_a_refused_request_ends_both_processes(script, make_pictures, tmp_path):
    done = two(script, *arguments(make_pictures(), tmp_path / "run", "--steps", 2, "--set", "batch=7"))
    assert done.returncode != 0
    assert "can't be shared evenly by 2 processes" in done.stderr


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(script, make_pictures, train, tmp_path):
    data = make_pictures(classes=("a", "b"))
    words = ["--steps", 24, "--set", "batch=8", "--checkpoint-every", 0]
    train(data, tmp_path / "whole", steps=24)
    moments, kills = random.Random(0), 0
    state = tmp_path / "run/state"
    for _ in range(2):
        command = [sys.executable, script, *arguments(data, tmp_path / "run", *words, "--resume")]
        if not (tmp_path / "run/run.json").exists():
            command.remove("--resume")
        else:
            command = [word for word in command if word not in ("--set", "batch=8")]
        before = {path.name for path in state.glob("*.json")}
        wait = moments.randint(1, 6)
        with subprocess.Popen(
            command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            seen: set[str] = set()
            while running.poll() is None and len(seen - before) < wait:
                seen |= {path.name for path in state.glob("*.json")}
            if running.poll() is None:
                running.send_signal(signal.SIGKILL)
                kills += 1
    assert kills == 2
    train(data, tmp_path / "run", steps=24, resume=True)
    for part in ("model", "best"):
        name = f"{part}/generator.safetensors"
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
