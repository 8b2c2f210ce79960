import pytest
import torch
from torch import nn

from rivals.engine.errors import RequestError
from rivals.layers.norm import WholeBatchNorm, normal


def test_in_one_process_it_is_torchs_batch_norm_in_training_and_after():
    torch.manual_seed(0)
    ours, theirs = WholeBatchNorm(3), nn.BatchNorm2d(3)
    with torch.no_grad():
        for layer in (ours, theirs):
            layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
            layer.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    for _ in range(3):
        x = torch.randn(4, 3, 5, 6) * 2 + 1
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval()
    theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_an_unknown_norm_names_the_known():
    with pytest.raises(RequestError, match="batch, none"):
        normal("bacth", 3)
