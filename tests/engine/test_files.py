import errno
import hashlib
import os
from pathlib import Path

import pytest

from rivals.engine import files
from rivals.engine.errors import RequestError
from rivals.engine.files import digest, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("where", ["write", "sync", "rename"])
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EFBIG, "takes no file so large"),
        (errno.EROFS, "can't be written to"),
    ],
)
def test_a_full_disk_leaves_the_old_file_and_is_told_in_a_line(tmp_path, monkeypatch, where, number, words):
    path = tmp_path / "a.bin"
    write_whole(path, b"old")

    def full(*args, **more):
        raise OSError(number, os.strerror(number))

    if where == "write":
        monkeypatch.setattr(Path, "open", full)
    elif where == "sync":
        monkeypatch.setattr(files.os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RequestError, match=f"{words}: a.bin needs 2.0 MB.*--out") as told:
        write_whole(path, bytes(2 * 2**20))
    monkeypatch.undo()
    assert "\n" not in str(told.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_other_errors_pass_and_leave_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write_whole(path, b"old")

    def broken(*args):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="input/output"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_digest_is_the_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


@pytest.mark.parametrize("name", ["a" * 255, "\u00e9" * 127])
def test_the_longest_names_can_be_written(tmp_path, name):
    write_whole(tmp_path / name, b"1")
    assert [path.name for path in tmp_path.iterdir()] == [name]
