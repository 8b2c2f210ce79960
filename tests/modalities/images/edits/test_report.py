import json
import re

import numpy as np
import pytest
import torch

from rivals.modalities import write_report
from rivals.modalities.images.edits.pages import Shown, write_pictures
from rivals.modalities.images.edits.report import write_verdict

HOSTILE = "<script>alert(1)</script>\u202e'\"&"
VERDICT = {
    "scores": {"perceptual": 0.2, "psnr": 25.0, "ssim": 0.8, "fd": 10.0, "fd_share": 3.0},
    "intervals": {"psnr": [24.0, 26.0]},
    "floor": {},
    "baselines": {
        "bicubic": {
            "scores": {"perceptual": 0.4, "psnr": 26.0, "ssim": 0.7},
            "intervals": {},
            "ahead": {"psnr": [-1.0, -1.5, -0.5]},
        },
        HOSTILE: {"scores": {"perceptual": 0.5}},
    },
    "beside": {HOSTILE: {"scores": {"perceptual": 0.1, "psnr": 24.0}, "ahead": {"psnr": [1.0, 0.5, 1.5]}}, "b": 3},
    "guards": {"change": 0.5, "colour_drift": 1.0, "sharpness": 0.7},
    "directions": {"back": {"scores": {"fd": 5.0}, "baselines": {"nothing done": {"scores": {"fd": 4.0}}}}},
    "notes": [HOSTILE],
    "protocol": {"damage": HOSTILE, "extractor": "random", "held_out": 5},
    "card": {"fakes": HOSTILE, "data": HOSTILE, "interval": "over pictures", "extractor": "random"},
    "step": 100,
    "seconds": 60.0,
}


def run(tmp_path, verdict=VERDICT):
    folder = tmp_path / "run"
    folder.mkdir()
    files = {
        "run": {"source": HOSTILE, "found": {"count": 20, "source": HOSTILE, "notes": [HOSTILE]}},
        "recipe": {"modality": "edits", "method": "plain", "optimizer": {"lr": 1e-4}},
        "modality": {"name": "edits", "task": HOSTILE, "scale": 4},
        "verdict": verdict,
    }
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    line = {"kind": "verdict", "step": 5, "scores": {"perceptual": 0.3, "psnr": 20, "change": 0.01}}
    (folder / "log.jsonl").write_text((json.dumps(line) + "\n") * 3)
    return folder


def shown(count=5, side=256):
    noise = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (count, 3, 1, 3, side, side))).float()
    return tuple(Shown(*each) for each in noise)


def checked(path):
    page = path.read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "\u202e" not in page
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert all(each.startswith(("data:", "#", "https://arxiv.org")) for each in sources)
    assert len(page) < 6 * 2**20
    return page


def test_a_runs_page_shows_pictures_baselines_and_what_went_wrong(tmp_path):
    folder = run(tmp_path)
    write_pictures(folder, {"edit": shown(), "back": shown(1, 32)})
    page = checked(write_report(folder))
    assert page.count('class="versus"') == 6
    assert "bicubic" in page
    assert "Beside others" in page
    assert "not told apart" not in page
    assert "worse in perceptual distance" in page
    assert "PSNR (25 dB, bicubic 26" in page.replace("\u00a0", " ")
    assert "It changes next to nothing" in page
    assert "The way back" in page
    assert "Zhao et al., 2017" in page


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"scores": {"psnr": "x"}, "baselines": [], "guards": 3, "directions": {"back": 1}},
        {"scores": {"psnr": 1.0}, "baselines": {"a": 1, "b": {"scores": {"psnr": None}, "ahead": {"psnr": "no"}}}},
        {"scores": {"psnr": 1.0}, "baselines": {"b": {"scores": {"psnr": 2}, "ahead": {"psnr": [0, "a", None]}}}},
        {"scores": {"psnr": 1e300, "perceptual": None}, "intervals": {"psnr": [1]}, "card": []},
    ],
)
def test_a_broken_verdict_breaks_no_page(tmp_path, broken):
    checked(write_report(run(tmp_path, broken)))


def test_a_folder_with_nothing_else_has_a_page(tmp_path):
    folder = run(tmp_path)
    for name in ("verdict.json", "log.jsonl", "modality.json"):
        (folder / name).unlink()
    page = checked(write_report(folder))
    assert "There is no verdict yet" in page


def test_the_page_of_a_verdict_stands_alone(tmp_path):
    page = checked(write_verdict(tmp_path / "new" / "page.html", VERDICT, {"edit": shown(2), "back": ()}))
    assert page.count('class="versus"') == 2
    assert list(tmp_path.glob("new/*")) == [tmp_path / "new" / "page.html"]
