import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from rivals.layers import linear as module
from rivals.layers.linear import Linear, linear

ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
FIRST, SECOND, LAST = (300, 64), (64, 48), (48, 1)


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.skipif(not ONEDNN, reason="needs oneDNN")), False])
def wide(request, monkeypatch):
    monkeypatch.setattr(module, "wide", lambda: request.param)
    return request.param


@pytest.fixture
def onednn(monkeypatch):
    if not ONEDNN:
        pytest.skip("needs oneDNN")
    monkeypatch.setattr(module, "wide", lambda: True)


class Products(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[int, int]] = []
        self.by: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if any(word in str(func) for word in ("mm", "_linear_pointwise")):
            self.made.append(tuple(found.shape))
            self.by.add(func._schema.name)
        return found


def critic(kind: type[nn.Linear]) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(kind(*FIRST), nn.Softplus(), kind(*SECOND), nn.Softplus(), nn.Linear(*LAST))


def points() -> Tensor:
    return torch.randn(20, 300, generator=torch.Generator().manual_seed(1))


def penalised(net: nn.Module, x: Tensor) -> Tensor:
    """A critic's loss with a gradient penalty, taken back to its parameters."""
    x = x.clone().requires_grad_()
    logits = net(x)
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    loss = logits.square().mean() + (slope.square().sum(1).sqrt() - 1).square().mean()
    loss.backward(inputs=list(net.parameters()))
    return loss.detach()


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(
        found.double(), expected.double(), rtol=1e-4, atol=1e-5 * float(expected.detach().abs().max())
    )


def test_values_are_those_of_torch(wide):
    x, weight, bias = points(), torch.randn(64, 300), torch.randn(64)
    close(linear(x, weight, bias), F.linear(x.double(), weight.double(), bias.double()))
    close(linear(x.T, weight[:, :20]), F.linear(x.T.double(), weight[:, :20].double()))
    layer, same = Linear(300, 64), nn.Linear(300, 64)
    same.load_state_dict(layer.state_dict())
    close(layer(x), same(x))


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        (torch.randn(1, 1).expand(20, 30), torch.randn(40, 30), None),
        (torch.randn(30, 20).T, torch.randn(30, 40).T, torch.randn(1).expand(40)),
        (torch.randn(20, 60)[:, ::2], torch.randn(1, 30).expand(40, 30), torch.randn(80)[::2]),
        (torch.randn(1, 601)[:, 1:].view(20, 30), torch.randn(1, 30), torch.randn(1)),
    ],
)
def test_any_strides(wide, x, weight, bias):
    close(linear(x, weight, bias), F.linear(x.double(), weight.double(), None if bias is None else bias.double()))


def test_gradients_and_theirs_are_those_of_torch(wide):
    net, exact = critic(Linear), critic(nn.Linear).double()
    close(penalised(net, points()), penalised(exact, points().double()))
    for found, expected in zip(net.parameters(), exact.parameters(), strict=True):
        assert found.grad is not None
        assert expected.grad is not None
        assert found.grad.is_contiguous()
        close(found.grad, expected.grad)


def test_third_derivatives_are_those_of_torch(wide):
    found = []
    for kind, dtype in ((Linear, torch.float32), (nn.Linear, torch.float64)):
        net, x = critic(kind).to(dtype), points().to(dtype).requires_grad_()
        value = net(x).sum()
        for _ in range(3):
            (slope,) = torch.autograd.grad(value, x, create_graph=True)
            value = slope.square().sum()
        found.append(value.detach())
    close(*found)


def test_no_product_is_made_that_nobody_asks_for(wide):
    """As many as of torch's own layers, of a penalty's inner gradient and of a loss at samples that have gradients."""
    counts = []
    for kind in (Linear, nn.Linear):
        net, x = critic(kind), points().requires_grad_()
        with Products() as products:
            torch.autograd.grad(net(x).sum(), x, create_graph=True)
            net(x).mean().backward(inputs=list(net.parameters()))
            net(x).mean().backward(inputs=[net[2].bias])
            net.requires_grad_(False)
            net(x).mean().backward()
        counts.append(sorted(products.made))
    assert [len(count) for count in counts] == [len(counts[1])] * 2
    assert sorted(map(sorted, counts[0])) == sorted(map(sorted, counts[1]))  # (n, m) or (m, n)


