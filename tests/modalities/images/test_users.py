import hashlib
import sys
from types import ModuleType

import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.modalities.images.features import extractor
from rivals.modalities.images.users import users_own

WRITTEN = """
import itertools
import torch

net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
count = itertools.count()
number = 5


def means(pictures):
    return pictures.mean((2, 3))


def flat(pictures):
    return pictures.mean()


def numbers(pictures):
    return [1.0] * len(pictures)


def broken(pictures):
    return means(pictures) / 0 * 0


def fickle(pictures):
    return means(pictures) + next(count)


def training(pictures):
    return net(pictures).mean((2, 3))


def falls(pictures):
    raise RuntimeError("out\\nof order")


def sized(pictures):
    return pictures.flatten(1)
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """A user's file in the folder that the command runs in, under a name that no other test uses."""
    name = f"spaces_{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}"
    path = tmp_path / f"{name}.py"
    path.write_text(WRITTEN)
    monkeypatch.chdir(tmp_path)
    return path


def test_a_function_is_a_space_named_by_its_file(module):
    space = extractor(f"{module.stem}:means")
    digest = hashlib.sha256(module.read_bytes()).hexdigest()
    assert space.digest == digest
    assert space.name == f"{module.stem}:means-{digest[:8]}"
    x = torch.rand(70, 4, 9, 11)  # more than one batch; half clear
    expected = (x[:, :3] * (x[:, 3:] + 1) / 2 + (1 - x[:, 3:]) / 2).mean((2, 3))
    torch.testing.assert_close(space.embed(x), expected)
    assert space.dimensions == 3
    assert space.classify is None


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("flat", r"must give a tensor \(4, features\), and gave a tensor \(\)"),
        ("numbers", "and gave a list"),
        ("broken", "not finite"),
        ("fickle", "when asked again"),
        ("training", "training mode"),
        ("falls", "out of order"),
        ("number", "not a function but of type int"),
        ("none", "has no attribute 'none'"),
    ],
)
def test_a_function_that_breaks_its_promises_is_refused_in_a_line(module, function, words):
    with pytest.raises(RequestError, match=words) as refused:
        users_own(f"{module.stem}:{function}")
    assert "\n" not in str(refused.value)


def test_a_space_without_a_file_is_of_unknown_origin(monkeypatch):
    made = ModuleType("made_here")
    exec("def means(pictures):\n    return pictures.mean((2, 3))", vars(made))
    monkeypatch.setitem(sys.modules, "made_here", made)
    space = users_own("made_here:means")
    assert (space.digest, space.name) == ("unknown", "made_here:means-unknown")


def test_a_module_that_is_not_there_is_refused():
    with pytest.raises(RequestError, match="No module named 'nowhere'"):
        extractor("nowhere:embed")


def test_features_whose_number_hangs_on_the_size_are_refused_when_it_changes(module):
    space = users_own(f"{module.stem}:sized")
    with pytest.raises(RequestError, match=r"gave 12288 features before, and now 12"):
        space.embed(torch.zeros(1, 3, 2, 2))
