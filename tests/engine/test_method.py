import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivals.engine.errors import RequestError
from rivals.engine.files import plain
from rivals.engine.method import OPTIMIZERS, Method, Optimizer, read_method
from rivals.engine.methods import METHODS
from rivals.engine.recipe import from_plain
from rivals.engine.schedule import Weight


@pytest.mark.parametrize("name", METHODS)
def test_every_published_method_is_plain_values_and_comes_back_from_a_file(name, tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(plain(METHODS[name])))
    assert read_method(path) == METHODS[name]


def test_a_file_may_say_the_least_and_short_forms(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(
        '{"loss": "hinge", "critic_terms": {"lecam": 0.3}, "norm": ["batch", "none"], '
        '"optimizer": {"name": "sgd", "lr": 0.1}}'
    )
    expected = Method(
        loss="hinge", critic_terms={"lecam": Weight(0.3)}, norm=("batch", "none"), optimizer=Optimizer(0.1, name="sgd")
    )
    assert read_method(path) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON: .* in line 1"),
        ('{\n"loss": }', "is not JSON: .* in line 2"),
        ("[]", "a method is named values"),
        ("{}", "'loss' is missing"),
        ('{"loss": 3}', "loss: a text was expected"),
        ('{"loss": "hinge", "critic_step": 2}', "no setting 'critic_step'; did you mean 'critic_steps'"),
        (
            '{"loss": "hinge", "optimizer": {"name": "adan"}}',
            "no optimizer 'adan': there are adam, adamw, rmsprop, sgd",
        ),
        ('{"loss": "hinge", "critic_terms": {"r1": "much"}}', "r1: start: a number was expected"),
        ('{"loss": "hinge", "norm": ["batch"]}', "norm: 2 values was expected"),
    ],
)
def test_what_is_no_method_is_told_with_its_place(text, words, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(RequestError, match=words):
        read_method(path)


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path):
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "b.json", tmp_path / "none.json", tmp_path):
        with pytest.raises(RequestError, match="can't be read as a method"):
            read_method(path)


@given(
    lr=st.floats(1e-9, 9), betas=st.tuples(st.floats(0, 0.99), st.floats(0, 0.999)), name=st.sampled_from(OPTIMIZERS)
)
def test_settings_of_an_optimizer_come_back(lr, betas, name):
    one = Optimizer(lr, betas, name=name, decay=0.1)
    assert from_plain(Optimizer, plain(one), "x") == one
