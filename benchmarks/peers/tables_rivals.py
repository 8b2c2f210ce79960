"""The command line of Rivals in this process, with a clock: `python tables_rivals.py OUT.json train SOURCE ...`.

What is imported on the way is imported before the clock begins, as it is in `tables_ctgan.py`. Writes JSON.
"""

import json
import sys
import time
from pathlib import Path

import lightning_fabric  # noqa: F401
import numpy.ma  # noqa: F401
import torch
import typer._adapters  # noqa: F401  what typer itself imports once a command begins
from clock import Clock, peak

import rivals.api
import rivals.display
import rivals.sampling
import rivals.table_jobs  # noqa: F401
from rivals.cli import main


def clocked() -> None:
    out = Path(sys.argv.pop(1))
    torch.set_num_threads(1)
    if sys.argv[1] == "train":
        import sklearn.ensemble  # noqa: F401  for verdicts; sampling has none
    imported = time.process_time()
    clock = Clock()
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    whole = time.process_time() - clock.began
    out.write_text(json.dumps({**clock.told(), "whole": whole, "imports": imported, "peak_mb": peak()}))
    sys.exit(status)


if __name__ == "__main__":
    clocked()
