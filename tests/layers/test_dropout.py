import pytest
import torch
from torch.func import vmap

from rivals.layers.dropout import Dropout


@pytest.mark.parametrize(("p", "share"), [(0.5, 0.5), (0.3, 77 / 256), (0.9, 230 / 256)])
def test_a_share_is_dropped_and_the_mean_stays(p, share):
    torch.manual_seed(0)
    x = torch.ones(1003, 1001)
    out = Dropout(p)(x)
    zeros = (out == 0).double()
    assert float(zeros.mean()) == pytest.approx(share, abs=0.002)  # 4 deviations
    assert float(out.mean()) == pytest.approx(1, abs=0.02)
    assert out.unique().tolist() == pytest.approx([0, 1 / (1 - share)])


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    zeros = (Dropout(0.5)(torch.ones(2**20)) == 0).double().view(-1, 8)
    together = torch.corrcoef(zeros.T)
    assert float((together - torch.eye(8)).abs().max()) < 0.015  # five deviations of 131,072 rows
    shifted = torch.corrcoef(torch.stack([zeros[:-1, 7], zeros[1:, 0]]))
    assert abs(float(shifted[0, 1])) < 0.015


def test_the_same_seed_drops_the_same_and_evaluation_drops_nothing():
    layer, x = Dropout(0.3), torch.randn(7, 5)
    torch.manual_seed(1)
    first = layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_gradients_pass_where_nothing_is_dropped_twice_over():
    layer, x = Dropout(0.5), torch.randn(4, 6, dtype=torch.float64, requires_grad=True)

    def seeded(x):
        torch.manual_seed(3)
        return layer(x) ** 3

    assert torch.autograd.gradcheck(seeded, (x,))
    assert torch.autograd.gradgradcheck(seeded, (x,))


def test_samples_of_their_own_inside_torch_func():
    out = vmap(Dropout(0.5), randomness="different")(torch.ones(64, 100))
    assert 0.4 < float((out == 0).double().mean()) < 0.6


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_other_shares_are_refused(p):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        Dropout(p)
