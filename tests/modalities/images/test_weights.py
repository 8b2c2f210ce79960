import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rivals.engine import store
from rivals.engine.errors import RequestError
from rivals.modalities.images.weights import Published, weights

CONTENT = bytes(range(256)) * 10_000
HASH = hashlib.sha256(CONTENT).hexdigest()


@contextmanager
def server(content=CONTENT, *, claims=None, status=200):
    """An HTTP server on this machine, and the paths that it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if claims is None else claims))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words):
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/net.pth", asked
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def published(*addresses, prefix=HASH[:8]):
    return Published("inception", "net.pth", addresses, prefix, "RIVALS_WEIGHTS_TEST")


def cached():
    return store.home(None) / "weights" / "net.pth"


def left():
    return sorted(path.name for path in cached().parent.glob("*"))


def test_a_file_is_downloaded_once_with_progress_and_then_kept():
    told = []
    with server() as (address, asked):
        for _ in range(2):
            found = weights(published(address), progress=lambda done, total: told.append((done, total)))
            assert (found.path, found.sha256) == (cached(), HASH)
    assert asked == ["/net.pth"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert cached().read_bytes() == CONTENT
    assert left() == ["net.pth"]


def test_nothing_is_downloaded_where_a_path_is_given_by_word_or_by_environment(tmp_path, monkeypatch):
    mine = tmp_path / "mine.pth"
    mine.write_bytes(CONTENT)
    with server() as (address, asked):
        assert weights(published(address), mine).path == mine
        monkeypatch.setenv("RIVALS_WEIGHTS_TEST", str(mine))
        assert weights(published(address)).path == mine
        assert asked == []
    assert left() == []


@pytest.mark.parametrize("prefix", ["00000000", HASH[:7] + ("0" if HASH[7] != "0" else "1")])
def test_a_wrong_hash_is_refused_wherever_the_file_comes_from(tmp_path, prefix, monkeypatch):
    mine = tmp_path / "mine.pth"
    mine.write_bytes(CONTENT)
    with server() as (address, _):
        asked = published(address, prefix=prefix)
        with pytest.raises(RequestError, match=rf"begins with {HASH[:8]}, not {prefix}; get it from http"):
            weights(asked, mine)
        monkeypatch.setenv("RIVALS_WEIGHTS_TEST", str(mine))
        with pytest.raises(RequestError, match=f"not {prefix}"):
            weights(asked)
        monkeypatch.delenv("RIVALS_WEIGHTS_TEST")
        with pytest.raises(RequestError, match="what came has the wrong SHA-256"):
            weights(asked)
    assert left() == []  # what came wrong is not kept
    cached().write_bytes(b"damaged")
    with pytest.raises(RequestError, match="delete it, and the next run fetches it again"):
        weights(asked)


def test_a_second_address_is_tried_and_files_can_be_named_by_url(tmp_path):
    (tmp_path / "net.pth").write_bytes(CONTENT)
    with server(b"not found", status=404) as (address, asked):
        found = weights(published(address, (tmp_path / "net.pth").as_uri()))
    assert asked == ["/net.pth"]
    assert found.sha256 == HASH


def test_without_a_connection_one_line_says_how_to_get_the_file(tmp_path):
    nowhere = (tmp_path / "nothing.pth").as_uri()
    with pytest.raises(RequestError) as refused:
        weights(published(nowhere))
    words = str(refused.value)
    assert "\n" not in words
    for hint in (nowhere, "RIVALS_WEIGHTS_TEST=PATH", "--features inception:PATH", str(cached())):
        assert hint in words
    assert left() == []


def test_a_connection_that_breaks_leaves_nothing_behind():
    with server(CONTENT[:1000], claims=len(CONTENT)) as (address, _), pytest.raises(RequestError, match="downloaded"):
        weights(published(address))
    assert left() == []


def test_a_path_without_a_file_is_refused_and_never_replaced(tmp_path, monkeypatch):
    with server() as (address, asked):
        with pytest.raises(RequestError, match="there is no file"):
            weights(published(address), tmp_path / "none.pth")
        monkeypatch.setenv("RIVALS_WEIGHTS_TEST", str(tmp_path))  # a folder
        with pytest.raises(RequestError, match="RIVALS_WEIGHTS_TEST"):
            weights(published(address))
        assert asked == []
