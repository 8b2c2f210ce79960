"""Products of many rows, as quickly as the machine's libraries make them."""

import torch
import torch.nn.functional as F
from torch import Tensor


def laid_out(rows: Tensor) -> Tensor:
    """Rows (n, d) as `product` takes them best; to be kept where they are multiplied again and again.

    On a CPU that is oneDNN's layout for float32: its products are as exact as those of MKL, which `@` takes, and on
    AMD's processors twice as fast. Others stay as they are.
    """
    quick = rows.dtype == torch.float32 and rows.device.type == "cpu" and torch.backends.mkldnn.is_available()
    return rows.detach().to_mkldnn() if quick else rows.detach()


def product(a: Tensor, b: Tensor) -> Tensor:
    """The inner products (n, m) of rows (n, d) and (m, d), both laid out.

    >>> one, two = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0], [3.0, 1.0]])
    >>> product(laid_out(one), laid_out(two)).tolist()
    [[1.0, 5.0]]
    """
    found = F.linear(a, b)
    return found.to_dense() if found.is_mkldnn else found
