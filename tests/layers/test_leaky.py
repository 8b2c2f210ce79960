import torch
from torch import nn
from torch.func import grad, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from rivals.layers.leaky import LeakyReLU


def critic(act: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), act, nn.Linear(7, 7), act, nn.Linear(7, 1)).double()


def penalise(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    penalty = (slope.square().sum(1).sqrt() - 1).square().mean()
    penalty.backward(inputs=list(net.parameters()))
    return penalty.detach()


class Products(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "mm" in str(func)
        return func(*args, **(kwargs or {}))


def test_values_and_gradients_are_those_of_torch():
    x = torch.tensor([[-2.0, -0.0, 0.0, 1e-30, 3.0, float("inf"), float("nan")]], dtype=torch.float64)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        found = LeakyReLU(0.2)(x.to(dtype))
        assert found.dtype == dtype
        torch.testing.assert_close(found, nn.LeakyReLU(0.2)(x.to(dtype)), equal_nan=True, rtol=0, atol=0)
    points = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(LeakyReLU(0.2), points)
    assert torch.autograd.gradgradcheck(LeakyReLU(0.2), points)


def test_a_penalty_has_the_same_gradients_by_fewer_products():
    found = {}
    for act in (nn.LeakyReLU(0.2), LeakyReLU(0.2)):
        net = critic(act)
        x = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        with Products() as products:
            penalty = penalise(net, x)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters()]
        found[type(act)] = penalty, grads, products.count
    torch.testing.assert_close(found[LeakyReLU][0], found[nn.LeakyReLU][0])
    torch.testing.assert_close(found[LeakyReLU][1], found[nn.LeakyReLU][1])
    assert found[LeakyReLU][2] <= found[nn.LeakyReLU][2] - 3


def test_it_works_row_by_row():
    net = critic(LeakyReLU(0.2))
    x = torch.randn(3, 5, dtype=torch.float64)
    each = vmap(grad(lambda row: net(row).squeeze()))(x)
    whole = x.clone().requires_grad_()
    net(whole).sum().backward()
    torch.testing.assert_close(each, whole.grad)
