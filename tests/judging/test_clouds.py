import pytest
import torch

from rivals.judging.clouds import clouds_figure, flattened


def test_the_plane_holds_the_directions_of_most_variance_of_the_real_set():
    torch.manual_seed(0)
    scale = torch.tensor([1.0, 9.0, 3.0, 0.1])
    real = torch.randn(4000, 4) * scale + 5
    found = flattened(real[:300], real)
    assert found["share"] == pytest.approx([81 / 91.01, 9 / 91.01], abs=0.02)
    drawn = torch.tensor(found["fake"])
    expected = (real[:300] - real.mean(0))[:, [1, 2]]
    assert torch.allclose(drawn.abs(), expected.abs(), atol=0.35), "up to a sign"


def test_at_most_so_many_points_and_one_feature_is_enough():
    found = flattened(torch.randn(900, 1), torch.randn(50, 1))
    assert len(found["fake"]) == 500
    assert len(found["real"]) == 50
    assert all(y == 0 for _, y in found["fake"])


def test_the_same_rows_in_another_order_give_the_same_points():
    torch.manual_seed(1)
    real = torch.randn(60, 5)
    order = torch.randperm(60)
    first, second = (flattened(rows, rows)["real"] for rows in (real, real[order]))
    assert torch.allclose(torch.tensor(first)[order].abs(), torch.tensor(second).abs(), atol=1e-2)


def test_a_figure_has_every_point_and_says_so_in_words():
    figure = clouds_figure([[0, 0], [1, 1]], [[0, 1], [1, 0], [0.5, 0.5]], ("fakes", "<real>"), "words & more")
    drawing = figure[figure.index('<svg viewBox="0 0 520') :]
    assert drawing.count("<circle") == 5
    assert "3 of &lt;real&gt; and 2 of fakes" in figure
    assert "words &amp; more" in figure
    assert "no clouds" in clouds_figure([], [[0, 1]], ("a", "b"), "")
    assert "no clouds" in clouds_figure([[float("nan"), 0]], [[0, 1]], ("a", "b"), "")
