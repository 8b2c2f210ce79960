"""What all benchmarks share: where results go, and what a result must say of how it was made."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
RUNS = ROOT / "benchmarks" / "runs"
LOAD = list(os.getloadavg())  # before the benchmark makes its own


def circumstances() -> dict[str, Any]:
    """The machine, the versions, the commit and the command."""
    import torch

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    cpu = next((line.split(":")[1].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")), "")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain", "src") else ""),
        "command": " ".join(["python", *sys.argv]),
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": LOAD,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def lines(path: str) -> list[str]:
    """A file's lines; none where it is not there."""
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def write_result(name: str, values: dict[str, Any]) -> Path:
    """A result with its circumstances, as JSON in `benchmarks/results`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**values, "circumstances": circumstances()}, indent=2) + "\n")
    print(f"wrote {path.relative_to(ROOT)}")
    return path
