"""A temporary folder for copies of a table, gone when nobody can read them any more."""

import shutil
import tempfile
import weakref
from pathlib import Path


class Folder:
    """A folder that lives as long as this object; unlike `tempfile.TemporaryDirectory` it goes without a warning."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="rivals-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
