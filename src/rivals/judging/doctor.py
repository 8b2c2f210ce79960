"""What happened in a run, in words: findings with their evidence and the change that helps, from its folder alone."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rivals.engine import symptoms
from rivals.engine.errors import RequestError
from rivals.engine.looks import Look, middle, moved, young
from rivals.engine.symptoms import Symptom

from .edited import edited_findings
from .findings import Finding, accident_findings, average_findings, data_findings, penalty_findings
from .record import Record, Values, inner, read_json, read_record, value

MOVED = 0.1  # of its weights: a network that moved less in a whole run has hardly learned


@dataclass(frozen=True)
class Diagnosis:
    """What was found in a run.

    Args:
        folder: of the run.
        findings: by falling weight.
        looks: how many looks at the game it rests on.
        notes: what could not be read.
        source: of the data.
    """

    folder: Path
    findings: tuple[Finding, ...]
    looks: int
    notes: tuple[str, ...]
    source: str = ""

    @property
    def healthy(self) -> bool:
        """Whether nothing is more than a note."""
        return not any(finding.problem for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "folder": str(self.folder),
            "healthy": self.healthy,
            "findings": [{**asdict(finding), "problem": finding.problem} for finding in self.findings],
            "looks": self.looks,
            "notes": list(self.notes),
        }


def examine(folder: Path) -> Diagnosis:
    """Read a run's folder (run.json, recipe.json, data.json, log.jsonl) and say what is wrong; no data, no weights.

    Raises:
        RequestError: there is no run in the folder.
    """
    if not (folder / "run.json").exists():
        raise RequestError(f"there is no run at {folder}; `rivals doctor` alone looks at the machine")
    record = read_record(folder)
    facts, problem = read_json(folder / "data.json")
    looks = [look for look in map(Look.of, record.log["round"]) if look is not None]
    notes = [note for note in record.problems if not note.startswith("verdict.json is missing")]
    if not looks:
        begin, end = (value(record.recipe, "critic_terms", "adversarial", name) for name in ("start", "stop"))
        alone = begin == 0 and not end
        notes.append("there is no critic to look at: only settings and data were read" if alone else
                     "the run holds no looks at the game (it is too short, or older than the doctor): only settings, "
                     "data and accuracies were read")  # fmt: skip
    elif problem:
        notes.append(problem)
    found = [*all_findings(record, facts, looks)]
    ordered = tuple(sorted(found, key=lambda finding: -finding.weight))
    return Diagnosis(folder, ordered, len(looks), tuple(notes), str(record.run.get("source") or ""))


def all_findings(record: Record, facts: Values, looks: Sequence[Look]) -> Iterator[Finding]:
    """Everything, in no order."""
    yield from data_findings(record, facts)
    yield from accident_findings(record)
    yield from penalty_findings(record, looks)
    yield from average_findings(record, looks)
    yield from edited_findings(record)
    seen = list(shown_symptoms(record, facts, looks))
    yield from (treated(symptom, record, facts) for symptom in seen)
    yield from still_going(record, looks)
    if not looks:
        yield from by_accuracy(record)


def shown_symptoms(record: Record, facts: Values, looks: Sequence[Look]) -> Iterator[Symptom]:
    """The symptoms in the looks."""
    shares = [value(mode, "share") or 0.0 for mode in modes_of(facts)]
    every = [
        symptoms.collapse(looks),
        symptoms.partial_collapse(looks),
        symptoms.overfitting(looks),
        symptoms.high_rate(looks),
        symptoms.weak_critic(looks),
        symptoms.strong_critic(looks),
        symptoms.flat_critic(looks),
        symptoms.steep_critic(looks),
        symptoms.slow_average(looks),
        symptoms.vanishing(looks),
        symptoms.oscillation(looks),
    ]
    lost = symptoms.missing_modes(looks, shares)
    every.append(symptoms.lost_classes(looks, recognised(facts)))
    if lost is not None and every[0] is None and every[-1] is None:  # a collapsed generator misses nearly all of them
        every.append(lost)
    yield from (symptom for symptom in every if symptom is not None)


def recognised(facts: Values) -> list[tuple[int, int]]:
    """For each class how many of the data were recognised, and how many there are."""
    rows = facts.get("recognised")
    pairs = [row for row in rows if isinstance(row, list) and len(row) == 2] if isinstance(rows, list) else []
    return [(right, count) for right, count in pairs if isinstance(right, int) and isinstance(count, int)]


def modes_of(facts: Values) -> list[Values]:
    """The data's modes, as far as they can be read."""
    modes = facts.get("modes")
    return [mode for mode in modes if isinstance(mode, dict)] if isinstance(modes, list) else []


