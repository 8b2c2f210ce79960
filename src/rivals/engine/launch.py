"""Devices and processes: a Fabric for this machine, over as many processes as it takes."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import torch

from .errors import RequestError, StoppedError
from .processes import Spread, thread_count
from .recipe import PRECISIONS
from .shared_memory import board

if TYPE_CHECKING:
    from lightning_fabric import Fabric

STARTED = "RIVALS_STARTED"  # set for processes that `spread_out` started


@dataclass(frozen=True)
class Command:
    """The command line that is running: what every further process of the same training is started with.

    Args:
        words: those after `rivals`.
        processes: how many were asked for; None to choose by a measurement.
    """

    words: tuple[str, ...]
    processes: int | None = None


def launch(device: str, precision: str | None) -> "Fabric":
    """A Fabric for this machine: one device, or as many processes as torchrun or `spread_out` started."""
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # five lines on processes, for nobody
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise RequestError(f"no device {device!r}: there are auto, cpu, cuda, mps")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise RequestError(f"there is no {device} device on this machine; leave --device out")
    kind = next((name for name in ("cuda", "mps") if there[name]), "cpu") if device == "auto" else device
    if kind == "cpu" and precision == "16-mixed":
        raise RequestError("precision 16-mixed needs a GPU: the CPU has no fast 16-bit floats; leave --precision out")
    if precision is not None and precision not in PRECISIONS:
        raise RequestError(f"no precision {precision!r}: there are {', '.join(PRECISIONS)}")
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=kind,
        devices=local,
        num_nodes=max(world // local, 1),
        strategy="ddp" if world > 1 else "auto",
        precision=precision or "32-true",  # type: ignore[arg-type]
    )
    if STARTED in os.environ:
        report_to_first()
    fabric.launch()
    return fabric


def fast_precision(device: str) -> str | None:
    """bf16 on a GPU that computes with it; None, which is 32 bits, elsewhere.

    Weights, moments, losses, penalties and the running average stay in 32 bits; bf16 has their range, so nothing needs
    to be scaled (R3GAN trains so; Huang et al., 2024). On a CPU it is many times slower.
    """
    there = device in ("auto", "cuda") and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return "bf16-mixed" if there else None


def launched() -> bool:
    """Whether this is one of several processes already, torchrun's or our own."""
    return "WORLD_SIZE" in os.environ


@contextmanager
def spread_out(spread: Spread, words: Sequence[str], device: str, precision: str | None) -> Iterator["Fabric"]:
    """Become the first process of a spread: start the others with the same command, and end them afterwards.

    The others are held by a pipe: however this process ends, they end too.

    Raises:
        StoppedError: one of them ended before its time.
    """
    with thread_count(spread.threads), ExitStack() as ending:
        if spread.processes == 1:
            yield launch(device, precision)
            return
        shared = meeting_point(spread.processes)
        others = []
        for rank in range(1, spread.processes):
            others.append(Other(rank, spread, words, shared))
            ending.callback(others[-1].end)
        try:
            for other in others:
                other.wait_until_here()
            with environment({**shared, "RANK": "0", "LOCAL_RANK": "0"}):
                fabric = launch(device, precision)
                ending.callback(torch.distributed.destroy_process_group)
                ending.callback(board.cache_clear)  # other processes would open others
                with fabric.rank_zero_first():
                    pass  # the others look at the run's folder before anything is written there
                yield fabric
        except StoppedError:
            raise
        except RuntimeError:  # a connection broke, or this process failed alone
            gone = first_gone(others)
            if gone is None:
                raise
            raise StoppedError(gone.words()) from None
        for other in others:
            other.end(10.0)


class Other:
    """Another process of the same training; silent, and gone when the first is."""

    def __init__(self, rank: int, spread: Spread, words: Sequence[str], shared: Mapping[str, str]) -> None:
        self.name = f"process {rank + 1} of {spread.processes}"
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": str(spread.threads), STARTED: "1"}
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rivals", *words],  # -P: nothing is imported from the folder we stand in
            env={**os.environ, **shared, **own},
            stdin=subprocess.PIPE,  # it lives as long as this is open
            stdout=subprocess.PIPE,  # it says here when it is about to join the others
            stderr=self.errors,
        )

    def wait_until_here(self) -> None:
        """Wait until it is about to join the others."""
        assert self.process.stdout is not None
        if not self.process.stdout.read(1):
            self.process.wait()
            raise StoppedError(self.words())

    def words(self) -> str:
        """How it ended, in one line."""
        code = self.process.returncode
        self.errors.seek(0)
        told = self.errors.read().decode(errors="replace").strip().splitlines()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        why = f" ({told[-1].removeprefix('rivals: ')})" if told and code >= 0 else ""
        return (
            f"{self.name} {how}{why}: the same command with --resume goes on from what was saved; "
            "--processes 1 does without others"
        )

    def end(self, seconds: float = 0.0) -> None:
        """End it, if it does not do so itself in time: it writes nothing that could be left half done."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def first_gone(others: Sequence[Other], seconds: float = 5.0) -> Other | None:
    """One that has ended: a connection breaks a moment before its process is seen to be gone."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for other in others:
            if other.process.poll() is not None:
                return other
        time.sleep(0.02)
    return None


def report_to_first() -> None:
    """In a process that was started by another: say that it is here, and end when the other does."""

    def end_with_first() -> None:
        os.read(0, 1)  # nothing is ever sent: this comes back when the pipe breaks
        os._exit(1)

    threading.Thread(target=end_with_first, daemon=True).start()
    os.write(1, b".")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def meeting_point(processes: int) -> dict[str, str]:
    """The variables by which processes of this machine find each other, over its loopback only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    variables = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    return variables | ({"GLOO_SOCKET_IFNAME": loopback} if loopback else {})


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Some environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
