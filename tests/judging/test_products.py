import pytest
import torch

from rivals.judging.products import laid_out, product


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "m", "d"), [(1, 1, 1), (7, 300, 33), (64, 5, 1000)])
def test_products_are_those_of_the_rows_to_rounding(dtype, n, m, d):
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(count, d, generator=draw, dtype=torch.float64).to(dtype) for count in (n, m))
    found = product(laid_out(a), laid_out(b))
    assert found.dtype == dtype
    assert found.shape == (n, m)
    near = 8 * torch.finfo(dtype).eps * d**0.5
    torch.testing.assert_close(found.double(), a.double() @ b.double().T, atol=near, rtol=near)


def test_rows_that_are_a_view_or_learn_are_taken_as_they_stand():
    rows = torch.randn(20, 6, requires_grad=True)
    found = product(laid_out(rows.T[:, ::2].T), laid_out(rows[:3]))
    assert not found.requires_grad
    torch.testing.assert_close(found, (rows[::2] @ rows[:3].T).detach())
