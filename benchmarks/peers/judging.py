"""The peers that our judging is measured against, in an environment of their own under benchmarks/runs/peers-judging.

    python benchmarks/peers/judging.py      # makes it, once; about 1.2 GB

They are installed by pip at fixed versions. torchvision has no build for the CPU alone here, so its compiled operators
are missing; `judging_inside.py` declares the two that an import asks for. None of the peers' code that is measured uses
them.
"""

import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "runs" / "peers-judging"
PYTHON = FOLDER / "venv" / "bin" / "python"
INSIDE = Path(__file__).with_name("judging_inside.py")
SOURCE = Path(__file__).parents[2] / "src"
TORCH = "torch==2.13.0"
FIRST = (("torchvision==0.28.0", "--no-deps"), (TORCH, "numpy"))
PEERS = ("torchmetrics==1.9.0", "torch-fidelity==0.4.0", "pytorch-fid==0.3.0", "prdc==0.2", "scipy==1.17.1")


def make() -> None:
    """Make the environment; what is there already is not made again, what was begun goes on."""
    done = FOLDER / "done"
    if done.exists():
        return
    if not PYTHON.exists():
        venv.create(FOLDER / "venv", with_pip=True)
    constraints = FOLDER / "constraints.txt"
    constraints.write_text(TORCH + "\n")
    for words in (*FIRST, ("-c", str(constraints), *PEERS)):
        subprocess.run([str(PYTHON), "-m", "pip", "install", "--quiet", *words], check=True)
    done.write_text(json.dumps(ask("versions")) + "\n")


def ask(task: str, *words: object, ours: bool = False) -> dict:
    """What the peers' own code says, run in their environment by a process of its own.

    Args:
        task: a function of `judging_inside.py`.
        words: its arguments.
        ours: whether this project and what it depends on can be imported there too, behind the peers' packages.
    """
    behind: Sequence[str] = [str(SOURCE), sysconfig.get_path("purelib")] if ours else []
    command = [str(PYTHON), str(INSIDE), json.dumps(behind), task, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{task}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    make()
    print(f"peers in {FOLDER}: {(FOLDER / 'done').read_text()}", file=sys.stderr)
