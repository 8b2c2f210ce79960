"""CPU seconds and memory of a training, whoever's it is: torch tells after every step of every optimizer."""

import resource
import statistics
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook


class TimeIsUpError(Exception):
    """The CPU time that a training was given is used up."""


def peak() -> float:
    """The most memory that this process has had so far, in MB: everything resident, libraries and mapped files too."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says begins with the parent's
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Clock:
    """What a training took: begin, train, `told`.

    Args:
        turns: steps of optimizers in a round.
        most: CPU seconds after which training is stopped, by an exception out of the step.
    """

    turns: int = 2
    most: float | None = None
    began: float = field(default_factory=time.process_time)
    steps: list[float] = field(default_factory=list)
    peak: float = 0.0

    def __post_init__(self) -> None:
        register_optimizer_step_post_hook(self.stepped)

    def stepped(self, *_: Any) -> None:
        """After a step of an optimizer."""
        self.steps.append(time.process_time() - self.began)
        self.peak = peak()
        if self.most is not None and len(self.steps) % self.turns == 0 and self.steps[-1] >= self.most:
            raise TimeIsUpError

    def told(self) -> dict[str, Any]:
        """CPU seconds before the first round, of a median and of a mean round, until the last; MB at most until then.

        The median leaves out what comes now and then between rounds: verdicts, previews, checkpoints.
        """
        ends = self.steps[self.turns - 1 :: self.turns]
        if len(ends) < 2:
            return {"rounds": len(ends)}
        median = statistics.median(b - a for a, b in pairwise(ends))
        return {
            "rounds": len(ends),
            "before": ends[0] - median,
            "round": median,
            "mean_round": (ends[-1] - ends[0]) / (len(ends) - 1),
            "trained": ends[-1],
            "trained_mb": self.peak,
        }
