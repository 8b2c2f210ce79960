import json
import os
import re
import signal
import subprocess
import sys

import pytest
import typer
from rich.console import Console

from rivals import cli


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def rivals(monkeypatch, capsys, quick_judge):
    """Runs a command line in this process; gives exit code, output and errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["rivals", *map(str, words)])
        try:
            cli.main()
            code = 0
        except SystemExit as done:
            code = done.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def run_folder(make_pictures, rivals, tmp_path):
    data = make_pictures(classes=("cat", "dog"))
    code, _, err = rivals(
        "train", data, "--steps", 2, "--out", tmp_path / "run", "--device", "cpu", "--loggers", "none"
    )
    assert (code, err) == (0, "")
    return tmp_path / "run"


def test_help_names_every_verb_and_an_example(rivals):
    code, out, _ = rivals("--help")
    assert code == 0
    for verb in ("train", "sample", "judge", "compare", "recipes", "report", "rivals train digits --minutes 3"):
        assert verb in out


@pytest.mark.parametrize("verb", ["train", "sample", "judge", "compare", "recipes", "report"])
def test_help_of_a_verb_shows_examples(verb, rivals):
    code, out, _ = rivals(verb, "--help")
    assert code == 0
    assert "Example" in out
    assert f"rivals {verb} " in out.split("Example", 1)[1]


def test_every_default_in_words_is_shown_and_nothing_of_a_help_text_is_taken_for_markup(rivals):
    shown = []
    for verb, command in typer.main.get_command(cli.app).commands.items():
        out = " ".join(rivals(verb, "--help")[1].split())
        for parameter in command.params:
            default = getattr(parameter, "show_default", None)
            words = [f"[default: ({default})]"] if isinstance(default, str) else []
            for told in [*words, *(re.findall(r"\[.*?\]", parameter.help or "") if parameter.help else [])]:
                assert told in out, (verb, parameter.name)
            shown += words
    assert "[default: (r3gan)]" in shown
    assert len(shown) >= 10


def test_version_is_told(rivals):
    from rivals import __version__

    assert rivals("--version") == (0, f"rivals {__version__}\n", "")


def test_a_run_tells_what_it_found_chose_and_got(make_pictures, rivals, tmp_path):
    code, out, err = rivals(
        "train", make_pictures(), "--steps", 2, "--out", tmp_path / "run", "--device", "cpu", "--set", "batch=8"
    )
    assert (code, err) == (0, "")
    for words in ("Found 24 pictures", "Chosen r3gan at 8x8", "Takes about", "Done FD", "report.html"):
        assert words in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "nowhere/"], "nothing at 'nowhere/'"),
        (["train", "DATA", "--method", "wgann"], "no method 'wgann': did you mean"),
        (["train", "DATA", "--set", "optimizer"], "does not read as NAME=VALUE"),
        (["train", "DATA", "--set", "=3"], "does not read as NAME=VALUE"),
        (["train", "DATA", "--set", "optimiser.lr=1"], "did you mean 'optimizer'"),
        (["train", "DATA", "--set", "batch=many"], "a whole number was expected"),
        (["train", "DATA", "--recipe", "nowhere.json"], "can't be read as a recipe"),
        (["train", "DATA", "--steps", "0"], "steps must be a number above zero"),
        (["train", "DATA", "--steps", "1", "--loggers", "paper"], "no logger 'paper'"),
        (["train", "DATA", "--steps", "1", "--until", "beauty>1"], "no score 'beauty'"),
        (["train", "DATA", "--steps", "1", "--features", "x"], "no feature space 'x'"),
        (["sample", "nowhere"], "there is no run at nowhere"),
        (["judge", "nowhere"], "there is no run at nowhere"),
        (["report", "nowhere"], "there is no run at nowhere"),
        (["recipes", "wgann"], "no method 'wgann': did you mean"),
    ],
)
def test_a_request_that_cannot_be_served_is_one_line_and_code_two(
    words, told, rivals, make_pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    data = make_pictures()
    more = ["--out", "run", "--device", "cpu"] if words[0] == "train" else []
    code, _, err = rivals(*[data if word == "DATA" else word for word in words], *more)
    assert code == 2
    assert told in err
    assert err.startswith("rivals: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["train"], ["train", "x", "--steps", "many"], ["fly"], ["train", "x", "--device", "tpu"]]
)
def test_a_command_that_does_not_read_is_code_two_without_a_traceback(words, rivals):
    code, _, err = rivals(*words)
    assert code == 2
    assert "Traceback" not in err


def test_a_recipe_file_with_an_unknown_key_is_refused_with_the_nearest(rivals, run_folder, make_pictures, tmp_path):
    values = json.loads((run_folder / "recipe.json").read_text())
    values["critic_step"] = 3
    (tmp_path / "mine.json").write_text(json.dumps(values))
    code, _, err = rivals("train", make_pictures(), "--recipe", tmp_path / "mine.json", "--out", tmp_path / "b")
    assert code == 2
    assert "mine.json: no setting 'critic_step'; did you mean 'critic_steps'" in err


def test_a_failed_run_is_code_one_with_a_diagnosis(rivals, make_pictures, tmp_path, monkeypatch):
    from rivals.engine import build

    real = build.adversarial
    monkeypatch.setattr(
        build, "adversarial", lambda loss: (lambda r: r.on_fake.logits[0].sum() * float("nan"), real(loss)[1])
    )
    code, out, err = rivals("train", make_pictures(), "--steps", 3, "--out", tmp_path / "run", "--device", "cpu")
    assert code == 1
    assert err.startswith("rivals: stopped: losses were not finite 3 times")
    assert err.count("\n") == 1
    assert "halved both learning rates" in out


def test_an_interrupted_run_is_code_130_and_goes_on(rivals, make_pictures, tmp_path, monkeypatch):
    from rivals.display import Display

    data, real = make_pictures(), Display.verdict
    monkeypatch.setattr(Display, "verdict", lambda self, entry: signal.raise_signal(signal.SIGINT))
    words = ["train", data, "--steps", 6, "--out", tmp_path / "run", "--device", "cpu", "--loggers", "none"]
    code, _, err = rivals(*words)
    assert code == 130
    assert "--resume goes on" in err
    assert err.count("\n") == 1
    monkeypatch.setattr(Display, "verdict", real)
    assert rivals(*words, "--resume")[0] == 0


def test_the_way_of_the_quality_goes_on_where_a_run_goes_on(make_pictures, train, tmp_path, log_of):
    from rivals.display import Display

    data, out = make_pictures(), tmp_path / "run"
    whole, first, second = (Display(Console(quiet=True)) for _ in range(3))
    train(data, out, steps=6, tell=first)
    train(data, out, steps=12, resume=True, tell=second)
    assert len(first.curve) == 6
    assert second.curve[:6] == first.curve
    for line in log_of(out):
        whole(line)
    assert second.curve == whole.curve
    assert second.quality == whole.quality
    assert [line["step"] for line in log_of(out) if line["kind"] == "verdict"][:6] == [1, 2, 3, 4, 5, 6]


def test_samples_are_files_and_nothing_is_overwritten(rivals, run_folder, tmp_path):
    code, out, _ = rivals("sample", run_folder, "--count", 5, "--seed", 3, "--out", tmp_path / "s")
    assert (code, out.strip()) == (0, str(tmp_path / "s"))
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [f"000{n}.png" for n in range(5)]
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    code, _, err = rivals("sample", run_folder, "--count", 5, "--seed", 4, "--out", tmp_path / "s")
    assert code == 2
    assert "give another --out" in err
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before
    rivals("sample", run_folder, "--count", 5, "--seed", 3, "--out", tmp_path / "t")
    assert {path.name: path.read_bytes() for path in (tmp_path / "t").iterdir()} == before


def test_a_wish_is_a_class_and_another_is_refused(rivals, run_folder, tmp_path):
    assert rivals("sample", run_folder, "--wish", "dog", "--count", 2, "--out", tmp_path / "d")[0] == 0
    assert rivals("sample", run_folder, "--wish", "dog,cat", "--count", 2, "--out", tmp_path / "b")[0] == 0
    code, _, err = rivals("sample", run_folder, "--wish", "dig", "--out", tmp_path / "x")
    assert code == 2
    assert "no class 'dig': did you mean 'dog'" in err
    assert not (tmp_path / "x").exists(), "a refused wish leaves nothing behind"


@pytest.mark.parametrize(
    ("flag", "name", "magic"),
    [("--grid", "a.png", b"\x89PNG"), ("--interpolate", "a.gif", b"GIF8"), ("--interpolate", "a.mp4", b"ftyp")],
)
def test_a_sheet_and_a_walk_are_one_file_each(flag, name, magic, rivals, run_folder, tmp_path):
    if name.endswith("mp4"):
        pytest.importorskip("av")
    code, _, err = rivals("sample", run_folder, flag, "--count", 6, "--out", tmp_path / name)
    assert (code, err) == (0, "")
    content = (tmp_path / name).read_bytes()
    assert magic in content[:12]
    code, _, err = rivals("sample", run_folder, flag, "--count", 6, "--out", tmp_path / name)
    assert code == 2
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("flag", ["--grid", "--interpolate"])
def test_nothing_is_overwritten_where_no_place_was_given_either(flag, rivals, run_folder):
    assert rivals("sample", run_folder, flag, "--count", 6)[0] == 0
    before = {path: path.read_bytes() for path in [*run_folder.glob("*.png"), *run_folder.glob("*.gif")]}
    assert len(before) == 1
    rivals("sample", run_folder, flag, "--count", 9)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--grid", "--interpolate"], "one at a time"),
        (["--grid", "--out", "a.jpg"], "should end in .png"),
        (["--interpolate", "--out", "a.avi"], "should end in .gif or .mp4"),
    ],
)
def test_a_sample_that_cannot_be_written_is_refused(words, told, rivals, run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = rivals("sample", run_folder, *words)
    assert code == 2
    assert told in err


def test_a_verdict_is_words_or_json(rivals, run_folder):
    code, out, _ = rivals("judge", run_folder)
    assert code == 0
    assert "real against real" in out
    code, out, _ = rivals("judge", run_folder, "--json")
    assert code == 0
    assert json.loads(out)["scores"]["fd"] == pytest.approx(
        json.loads((run_folder / "verdict.json").read_text())["scores"]["fd"]
    )


def test_the_report_is_written_again(rivals, run_folder):
    (run_folder / "report.html").unlink()
    code, out, _ = rivals("report", run_folder)
    assert (code, out.strip()) == (0, str(run_folder / "report.html"))
    assert (run_folder / "report.html").stat().st_size > 1000


def test_recipes_lists_every_method_with_its_paper_and_one_in_full(rivals):
    from rivals.engine.methods import METHODS

    code, out, _ = rivals("recipes")
    assert code == 0
    for name, method in METHODS.items():
        assert name in out
        assert method.paper in out
    code, out, _ = rivals("recipes", "wgan-gp")
    assert code == 0
    for words in ("arxiv.org/abs/1704.00028", "gradient_penalty x 10", "critic steps", "lr 0.0001"):
        assert words in out


def test_help_needs_no_torch():
    code = "import sys; from rivals.cli import app; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_reader_that_goes_away_is_no_traceback():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "rivals", "recipes"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert "Traceback" not in done.stderr
