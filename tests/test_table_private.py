"""Tables with differential privacy from file to file: the ledger, what is written, going on, refusals."""

import json
import math
import random
import re
import sys
import warnings

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from rivals import api, cli
from rivals.engine.accountant import epsilon_spent, look_noise
from rivals.engine.between import Beat
from rivals.engine.errors import RequestError
from rivals.engine.ledger import Ledger, usual_delta
from rivals.engine.recipe import read
from rivals.engine.secret import SECRET
from rivals.table_judging import judge_tables
from rivals.table_private import PAIRS, SHARE

ROWS = 1_500


@pytest.fixture(autouse=True, scope="module")
def _opacus():
    if "opacus" not in sys.modules:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("opacus")


@pytest.fixture
def people(tmp_path):
    """A CSV file with a name, a city, an amount and a date that only one row has."""
    chance = random.Random(0)
    rows = [
        {
            "id": f"Q{70_001 + 3 * number}",
            "city": chance.choice(["Bern", "Lund", "Graz"]),
            "pay": chance.choice([0, 0, 0, chance.randint(100, 900)]),
            "since": f"20{chance.randint(10, 23)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
            "flies": chance.choice(["yes", "no"]),
        }
        for number in range(ROWS)
    ]
    rows[17] |= {"city": "Atlantis", "pay": 98_765_431, "since": "1871-03-04"}
    path = tmp_path / "people.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def train(source, out, **more):
    return api.train(source, out=out, device="cpu", **{"epsilon": 3.0, "steps": 4, "loggers": (), **more})


def test_the_ledger_is_what_was_asked_for_and_is_said_before_training(people, tmp_path):
    told = []
    train(people, tmp_path / "run", tell=told.append, loggers=("tensorboard",))
    ledger = Ledger.from_json((tmp_path / "run" / "privacy.json").read_text())
    assert (ledger.epsilon, ledger.delta, ledger.rows) == (3.0, usual_delta(ROWS), ROWS)
    assert ledger.delta == 1e-5
    assert 2.95 < ledger.spent[0] <= 3.0
    assert ledger.spent[1] == pytest.approx(1e-5)
    whats = ["names of values", "5 columns", "6 pairs of columns", "training"]  # ids have no pairs
    assert [charge.what for charge in ledger.charges] == whats
    assert 0 < ledger.charges[1].epsilon < SHARE * 3.0
    assert 0 < ledger.charges[2].epsilon < PAIRS * 3.0
    deviation = float(ledger.charges[2].how.removeprefix("noisy tables, deviation ").removesuffix(" rows"))
    assert deviation == pytest.approx(6**0.5 * look_noise(3.0, 1e-5, PAIRS), rel=1e-3)
    kinds = [entry["kind"] for entry in told]
    lines = next(entry for entry in told if entry["kind"] == "privacy")["lines"]
    assert kinds.index("privacy") < kinds.index("round")
    assert any("in all epsilon 2.9" in line or "in all epsilon 3 " in line for line in lines)
    assert any(line.startswith("public:") for line in lines)
    assert any(line.startswith("6 pairs of columns: noisy tables, deviation ") for line in lines)
    assert read(tmp_path / "run" / "recipe.json").privacy.epsilon == 3.0


def test_all_that_is_charged_together_is_what_an_accountant_makes_of_the_noises(people, tmp_path):
    train(people, tmp_path / "run")
    ledger = Ledger.from_json((tmp_path / "run" / "privacy.json").read_text())
    _, columns, pairs, training = ledger.charges
    number = r"([\d.]+)"
    (deviation,) = map(float, re.findall(f"deviation {number} rows", columns.how))
    (pair_deviation,) = map(float, re.findall(f"deviation {number} rows", pairs.how))
    said = re.search(f"{number} noised critic steps, sigma {number}, sampling rate {number}", training.how)
    steps, sigma, rate = map(float, said.groups())
    looks = [deviation / math.sqrt(2 + 2 * 2.25), pair_deviation / math.sqrt(6)]  # city, flies; pay, since
    spent = epsilon_spent(sigma, rate, int(steps), ledger.charges[3].delta, looks)
    assert spent == pytest.approx(ledger.spent[0], rel=2e-3)  # the ledger's words have four digits


