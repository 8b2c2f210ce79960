"""What a comparison shows on a terminal: which run of how many, and the time left for all."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from .display import Display, scores_words
from .engine.words import duration
from .judging.comparison_words import rank_words, ranking_words, score_words


class ComparisonDisplay(Display):
    """Shows a comparison as it comes; of each run only its progress and its end."""

    turn: Mapping[str, Any] | None = None
    where = ""

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Show an entry of the comparison, or of the run that it is at."""
        show = {
            "comparison": self.comparison, "turn": self.begun, "failed": self.failed, "compared": self.compared
        }.get(entry["kind"])  # fmt: skip
        if show is not None:
            show(entry)
        elif self.turn is None or entry["kind"] not in ("found", "plan", "reading", "decoding"):
            super().__call__(entry)

    def comparison(self, entry: Mapping[str, Any]) -> None:
        """All that will be done, and how long it takes, before it begins."""
        done = f", {entry['done']} of them done already" if entry["done"] else ""
        self.say(
            f"[bold]Comparing[/] {escape(', '.join(entry['methods']))} with {entry['seeds']} "
            f"seed{'s' * (entry['seeds'] > 1)} each: {entry['total']} runs{done}"
        )
        self.say(
            f"[bold]Takes[/] about {duration(entry['seconds'])} of training in all, and judging after each run; "
            f"goes to [bold]{escape(entry['folder'])}[/] (Ctrl-C saves)"
        )

    def begun(self, entry: Mapping[str, Any]) -> None:
        """A run begins."""
        self.turn, self.quality, self.curve = entry, "", []
        self.where = f"run {entry['number']} of {entry['total']}, {entry['run']}"

    def round(self, entry: Mapping[str, Any]) -> None:
        """Progress, and the time left for all runs."""
        if self.turn is None:
            return
        progress, seconds = entry["progress"], entry["seconds"]
        own = seconds / progress * (1 - progress) if progress > 0.005 else self.turn["expected"]
        left = duration(own + self.turn["judging"] + self.turn["later"])
        self.line(
            f"{self.where}: {100 * progress:3.0f} % step {entry['step']}  {entry['rate']:.0f} pictures/s  "
            f"{left} left for all{self.quality}",
            last=progress >= 1,
        )

    def event(self, entry: Mapping[str, Any]) -> None:
        """Something happened."""
        self.say(f"{escape(self.where)}: [yellow]step {entry['step']}[/]: {escape(entry['words'])}")

    def judging(self, entry: Mapping[str, Any]) -> None:
        """After a run's training."""
        self.line(f"{self.where}: trained {entry['step']} steps, judging ...")

    def done(self, entry: Mapping[str, Any]) -> None:
        """A run's end."""
        self.say(f"{escape(self.where)}: [green]done[/], {scores_words(entry['verdict']['scores'])}")

    def failed(self, entry: Mapping[str, Any]) -> None:
        """A run that stopped; the others go on."""
        self.say(f"{escape(self.where)}: [red]failed[/], {escape(entry['words'])}")

    def compared(self, entry: Mapping[str, Any]) -> None:
        """The ranking."""
        comparison = entry["comparison"]
        standings = comparison.standings
        wide = max(len(standing.method) for standing in standings)
        for standing in standings:
            self.say(
                f"  {rank_words(standing, standings):>10}  [bold]{escape(f'{standing.method:{wide}}')}[/]  "
                f"FD {score_words(standing)} of variance"
            )
        for words in ranking_words(comparison):
            self.say(escape(words))
        self.say(f"  page: {escape(entry['folder'])}/comparison.html")
