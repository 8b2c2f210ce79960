import builtins
import io
import struct

import pytest
from PIL import Image

from rivals.engine.errors import RequestError
from rivals.engine.loggers import LOGGERS, open_loggers

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboardX")


def events(path):
    """The records of an event file: length (8 bytes), its checksum (4), content, its checksum (4)."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield content[at + 12 : at + 12 + length]
        at += 16 + length


def test_tensorboard_writes_events_that_hold_the_numbers_and_pictures(tmp_path):
    (logger,) = open_loggers(["tensorboard"], tmp_path, {"batch": 8})
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "PNG")
    logger.scalars(3, {"round/losses/critic": 0.25})
    logger.picture(3, "samples", file.getvalue())
    logger.close()
    (path,) = (tmp_path / "tensorboard").iterdir()
    records = list(events(path))
    assert any(b"round/losses/critic" in part and struct.pack("<f", 0.25) in part for part in records)
    assert any(b"samples" in part and b"\x89PNG" in part for part in records)


def test_an_unknown_logger_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(RequestError, match="no logger 'tensorbord': did you mean 'tensorboard'"):
        open_loggers(["tensorbord"], tmp_path, {})


@pytest.mark.parametrize(
    ("name", "library"), [("mlflow", "mlflow"), ("wandb", "wandb"), ("tensorboard", "tensorboardX")]
)
def test_a_missing_library_is_told_with_what_to_install(tmp_path, monkeypatch, name, library):
    real = builtins.__import__

    def without(wanted, *args, **more):
        if wanted.split(".")[0] == library:
            raise ImportError(f"No module named {library!r}")
        return real(wanted, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=rf"logging to {name} needs its library .*pip install 'rivals\[{name}\]'"):
        open_loggers([name], tmp_path, {})


def test_no_logger_is_opened_when_none_is_asked_for(tmp_path):
    assert open_loggers([], tmp_path, {}) == []
    assert set(LOGGERS) == {"mlflow", "tensorboard", "wandb"}
