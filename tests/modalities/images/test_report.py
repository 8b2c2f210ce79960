import base64
import io
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from PIL import Image

from rivals import __version__
from rivals.judging.page import SCRIPT, STYLE, checksum, embed
from rivals.judging.record import read_record
from rivals.judging.tables import flat
from rivals.judging.wording import copying_words, verdict_words
from rivals.modalities.images.report import write_report

VOID = {"meta", "img", "input", "source", "link", "br", "hr"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00\u202e'
FILES = ("run.json", "recipe.json", "modality.json", "log.jsonl", "verdict.json", "samples", "pictures")


class Page(HTMLParser):
    """What a page holds; fails on tags that don't balance."""

    def __init__(self, text):
        super().__init__()
        self.open_tags, self.tags, self.words, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open_tags == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if not self.open_tags or self.open_tags[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def picture(size=(40, 40), colour=128, mode="L", kind="PNG", frames=1):
    file = io.BytesIO()
    made = [Image.new(mode, size, colour + 20 * n if mode == "L" else colour) for n in range(frames)]
    more = {"save_all": True, "append_images": made[1:], "duration": 80} if frames > 1 else {}
    made[0].save(file, kind, **more)
    return file.getvalue()


def log_lines():
    for step in range(1, 1001, 25):
        yield {
            "kind": "round", "step": step, "progress": step / 1000, "seconds": step / 10, "rate": 300.0,
            "losses": {"critic/adversarial": 0.7, "critic/r1": 0.1, "generator/adversarial": 0.9 + step / 5000},
            "accuracy": {"real": 80.0, "fake": 85.0, "held_out": 78.0},
        }  # fmt: skip
    for step in (200, 600, 1000):
        yield {"kind": "verdict", "step": step, "best": True,
               "scores": {"fd": 2000 / step, "fd_share": 9000 / step, "agreement": 90 + step / 200}}  # fmt: skip
    yield {"kind": "event", "step": 300, "words": "losses were not finite; went back to step 250"}


def values(source="digits", classes=("0", "1")):
    found = {
        "source": source, "kind": "folder", "count": 5000, "sizes": {"28x28": 4990, "30x28": 10}, "modes": {"L": 5000},
        "classes": dict.fromkeys(classes, 2500), "skipped": {"damaged": 3}, "examples": {"damaged": "'a/b.png'"},
        "duplicates": 4, "median_width": 28, "median_height": 28, "notes": ["2 animated files: first frame taken"],
    }  # fmt: skip
    return {
        "run.json": {"format": 1, "rivals": "0.1.0", "source": source, "data_sha256": "ab12", "found": found},
        "recipe.json": {"modality": "images", "method": "r3gan", "optimizer": {"lr": 0.001, "betas": [0.0, 0.99]},
                        "critic_terms": {"r1": {"start": 1.0, "stop": None}}, "minutes": None, "steps": 1000},
        "modality.json": {"name": "images", "height": 28, "width": 28, "channels": 1, "bits": 8,
                          "classes": list(classes), "counts": [2000] * len(classes)},
        "verdict.json": {
            "scores": {"fd": 1.0, "fd_share": 0.9, "agreement": 98.1}, "floor": {"fd": 0.6, "fd_share": 0.6},
            "neighbours": {"samples": 1.02, "held_out": 1.0}, "step": 1000, "seconds": 150.0,
            "protocol": {"distance": "FD[digits]: Frechet distance", "extractor": "digits-cnn", "samples": 10000,
                         "train": 4000, "held_out": 1000, "classifier": "digits-cnn, right on 99.5 %"},
            "best": {"fd": 0.9, "fd_share": 0.8, "step": 600},
        },
    }  # fmt: skip


def make_run(folder, **more):
    for name, content in values(**more).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log_lines()), encoding="utf-8")
    for place in ("samples", "pictures"):
        (folder / place).mkdir()
    for step in (100, 500, 1000):
        (folder / "samples" / f"step-{step:09d}.png").write_bytes(picture())
    for name in ("final", "neighbours"):
        (folder / "pictures" / f"{name}.png").write_bytes(picture())
    (folder / "pictures" / "interpolation.gif").write_bytes(picture(kind="GIF", frames=4))
    return folder


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def report(folder):
    path = write_report(folder)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_page_is_whole_and_says_the_verdict(run):
    page = report(run)
    assert (
        "FD 0.9 % of the variance of held-out pictures (floor 0.6 %: the distance between real and real); 98.1 % of "
        "samples are recognised as the class that was asked for; samples lie about as far from their nearest training "
        "picture as held-out pictures do (1.02×): no sign of copying." in page.text
    )
    assert "best at step 600 (FD 0.8 %)" in page.text
    assert "1,000 steps in 2 min 30 s" in page.text
    assert f"Rivals {__version__}" in page.text
    assert "went back to step 250" in page.text
    assert "optimizer.betas 0.0, 0.99" in page.text
    assert "critic_terms.r1.stop none" in page.text
    assert "rivals train digits --recipe recipe.json --steps 1000 --out" in page.text
    assert "damaged 3, such as 'a/b.png'" in page.text
    assert sum(attrs.get("role") == "img" for attrs in page.all("svg")) == 5
    assert "missing" not in page.text


