import math
import re
from html.parser import HTMLParser

import pytest

from rivals.judging import charts
from rivals.judging.charts import Axis, Series, axis_for, chart, nice, path, smooth, summary, thin, ticks
from rivals.judging.page import number, text

NAN, INF = math.nan, math.inf


def drawn(*series, **more):
    return chart("Title", list(series), unit="%", reading="Higher is better.", **more)


def coordinates(svg):
    return [float(found) for found in re.findall(r"(?<=[ MLHxy\"])-?\d+\.\d(?=[ hHLM\"])", svg)]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (15000.0, "15k"), (10000.0, "10k"), (2.5e6, "2.5M"), (-0.25, "−0.25"), (3e9, "3G"), (1e20, "1e+20")],
)
def test_short(value, words):
    assert charts.short(value) == words


def test_text_makes_anything_safe_and_encodable():
    assert text("<a b=\"'&\x00\ud800\u202e>") == "&lt;a b=&quot;&#x27;&amp;���&gt;"
    text("é 数字 \U0001f600").encode()
    assert text("a\tb\nc") == "a\tb\nc"


def test_number():
    assert [number(value) for value in (NAN, INF, -INF, 0.0005, 99.96, 1234567.0)] == [
        "not a number", "∞", "−∞", "0.0005", "100", "1,234,567",
    ]  # fmt: skip


@pytest.mark.parametrize("span", [1e-9, 0.7, 3.0, 42.0, 99.0, 1e12])
def test_nice_steps_give_about_five_ticks(span):
    found = ticks(Axis(0.0, span, 0.0, 1.0))
    assert 3 <= len(found) <= 9
    assert found == sorted(found)
    step = nice(span)
    assert f"{step:.0e}"[0] in "125"


@pytest.mark.parametrize(("low", "high"), [(0.5, 20.0), (1e-6, 1e6), (1.0, 12.0), (3e-3, 4e-2)])
def test_log_ticks_are_within_and_few(low, high):
    axis = axis_for([low, high], 0.0, 100.0, log=True)
    found = ticks(axis)
    assert 2 <= len(found) <= 7
    assert all(0 <= axis.place(value) <= 100 for value in found)


def test_place_on_both_kinds_of_axis():
    assert Axis(0.0, 10.0, 100.0, 0.0).place(2.5) == 75
    assert Axis(1.0, 10_000.0, 0.0, 4.0, log=True).place(100.0) == pytest.approx(2)


@pytest.mark.parametrize("values", [[5.0], [0.0], [-3.0, -3.0], [1e20, 1e20 + 16384], [1e-320, 2e-320], [-1e29, 1e29]])
def test_axis_has_room_whatever_the_values(values):
    axis = axis_for(values, 0.0, 100.0)
    assert axis.low < axis.high
    assert all(-1e-6 <= axis.place(value) <= 100 + 1e-6 for value in values)
    assert len(ticks(axis)) < 20


def test_thin_keeps_ends_peaks_and_gaps():
    points = [(float(step), math.sin(step)) for step in range(10_000)]
    points[5_000], points[7_000] = (5_000.0, 99.0), (7_000.0, NAN)
    kept = thin(points)
    assert len(kept) <= 400
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert (5_000.0, 99.0) in kept
    assert any(math.isnan(value) for _, value in kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)
    assert thin(points[:400]) == points[:400]


def test_smooth_is_the_running_mean_and_passes_over_gaps():
    assert smooth([(0.0, 1.0), (1.0, NAN), (2.0, 3.0), (3.0, 8.0)]) == [(0.0, 2.0), (2.0, 4.0), (3.0, 5.5)]
    flat = [(float(step), 7.0) for step in range(200)]
    assert smooth(flat) == flat
    assert smooth([]) == []


def test_path_breaks_at_what_can_not_be_drawn():
    axis = Axis(0.0, 10.0, 0.0, 10.0)
    assert path([(0, 1), (1, 2), (2, NAN), (3, 4), (4, INF)], axis, axis) == "M0.0 1.0h0L1.0 2.0M3.0 4.0h0"


