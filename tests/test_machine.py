import pytest
import torch

from rivals import machine
from rivals.cli_doctor import doctor_lines, machine_lines
from rivals.machine import GB, Check, disks, memory, processor, versions, within


def states(checks):
    return {check.name: check.state for check in checks}


def test_every_check_says_something_and_what_is_wrong_says_what_to_do():
    made = machine.checks()
    assert {"versions", "threads", "processor", "memory", "disk", "cache", "gpu", "extras"} <= set(states(made))
    assert all(check.words and check.state in ("ok", "note", "wrong") for check in made)
    assert all(check.change for check in made if check.state == "wrong")


@pytest.mark.parametrize(("threads", "state"), [(2, "ok"), (1, "note"), (3, "note"), (5, "wrong")])
def test_threads_are_held_against_cores(monkeypatch, threads, state):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(machine, "speed", lambda: Check("processor", "ok", "fast"))
    assert states(processor({}))["threads"] == state


@pytest.mark.parametrize(("free", "state"), [(0.1, "wrong"), (1.0, "note"), (8.0, "ok"), (None, "note")])
def test_memory(monkeypatch, free, state):
    monkeypatch.setattr(machine, "bytes_free", lambda device: None if free is None else int(free * GB))
    assert memory().state == state


@pytest.mark.parametrize(("free", "state"), [(0.1, "wrong"), (2.0, "note"), (50.0, "ok")])
def test_room_on_the_disks_counts_where_a_folder_will_be_made(monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda place: _Usage(int(free * GB)))
    assert states(disks(tmp_path, tmp_path / "not" / "there" / "yet")) == {"disk": state, "cache": state}


class _Usage:
    def __init__(self, free):
        self.free = free


def test_a_folder_that_cannot_be_written_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.os, "access", lambda place, how: False)
    assert set(states(disks(tmp_path, tmp_path)).values()) == {"wrong"}


def test_a_torch_outside_what_is_declared_is_wrong(monkeypatch):
    monkeypatch.setattr(machine, "requirements", lambda: ["torch<2.14,>=2.6", "torchvision"])
    monkeypatch.setattr(machine.torch, "__version__", "2.3.0")
    (check,) = versions()
    assert check.state == "wrong"
    assert check.change == "pip install 'torch<2.14,>=2.6'"
    monkeypatch.setattr(machine, "requirements", list)
    assert next(iter(versions())).state == "ok"
    assert within("2.14.0.dev1", "torch>=2.6")


def test_the_machine_is_healthy_unless_something_is_wrong(monkeypatch):
    note, wrong = Check("disk", "note", "little"), Check("memory", "wrong", "none", "buy some")
    monkeypatch.setattr(machine, "checks", lambda: [note])
    assert doctor_lines(None)[0]
    monkeypatch.setattr(machine, "checks", lambda: [note, wrong])
    healthy, lines = doctor_lines(None)
    assert not healthy
    assert lines[-1] == "1 thing to put right"
    assert machine_lines([note])[-1] == "This machine is fit to train on."
