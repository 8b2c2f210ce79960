import json

import pytest
import torch
from torch import nn

from rivals.engine.data import Dataset
from rivals.engine.facts import data_facts
from rivals.engine.game import Duel
from rivals.engine.looks import Look
from rivals.engine.losses import logistic
from rivals.engine.signals import (
    ROWS,
    Watcher,
    gradient_norm,
    penalty_share,
    right,
    signals,
    turn,
    update_size,
    watcher,
)
from rivals.engine.terms import Term, adversarial
from rivals.engine.train import Training
from rivals.engine.types import Batch, Verdict

CLASSES = 4


class Generator(nn.Module):
    """As wide as it is told, around one place a class."""

    def __init__(self):
        super().__init__()
        self.width = nn.Parameter(torch.ones(()))
        self.places = nn.Parameter(3 * torch.eye(CLASSES, 6))

    def forward(self, z, cond=None):
        return self.width * z + (0 if cond is None else self.places[cond])


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(6, 1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x, cond=None):
        return Verdict((self.line(x) + 0 * self.drop(x).sum(),))


def data(count=800, labels=True):
    """What the generator makes at width 1, exactly."""
    rng = torch.Generator().manual_seed(1)
    cond = torch.arange(count) % CLASSES
    real = torch.randn(count, 6, generator=rng) + (3 * torch.eye(CLASSES, 6)[cond] if labels else 0)
    rows = torch.arange(count)
    return Dataset(lambda which: Batch(real[which], cond[which] if labels else None), rows[:600], rows[600:])


def training():
    critic_half, generator_half = adversarial(logistic)
    game = Duel(
        Generator(), Critic(), latent=6, generator_terms={"adversarial": Term(generator_half)},
        critic_terms={"adversarial": Term(critic_half)},
    )  # fmt: skip
    return Training.of(game, tuple(torch.optim.Adam(part.parameters(), 0.1) for part in (game.generator, game.critic)))


def look(it, dataset=None, losses=None):
    dataset = dataset or data()
    _, lens = data_facts(dataset)
    torch.manual_seed(0)
    return signals(it, lens, dataset.cut(dataset.train[:256]), dataset.cut(dataset.held_out), losses or {})


def test_a_generator_that_is_the_data_varies_as_the_data_do_within_its_classes():
    seen = look(training())
    assert seen["variety"] == pytest.approx(1, abs=0.15)
    assert all(value == pytest.approx(1, abs=0.35) for value in seen["by_class"])
    assert seen["lag"] == 0
    assert sum(seen["modes"]) == 256
    assert all(abs(value) < 0.3 for value in seen["place"])
    assert all(found > 0.85 * many for found, many in seen["recognised"])


def test_a_generator_of_one_place_a_class_has_no_variety_and_one_of_wrong_classes_is_not_recognised():
    it = training()
    with torch.no_grad():
        it.game.generator.width.fill_(0)
        it.game.generator.places[2] = it.game.generator.places[0].clone()
    seen = look(it)
    assert seen["variety"] < 1e-6
    assert [found == many for found, many in seen["recognised"]] == [True, True, False, True]
    assert seen["recognised"][2][0] == 0
    assert seen["lag"] > 1  # the average is as it was


def test_the_slope_of_a_linear_critic_is_the_norm_of_its_weights():
    it = training()
    seen = look(it)
    assert seen["slope"] == pytest.approx(float(it.game.critic.line.weight.detach().norm()), rel=1e-4)


def test_accuracy_is_the_share_on_the_right_side_of_the_middle():
    logits = {
        "real": torch.tensor([4.0, 4.0, 4.0, -4.0]),
        "fake": torch.zeros(4),
        "held_out": torch.tensor([2.0, 0.5, 0.0, 0.9]),
    }
    assert right(logits) == {"real": 75.0, "fake": 100.0, "held_out": 25.0}


def test_a_look_leaves_modes_weights_and_gradients_as_they_were():
    it = training()
    it.game.train()
    before = {name: part.clone() for name, part in it.game.state_dict().items()}
    look(it)
    assert it.game.training
    assert it.game.critic.drop.training
    assert all(part.grad is None for part in it.game.parameters())
    assert all(torch.equal(part, before[name]) for name, part in it.game.state_dict().items())


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_update_is_what_adam_changed(make, steps):
    layer = nn.Linear(30, 20, bias=False)
    optimizer = make(layer.parameters(), 1e-3, betas=(0.3, 0.9), weight_decay=0.0)
    for _ in range(steps):
        before = layer.weight.detach().clone()
        layer.weight.grad = torch.randn_like(layer.weight)
        optimizer.step()
    changed = (layer.weight.detach() - before).norm() / layer.weight.detach().norm()
    assert update_size(optimizer) == pytest.approx(float(changed), rel=1e-3)


