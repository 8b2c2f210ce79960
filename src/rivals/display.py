"""What a run shows on a terminal, or as plain lines where there is none."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from .engine.words import duration, short

if TYPE_CHECKING:
    from .editing import Done

COLUMNS = 40  # of a table that are told of


class Display:
    """Shows a run's log as it comes: one changing line on a terminal, plain lines every `pause` seconds elsewhere."""

    def __init__(self, console: Console | None = None, pause: float = 10.0) -> None:
        self.console = console or Console(highlight=False)
        self.pause = pause
        self.live: Live | None = None
        self.shown = 0.0
        self.seconds = 0.0
        self.quality = ""
        self.items = "samples"
        self.edits = False
        self.curve: list[float] = []  # the distance, verdict by verdict
        self.began: dict[str, float] = {}  # when each kind of reading was first told of

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Show an entry of the log, or what is told before and after training."""
        show = {
            "reading": self.reading,
            "decoding": self.reading,
            "writing": self.reading,
            "editing": self.editing,
            "embedding": self.embedding,
            "comparing": self.comparing,
            "fetching": self.preparing,
            "learning": self.preparing,
            "found": self.found,
            "columns": self.columns,
            "plan": self.plan,
            "privacy": self.privacy,
            "spread": self.spread,
            "round": self.round,
            "resumed": self.resumed,
            "verdict": self.verdict,
            "event": self.event,
            "judging": self.judging,
            "done": self.done,
        }.get(entry["kind"])
        if show is not None:
            show(entry)

    def line(self, words: str, *, last: bool = True) -> None:
        """A changing line: the newest replaces the one before on a terminal; `last` forces it out elsewhere."""
        if self.console.is_terminal:
            if self.live is None:
                self.live = Live(console=self.console, refresh_per_second=8, transient=True)
                self.live.start()
            self.live.update(Text(words))
        elif last or time.monotonic() - self.shown >= self.pause:
            self.shown = time.monotonic()
            self.console.print(words, markup=False, soft_wrap=True)

    def say(self, words: str) -> None:
        """A line that stays."""
        self.clear()
        self.console.print(words, soft_wrap=True)

    def clear(self) -> None:
        """Take the changing line away."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def reading(self, entry: Mapping[str, Any]) -> None:
        """Progress over files."""
        self.shown = self.shown or time.monotonic()
        began = self.began.setdefault(entry["kind"], time.monotonic())
        items = entry.get("items", "pictures")
        words = f"{entry['kind']} {entry['done']} {items}"
        if entry["total"]:
            left = (time.monotonic() - began) * (entry["total"] - entry["done"]) / max(entry["done"], 1)
            words = f"{entry['kind']} {entry['done']} of {entry['total']} {items}, {duration(left)} left"
        self.line(words, last=False)

    def editing(self, entry: Mapping[str, Any]) -> None:
        """Progress over pictures that are edited, of the one under way too."""
        self.shown = self.shown or time.monotonic()
        began = self.began.setdefault("editing", time.monotonic())
        total, share = max(entry["total"], 1), entry["done"] + entry["share"]
        left = duration((time.monotonic() - began) * (total - share) / share) if share else "?"
        self.line(f"{100 * share / total:3.0f} % of {total} pictures edited, {left} left", last=False)

    def edited(self, done: "Done") -> None:
        """What became of pictures that were to be edited."""
        for reason, count in done.skipped.items():
            self.say(f"  [yellow]skipped {count}[/]: {escape(reason)}, such as {escape(done.examples[reason])}")
        for words, count in done.words.items():
            self.say(f"  {count} of {len(done.written)}: {escape(words)}")
        if done.there:
            self.say(f"  {done.there} were there already")
        if len(done.written) == 1:
            self.say(escape(str(done.written[0])))
        elif done.written:
            folder = os.path.commonpath([each.parent for each in done.written])
            self.say(f"{len(done.written)} pictures in {escape(folder)}")

    def embedding(self, entry: Mapping[str, Any]) -> None:
        """Progress of a judge over the pictures of a side; a second side begins anew."""
        began = self.began.setdefault(entry["what"], time.monotonic())
        self.shown = self.shown or time.monotonic()
        done, total = entry["done"], entry["total"]
        left = duration((time.monotonic() - began) * (total - done) / max(done, 1))
        self.line(f"looking at {entry['what']}: {done} of {total} pictures, {left} left", last=False)

    def preparing(self, entry: Mapping[str, Any]) -> None:
        """Progress of what a feature space needs first: a download, in bytes, or learning, in steps."""
        began = self.began.setdefault(entry["what"], time.monotonic())
        self.shown = self.shown or time.monotonic()
        done, total = entry["done"], entry["total"]
        fetched = entry["kind"] == "fetching"
        many = f"{done / 2**20:.0f} MB" if fetched else f"step {done}"
        if total:
            left = duration((time.monotonic() - began) * (total - done) / max(done, 1))
            many += f" of {total / 2**20:.0f} MB, {left} left" if fetched else f" of {total}, {left} left"
        self.line(f"{entry['kind']} {entry['what']}: {many}", last=False)

    def comparing(self, entry: Mapping[str, Any]) -> None:
        """What a judge reckons now."""
        self.line(f"comparing: {entry['what']}", last=False)

    def found(self, entry: Mapping[str, Any]) -> None:
        """What the data is."""
        found = entry["found"]
        sizes = ", ".join(f"{count} of {size}" for size, count in list(found["sizes"].items())[:3])
        more = f" and {len(found['sizes']) - 3} other sizes" if len(found["sizes"]) > 3 else ""
        modes = ", ".join(f"{count} {mode}" for mode, count in found["modes"].items())
        self.say(f"[bold]Found[/] {found['count']} pictures in {escape(found['source'])} ({found['kind']}): "
                 f"{escape(sizes)}{more} pixels; {escape(modes)}")  # fmt: skip
        if found["classes"]:
            classes = list(found["classes"].items())
            told = ", ".join(f"{name!r} {count}" for name, count in classes[:12])
            self.say(f"  {len(classes)} classes: {escape(told)}{' ...' if len(classes) > 12 else ''}")
        for reason, count in found["skipped"].items():
            example = found["examples"].get(reason, "")
            self.say(
                f"  [yellow]skipped {count}[/]: {escape(reason)}{escape(f', such as {example}' if example else '')}"
            )
        if found["duplicates"]:
            self.say(f"  {found['duplicates']} duplicates (pictures equal to an earlier one)")
        for note in found["notes"]:
            self.say(f"  {escape(note)}")

    def columns(self, entry: Mapping[str, Any]) -> None:
        """What a table's columns are, a line each; of wide tables the first."""
        columns = entry["columns"]
        self.say(f"[bold]Found[/] {entry['rows']:,} rows of {len(columns)} columns in {escape(entry['name'])}")
        for column in columns[:COLUMNS]:
            gaps = f", {column.missing:,} missing" if column.missing else ""
            self.say(f"  {escape(column.name[:30]):30} {column.kind:9} {escape(column.why)}{gaps}")
        if len(columns) > COLUMNS:
            self.say(f"  ... and {len(columns) - COLUMNS} more")
        for note in entry["notes"]:
            self.say(f"  {escape(note)}")

    def plan(self, entry: Mapping[str, Any]) -> None:
        """What was chosen, and why."""
        recipe = entry["recipe"]
        self.edits = recipe["modality"] == "edits"
        self.items = entry["items"]
        ours, theirs = entry["parameters"]
        self.say(
            f"[bold]Chosen[/] {recipe['method']} at {entry['shape']}; generator "
            f"{recipe['generator']['name']} {short(ours)} and critic {short(theirs)} "
            f"parameters; batch {recipe['batch']}"
        )
        for reason in entry["reasons"]:
            self.say(f"  {escape(reason)}")
        until = f", or until {escape(recipe['until'])}" if recipe["until"] else ""
        self.seconds = entry["seconds"]
        self.say(
            f"[bold]Takes[/] about {duration(entry['seconds'])} on this {entry['device'].upper()}{until}, "
            f"{entry['memory_gb']:.1f} GB of memory; goes to [bold]{escape(entry['folder'])}[/] (Ctrl-C saves)"
        )

    def privacy(self, entry: Mapping[str, Any]) -> None:
        """What differential privacy is charged, and what it leaves out."""
        self.say("[bold]Privacy[/] differential, for each row that is added or removed")
        for line in entry["lines"]:
            self.say(f"  {escape(line)}")

    def spread(self, entry: Mapping[str, Any]) -> None:
        """How the run is spread over the cores, and why."""
        self.say(f"  {escape(entry['words'])}")

    def round(self, entry: Mapping[str, Any]) -> None:
        """Progress."""
        progress, seconds = entry["progress"], entry["seconds"]
        left = duration(seconds / progress * (1 - progress)) if progress > 0.005 else "?"
        losses = entry["losses"]
        sides = " ".join(
            f"{side} {sum(value for name, value in losses.items() if name.startswith(side)):.2f}"
            for side in ("critic", "generator")
            if any(name.startswith(side) for name in losses)
        )
        right = entry["accuracy"]
        sure = (
            "  critic right: real {real:.0f} % fake {fake:.0f} % held-out {held_out:.0f} %".format(**right)
            if right
            else ""
        )
        self.line(
            f"{100 * progress:3.0f} % step {entry['step']}  {entry['rate']:.0f} {self.items}/s  {left} left  "
            f"losses: {sides}{sure}{self.quality}",
            last=progress >= 1,
        )

    def verdict(self, entry: Mapping[str, Any]) -> None:
        """The quality now, the best so far, and the way there."""
        scores = entry["scores"]
        self.curve.append(scores.get("fd_share", next(iter(scores.values()))))
        unicode = "utf" in (self.console.encoding or "").lower()
        way = f"  {sparkline(self.curve)}" if unicode and len(self.curve) > 1 else ""
        best = "" if entry["best"] else f", best {min(self.curve):.3g}{' %' * ('fd_share' in scores)}"
        self.quality = f"  quality: {scores_words(entry['scores'])}{best}{way}"

    def resumed(self, entry: Mapping[str, Any]) -> None:
        """The way of the quality before a run was interrupted or went back, on which the rest follows."""
        self.curve, self.quality = [], ""
        for verdict in entry["verdicts"]:
            self.verdict(verdict)

    def event(self, entry: Mapping[str, Any]) -> None:
        """Something happened."""
        self.say(f"[yellow]step {entry['step']}[/]: {escape(entry['words'])}")

    def judging(self, entry: Mapping[str, Any]) -> None:
        """After training."""
        self.say(f"Trained {entry['step']} steps. Judging ...")

    def done(self, entry: Mapping[str, Any]) -> None:
        """The end."""
        verdict, folder = entry["verdict"], escape(entry["folder"])
        use = f"to use it: rivals edit {folder} picture.jpg" if self.edits else f"samples: rivals sample {folder}"
        if not verdict["scores"]:
            self.say(f"[bold green]Done[/] {use}")
            return
        floor = f" (real against real: {scores_words(verdict['floor'])})" if verdict["floor"] else ""
        self.say(f"[bold green]Done[/] {scores_words(verdict['scores'])}{floor}")
        self.say(f"  page: {escape(entry['folder'])}/report.html   {use}")


