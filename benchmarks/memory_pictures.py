"""Time and memory of many pictures: survey and load, the second start, and cutting batches.

    python benchmarks/memory_pictures.py [COUNT]

Makes COUNT and COUNT / 10 distinct PNGs of 8 × 8 in a temporary folder and measures in child processes.
"""

import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

RESULT = Path(__file__).parent / "results" / "memory_pictures.json"
SIDE, BATCHES, BATCH = 8, 1000, 64
PROTOCOL = (
    f"distinct random {SIDE}x{SIDE} RGB PNGs, 1000 a folder below one folder; each phase in its own child process; "
    "seconds are wall time of the calls, without imports; megabytes are the highest RssAnon of /proc/self/status "
    "sampled every 5 ms, 'before' being that after the imports; "
    f"'cut' is {BATCHES} random batches of {BATCH}"
)


def anonymous() -> float:
    """This process's anonymous memory now, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returned, its seconds and the highest anonymous memory meanwhile."""
    done, peak = threading.Event(), [anonymous()]

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return result, seconds, max(peak[0], anonymous())


def child(folder: str, phase: str) -> None:
    """Measure one phase and print it as JSON."""
    from rivals.modalities.images.cache import cut, load, survey

    before = anonymous()
    seen, looking, look_peak = measured(lambda: survey(folder))
    made, loading, load_peak = measured(lambda: load(seen, height=SIDE, width=SIDE, channels=3))
    report = {"seconds": looking + loading, "survey": looking, "load": loading}
    report |= {"megabytes": max(look_peak, load_peak), "before": before, "pictures": len(made.pixels)}
    if phase == "cut":
        rows = torch.randint(len(made.pixels), (BATCHES, BATCH), generator=torch.Generator().manual_seed(0))
        _, report["seconds"], report["megabytes"] = measured(lambda: [cut(made, batch).shape for batch in rows])
    print(json.dumps(report))


def make(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for start in range(0, count, 1000):
        below = folder / f"{start // 1000:04d}"
        below.mkdir(parents=True)
        for number, pixels in enumerate(rng.integers(0, 256, (min(1000, count - start), SIDE, SIDE, 3), np.uint8)):
            held = io.BytesIO()
            Image.fromarray(pixels).save(held, "PNG", compress_level=1)
            (below / f"{number:04d}.png").write_bytes(held.getvalue())


def measure(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        make(Path(place) / "pictures" / "all", count)
        settings = os.environ | {"RIVALS_CACHE": str(Path(place) / "cache"), "OMP_NUM_THREADS": "1"}
        report: dict[str, Any] = {}
        for phase in ("first", "second", "cut"):
            command = [sys.executable, __file__, "--child", str(Path(place) / "pictures"), phase]
            done = subprocess.run(command, env=settings, check=True, capture_output=True, text=True)
            report[phase] = {key: round(value, 3) for key, value in json.loads(done.stdout).items()}
    return report


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:4])
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    reports = {str(n): measure(n) for n in (count // 10, count)}
    result = {
        "protocol": PROTOCOL,
        "counts": [count // 10, count],
        "seconds": {n: {phase: held["seconds"] for phase, held in report.items()} for n, report in reports.items()},
        "megabytes": {n: {phase: held["megabytes"] for phase, held in report.items()} for n, report in reports.items()},
        "details": reports,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpus": os.cpu_count(),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