@pytest.mark.parametrize("bias", [True, False])
def test_leaves_in_the_middle_have_gradients(wide, bias):
    net = nn.Sequential(Linear(300, 64, bias=bias), nn.Tanh(), Linear(64, 48, bias=bias))
    hidden = net[:2](points())
    hidden.retain_grad()
    net[2](hidden).square().sum().backward()
    expected = torch.autograd.functional.vjp(
        lambda h: F.linear(h, net[2].weight, net[2].bias), hidden.detach(), 2 * net[2](hidden).detach()
    )[1]
    close(hidden.grad, expected)


def test_what_onednn_is_not_asked_for(onednn):
    weight = torch.randn(64, 300)
    with Products() as products:
        assert linear(points().double(), weight.double()).dtype == torch.float64
        assert linear(torch.randn(2, 3, 300), weight).shape == (2, 3, 64)
        assert linear(torch.randn(0, 300), weight).shape == (0, 64)
        with torch.autocast("cpu", torch.bfloat16):
            assert linear(points(), weight).dtype == torch.bfloat16
        assert linear(points(), weight, torch.zeros(1)).shape == (20, 64)
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            linear(points()[:, 1:], weight)
    assert products.by
    assert "mkldnn::_linear_pointwise" not in products.by
    with products:
        linear(points(), weight)
    assert "mkldnn::_linear_pointwise" in products.by


def test_it_works_row_by_row(onednn):
    net, x = critic(Linear), points()
    parameters = dict(net.named_parameters())

    def loss(parts: dict[str, Tensor], row: Tensor) -> Tensor:
        slope = grad(lambda one: functional_call(net, parts, (one[None],)).sum())(row)
        return functional_call(net, parts, (row[None],)).square().sum() + slope.square().sum()

    own = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    whole = x.clone().requires_grad_()
    logits = net(whole)
    (slope,) = torch.autograd.grad(logits.sum(), whole, create_graph=True)
    (logits.square().sum() + slope.square().sum()).backward(inputs=list(net.parameters()))
    for name, parameter in net.named_parameters():
        close(own[name].sum(0), parameter.grad)


def test_without_gradients(wide):
    net = critic(Linear)
    with torch.inference_mode():
        assert net(points()).shape == (20, 1)
    with torch.no_grad():
        assert not net(points()).requires_grad


def test_onednn_is_never_given_second_rows_in_pieces(onednn):
    class Seconds(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "_linear_pointwise" in str(func):
                assert args[1].is_contiguous() or args[1].T.is_contiguous()
            return func(*args, **(kwargs or {}))

    wide, row = torch.randn(6, 16), torch.randn(1, 8)
    for x in (wide.chunk(2, 1)[0], wide[:, ::2], row.expand(6, 8)):
        weight = torch.randn(5, 8, requires_grad=True)
        with Seconds():
            (slope,) = torch.autograd.grad(linear(x, weight).square().sum(), weight)
        torch.testing.assert_close(slope, 2 * (x @ weight.detach().T).T @ x)


def test_a_compiler_sees_one_graph(onednn):
    net = nn.Sequential(Linear(8, 8), nn.Tanh(), Linear(8, 2))
    x = torch.randn(5, 8)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))


@pytest.mark.filterwarnings("ignore:TF32")  # torch's own, of what flags sets besides
def test_it_is_torch_s_own_where_onednn_is_switched_off(onednn):
    with torch.backends.mkldnn.flags(enabled=False), Products() as products:
        linear(torch.randn(5, 8), torch.randn(4, 8))
    assert not any("_linear_pointwise" in name for name in products.by)
