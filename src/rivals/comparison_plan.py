"""What a comparison will do: its methods and runs, its folder, how long it takes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rivals

from . import api
from .engine.errors import RequestError
from .engine.methods import METHODS
from .engine.names import named
from .jobs import slug

FORMAT = 1  # of comparison.json
DEFAULT_METHODS = "r3gan,wgan-gp,hinge"
DEFAULT_MINUTES = 5.0
KEPT = ("source", "minutes", "steps", "features", "changes")  # what a comparison that goes on may not change


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is compared, and where it goes. `methods` are those asked for, by the names they have on the page."""

    source: str
    folder: Path
    methods: Mapping[str, str]
    seeds: int
    minutes: float | None
    steps: int | None
    features: str | None
    changes: Mapping[str, str]
    device: str

    @property
    def runs(self) -> list[tuple[str, int]]:
        """All runs, seed by seed: broken off anywhere, the methods have come about equally far."""
        return [(method, seed) for seed in range(self.seeds) for method in self.methods]

    def run_folder(self, method: str, seed: int) -> Path:
        """Where a run lies."""
        return self.folder / f"{slug(method)}-{seed}"

    @property
    def about(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "format": FORMAT,
            "rivals": rivals.__version__,
            "source": self.source,
            "methods": list(self.methods.values()),
            "seeds": self.seeds,
            "minutes": self.minutes,
            "steps": self.steps,
            "features": self.features,
            "changes": dict(self.changes),
        }


@dataclass
class Clock:
    """How long runs take: as estimated, then as the method's own last run took."""

    expected: dict[str, float]
    took: dict[str, float] = field(default_factory=dict)

    @property
    def more(self) -> float:
        """What runs took beyond their estimate, such as judging; 0 as long as none is done."""
        beyond = [seconds - self.expected[method] for method, seconds in self.took.items()]
        return max(sum(beyond) / len(beyond), 0.0) if beyond else 0.0

    def run(self, method: str) -> float:
        """Seconds of a run that was not begun."""
        return self.took.get(method, self.expected[method] + self.more)


def read_methods(methods: str | Sequence[str]) -> dict[str, str]:
    """The methods asked for, each once, by name; a file's method is named after the file.

    >>> read_methods("r3gan, hinge,r3gan")
    {'r3gan': 'r3gan', 'hinge': 'hinge'}
    """
    asked = methods.split(",") if isinstance(methods, str) else methods
    found: dict[str, str] = {}
    for method in dict.fromkeys(each.strip() for each in asked if each.strip()):
        name, own = api.own_method(method)
        if own is None:
            named(method, METHODS, "method")
        if name is None or name in found:
            raise RequestError(f"--methods names two methods {name!r}: {found[str(name)]} and {method}; rename one")
        found[name] = method
    if not found:
        raise RequestError(f"--methods names no method: give one or more by comma, such as {DEFAULT_METHODS}")
    return found


def open_comparison(plan: Plan, resume: bool) -> dict[str, str]:
    """The failures of the comparison that goes on, by run folder; none where a new one begins.

    Raises:
        RequestError: the folder holds a comparison and nobody asked to resume, or another one, or other files.
    """
    card = plan.folder / "comparison.json"
    if not card.exists():
        others = sorted(path.name for path in plan.folder.iterdir() if not path.name.startswith("."))
        if others:
            raise RequestError(f"{plan.folder} holds other files ({others[0]!r} ...); give another --out")
        return {}
    if not resume:
        raise RequestError(f"{plan.folder} already holds a comparison: go on by --resume, or give another --out")
    try:
        stored = json.loads(card.read_text(encoding="utf-8"))
        version, kept = stored["format"], {name: stored[name] for name in KEPT}
        failures = {run["folder"]: str(run["failure"]) for run in stored["runs"] if run["failure"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{card} is damaged: {error!r}; give another --out") from None
    if version != FORMAT:
        raise RequestError(f"{card} has format {version}; this is Rivals {rivals.__version__}, which reads {FORMAT}")
    for name in KEPT:
        if kept[name] != plan.about[name]:
            raise RequestError(
                f"the comparison in {plan.folder} has {name} {kept[name]}, not {plan.about[name]}: "
                "its runs could not be compared; give another --out"
            )
    return {folder: words for folder, words in failures.items() if (plan.folder / folder / "run.json").exists()}