def test_it_is_deterministic(run):
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_headings_ids_and_alternatives(run):
    page = report(run)
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert len(page.ids) == len(set(page.ids))
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert {attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")} <= set(page.ids)
    assert all("aria-label" in attrs for attrs in page.all("svg") if attrs.get("role") == "img")
    assert page.all("html")[0]["lang"] == "en"


def test_nothing_comes_from_elsewhere(run):
    page = report(run)
    for tag, attrs in page.tags:
        for name in {"src", "srcset"} & attrs.keys():
            assert attrs[name].startswith("data:image/")
        if "href" in attrs:
            assert tag == "a"
            assert attrs["href"].startswith(("#", "https://arxiv.org/"))
    text = (run / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|<link|<iframe|<object", text)
    policy = next(attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"<script>{SCRIPT}</script>" in text
    assert checksum(SCRIPT) in policy
    assert checksum(STYLE) in policy
    assert " style=" not in text  # the policy would refuse it


def test_last_sheet_shows_without_a_script(run):
    sheets = [attrs for attrs in report(run).all("img") if "data-when" in attrs]
    assert [attrs["data-when"] for attrs in sheets] == [
        "step 100, 10 % of training", "step 500, 50 % of training", "step 1,000, 98 % of training",
    ]  # fmt: skip
    assert ["hidden" in attrs for attrs in sheets] == [True, True, False]


def test_many_sheets_are_thinned_and_the_last_kept(run):
    for step in range(2000, 2100):
        (run / "samples" / f"step-{step:09d}.png").write_bytes(picture())
    sheets = [attrs["data-when"] for attrs in report(run).all("img") if "data-when" in attrs]
    assert len(sheets) <= 24
    assert sheets[-1].startswith("step 2,099")


def test_hostile_words_stay_words(tmp_path):
    make_run(tmp_path, source=HOSTILE, classes=(HOSTILE, "\ud800"))
    line = {"kind": "round", "step": 1001, "losses": {f"critic/{HOSTILE}": 1.0}, "accuracy": {}}
    other = {"kind": "verdict", "step": 1001, "scores": {HOSTILE: 1.0}}
    event = {"kind": "event", "step": 1, "words": HOSTILE}
    with (tmp_path / "log.jsonl").open("a") as file:
        file.writelines(json.dumps(each) + "\n" for each in (line, other, event))
    for name in ("recipe.json", "verdict.json"):
        changed = json.loads((tmp_path / name).read_text())
        changed |= {HOSTILE: HOSTILE, "method": HOSTILE}
        changed.setdefault("protocol", {})[HOSTILE] = HOSTILE
        (tmp_path / name).write_text(json.dumps(changed))
    page = report(tmp_path)
    assert len(page.all("script")) == 1
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert not any(attrs.get("src") == "x" for attrs in page.all("img"))
    assert "\x00" not in page.text
    assert "\u202e" not in page.text


@pytest.mark.parametrize("name", FILES)
def test_any_file_may_be_missing(run, name):
    path = run / name
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink()
    words = report(run).text
    expected = {
        "verdict.json": "There is no verdict yet", "samples": "no sheets of samples yet",
        "pictures": "pictures/final.png is not there.",
    }  # fmt: skip
    assert expected.get(name, f"{name} is missing") in words


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"null", b"\xff\xfe{}", b"[" * 100_000, b'{"found": 3}'])
@pytest.mark.parametrize("name", ["run.json", "recipe.json", "modality.json", "verdict.json", "log.jsonl"])
def test_any_file_may_be_damaged(run, name, content):
    (run / name).write_bytes(content)
    words = report(run).text
    if content not in (b'{"found": 3}', b"") and name != "log.jsonl":
        assert f"{name} is damaged" in words


@pytest.mark.parametrize("odd", [None, "x", [], {}, True, math.nan, math.inf, -1, 10**400, {"a": {"b": [1, {"c": 2}]}}])
def test_any_value_may_be_odd(run, odd):
    for name, content in values().items():
        for key in content:
            (run / name).write_text(json.dumps({**content, key: odd}))
            report(run)
        (run / name).write_text(json.dumps(content))
    for part, key in (("found", "classes"), ("found", "sizes"), ("found", "notes"), ("found", "count")):
        content = values()["run.json"]
        content[part][key] = odd
        (run / "run.json").write_text(json.dumps(content))
        report(run)
    with (run / "log.jsonl").open("a") as file:
        for kind in ("round", "verdict", "event"):
            for key in ("step", "scores", "losses", "accuracy", "words", "progress", "best"):
                file.write(json.dumps({"kind": kind, "step": 5, key: odd}) + "\n")
        file.write(json.dumps({"kind": odd, "step": 5}) + "\n")
    assert report(run).text


def test_empty_folder(tmp_path):
    words = report(tmp_path).text
    assert tmp_path.name in words
    assert "There is no verdict yet" in words
    assert "log.jsonl is missing." in words


def test_empty_log_and_cut_last_line(run):
    (run / "log.jsonl").write_text("")
    assert report(run).text.count("No values yet.") == 4
    (run / "log.jsonl").write_text('{"kind": "verdict", "step": 9, "scores": {"fd": 3.0}}\n{"kind": "rou')
    words = report(run).text
    assert "1 line of log.jsonl could not be read and was left out." in words
    assert "9 3" in words


def test_unfinished_run_tells_its_last_quick_verdict(run):
    (run / "verdict.json").unlink()
    assert "The last quick verdict, at step 1,000: FD 9 %." in report(run).text


def test_values_that_are_not_finite(run):
    with (run / "log.jsonl").open("a") as file:
        file.write('{"kind": "round", "step": 1002, "losses": {"critic/adversarial": NaN, "critic/r1": Infinity}}\n')
        file.write('{"kind": "verdict", "step": 1002, "scores": {"fd": NaN, "fd_share": NaN, "agreement": 1.0}}\n')
    page = report(run)
    assert "Not drawn: 2 values that were not finite." in page.text
    assert not any("nan" in attrs.get("d", "") or "inf" in attrs.get("d", "") for attrs in page.all("path"))


def test_log_is_thinned(run):
    with (run / "log.jsonl").open("w") as file:
        for step in range(20_000):
            losses = {"critic/adversarial": math.sin(step)}
            file.write(json.dumps({"kind": "round", "step": step, "losses": losses}) + "\n")
    assert max(attrs.get("d", "").count("L") for attrs in report(run).all("path")) <= 400


def test_damaged_pictures_are_told(run):
    (run / "pictures" / "final.png").write_bytes(picture((400, 400))[:90])
    (run / "pictures" / "neighbours.png").write_bytes(b"no picture")
    (run / "samples" / "step-000000100.png").write_bytes(b"")
    (run / "samples" / "step-²x.png").write_bytes(picture())
    words = report(run).text
    for name in ("pictures/final.png", "pictures/neighbours.png", "samples/step-000000100.png"):
        assert f"{name} can't be shown" in words


def test_title_is_the_name_of_the_source(tmp_path):
    make_run(tmp_path, source="/somewhere/private/cats.zip")
    text = report(tmp_path).text
    assert text.startswith("cats.zip, r3gan – Rivals cats.zip r3gan")


def test_large_pictures_are_reduced(tmp_path):
    noise = Image.effect_noise((2000, 1000), 90)
    for mode, kind in (("RGB", "image/jpeg"), ("LA", "image/png")):
        noise.convert(mode).save(tmp_path / "large.png")
        found = embed(tmp_path / "large.png", most=10_000, wide=300)
        assert (found.width, found.height, found.reduced) == (300, 150, True)
        assert found.uri.startswith(f"data:{kind};base64,")
        assert "Reduced to 300" in found.told
    frames = [Image.effect_noise((600, 60), 90) for _ in range(3)]
    frames[0].save(tmp_path / "walk.gif", save_all=True, append_images=frames[1:])
    found = embed(tmp_path / "walk.gif", most=10_000, wide=200)
    with Image.open(io.BytesIO(base64.b64decode(found.uri.partition(",")[2]))) as image:
        assert (image.size, image.n_frames) == ((200, 20), 3)
    assert found.still


def test_moving_picture_has_a_still_for_less_motion(run):
    source = report(run).all("source")[0]
    assert "prefers-reduced-motion" in source["media"]
    assert source["srcset"].startswith("data:image/")


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(0.5, "a sign of copying"), (0.79, "closer"), (0.8, "no sign"), (1.25, "no sign"), (2.0, "not yet")],
)
def test_copying_words(ratio, words):
    assert words in copying_words(ratio)
    assert ("no sign of copying" in copying_words(ratio)) == (ratio >= 0.8)


def test_verdict_words_say_only_what_is_known():
    assert verdict_words({"scores": {"fd": 12.0}}) == "FD 12 to held-out pictures."
    assert "agree" not in verdict_words({"scores": {"fd_share": 1.0}})
    assert "copying" not in verdict_words({"scores": {"fd": 1.0}, "neighbours": {"samples": 1.0, "held_out": 0.0}})


def test_flat_stops_at_a_depth():
    deep = {}
    for _ in range(50):
        deep = {"a": deep, "b": 1}
    assert all(name.count(".") <= 8 for name, _ in flat(deep))


def test_steps_of_the_log_are_put_in_order(run):
    steps = [line["step"] for line in read_record(run).log["round"]]
    assert steps == sorted(steps)
