from html.parser import HTMLParser

from PIL import Image

from rivals.judging.page import document
from rivals.judging.page_style import SCRIPT, STYLE
from rivals.judging.sliders import sliders


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, name):
        return [attributes for tag, attributes in self.found if tag == name]


def pictures(folder, *parts, kind="edit", number=1):
    for part in parts:
        Image.new("RGB", (16, 16), (90, 20, 30)).save(folder / f"{kind}-{number}-{part}.png")


def test_a_slider_has_both_pictures_a_range_and_words_for_those_who_see_neither(tmp_path):
    pictures(tmp_path, "given", "made", "true")
    pictures(tmp_path, "given", "made", number=2)
    page = Elements(sliders(tmp_path, "edit", "a <b>cat</b>"))
    assert len(page.all("figure")) == 2
    assert len(page.all("img")) == 5
    assert all(image["alt"].startswith("Picture") and image["src"].startswith("data:") for image in page.all("img"))
    assert page.all("b") == []
    ranges = page.all("input")
    assert [each["type"] for each in ranges] == ["range", "range"]
    assert all(each["aria-label"] for each in ranges)
    assert not any({"style", "onclick", "oninput"} & set(attributes) for _, attributes in page.found)


def test_the_script_and_the_style_know_the_slider_and_load_nothing():
    assert 'querySelectorAll(".pair")' in SCRIPT
    assert ".pair.live" in STYLE
    assert "http" not in SCRIPT + STYLE
    page = document("t", "", "1").decode()
    assert SCRIPT in page
    assert "default-src 'none'" in page


def test_what_is_missing_or_damaged_is_said_and_the_rest_is_shown(tmp_path):
    assert sliders(tmp_path, "edit", "x") == ""
    pictures(tmp_path, "given", "made", "true")
    (tmp_path / "edit-1-true.png").write_bytes(b"no picture")
    page = sliders(tmp_path, "edit", "x")
    assert "can&#x27;t be shown" in page
    assert len(Elements(page).all("img")) == 2
    (tmp_path / "edit-1-made.png").unlink()
    assert "can&#x27;t be shown" in sliders(tmp_path, "edit", "x")


def test_large_pictures_are_embedded_small(tmp_path):
    for part in ("given", "made", "true"):
        Image.effect_noise((512, 512), 90).convert("RGB").save(tmp_path / f"edit-1-{part}.png")
    assert len(sliders(tmp_path, "edit", "x")) < 3 * 2**19
