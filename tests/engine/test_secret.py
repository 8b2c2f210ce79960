import os
import stat

import numpy as np
import pytest

from rivals.engine.errors import RequestError
from rivals.engine.secret import kept_secret, random_of


def test_a_place_has_the_same_numbers_every_time_and_every_place_others():
    secret = bytes(range(32))
    places = [("rows", 0, 0), ("rows", 0, 1), ("rows", 1, 0), ("step", 0, 0), ("step", 1), ("step", "1")]
    drawn = [random_of(secret, *place).integers(2**62) for place in places]
    assert drawn == [random_of(secret, *place).integers(2**62) for place in places]
    assert len(set(drawn)) == len(places)
    assert random_of(bytes(32), *places[0]).integers(2**62) not in drawn


def test_neighbouring_places_are_not_correlated():
    drawn = np.stack([random_of(bytes(32), "step", number).standard_normal(4000) for number in range(8)])
    off = np.corrcoef(drawn)[~np.eye(8, dtype=bool)]
    assert np.abs(off).max() < 5 / np.sqrt(4000)


def test_a_run_keeps_its_secret_for_its_owner_alone_and_another_run_has_another(tmp_path):
    path = tmp_path / "state" / "secret"
    first = kept_secret(path)
    assert kept_secret(path) == first
    assert len(first) == 32
    assert kept_secret(tmp_path / "other") != first
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "zz", "00ff", "ä"])
def test_a_file_that_holds_no_secret_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / "secret"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match="does not hold the secret"):
        kept_secret(path)
    assert path.read_text(encoding="utf-8") == text
