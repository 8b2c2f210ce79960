import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rivals.judging.verdict_page import score_rows, write_verdict_page

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00\u202e'
VERDICT = {
    "scores": {"fd": 0.9, "fd_share": 2.3, "kid": 0.01, "precision": 0.7, "recall": 0.4, "agreement": 96.0},
    "intervals": {"fd_share": [2.1, 2.5]},
    "floor": {"fd": 0.3, "fd_share": 0.8, "precision": 0.9, "recall": 0.9},
    "classes": {"cat": {"real": 60.0, "fakes": 55.0, "fd": 1.0}, "dog": {"real": 40.0, "fakes": 45.0}},
    "neighbours": {"samples": 1.0, "held_out": 1.1},
    "memorisation": {"share": 0.05, "low": 0.03, "high": 0.08, "looked_at": 1000, "false_alarms": [0, 250], "ct": -2.0},
    "notes": ["a note"],
    "protocol": {"floor": "the same distance between 400 training and 100 held-out pictures", "classifier": "a probe"},
    "card": {"fakes": "runs/x", "data": "photos/", "extractor": "digits-cnn64", "data_sha256": "ab" * 32, "seed": 1},
}
CLOUDS = {"fake": [[0.0, 1.0], [1.0, 0.0]], "real": [[0.5, 0.5], [0.0, 0.0]], "share": [0.3, 0.2]}


def png():
    file = io.BytesIO()
    Image.new("RGB", (20, 10), (200, 10, 10)).save(file, "PNG")
    return file.getvalue()


def page(tmp_path, verdict, clouds=CLOUDS, pictures=("samples", "copies", "best", "worst")):
    path = tmp_path / "deep" / "page.html"
    assert write_verdict_page(path, verdict, {name: png() for name in pictures}, clouds) == path
    return path.read_text(encoding="utf-8")


def test_the_page_has_every_part_and_says_the_verdict_in_words(tmp_path):
    told = page(tmp_path, VERDICT)
    for part in ("verdict", "scores", "samples", "neighbours", "ends", "clouds", "classes", "card"):
        assert f'<section id="{part}"' in told
        assert f'href="#{part}"' in told
    plain = re.sub(r"<[^>]+>", "", told).replace("\N{NO-BREAK SPACE}", " ")
    assert "FD[digits-cnn64] is 2.3 % of the real pictures' variance (2.1 to 2.5); 2.87 × the floor" in plain.replace(
        "&#x27;", "'"
    )
    assert "5 % of the fakes are close to copies" in plain
    assert "0 of 250" in plain
    assert "a note" in plain
    assert told.count("<img") == 4


def test_what_is_missing_leaves_its_section_out(tmp_path):
    told = page(tmp_path, {"scores": {"fd": 1.0}}, {}, ())
    assert '<section id="verdict"' in told
    for part in ("samples", "neighbours", "ends", "clouds", "classes", "card"):
        assert f'<section id="{part}"' not in told


def test_nothing_in_a_verdict_becomes_code(tmp_path):
    def spoiled(found):
        if isinstance(found, dict):
            return {HOSTILE: "x", **{key: spoiled(each) for key, each in found.items()}}
        return (
            [spoiled(each) for each in found]
            if isinstance(found, list)
            else HOSTILE
            if isinstance(found, str)
            else found
        )

    told = page(tmp_path, spoiled(VERDICT))
    assert "<script>alert" not in told
    assert "onerror=alert(2)>" not in told


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["fd", "share", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(part=st.sampled_from(sorted(VERDICT)), value=JSON, cloud=JSON)
def test_no_value_of_any_part_makes_the_page_fail(part, value, cloud, tmp_path_factory):
    broken = json.loads(json.dumps({**VERDICT, part: value}, allow_nan=True))
    write_verdict_page(
        tmp_path_factory.mktemp("page") / "p.html", broken, {}, {**CLOUDS, "fake": cloud, "share": cloud}
    )


@pytest.mark.parametrize(("extractor", "name"), [("inception-2015-12-05", "FID"), ("random", "FD[random]")])
def test_rows_are_named_by_their_space(extractor, name):
    rows = {row[0]: row for row in score_rows({**VERDICT, "card": {"extractor": extractor}})}
    assert rows[name][1] == "0.9"
    assert rows[f"{name} in % of the real variance"][2:4] == ("2.1 to 2.5", "0.8 %")
