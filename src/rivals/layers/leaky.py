"""A leaky rectifier for critics whose gradient is penalised."""

import torch
from torch import Tensor, nn


class LeakyReLU(nn.LeakyReLU):
    """`nn.LeakyReLU` as a product with slopes that count as constants.

    A gradient penalty (Gulrajani et al., 2017) is a gradient of a gradient. The slopes don't change with the input, but
    torch's layer says so by a gradient of zeros, which is then taken back through all layers before it; here there is
    none. For small feature maps: the slopes lie in memory beside them. Never in place; in half precision the slope is
    rounded before the product, in torch's layer after it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(...) -> the same shape."""
        above, below = (torch.full((), slope, dtype=x.dtype, device=x.device) for slope in (1.0, self.negative_slope))
        return x * torch.where(x.detach() > 0, above, below)