def scores_words(scores: Mapping[str, float]) -> str:
    """Scores as people read them.

    >>> scores_words({"fd": 1.234, "fd_share": 0.9, "agreement": 97.0})
    'FD 1.23 (0.90 % of variance), agreement 97.0 %'
    """
    if "two_sample" in scores:
        return f"two-sample AUC {scores['two_sample']:.3f} (0.5: as real), columns alike to {scores['shapes']:.1f} %"
    if "psnr" in scores:
        first = "perceptual" if "perceptual" in scores else "dissimilarity"
        named = "perceptual distance" if first == "perceptual" else "1 - MS-SSIM"
        return f"{named} {scores[first]:.3g}, PSNR {scores['psnr']:.1f} dB, SSIM {scores['ssim']:.3f}"
    words = f"FD {scores['fd']:.3g} ({scores['fd_share']:.2f} % of variance)"
    return words + (f", agreement {scores['agreement']:.1f} %" if "agreement" in scores else "")


def sparkline(values: Sequence[float], most: int = 16) -> str:
    """Values as a row of bars on a logarithmic scale, the last `most` of them; what can't be drawn is a dot.

    >>> sparkline([8.0, 4.0, 2.0, 1.0])
    '█▆▃▁'
    """
    shown = list(values)[-most:]
    logs = [math.log(value) if 0 < value < math.inf else None for value in shown]
    drawn = [each for each in logs if each is not None]
    low, span = min(drawn, default=0.0), max(drawn, default=0.0) - min(drawn, default=0.0)
    bars = "▁▂▃▄▅▆▇█"
    return "".join("·" if each is None else bars[round(7 * (each - low) / span) if span else 0] for each in logs)
