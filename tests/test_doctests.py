import doctest
from importlib import import_module

import pytest

MODULES = [
    "rivals",
    "rivals.jobs",
    "rivals.engine.spending",
    "rivals.engine.data",
    "rivals.display",
    "rivals.engine.losses",
    "rivals.engine.words",
    "rivals.engine.schedule",
    "rivals.judging.compare",
    "rivals.judging.copies",
    "rivals.judging.memory",
    "rivals.judging.reports",
    "rivals.judging.score",
    "rivals.judging.student",
    "rivals.modalities.images.features",
    "rivals.modalities.images.measures",
    "rivals.modalities.images.networks",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name):
    module = import_module(name)
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