def test_what_never_counts_is_not_counted_nor_charged(people, tmp_path):
    train(people, tmp_path / "run", changes={"generator_terms.pairs.start": "0"})
    ledger = Ledger.from_json((tmp_path / "run" / "privacy.json").read_text())
    assert [charge.what for charge in ledger.charges] == ["names of values", "5 columns", "training"]
    one = tmp_path / "one.csv"
    pl.read_csv(people).select("city").write_csv(one)
    train(one, tmp_path / "one")
    ledger = Ledger.from_json((tmp_path / "one" / "privacy.json").read_text())
    assert [charge.what for charge in ledger.charges] == ["names of values", "1 columns", "training"]
    with pytest.raises(RequestError, match="only --epsilon counts"):
        train(people, tmp_path / "open", epsilon=None, changes={"generator_terms.pairs.start": "1"})


def test_nothing_that_one_row_alone_has_is_in_the_runs_folder(people, tmp_path):
    run = tmp_path / "run"
    told = []
    model = train(people, run, tell=told.append, loggers=("tensorboard",))
    files = [path for path in run.rglob("*") if path.is_file()]
    written = {path.name: path.read_bytes() for path in files}
    assert {"modality.json", "model.json", "verdict.json", "report.html", "log.jsonl", "recipe.json"} <= set(written)
    exact = pl.read_csv(people)
    sha = next(entry for entry in told if entry["kind"] == "columns")
    for secret in ("Atlantis", "98765431", "98,765,431", "1871", "Q70001", "in 1,500 rows"):
        alone = re.compile(rf"(?<![\d.]){secret}(?!\d)")  # losses and times have digits like these by chance
        assert not any(re.search(alone.pattern.encode(), content) for content in written.values())
        assert not alone.search(repr(sha))
    found = {column.name: column for column in model.modality.columns}
    counts = {name: dict(zip(found[name].categories, found[name].counts, strict=True)) for name in ("city", "flies")}
    for name in ("city", "flies"):
        real = dict(exact[name].value_counts().iter_rows())
        assert counts[name]
        assert any(counts[name][value] != real[value] for value in counts[name])
    assert found["since"].low > 0
    assert not (run / SECRET).exists()
    assert not (run / "best").exists()
    assert not (run / "data.json").exists()
    assert not (run / "verdict.html").exists()
    card = json.loads((run / "run.json").read_text())
    assert card["data_sha256"].startswith("keyed-")
    assert json.loads((run / "verdict.json").read_text())["scores"] == {}
    assert "Differential privacy" in (run / "report.html").read_text()


def test_its_rows_are_like_the_tables(people, tmp_path, capsys):
    words = ["--epsilon", "3", "--steps", "4", "--device", "cpu", "--loggers", "none", "--out", str(tmp_path / "run")]
    cli.app(["train", str(people), *words], standalone_mode=False)
    said = capsys.readouterr().out
    assert said.index("Privacy differential") < said.index("in all epsilon") < said.index("Done")
    assert "Atlantis" not in said
    out = tmp_path / "rows.csv"
    cli.app(["sample", str(tmp_path / "run"), "--count", "200", "--wish", "city=Lund", "--out", str(out)],
            standalone_mode=False)  # fmt: skip
    rows = pl.read_csv(out)
    assert rows.columns == ["id", "city", "pay", "since", "flies"]
    assert set(rows["city"]) == {"Lund"}
    assert rows["id"].n_unique() == 200
    assert rows["since"].str.to_date("%Y-%m-%d").is_between(pl.date(1990, 1, 1), pl.date(2040, 1, 1)).all()
    assert rows["pay"].max() < 2_000
    found = judge_tables(tmp_path / "run", people, target="flies")
    assert "No held-out rows" in found["privacy"]["refused"]  # it has learned from all


