"""Tables from file to file: training, going on, sampling."""

import json
import random
import re

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

import rivals
from rivals import api, cli, table_jobs
from rivals.engine.errors import RequestError
from rivals.modalities.tables.calibrate import made
from rivals.modalities.tables.judge import TableJudge
from rivals.modalities.tables.layout import log_softmax_segments
from rivals.modalities.tables.sampling import drawn
from rivals.modalities.tables.wishes import read_wish
from rivals.table_jobs import judge_of, parts


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


def test_cells_are_parted_as_in_the_original(tmp_path):
    source = tmp_path / "german.csv"
    rows = [f"{n % 7},5;{'Köln' if n % 3 else 'Bonn'};{n}" for n in range(60)]
    source.write_text("\n".join(["Preis;Ort;Alter", *rows]))
    train(source, tmp_path / "run")
    out = tmp_path / "again.csv"
    cli.app(["sample", str(tmp_path / "run"), "--count", "20", "--out", str(out)], standalone_mode=False)
    lines = out.read_text().splitlines()
    assert lines[0] == "Preis;Ort;Alter"
    assert all(re.fullmatch(r"\d,5;(Köln|Bonn);\d+", line) for line in lines[1:])


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


@pytest.mark.parametrize(
    ("method", "terms"),
    [
        ("ctgan", {"generator/asked"}),
        ("ctab-gan-plus", {"generator/asked", "generator/information", "generator/downstream", "critic/taught"}),
        ("wgan-gp", {"critic/gradient_penalty"}),
        ("hinge", {"critic/adversarial"}),
    ],
)
def test_methods_of_the_engine_and_of_tables_play(people, tmp_path, method, terms):
    train(people, tmp_path / "run", method=method, steps=2)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert terms <= set(next(entry for entry in log if entry["kind"] == "round")["losses"])


@pytest.mark.parametrize("method", ["ctgan", "ctab-gan-plus"])
def test_a_model_that_was_always_asked_for_something_is_so_when_it_is_loaded(people, tmp_path, method):
    train(people, tmp_path / "run", method=method)
    tables = rivals.load(tmp_path / "run").modality
    asked = tables.condition(None, 500)
    assert ((asked >= 0).sum(1) == 1).all()
    job = next(s for s in tables.encoders.layout.softmaxes if s.column == "job")
    place = tables.encoders.layout.softmaxes.index(job)
    assert tables.mix[place] == pytest.approx([1 / 3] * 3, abs=0.1)
    wished = read_wish("age=30..50", tables).slots(tables, 7)
    assert ((wished >= 0).sum(1) == 1).all()
    sample(tmp_path / "run", tmp_path / "w.csv", "--count", "20", "--wish", "job=pilot")
    assert set(pl.read_csv(tmp_path / "w.csv")["job"]) == {"pilot"}


def test_the_default_gives_what_is_asked_for_in_every_row_that_it_makes(people, tmp_path):
    train(people, tmp_path / "run", steps=2)
    model = rivals.load(tmp_path / "run")
    for job in ("pilot", "cook"):
        wish = read_wish(f"job={job}, flies=no", model.modality)
        assert wish.met(drawn(model, 500, seed=0, wish=wish)).all()


def test_quick_verdicts_choose_on_rows_that_the_verdict_is_not_taken_on(people, tmp_path, monkeypatch):
    seen = {}

    def judge(table, columns, split, tell):
        seen["split"], seen["judge"] = split, judge_of(table, columns, split, tell)
        return seen["judge"]

    monkeypatch.setattr(table_jobs, "judge_of", judge)
    train(people, tmp_path / "run")
    assert len(seen["judge"].quick_rows) == len(seen["split"].validation) == 40
    assert seen["judge"].held_out.height == len(seen["split"].held_out) == 80
    assert json.loads((tmp_path / "run" / "run.json").read_text())["found"]["validation"] == 40


def test_the_best_state_becomes_the_model_where_it_is_clearly_better(people, tmp_path, monkeypatch):
    """The state after 4 of 12 steps is best, and so it is on new rows."""

    def quick(self, model, seed, share):
        return {"two_sample": 0.5 if model.about["step"] == 4 else 0.9, "shapes": 1.0}

    monkeypatch.setattr(TableJudge, "quick", quick)
    assert train(people, tmp_path / "small").about["step"] == 12  # 40 rows of validation can't tell
    monkeypatch.setattr(table_jobs, "ENOUGH", 40)
    told = []
    model = train(people, tmp_path / "run", tell=told.append)
    assert model.about["step"] == rivals.load(tmp_path / "run").about["step"] == 4
    assert any("the best is taken" in entry.get("words", "") for entry in told)
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["best"]["clearly_better"]


def test_a_run_can_end_where_the_two_sample_test_gets_no_better(people, tmp_path, monkeypatch):
    monkeypatch.setattr(TableJudge, "quick", lambda self, model, seed, share: {"two_sample": 0.8, "shapes": 1.0})
    told = []
    train(people, tmp_path / "run", steps=48, until="plateau", tell=told.append)
    assert rivals.load(tmp_path / "run").about["step"] < 48
    assert any("between 0.8 and 0.8" in entry.get("words", "") for entry in told)


def test_shares_are_those_of_the_whole_table_not_of_the_rows_that_were_learned(people, tmp_path):
    model = train(people, tmp_path / "run")
    segment = next(each for each in model.modality.encoders.layout.softmaxes if each.column == "job")
    places = slice(segment.start, segment.start + segment.width)
    values = torch.cat([*made(model, 2**15, seed=1)])  # other noise than that the shares were put right on
    found = log_softmax_segments(values, model.modality.encoders.layout)[:, places].exp().mean(0)
    jobs, names = pl.read_csv(people)["job"], next(c for c in model.modality.columns if c.name == "job").categories
    whole, learned = (
        torch.tensor([float((rows == name).mean()) for name in names], dtype=torch.float32)
        for rows in (jobs, jobs[parts(len(jobs)).train.numpy()])
    )
    assert float((learned - whole).abs().max()) > 0.008
    torch.testing.assert_close(found, whole, rtol=0, atol=0.002)


def test_parts_are_the_same_every_time_and_apart():
    found = parts(1000)
    assert [len(part) for part in found] == [700, 100, 200]
    assert torch.equal(torch.cat(found).sort().values, torch.arange(1000))
    assert torch.equal(parts(1000).held_out, found.held_out)
    assert [len(part) for part in parts(1_000_000)] == [948_000, 2_000, 50_000]
