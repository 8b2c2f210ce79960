import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

settings.register_profile("rivals", deadline=None, max_examples=40)
settings.load_profile("rivals")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RIVALS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def make_pictures(tmp_path):
    """Writes a folder of small pictures; classes are folders."""

    def make(name="photos", *, classes=(), count=24, size=8, channels=3, seed=0) -> Path:
        random = np.random.default_rng(seed)
        mode = {1: "L", 3: "RGB"}[channels]
        for at in range(count):
            folder = tmp_path / name / (classes[at % len(classes)] if classes else "")
            folder.mkdir(parents=True, exist_ok=True)
            Image.frombytes(mode, (size, size), random.bytes(size * size * channels)).save(folder / f"{at:03}.png")
        return tmp_path / name

    return make


QUICK = """
from dataclasses import replace
from torch.nn.functional import adaptive_avg_pool2d
from rivals import judge_verb, picture_jobs

real = picture_jobs.extractor
judge_verb.choose_features = picture_jobs.choose_features = lambda *found, **more: "random"
picture_jobs.extractor = judge_verb.extractor = lambda name, *more, **rest: replace(
    real(name, *more, **rest),
    quick=16,
    full=16,
    embed=lambda x: adaptive_avg_pool2d(x.float(), 2).flatten(1)[:, :4].contiguous(),
    head=None,
)
"""
"""Verdicts from few samples in a small space, so that a run of some steps takes a second. For other processes too."""


@pytest.fixture
def quick_judge(monkeypatch):
    """As `QUICK`, in this process."""
    from rivals import judge_verb, picture_jobs

    for module in (picture_jobs, judge_verb):
        for name in {"extractor", "choose_features"} & set(vars(module)):
            monkeypatch.setattr(module, name, getattr(module, name))  # put back at the end
    exec(QUICK, {})


@pytest.fixture
def script(tmp_path):
    """A command line that trains with quick verdicts: the arguments are those of `rivals`."""
    path = tmp_path / "quick_rivals.py"
    path.write_text(f"import torch\ntorch.set_num_threads(1)\n{QUICK}\nfrom rivals.cli import main\nmain()\n")
    return path


@pytest.fixture
def train(quick_judge):
    """`rivals.train` on the CPU with quick verdicts, without loggers, in batches of eight."""
    from rivals import api

    def run(source, out, *, steps=6, changes=None, **more):
        more = {"device": "cpu", "loggers": (), "checkpoint_seconds": 1000.0, **more}
        changes = {"batch": "8"} if changes is None and not more.get("resume") else changes
        return api.train(source, out=out, steps=steps, changes=changes, **more)

    return run


@pytest.fixture
def log_of():
    """The lines of a run's log, as plain values."""

    def read(folder):
        return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]

    return read
