import errno

import pytest

from rivals.engine import store
from rivals.engine.errors import RequestError


def write(content):
    def into(making):
        (making / "data").write_bytes(content)
        return {"what": "test"}

    return into


def test_a_folder_is_made_once_and_its_facts_come_back(tmp_path):
    folder = tmp_path / "parts" / "one"
    assert store.opened(folder) is None
    facts = store.built(folder, 10, write(b"first"))
    assert facts == {"what": "test", "files": {"data": 5}}
    assert store.built(folder, 10, write(b"second")) == store.opened(folder) == facts
    assert (folder / "data").read_bytes() == b"first"


@pytest.mark.parametrize("file", ["data", "facts.json"])
def test_a_damaged_folder_is_made_again(tmp_path, file):
    folder = tmp_path / "one"
    store.built(folder, 10, write(b"first"))
    (folder / file).write_bytes(b"{}")
    assert store.opened(folder) is None
    store.built(folder, 10, write(b"second"))
    assert (folder / "data").read_bytes() == b"second"


def test_what_fails_half_way_leaves_nothing(tmp_path):
    def fail(making):
        (making / "data").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RequestError, match="The disk is full"):
        store.built(tmp_path / "one", 10, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["one.lock"]
