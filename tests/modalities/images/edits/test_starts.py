import pytest
import torch
from safetensors.torch import save_file

from rivals.engine.errors import RequestError
from rivals.engine.recipe import Use
from rivals.modalities.images.edits.modality import Edits
from rivals.modalities.images.edits.starts import start_of
from rivals.modalities.images.edits.upscale import RRDB, Compact

PUBLISHED = {"conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2", "conv_hr": "HRconv"}
FIRST = {
    "conv_first": "model.0",
    "conv_up1": "model.3",
    "conv_up2": "model.6",
    "conv_hr": "model.8",
    "conv_last": "model.10",
}


def nothing(path):
    raise AssertionError("no folder is read here")


def as_published(name):
    """Names as ESRGAN's repository had them in 2018."""
    part, _, rest = name.partition(".")
    if part == "body":
        block, dense, rest = rest.split(".", 2)
        return f"RRDB_trunk.{block}.{dense.upper()}.{rest}"
    return f"{PUBLISHED.get(part, part)}.{rest}"


def as_first(name):
    """Names as its first files have them, of a network with two blocks."""
    part, _, rest = name.partition(".")
    if part == "body":
        block, dense, layer, kind = rest.split(".")
        return f"model.1.sub.{block}.{dense.upper()}.{layer}.0.{kind}"
    return f"model.1.sub.2.{rest}" if part == "conv_body" else f"{FIRST[part]}.{rest}"


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_network_of_dense_blocks_is_known_by_its_weights(scale, tmp_path):
    torch.manual_seed(0)
    network = RRDB((3, 32, 32), 3, scale, width=6, blocks=2, growth=4)
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    assert (start.scale, start.seen, start.channels) == (scale, 3, 3)
    assert dict(start.use.options) == {"width": 6, "blocks": 2, "growth": 4}
    start.check(Edits("denoise", scale=scale, crop=32), start.use)


@pytest.mark.parametrize("rename", [as_published, as_first, "params_ema.{}".format, "params.{}".format])
def test_older_names_mean_the_same_weights(rename, tmp_path):
    network = RRDB((3, 32, 32), 3, 4, width=6, blocks=2, growth=4)
    save_file({rename(name): value for name, value in network.state_dict().items()}, tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    assert set(start.weights) == set(network.state_dict())
    assert all(torch.equal(start.weights[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("scale", "channels"), [(1, 3), (2, 1), (4, 3)])
def test_the_compact_network_is_known_by_its_weights(scale, channels, tmp_path):
    network = Compact((channels, 32, 32), channels, scale, width=6, depth=3)
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    assert (start.scale, start.channels, dict(start.use.options)) == (scale, channels, {"width": 6, "depth": 3})
    start.check(Edits("super-resolution", channels, channels, scale, 32), start.use)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (Edits("super-resolution", scale=4, crop=32), "weights for 2 as scale, and super-resolution here has 4"),
        (Edits("super-resolution", 1, 1, 2, 32), "weights for 3 as channels of what is given"),
    ],
)
def test_weights_of_something_else_are_refused(edits, words, tmp_path):
    save_file(Compact((3, 32, 32), 3, 2, width=6, depth=3).state_dict(), tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    with pytest.raises(RequestError, match=words):
        start.check(edits, start.use)


def test_another_network_than_that_of_the_weights_is_refused(tmp_path):
    save_file(Compact((3, 32, 32), 3, 2, width=6, depth=3).state_dict(), tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    with pytest.raises(RequestError, match="don't fit compact: size mismatch"):
        start.check(Edits("super-resolution", scale=2, crop=32), Use("compact", {"width": 8, "depth": 3}))


def test_a_file_that_lacks_weights_is_refused(tmp_path):
    weights = Compact((3, 32, 32), 3, 2, width=6, depth=3).state_dict()
    del weights["body.2.bias"]
    save_file(weights, tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    with pytest.raises(RequestError, match=r"don't fit compact: .*body\.2\.bias"):
        start.check(Edits("super-resolution", scale=2, crop=32), start.use)


@pytest.mark.parametrize("name", ["net.pth", "net.ckpt", "NET.PT"])
def test_pickles_are_not_read_and_how_to_convert_them_is_said(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(RequestError, match=r"is a pickle, .* weights_only=True\); .*save_file.*\.safetensors$"):
        start_of(tmp_path / name, nothing)


def test_the_way_to_convert_gives_a_file_that_is_read(tmp_path):
    import shlex
    import subprocess

    network = Compact((3, 32, 32), 3, 2, width=4, depth=1)
    torch.save({"params_ema": network.state_dict()}, tmp_path / "net.pth")
    with pytest.raises(RequestError) as told:
        start_of(tmp_path / "net.pth", nothing)
    words = shlex.split(str(told.value).split("convert it once: ")[1])
    import sys

    subprocess.run([sys.executable, *words[1:]], check=True)
    assert start_of(tmp_path / "net.safetensors", nothing).scale == 2


@pytest.mark.parametrize("content", [b"", b"no such thing", b"\x08\0\0\0\0\0\0\0{}      "])
def test_broken_files_are_refused_in_a_line(content, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(RequestError, match=r"net\.safetensors"):
        start_of(tmp_path / "net.safetensors", nothing)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body.0.weight", torch.zeros(4)),
        ("body.0.weight", torch.tensor(1.0)),
        ("body.0.weight", torch.zeros(4, 0, 3, 3)),
        ("body.2.bias", torch.full((4,), torch.nan)),
    ],
)
def test_weights_of_no_shape_or_value_are_refused(name, value, tmp_path):
    save_file({**Compact((3, 32, 32), 3, 2, width=4, depth=1).state_dict(), name: value}, tmp_path / "net.safetensors")
    with pytest.raises(RequestError, match=r"net\.safetensors holds"):
        start_of(tmp_path / "net.safetensors", nothing)


@pytest.mark.parametrize("name", ["body.x.rdb1.conv1.weight", "body.99999999.rdb1.conv1.weight"])
def test_a_block_that_cannot_be_makes_no_endless_network(name, tmp_path):
    weights = RRDB((3, 32, 32), 3, 4, width=6, blocks=1, growth=4).state_dict()
    save_file({**weights, name: weights["body.0.rdb1.conv1.weight"].clone()}, tmp_path / "net.safetensors")
    start = start_of(tmp_path / "net.safetensors", nothing)
    assert start.use.options["blocks"] <= 2
    with pytest.raises(RequestError, match="don't fit rrdb"):
        start.check(Edits("super-resolution", scale=4, crop=32), start.use)
