import hashlib
import math
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.modalities.images import inception
from rivals.modalities.images.features import extractor
from rivals.modalities.images.inception import Inception, prepared, space_of, tf1_bilinear

SHAPES = {  # of the published graph
    "Conv2d_1a_3x3": (32, 149, 149), "Conv2d_2a_3x3": (32, 147, 147), "Conv2d_2b_3x3": (64, 147, 147),
    "MaxPool_1": (64, 73, 73), "Conv2d_3b_1x1": (80, 73, 73), "Conv2d_4a_3x3": (192, 71, 71),
    "MaxPool_2": (192, 35, 35),
    "Mixed_5b": (256, 35, 35), "Mixed_5c": (288, 35, 35), "Mixed_5d": (288, 35, 35), "Mixed_6a": (768, 17, 17),
    "Mixed_6b": (768, 17, 17), "Mixed_6c": (768, 17, 17), "Mixed_6d": (768, 17, 17), "Mixed_6e": (768, 17, 17),
    "Mixed_7a": (1280, 8, 8), "Mixed_7b": (2048, 8, 8), "Mixed_7c": (2048, 8, 8),
}  # fmt: skip


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = Inception()
    for name, value in made.state_dict().items():
        if name.endswith(("running_mean", "running_var", "bn.weight", "bn.bias")):
            value.uniform_(0.5, 1.5)
    return made.eval()


@pytest.fixture
def file(network, tmp_path, monkeypatch):
    """The weights as a file, which is the published one for the time of the test."""
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    prefix = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(inception, "PUBLISHED", replace(inception.PUBLISHED, prefix=prefix, addresses=("file:///no",)))
    return path


def test_layers_and_parameters_are_those_of_the_published_graph(network):
    found, hooks = {}, []
    for name, layer in network.named_children():
        hooks.append(layer.register_forward_hook(lambda layer, x, y, name=name: found.update({name: y.shape[1:]})))
    with torch.no_grad():
        features = network.features(torch.zeros(1, 3, 299, 299))
    for hook in hooks:
        hook.remove()
    assert {name: tuple(shape) for name, shape in found.items()} == SHAPES
    assert features.shape == (1, 2048)
    convolutions = 94
    assert sum(p.numel() for p in network.parameters()) == 23_850_960
    assert len(network.state_dict()) == convolutions * 6 + 2
    for name in ("Mixed_5b.branch_pool.conv.weight", "Mixed_7c.branch3x3dbl_3b.bn.running_var", "fc.bias"):
        assert name in network.state_dict()


def test_averages_leave_out_the_padding_and_the_last_block_takes_maxima(network):
    ones = torch.ones(1, 1, 3, 3)
    for name in ("Mixed_5b", "Mixed_6e", "Mixed_7b"):
        assert torch.equal(network.get_submodule(name).pool(ones), ones)  # with padding a corner would be 4/9
    assert isinstance(network.Mixed_7c.pool, torch.nn.MaxPool2d)


def test_folding_the_norms_changes_nothing_but_rounding(network):
    x = torch.rand(1, 3, 299, 299) * 2 - 1
    with torch.no_grad():
        expected = network.features(x)
    other = Inception().eval()
    other.load_state_dict(network.state_dict())
    other.fold()
    with torch.no_grad():
        torch.testing.assert_close(other.features(x), expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))
    assert not [module for module in other.modules() if isinstance(module, torch.nn.BatchNorm2d)]


def tf1(row, size):
    """`resize_bilinear` of TensorFlow 1 for one line, written from its kernel: no centres, the edge repeated."""
    scale = len(row) / size
    found = []
    for at in range(size):
        low = math.floor(at * scale)
        high = min(low + 1, len(row) - 1)
        found.append(row[low] + (row[high] - row[low]) * (at * scale - low))
    return found


def test_the_resizer_on_a_line_by_hand():
    x = torch.tensor([0.0, 10.0, 40.0]).view(1, 1, 1, 3).expand(1, 1, 6, 3)
    expected = [0, 5, 10, 25, 40, 40]  # places 0, 1/2, 1, 3/2, 2, 5/2
    torch.testing.assert_close(tf1_bilinear(x, 6)[0, 0, 2], torch.tensor(expected, dtype=torch.float32))
    shrunk = tf1_bilinear(torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 2, 8), 2)
    assert shrunk[0, 0, 0].tolist() == [0, 4]  # it skips pixels


@settings(max_examples=15)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_the_resizer_is_tensorflows(height, width, seed):
    x = torch.randint(0, 256, (1, 1, height, width), generator=torch.Generator().manual_seed(seed)).double()
    across = [tf1(row, 31) for row in x[0, 0].tolist()]
    both = torch.tensor([tf1(list(column), 31) for column in zip(*across, strict=True)], dtype=torch.float64).T
    torch.testing.assert_close(tf1_bilinear(x, 31)[0, 0], both, rtol=0, atol=1e-9)
    torch.testing.assert_close(tf1_bilinear(x.float(), 31)[0, 0].double(), both, rtol=0, atol=2e-3)


def test_pictures_are_rounded_to_eight_bits_and_scaled_as_the_graph_does():
    levels = torch.arange(256.0).view(1, 1, 16, 16)
    exact = levels / 127.5 - 1
    assert torch.equal(prepared(exact + 0.49 / 127.5), prepared(exact))
    assert torch.equal(prepared(exact * 1.5), prepared((exact * 1.5).clamp(-1, 1)))
    assert prepared(torch.full((1, 3, 9, 9), -1.0)).unique().tolist() == [-1]
    assert prepared(torch.full((1, 3, 9, 9), 1.0)).unique().tolist() == [127 / 128]
    assert prepared(exact).shape == (1, 3, 299, 299)


def test_the_space_from_a_file_says_what_it_is(file, network):
    space = extractor(f"inception:{file}")
    assert space.name == "inception-2015-12-05"
    assert space.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    x = torch.rand(2, 3, 20, 20) * 2 - 1
    features, logits = space.embed(x), space.classify(x)
    assert features.shape == (2, space.dimensions)
    assert logits.shape == (2, len(space.classes))
    torch.testing.assert_close(logits, features @ network.fc.weight.detach().T, rtol=1e-4, atol=1e-4)


def test_other_files_are_refused(tmp_path, file, monkeypatch):
    other = tmp_path / "other.pth"
    other.write_bytes(b"something else")
    with pytest.raises(RequestError, match="is not the weights of 'inception'"):
        extractor(f"inception:{other}")
    with pytest.raises(RequestError, match="there is no file"):
        extractor("inception:nowhere.pth")
    with pytest.raises(RequestError, match="RIVALS_WEIGHTS_INCEPTION=PATH"):
        extractor("inception")
    with pytest.raises(RequestError, match="not those of the Inception network"):
        space_of({"fc.bias": torch.zeros(1000)}, "0")


class Mischief:
    """A pickle of it would write a file where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_file_that_would_run_code_is_refused_even_with_the_right_hash(tmp_path, monkeypatch):
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    path.write_bytes(pickle.dumps({"fc.bias": Mischief(trace)}))
    prefix = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(inception, "PUBLISHED", replace(inception.PUBLISHED, prefix=prefix))
    with pytest.raises(RequestError, match="can't be read as weights"):
        extractor(f"inception:{path}")
    assert not trace.exists()