def test_chart_of_one_point():
    svg = drawn(Series("fd", [(100.0, 3.0)]))
    assert svg.count("<circle") == 1
    assert "<title>step 100\nfd: 3</title>" in svg


@pytest.mark.parametrize("points", [[], [(1.0, NAN)], [(1.0, INF), (2.0, -INF), (3.0, 1e31)]])
def test_chart_of_nothing_says_so(points):
    assert "No values yet" in drawn(Series("fd", points))
    assert "No values yet" in chart("Title", [], unit="", reading="")


def test_chart_leaves_out_and_counts_what_is_not_finite():
    svg = drawn(Series("fd", [(1.0, 1.0), (2.0, NAN), (3.0, INF), (4.0, 2.0)]))
    assert "2 values that were not finite" in svg
    assert "nan" not in svg.lower().replace("not a number", "")
    assert "inf" not in svg.lower()


def test_everything_lies_within_the_drawing():
    series = [Series(str(n), [(float(step), 30 + n + 20 * math.sin(step)) for step in range(2_000)]) for n in range(5)]
    found = coordinates(drawn(*series))
    assert len(found) > 2_000
    assert all(-1 <= each <= charts.WIDTH + 1 for each in found)


def test_fd_over_more_than_ten_times_is_logarithmic_and_else_not():
    wide, narrow = [(1.0, 50.0), (2.0, 1.0)], [(1.0, 5.0), (2.0, 1.0)]
    assert "logarithmic" in drawn(Series("fd", wide), log=True)
    assert "logarithmic" not in drawn(Series("fd", narrow), log=True)
    assert "logarithmic" not in drawn(Series("fd", [(1.0, 50.0), (2.0, 0.0)]), log=True)
    assert "logarithmic" in drawn(Series("fd", narrow), log=True, level=Series("floor", [(0.0, 0.3)]))


def test_a_level_that_is_no_number_is_not_drawn():
    svg = drawn(Series("fd", [(1.0, 5.0), (2.0, 1.0)]), level=Series("floor", [(0.0, NAN)]))
    assert 'd="M54 nan' not in svg


def test_legend_summary_and_tips_escape_names():
    svg = drawn(Series("<script>&", [(1.0, 1.0), (2.0, 3.0)]))
    assert "<script>" not in svg
    assert "&lt;script&gt;&amp;" in svg
    assert summary(Series("fd", [(1.0, 4.0), (2.0, 3.0)]), "%") == (
        "fd: from 4 at step 1 to 3 at step 2, between 3 and 4 (%)."
    )


def test_chart_is_well_formed():
    class Check(HTMLParser):
        open_tags: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag, attrs):
            self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    check = Check()
    check.feed(drawn(Series("a", [(float(step), step % 7) for step in range(1_000)]), span=(0, 100)))
    assert check.open_tags == []


def test_lines_beside_a_curve_are_drawn_thin_within_the_axes_and_not_in_the_legend():
    svg = drawn(Series("mean", [(1.0, 5.0), (2.0, 4.0)], [[(1.0, 1.0), (2.0, 9.0)], [(4.0, 2.0)]]))
    assert svg.count('class="beside"') == 2
    assert svg.count("<li>") == 1
    found = coordinates(svg)
    assert all(-1 <= each <= charts.WIDTH + 1 for each in found)
    assert f"{charts.RIGHT}.0 " in svg, "the last of all points, one beside, is at the right end"
    assert "1 value that were not finite" in drawn(Series("mean", [(1.0, 5.0)], [[(1.0, NAN)]]))


def test_what_the_points_lie_along_is_named():
    svg = drawn(Series("fd", [(10.0, 5.0), (20.0, 4.0)]), along="second")
    assert ">seconds</text>" in svg
    assert "<title>second 10\nfd: 5</title>" in svg
    assert "from 5 at second 10 to 4 at second 20" in svg


def test_tips_say_the_nearest_value_of_each_curve():
    svg = drawn(Series("a", [(0.0, 1.0), (100.0, 2.0)]), Series("b", [(10.0, 7.0), (30.0, 8.0), (90.0, 9.0)]))
    assert "<title>step 90\na: 2\nb: 9</title>" in svg
    assert "<title>step 10\na: 1\nb: 7</title>" in svg
