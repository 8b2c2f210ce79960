"""The tables' peers, each in an environment of its own under `benchmarks/runs/tables-peers`, and how they are run.

    python benchmarks/tables_peers.py          # makes the environments, once; about 400 MB

CTGAN's licence can't be taken by this project, and arfpy needs an older numpy; they are installed by pip, called by
their public functions as they are, and nothing of them is kept here. CTGAN shares torch, pandas and numpy with the
environment of Rivals, so that both run on the same ones.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import RUNS

PLACE = RUNS / "tables-peers"
PEERS = Path(__file__).with_name("peers")
CTGAN, ARF = PLACE / "venv", PLACE / "venv-arf"
ENVIRONMENT = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)  # one thread, no helpers


def make() -> None:
    """Make the environments that are not there."""
    if not (CTGAN / "bin" / "python").exists():
        install(CTGAN, "--no-deps", "ctgan==0.12.1", "rdt==2.0.0", "faker", "tqdm")
        shared = next((CTGAN / "lib").glob("python3*")) / "site-packages" / "rivals-env.pth"
        shared.write_text(sysconfig.get_path("purelib") + "\n")
    if not (ARF / "bin" / "python").exists():
        install(ARF, "arfpy==0.1.1", "numpy<2", "pandas<3", "scikit-learn<1.6", "scipy<1.14")


def install(place: Path, *words: str) -> None:
    venv.create(place, with_pip=True)
    subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *words], check=True)


def ctgan(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Train CTGAN on a table and sample from it, as `peers/tables_ctgan.py` says."""
    return last_line([CTGAN / "bin" / "python", PEERS / "tables_ctgan.py", json.dumps(asked)])


def arf(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same of adversarial random forests, as `peers/tables_arf.py` says."""
    return last_line([ARF / "bin" / "python", PEERS / "tables_arf.py", json.dumps(asked)])


def last_line(command: Sequence[str | Path]) -> dict[str, Any]:
    """What a program prints last, as JSON.

    Raises:
        RuntimeError: it failed; the last line that it said.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


def rivals(out: Path, *words: str, cache: Path | None = None) -> dict[str, Any]:
    """Our command line with a clock, `peers/tables_rivals.py`; what it told is kept in `out` and not asked again.

    Raises:
        RuntimeError: it failed; the last line that it said.
    """
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        made = {} if cache is None else {"RIVALS_CACHE": str(cache)}
        aside = out.with_suffix(".part")
        command = [sys.executable, str(PEERS / "tables_rivals.py"), str(aside), *words]
        print(f"rivals {' '.join(words)}", flush=True)
        environment = {**os.environ, **ENVIRONMENT, **made}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise RuntimeError(said[-1].strip() if said else f"exit status {done.returncode}")
        aside.rename(out)
    return json.loads(out.read_text())


def main() -> None:
    make()


if __name__ == "__main__":
    main()
