"""How benchmarks train: through the command line, as a user would, several at a time, each once.

Machines are shared, so a budget can be given in steps: as many as a method would take in the minutes, by a rate that is
measured once, interleaved with the other methods' (`rates`). Such a run gives the same bits however busy the machine.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import RUNS


def parser(words: str | None) -> argparse.ArgumentParser:
    """The options that benchmarks share."""
    made = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--threads", type=int, default=2, help="of each run")
    made.add_argument("--jobs", type=int, default=1, help="runs at a time")
    made.add_argument("--quick", action="store_true", help="a smoke run of seconds; writes no result")
    return made


def options(settings: Mapping[str, Any]) -> list[str]:
    """Settings of a recipe as words of the command line."""
    return [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]


def train(folder: Path, source: str, words: Sequence[str], *, threads: int) -> dict:
    """Train with the command line into a folder, and return its verdict; a run that is done is not trained again.

    Raises:
        RuntimeError: the run failed; the last line that it said.
    """
    verdict = folder / "verdict.json"
    if not verdict.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "rivals", "train", source, "--out", str(folder), "--resume", *words]
        print(f"{folder.name}: rivals {' '.join(command[3:])}", flush=True)
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise RuntimeError(said[-1].strip() if said else f"exit status {done.returncode}")
    return json.loads(verdict.read_text())


def recipe(folder: Path) -> dict:
    """The recipe that a run was made by."""
    return json.loads((folder / "recipe.json").read_text())


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """What is in a JSON file, made the first time."""
    if not file.exists():
        values = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f"{file.name}.{os.getpid()}")
        aside.write_text(json.dumps(values, indent=1) + "\n")
        aside.rename(file)
    return json.loads(file.read_text())


def each(tasks: Iterable[Callable[[], dict]], *, jobs: int, done: Callable[[list[dict]], Any]) -> list[dict]:
    """The rows that tasks return, in their order, `jobs` at a time; `done` is told all rows after every one.

    A task that fails leaves a row with its `error` (it begins with what the task's `keywords` say of it).
    """
    tasks = list(tasks)
    rows: dict[int, dict] = {}

    def one(number: int) -> None:
        try:
            rows[number] = tasks[number]()
        except RuntimeError as error:
            known = getattr(tasks[number], "keywords", {})
            plain = {key: value for key, value in known.items() if isinstance(value, str | int | float)}
            rows[number] = {**plain, "error": str(error)}
            print(f"{plain}: {error}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(one, range(len(tasks))):
            done([rows[number] for number in sorted(rows)])
    return [rows[number] for number in sorted(rows)]


def budget(kind: str, minutes: float, seconds_a_round: float | None) -> list[str]:
    """Words of the command line for a time, or for the steps that the time would hold."""
    if kind == "minutes" or seconds_a_round is None:
        return ["--minutes", f"{minutes:g}"]
    return ["--steps", str(max(round(60 * minutes / seconds_a_round), 1))]


def rates(
    file: Path, runs: Mapping[str, tuple[str, Sequence[str]]], *, minutes: float, threads: int = 2, quick: bool = False
) -> dict:
    """Seconds a round of every run, measured in turns, three times; what is in the file already is not measured again.

    Args:
        file: JSON of {name: {"best", "each", "load", "threads"}}; "best" is the least of the three.
        runs: by name, the source and the words of the command line.
        minutes: what the run is told that it has: it chooses threads and processes, as it would for a user.
        threads: of each.
        quick: look at each for a second only.
    """
    found = json.loads(file.read_text()) if file.exists() else {}
    took = 1.0 if quick else min(10.0, 60 * minutes / 8)  # before the first of six verdicts
    missing = [name for name in runs if name not in found]
    new: dict[str, list] = {name: [] for name in missing}
    for _ in range(1 if quick else 3):
        for name in missing:
            load = os.getloadavg()[0]
            new[name].append((one_rate(*runs[name], minutes=minutes, threads=threads, seconds=took), round(load, 2)))
            print(f"{name}: {new[name][-1][0]} s a round at load {load:.1f}", flush=True)
    for name, pairs in new.items():
        measured = [rate for rate, _ in pairs if rate is not None]
        if measured:
            row = {"best": min(measured), "median": statistics.median(measured), "each": [rate for rate, _ in pairs]}
            found[name] = {**row, "load": [load for _, load in pairs], "threads": threads}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    return found


def one_rate(source: str, words: Sequence[str], *, minutes: float, threads: int, seconds: float) -> float | None:
    """Seconds a round of `rivals train SOURCE WORDS`, by its own log; None if it fails.

    The run is interrupted after so many seconds of rounds: verdicts on samples, which come later, are not counted.
    """
    with tempfile.TemporaryDirectory(dir=RUNS) as folder:
        run = Path(folder) / "run"
        command = [
            sys.executable,
            "-m",
            "rivals",
            "train",
            source,
            "--out",
            str(run),
            "--minutes",
            f"{minutes:g}",
            *words,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        with (Path(folder) / "said").open("w+") as said:
            going = subprocess.Popen([*command, "--loggers", "none"], env=environment, stdout=said, stderr=said)
            try:
                while going.poll() is None:
                    time.sleep(0.2)
                    rounds = rounds_of(run / "log.jsonl")
                    if rounds and rounds[-1]["seconds"] - rounds[0]["seconds"] >= seconds:
                        return float(f"{between(rounds[0], rounds[-1]):.4g}")
            finally:
                going.send_signal(signal.SIGINT)
                going.wait()
            said.seek(0)
            print("".join(said.readlines()[-1:]).strip(), flush=True)
    return None


def rounds_of(log: Path) -> list[dict]:
    """The logged rounds of a run but the first, which warms up."""
    lines = log.read_text().split("\n")[:-1] if log.exists() else []  # the last may be half written
    return [entry for entry in map(json.loads, lines) if entry["kind"] == "round"][1:]


def between(first: Mapping[str, float], last: Mapping[str, float]) -> float:
    """Seconds a round from one logged round to another."""
    return (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