def test_an_interrupted_run_ends_with_the_same_bytes(people, tmp_path, monkeypatch):
    monkeypatch.setattr(Beat, "log_due", lambda self: True)  # every round is told of, however fast the machine
    seen = []

    def stop(entry):
        if entry["kind"] == "round" and entry["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(people, tmp_path / "cut", tell=stop, steps=40)
    kept = (tmp_path / "cut" / SECRET).read_text()
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / SECRET).write_text(kept)  # as it is written by a request that was refused
    train(people, whole, steps=40, tell=lambda entry: seen.append(entry["kind"]))
    train(people, tmp_path / "cut", resume=True, steps=None, epsilon=None)
    first, second = (load_file(run / "model" / "generator.safetensors") for run in (whole, tmp_path / "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    texts = [(run / "modality.json").read_text() for run in (whole, tmp_path / "cut")]
    assert texts[0] == texts[1]
    with pytest.raises(RequestError, match="is finished"):
        train(people, tmp_path / "cut", resume=True)


def test_a_table_that_noise_leaves_nothing_of_is_refused(people, tmp_path):
    few = tmp_path / "few.csv"
    pl.read_csv(people).head(60).write_csv(few)
    with pytest.raises(RequestError, match=r"no column can be learned: none has two values with \d+ rows"):
        train(few, tmp_path / "run")
    same = tmp_path / "same.csv"
    pl.DataFrame({"kind": ["a"] * 2_000}).write_csv(same)
    with pytest.raises(RequestError, match="no column can be learned"):
        train(same, tmp_path / "run")


def test_two_runs_have_different_noise(people, tmp_path):
    one, other = (train(people, tmp_path / name) for name in ("a", "b"))
    assert one.modality.columns != other.modality.columns


def test_a_run_goes_on_with_its_own_settings_only(people, tmp_path):
    def stop(entry):
        if entry["kind"] == "round":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(people, tmp_path / "run", tell=stop)
    for more, words in (
        ({"epsilon": 2.0}, "settled and charged"),
        ({"delta": 1e-7}, "settled and charged"),
        ({"steps": 80}, "settled and charged"),
        ({"changes": {"batch": "20"}}, "needs a new --out"),
        ({"columns": {"pay": "category"}}, "their columns' kinds"),
    ):
        with pytest.raises(RequestError, match=words):
            train(people, tmp_path / "run", **{"resume": True, **more})
    people.write_text(people.read_text().replace("Atlantis", "Nowhere"))
    with pytest.raises(RequestError, match=r"the rows in .* restore them"):
        train(people, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"minutes": 1.0}, "--minutes with --epsilon"),
        ({"until": "two_sample<0.8"}, "--until with --epsilon"),
        ({"method": "ctgan"}, "has no pack"),
        ({"features": "digits"}, "in no feature space"),
        ({"epsilon": -1.0}, "above 0"),
        ({"delta": 0.1}, "not below 1 /"),
        ({"epsilon": None, "delta": 1e-6}, "--delta belongs to --epsilon"),
        ({"epsilon": None, "changes": {"privacy.epsilon": "3"}}, "is for a run with --epsilon"),
        ({"changes": {"data.balanced": "true"}}, "every row must be as likely"),
        ({"method": "ragan"}, "relativistic_average"),
        ({"precision": "bf16-mixed"}, "needs 32 bits"),
        ({"epsilon": 1e-7}, "no sensible amount of noise"),
    ],
)
def test_what_a_private_run_can_not_have_is_said_in_one_line(people, tmp_path, more, words):
    with pytest.raises(RequestError, match=words) as error:
        train(people, tmp_path / "run", **more)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "run.json").exists()


def test_it_is_for_tables_and_has_no_best_state(people, tmp_path, make_pictures):
    with pytest.raises(RequestError, match="for tables so far"):
        train(make_pictures(), tmp_path / "a")
    train(people, tmp_path / "run")
    with pytest.raises(RequestError, match="keeps no best state"):
        api.load(tmp_path / "run", best=True)
    api.train(people, out=tmp_path / "open", device="cpu", steps=4, loggers=())
    with pytest.raises(RequestError, match="is not private"):
        train(people, tmp_path / "open", resume=True)


def test_other_methods_of_one_row_at_a_time_play(people, tmp_path):
    model = train(people, tmp_path / "run", method="r3gan", steps=1)
    assert all(math.isfinite(float(part.sum())) for part in model.network.parameters())