TITLES = {
    "collapse": ("the generator has collapsed", 0.92),
    "partial-collapse": ("some classes have collapsed", 0.9),
    "lost-classes": ("some classes are not made when asked for", 0.89),
    "missing-modes": ("parts of the data are never made", 0.85),
    "overfitting": ("the critic learns its samples by heart", 0.82),
    "learning-rate-high": ("learning rate too high", 0.945),
    "critic-weak": ("the critic is too weak", 0.925),
    "critic-strong": ("the critic is too strong", 0.4),
    "flat": ("the critic is flat", 0.3),
    "steep": ("the critic is steep", 0.55),
    "average-slow": ("averaging is too slow for the run's length", 0.88),
    "vanishing-gradient": ("the generator's gradient has vanished", 0.8),
    "oscillation": ("the two sides go round in circles", 0.6),
}


def treated(symptom: Symptom, record: Record, facts: Values) -> Finding:
    """A symptom with its title, its weight, and the change that helps."""
    title, weight = TITLES[symptom.name]
    words = symptom.words
    if symptom.name in ("partial-collapse", "lost-classes"):
        words += f": {', '.join(class_names(record, symptom.evidence['classes']))}"
    if symptom.name == "missing-modes":
        words += missing_words(record, facts, symptom)
    return Finding(symptom.name, title, weight, words, change_for(symptom, record), symptom.step, symptom.evidence)


def change_for(symptom: Symptom, record: Record) -> str:
    """The setting or command that helps."""
    lr = value(record.recipe, "optimizer", "lr") or 2e-4
    own = value(record.recipe, "critic_optimizer", "lr")
    gamma = value(record.recipe, "critic_terms", "r1", "start")
    changes = {
        "collapse": f"go back to the state in best/, then --set optimizer.lr={lr / 4:.2g}, or --method r3gan",
        "partial-collapse": f"more {record.items} of these classes, or --set optimizer.lr={lr / 2:.2g}",
        "lost-classes": "rivals sample RUN --grid --wish CLASS shows them; --set critic.options.condition=auxiliary",
        "missing-modes": "train longer, or --method r3gan; --set pack=2 where there are no labels",
        "overfitting": against_overfitting(record),
        "learning-rate-high": (
            f"--set critic_optimizer.lr={lr:.2g}" if own and own > 4 * lr else f"--set optimizer.lr={lr / 10:.2g}"
        ),
        "critic-weak": f"--set critic_optimizer.lr={lr:.2g}" if own else f"--set critic_optimizer.lr={4 * lr:.2g}",
        "critic-strong": f"--set critic_optimizer.lr={(own or lr) / 4:.2g}"
        + (f" or --set critic_terms.r1.start={4 * gamma:.3g}" if gamma else " or --method r3gan"),
        "flat": "lower the penalties' weights" if gamma else f"--set critic_optimizer.lr={4 * (own or lr):.2g}",
        "steep": f"--set critic_terms.r1.start={10 * gamma:.3g}" if gamma else "--set critic_terms.r1.start=0.01",
        "average-slow": f"--set average_half_life.start={shorter_life(record):.0f}, or train longer",
        "vanishing-gradient": "--set loss=logistic (or relativistic), whose generator keeps its gradient; "
        f"--set critic_optimizer.lr={(own or lr) / 4:.2g}",
        "oscillation": f"--set optimizer.lr={lr / 3:.2g}, or a larger penalty on the critic",
    }
    return changes[symptom.name]


def against_overfitting(record: Record) -> str:
    """What keeps the critic from learning the data by heart."""
    if record.items != "pictures":
        weight = value(record.recipe, "critic_terms", "r1", "start")
        stronger = f"--set critic_terms.r1.start={10 * weight:.3g}, or " if weight else ""
        return f"{stronger}fewer steps, or more {record.items}"
    if inner(record.recipe, "augment").get("operations"):
        return "--set augment.strength=0.9, or more pictures"
    return """--set 'augment.operations=["slight", "cutout"]' --set augment.strength=0.6, or more pictures"""


def shorter_life(record: Record) -> float:
    """A half-life of the running average that suits the run's length: a twentieth of it."""
    return max((record.step or 0) * (value(record.recipe, "batch") or 32) / 20, 32)


def class_names(record: Record, numbers: Any) -> list[str]:
    """Classes by their names."""
    names = record.modality.get("classes")
    known = names if isinstance(names, list) else []
    return [repr(known[int(n)]) if int(n) < len(known) else f"number {n}" for n in list(numbers)[:8]]


def missing_words(record: Record, facts: Values, symptom: Symptom) -> str:
    """Which classes the modes that are missing belong to."""
    modes = modes_of(facts)
    classes = [modes[int(number)].get("class") for number in symptom.evidence["modes"]]
    known = sorted({number for number in classes if isinstance(number, int)})
    return f" (mostly {', '.join(class_names(record, known))})" if known else ""


