import json

import pytest
import torch
from safetensors.torch import load_file

from rivals.engine import between
from rivals.engine.checkpoint import own_digest
from rivals.engine.equilibrium import WINDOW, Standing


def kinds(lines, kind):
    return [line for line in lines if line["kind"] == kind]


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
    (words,) = [line["words"] for line in lines if line["kind"] == "event"]
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