def test_other_optimizers_have_no_update_to_tell():
    layer = nn.Linear(3, 2)
    assert update_size(torch.optim.SGD(layer.parameters(), 0.1)) == 0
    assert update_size(torch.optim.Adam(layer.parameters(), 0.1)) == 0  # before its first step


def test_the_gradient_norm_is_over_all_parameters():
    layer = nn.Linear(2, 1)
    assert gradient_norm(layer) == 0
    layer.weight.grad, layer.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert gradient_norm(layer) == 5


def test_the_penaltys_share_is_by_size_and_none_where_there_is_none():
    sizes = {"critic/adversarial": -3.0, "critic/r1": 1.0, "generator/x": 9.0}
    losses = {name: torch.tensor(size) for name, size in sizes.items()}
    assert penalty_share(losses) == 0.25
    assert penalty_share({"critic/adversarial": torch.tensor(1.0)}) is None


def test_rows_of_a_look_are_whole_packs_of_other_rows_each_time():
    rows = torch.arange(1000)
    assert len(turn(rows, 0, 1)) == ROWS
    assert not set(turn(rows, 0, 1).tolist()) & set(turn(rows, 1, 1).tolist())
    assert len(turn(rows, 3, 5)) == ROWS // 5 * 5
    assert len(turn(rows[:3], 0, 4)) == 4  # a pack is never cut


def test_what_is_seen_is_plain_and_reads_back_as_a_look():
    seen = look(training())
    line = {"kind": "round", "step": 7, "progress": 0.5, "accuracy": seen.pop("accuracy"), "signals": seen}
    read = Look.of(json.loads(json.dumps(line)))
    assert read is not None
    assert read.step == 7
    assert read.modes == tuple(seen["modes"])
    assert read.gap == pytest.approx(seen["logits"]["real"][0] - seen["logits"]["fake"][0])
    for name in ("step", "accuracy", "signals"):
        assert Look.of({key: value for key, value in line.items() if key != name}) is None


def test_data_without_classes_are_looked_at_as_a_whole():
    it = training()
    seen = look(it, data(labels=False))
    assert seen["variety"] == pytest.approx(1, abs=0.15)
    assert "by_class" not in seen
    assert "recognised" not in seen


def test_looks_stay_within_their_share_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("rivals.engine.signals.time.perf_counter", lambda: now[0])
    eye = Watcher(watcher(data())[0].lens, began=0.0)
    assert eye.due()
    eye.spent = 0.5
    now[0] = 49.0
    assert not eye.due()
    now[0] = 51.0
    assert eye.due()


def test_a_warning_is_said_once(monkeypatch):
    monkeypatch.setattr("rivals.engine.looks.YOUNG", -1)
    it, dataset = training(), data()
    eye, facts = watcher(dataset)
    assert eye.news(facts) == []
    with torch.no_grad():
        it.game.generator.width.fill_(0)
    told = []
    for number in range(4):
        eye.look(it, dataset, 1, {}, 0.2 + 0.2 * number)
        told += [symptom.name for symptom in eye.news()]
    assert told.count("collapse") == 1


def test_a_run_gives_the_same_bits_however_often_it_is_looked_at(monkeypatch, make_pictures, train, tmp_path, log_of):
    pictures = make_pictures()
    weights = []
    for name, often in (("often", True), ("never", False)):
        monkeypatch.setattr(Watcher, "due", lambda self, often=often: often)
        monkeypatch.setattr("rivals.engine.between.Beat.log_due", lambda self: True)
        model = train(pictures, tmp_path / name, steps=5)
        weights.append(model.network.state_dict())
        assert sum("signals" in line for line in log_of(tmp_path / name)) == (5 if often else 0)
    assert all(torch.equal(part, weights[1][name]) for name, part in weights[0].items())
    facts = json.loads((tmp_path / "often" / "data.json").read_text())
    assert facts["train"] > 0