def still_going(record: Record, looks: Sequence[Look]) -> Iterator[Finding]:
    """Notes on a run that could have gone on, or whose rates were too low to learn."""
    if len(looks) > 2 and looks[-1].progress > 0.5 and young(looks):
        yield too_young(record, {side: moved(looks, side) for side in ("generator", "critic")})
    curve = [(line["step"], value(line, "scores", "fd")) for line in record.log["verdict"]]
    known = [(step, fd) for step, fd in curve if fd is not None and fd > 0]
    if len(known) < 3:
        return
    best_step, best = min(known, key=lambda pair: pair[1])
    last_step, last = known[-1]
    if last > 1.5 * best and best_step < 0.8 * last_step:
        yield Finding(
            "got-worse",
            "quality got worse",
            0.45,
            f"the distance to held-out samples was {best:.3g} at step {best_step:.0f}, {last:.3g} at {last_step:.0f}",
            "use the kept best state: rivals sample RUN --best",
            best_step,
            {"best": best, "last": last},
        )
    elif known[-1][1] < 0.9 * known[-2][1]:
        words = f"the distance to held-out samples still falls: {known[-2][1]:.3g} to {last:.3g} over the last part"
        change = "train longer: a new --out with twice the --steps or --minutes"
        yield Finding("unfinished", "it was still improving", 0.2, words, change, None, {"last": last})


def too_young(record: Record, ways: Mapping[str, float]) -> Finding:
    """A generator that has hardly moved: a note, unless nothing has moved at all."""
    lr = value(record.recipe, "optimizer", "lr") or 2e-4
    words = f"all steps together have moved the generator's weights by {ways['generator']:.2g} of their size"
    if max(ways.values()) < MOVED:
        change = f"--set optimizer.lr={10 * lr:.2g}"
        return Finding("learning-rate-low", "learning rate too low", 0.7, words, change, None, ways)
    title = "young: too early to tell how its samples will vary"
    return Finding("young", title, 0.2, words, f"train longer, or --set optimizer.lr={4 * lr:.2g}", None, ways)


def by_accuracy(record: Record) -> Iterator[Finding]:
    """Overfitting, where only the critic's accuracies were recorded."""
    lines = [inner(line, "accuracy") for line in record.log["round"]]
    late = lines[len(lines) // 2 :]
    real, held = (middle([value(line, name) for line in late]) for name in ("real", "held_out"))
    fake = middle([value(line, "fake") for line in late])
    if len(late) >= 5 and real - held > 25:
        words = f"right on {real:.0f} % of training samples and {held:.0f} % of held-out ones over the later half"
        symptom = Symptom("overfitting", words, None, {"real": real, "held_out": held})
        yield treated(symptom, record, {})
    elif len(late) >= 5 and min(real, held, fake) >= symptoms.SURE:
        words = f"right on {symptoms.SURE:.0f} % or more of all samples over the later half"
        yield treated(Symptom("critic-strong", words, None, {}), record, {})


def words(diagnosis: Diagnosis) -> Iterator[str]:
    """The diagnosis as lines of text."""
    problems = [finding for finding in diagnosis.findings if finding.problem]
    if not problems:
        looked = f"{diagnosis.looks} looks at the game, its data and its settings"
        yield f"{diagnosis.folder} is healthy: nothing found in {looked}"
    else:
        yield f"{diagnosis.folder}: {len(problems)} problem{'s' * (len(problems) > 1)}, the weightiest first"
    for number, finding in enumerate(diagnosis.findings, 1):
        kind = f"{number}." if finding.problem else "note:"
        when = f" (since step {finding.step:.0f})" if finding.step else ""
        yield f"{kind} {finding.title}{when}: {finding.words}"
        yield f"   try: {finding.change}"
    if problems and (command := command_for(diagnosis, problems[0])):
        yield f"the first change, as a new run: {command}"
    for note in diagnosis.notes:
        yield f"note: {note}"


def command_for(diagnosis: Diagnosis, finding: Finding) -> str:
    """The command that trains anew with a finding's first change; empty where that is no setting."""
    first = re.split(r", or | or |;| \(", finding.change)[0]
    settings = " ".join(part.rstrip(",") for part in re.findall(r"--set (?:'[^']*'|\S+)", first))
    source, folder = diagnosis.source, diagnosis.folder
    if not settings or not source:
        return ""
    recipe = f"--recipe {shlex.quote(str(folder / 'recipe.json'))}"
    return f"rivals train {shlex.quote(source)} {recipe} --out {shlex.quote(f'{folder}-2')} {settings}"
