"""Tables from file to file: training, going on, sampling."""

import json
import random

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

import rivals
from rivals import api, cli
from rivals.engine.errors import RequestError
from rivals.table_jobs import parts


@pytest.fixture
def people(tmp_path):
    """A CSV file of 400 rows: a number with gaps, an id, a date, text, money and two categories that go together."""
    chance = random.Random(0)
    words = tuple("quiet river carries small boats past old houses every evening people talk bridges".split())  # noqa: SIM905
    rows = []
    for number in range(400):
        job = chance.choice(["nurse", "cook", "pilot"])
        rows.append(
            {
                "id": f"P{10_000 + number}",
                "age": "" if number % 29 == 0 else str(chance.randint(18, 80)),
                "job": job,
                "pay": f"${chance.gauss({'nurse': 3000, 'cook': 2500, 'pilot': 8000}[job], 200):,.2f}",
                "since": f"20{chance.randint(10, 23)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
                "note": " ".join(chance.choice(words) for _ in range(12)),
                "flies": "yes" if job == "pilot" else "no",
            }
        )
    path = tmp_path / "people.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def train(source, out, **more):
    return api.train(source, out=out, loggers=(), device="cpu", **{"steps": 12, **more})


def sample(run, out, *words):
    """`rivals sample`."""
    cli.app(["sample", str(run), "--out", str(out), *words], standalone_mode=False)


def test_a_table_comes_back_with_its_columns_formats_and_fresh_ids(people, tmp_path):
    told = []
    train(people, tmp_path / "run", tell=told.append)
    assert {column.name: column.kind for column in next(e for e in told if e["kind"] == "columns")["columns"]} == {
        "id": "id", "age": "integer", "job": "category", "pay": "number", "since": "date", "note": "text",
        "flies": "boolean",
    }  # fmt: skip
    out = tmp_path / "synthetic.csv"
    assert (
        cli.app(["sample", str(tmp_path / "run"), "--count", "300", "--out", str(out)], standalone_mode=False) is None
    )
    real, fake = (pl.read_csv(path, infer_schema=False) for path in (people, out))
    assert fake.columns == [name for name in real.columns if name != "note"]
    assert fake.height == 300
    assert fake["id"].n_unique() == 300
    assert not set(fake["id"]) & set(real["id"])
    assert fake["id"].str.contains(r"^P\d{5}$").all()
    assert fake["pay"].str.contains(r"^\$[\d,]+\.\d\d$").all()
    assert set(fake["job"]) <= set(real["job"])
    days = [side["since"].str.to_date("%Y-%m-%d") for side in (real, fake)]
    assert days[1].is_between(days[0].min(), days[0].max()).all()
    assert fake["age"].cast(int, strict=False).drop_nulls().is_between(18, 80).all()


def test_a_wish_and_a_balance_hold_in_every_row(people, tmp_path):
    train(people, tmp_path / "run")
    run = tmp_path / "run"
    wished, balanced = tmp_path / "w.parquet", tmp_path / "b.csv"
    sample(run, wished, "--count", "50", "--wish", "job=pilot, age=30..50")
    found = pl.read_parquet(wished)
    assert found.height == 50
    assert set(found["job"]) == {"pilot"}
    assert found["age"].cast(int).is_between(30, 50).all()
    sample(run, balanced, "--count", "31", "--balance", "job")
    assert sorted(pl.read_csv(balanced)["job"].value_counts()["count"]) == [10, 10, 11]
    with pytest.raises(RequestError, match="is there already"):
        sample(run, balanced)
    with pytest.raises(RequestError, match="for pictures"):
        sample(run, tmp_path / "x.png", "--grid")
    with pytest.raises(RequestError, match="can't be balanced"):
        sample(run, tmp_path / "x.csv", "--balance", "age")


def test_an_interrupted_run_ends_with_the_same_bytes(people, tmp_path):
    whole = tmp_path / "whole"
    train(people, whole)

    def stop(entry):
        if entry["kind"] == "verdict" and entry["step"] >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(people, tmp_path / "cut", tell=stop)
    train(people, tmp_path / "cut", resume=True)
    first, second = (load_file(run / "model" / "generator.safetensors") for run in (whole, tmp_path / "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_data_frame_and_given_kinds_are_taken(people, tmp_path):
    frame = pl.read_csv(people, infer_schema=False)
    model = train(frame, tmp_path / "run", columns={"age": "category"})
    assert next(column for column in model.modality.columns if column.name == "age").kind == "category"
    assert rivals.load(tmp_path / "run").sample(3).shape[0] == 3


def test_what_cannot_be_served_is_said(people, tmp_path, make_pictures):
    with pytest.raises(RequestError, match="in no feature space"):
        train(people, tmp_path / "a", features="digits")
    with pytest.raises(RequestError, match="no column 'ages'"):
        train(people, tmp_path / "a", columns={"ages": "integer"})
    with pytest.raises(RequestError, match="are for tables"):
        train(make_pictures(), tmp_path / "a", columns={"age": "integer"})
    train(people, tmp_path / "run")
    people.write_text(people.read_text().replace("pilot", "baker"))
    with pytest.raises(RequestError, match="not those that"):
        train(people, tmp_path / "run", resume=True)


@pytest.mark.parametrize("method", ["ctgan", "ctab-gan-plus", "wgan-gp", "hinge"])
def test_methods_of_the_engine_and_of_tables_play(people, tmp_path, method):
    train(people, tmp_path / "run", method=method, steps=2)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    losses = next(entry for entry in log if entry["kind"] == "round")["losses"]
    assert "generator/asked" in losses


def test_parts_are_the_same_every_time_and_apart():
    train_rows, held_out = parts(1000)
    assert len(held_out) == 200
    assert torch.equal(torch.cat([train_rows, held_out]).sort().values, torch.arange(1000))
    assert torch.equal(parts(1000)[1], held_out)
