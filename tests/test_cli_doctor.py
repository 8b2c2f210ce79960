import json
import sys

import pytest

from rivals import cli, machine
from rivals.machine import Check


@pytest.fixture
def doctor(monkeypatch, capsys):
    """Runs `rivals doctor` in this process; gives exit code, output and errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["rivals", "doctor", *map(str, words)])
        with pytest.raises(SystemExit) as done:
            cli.main()
        out, err = capsys.readouterr()
        return done.value.code or 0, out, err

    return run


def folder_of(path, duplicates):
    path.mkdir()
    found = {"count": 100, "duplicates": duplicates, "classes": {}}
    (path / "run.json").write_text(json.dumps({"source": "photos", "found": found}))
    return path


def test_exit_codes_and_json_of_runs(doctor, tmp_path):
    code, out, _ = doctor(folder_of(tmp_path / "well", 0))
    assert code == 0
    assert "is healthy" in out
    sick = folder_of(tmp_path / "sick", 60)
    code, out, _ = doctor(sick)
    assert code == 1
    assert "60 % of the pictures equal an earlier one" in out
    code, out, _ = doctor(sick, "--json")
    assert code == 1
    assert json.loads(out)["findings"][0]["name"] == "duplicates"
    code, _, err = doctor(tmp_path / "none")
    assert code == 2
    assert "there is no run at" in err


@pytest.mark.parametrize(("state", "wanted"), [("ok", 0), ("note", 0), ("wrong", 1)])
def test_exit_codes_and_json_of_the_machine(doctor, monkeypatch, state, wanted):
    monkeypatch.setattr(machine, "checks", lambda: [Check("memory", state, "so much", "do this")])
    code, out, _ = doctor()
    assert code == wanted
    assert "so much" in out
    assert "do this" in out
    code, out, _ = doctor("--json")
    assert code == wanted
    assert json.loads(out) == {
        "healthy": not wanted,
        "checks": [{"name": "memory", "state": state, "words": "so much", "change": "do this"}],
    }
