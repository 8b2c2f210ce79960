"""Tables with differential privacy before their first step: look at the columns through noise, plan, encode."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .engine.accountant import Look, Plan, look_noise, plan
from .engine.errors import RequestError
from .engine.ledger import Charge, Ledger, Privacy, usual_delta
from .engine.model import Model
from .engine.privacy import Private
from .engine.privacy_check import check_recipe
from .engine.processes import Spread
from .engine.recipe import Recipe, change, read, to_json
from .engine.secret import SECRET, bound_secret, kept_secret, mark_of, random_of
from .jobs import Job, Request, Tell, estimate, resumed, with_budget
from .modalities.tables.asking import asking_of
from .modalities.tables.calibrate import MANY, calibrated, shares_of
from .modalities.tables.columns import Column
from .modalities.tables.encode import encoders_of, slots_for
from .modalities.tables.modality import Tables, dataset
from .modalities.tables.pairs import Bins, paired, pairs_among, pairs_term
from .modalities.tables.private import Noisy, look_noise_of, noise_for, noisy_columns
from .modalities.tables.private_recipe import conditions, private_recipe
from .modalities.tables.reading import Table, open_table
from .modalities.tables.recipes import needs
from .modalities.tables.store import kept
from .modalities.tables.survey import remarks
from .table_jobs import cells_of, is_file, preview, surveyed

SHARE = 0.2  # of the budget by zero-concentrated privacy, that looking at the columns takes: about 9 % of epsilon 3
PAIRS = 0.4  # the same of pairs of columns: about 17 %
NAMING = 0.1  # of delta, for naming values

PUBLIC = (
    "public: the columns' names, order and kinds, how cells are written (decimals, units, patterns, the word for a "
    "missing cell), and the number of rows; --column NAME=KIND says a kind without the data"
)
UNJUDGED = (
    "not judged: scores on real rows would have to be charged; rivals judge RUN --against real.csv is for whoever "
    "holds the rows, and its page is as private as they are"
)
KEPT = "encoded rows are kept in the cache of this machine and are as private as the table; nothing of them is released"


@dataclass(frozen=True)
class Unjudged:
    """A judge that looks at no row.

    Args:
        ledger: of the run.
    """

    ledger: Ledger

    def quick(self, model: Model, seed: int, share: float) -> dict[str, float]:
        """Nothing."""
        del model, seed, share
        return {}

    def final(self, model: Model, folder: Path) -> dict[str, Any]:
        """The ledger in words, and why there are no scores."""
        del model, folder
        told = [f"Differential privacy; {self.ledger.unit}", *self.ledger.lines(), PUBLIC, UNJUDGED]
        return {"scores": {}, "intervals": {}, "floor": {}, "notes": told}


def wanted(request: Request, stored: Mapping[str, Any] | None) -> bool:
    """Whether this is a private run, or one that goes on.

    Raises:
        RequestError: the run that goes on is of the other sort.
    """
    path = request.folder / "recipe.json"
    asked = request.data.get("epsilon") is not None
    given = request.recipe is not None and request.recipe.privacy is not None
    if request.data.get("delta") is not None and not (asked or given):
        raise RequestError("--delta belongs to --epsilon: give both, or leave it out")
    if any(name.startswith("privacy") for name in request.changes) and not asked:
        raise RequestError("--set privacy.... is for a run with --epsilon: give that too")
    if stored is None or not path.exists():
        return asked or given
    private = read(path).privacy is not None
    if asked and not private:
        raise RequestError(f"the run in {request.folder} is not private: --epsilon needs a new --out")
    return private


def prepare(request: Request, stored: Mapping[str, Any] | None, device: torch.device, tell: Tell) -> Job:
    """Plan the budget, look at the columns through noise, and check that it can be done.

    Written are the run's secret, which a refused request leaves to the next one, and the cache of encoded rows.

    Raises:
        RequestError: the request can't be served.
    """
    check_request(request, stored)
    table = open_table(request.source, query=request.data.get("query"))
    columns, rows = surveyed(table, request.data.get("columns") or {}, tell)
    recipe, reasons = chosen(request, stored, rows)
    privacy = recipe.privacy
    assert privacy is not None
    assert privacy.delta is not None
    ledger = Ledger.of(privacy, rows)
    sigma = noise_for(columns, look_noise(privacy.epsilon, privacy.delta, SHARE))
    naming = NAMING * privacy.delta
    ledger = ledger.charge(Charge("names of values", "only of those with enough rows", 0.0, naming))
    how = f"noisy histograms, deviation {sigma:.4g} rows"
    pairs = pairs_wanted(recipe, columns)
    looks = [Look(f"{len(columns)} columns", how, look_noise_of(columns, sigma)), *pairs.looks]
    planned = plan(recipe, ledger, looks)
    kinds, charged = repr([(c.name, c.kind) for c in columns]), planned.ledger.to_json()
    settled = (table.sha256, to_json(replace(recipe, micro_batch=None)), kinds, charged)
    secret = bound_secret(kept_secret(request.folder / SECRET), *settled)
    if stored is not None and stored["data_sha256"] != mark_of(secret):
        raise RequestError(
            f"the rows in {request.source} or their columns' kinds are not those that {request.folder} was trained "
            "on: restore them, or give another --out"
        )
    noisy = noisy_columns(columns, cells_of(table, columns), sigma, naming, secret)
    said = [*table.notes, *remarks(noisy.columns)]
    tell({"kind": "columns", "name": table.name, "rows": rows, "columns": noisy.columns, "notes": said})
    encoders = encoders_of(noisy.columns, [noisy.cells], most_slots=slots_for(rows))
    if not encoders.layout.width:
        few = f"none has two values with {noisy.threshold} rows each"
        raise RequestError(f"no column can be learned: {few}; give a larger --epsilon")
    tables = Tables(noisy.columns, encoders, separator=table.separator)
    told = estimate(recipe, needs(recipe, tables), device, "the networks' width (--set generator.options.width=128)")
    shown = {"items": "rows", "shape": f"rows of {len(encoders.all)} columns"}
    tell({"kind": "plan", "folder": str(request.folder), "recipe": asdict(recipe), "reasons": reasons, **told, **shown})
    tell({"kind": "privacy", "lines": [*planned.ledger.lines(), PUBLIC, KEPT, UNJUDGED]})
    spread = Spread.kept(stored or {})
    return replace(job_of(request, table, tables, noisy, pairs, recipe, planned, secret, tell), spread=spread)


class PairsWanted(NamedTuple):
    """Columns whose pairs are counted, by name, and the noise of each count, in rows."""

    names: tuple[str, ...] = ()
    sigma: float = 0.0

    @property
    def looks(self) -> tuple[Look, ...]:
        """What is charged for it, if anything. One row is in one cell of each table."""
        if not (count := pairs_among(len(self.names))):
            return ()
        how = f"noisy tables, deviation {self.sigma:.4g} rows"
        return (Look(f"{count} pairs of columns", how, self.sigma / count**0.5),)


def pairs_wanted(recipe: Recipe, columns: Sequence[Column]) -> PairsWanted:
    """What the term "pairs" of a recipe asks for: nothing, where it never counts."""
    privacy, weight = recipe.privacy, recipe.generator_terms.get("pairs")
    assert privacy is not None
    assert privacy.delta is not None
    names = paired(columns) if weight is not None and (weight.start or weight.stop) else ()
    return PairsWanted(names, look_noise(privacy.epsilon, privacy.delta, PAIRS) * pairs_among(len(names)) ** 0.5)


def check_request(request: Request, stored: Mapping[str, Any] | None) -> None:
    """Refuse what no private run can have.

    Raises:
        RequestError: says what, and what to do.
    """
    if request.features is not None:
        raise RequestError("a table is judged column by column, in no feature space: leave --features out")
    if "minutes" in request.asked:
        raise RequestError("--minutes with --epsilon: how much noise there must be follows from --steps; give those")
    if "until" in request.asked:
        raise RequestError("--until with --epsilon: scores on real rows would have to be charged; give --steps")
    if (request.processes or 1) > 1:
        raise RequestError("--processes with --epsilon: a private training plays in one; leave it out")
    if stored is not None and not (request.folder / SECRET).exists():
        raise RequestError(
            f"the private run in {request.folder} is finished: its budget is spent and its secret removed; "
            "another run, in a new --out, has a budget of its own"
        )


def chosen(request: Request, stored: Mapping[str, Any] | None, rows: int) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe, with what was asked for, and why it is what it is.

    Raises:
        RequestError: it can't be trained privately, or differs from that of the run that goes on.
    """
    epsilon: Any = request.data.get("epsilon")
    delta = request.data.get("delta")
    going = resumed(request, stored)
    if going is not None:
        first = read(request.folder / "recipe.json")
        assert first.privacy is not None
        changed = epsilon not in (None, first.privacy.epsilon) or delta not in (None, first.privacy.delta)
        if changed or replace(going[0], micro_batch=None) != replace(first, micro_batch=None):
            raise RequestError(
                f"epsilon, delta, steps and all else of the private run in {request.folder} were settled and charged "
                "before its first step: leave them out, or give a new --out"
            )
        return going
    recipe, reasons = request.recipe, tuple[str, ...]()
    if recipe is None:
        privacy = Privacy(epsilon, usual_delta(rows) if delta is None else delta)
        recipe, reasons = private_recipe(rows, privacy, request.method, request.asked.get("steps"), request.own)
    elif epsilon is not None or recipe.privacy is None:
        raise RequestError("a recipe from a file holds its own privacy: leave --epsilon out, or --recipe")
    for path, value in request.changes.items():
        recipe = change(recipe, path, value)
    recipe = with_budget(recipe, request.asked)
    assert recipe.privacy is not None
    if recipe.privacy.delta is None:
        recipe = replace(recipe, privacy=replace(recipe.privacy, delta=usual_delta(rows)))
    check_recipe(recipe)
    return recipe, reasons


def job_of(
    request: Request,
    table: Table,
    tables: Tables,
    noisy: Noisy,
    pairs: PairsWanted,
    recipe: Recipe,
    planned: Plan,
    secret: bytes,
    tell: Tell,
) -> Job:
    """The run of a plan; all rows are learned from, since none is needed for judging."""
    layout, rows = tables.encoders.layout, planned.rows
    fitted = tables.encoders.compact(noisy.cells)
    shares = shares_of(fitted.slots, layout)
    compact = kept(
        tables.encoders,
        lambda: cells_of(table, noisy.columns),
        rows,
        mark_of(secret),
        first=int(random_of(secret, "modes").integers(2**62)),
        progress=lambda done, total: tell({"kind": "decoding", "done": done, "total": total}),
    )
    term = pairs_term(Bins(layout, pairs.names), compact.slots, shares, pairs.sigma, random_of(secret, "pairs"))
    every, none = torch.arange(rows), torch.arange(0)
    asking = asking_of(recipe)
    return Job(
        folder=request.folder,
        source=str(request.source) if is_file(request.source) else table.name,
        recipe=recipe,
        modality=tables,
        content=mark_of(secret),
        found={"items": "rows", "rows": rows, "train": rows, "held_out": 0, "notes": list(remarks(noisy.columns))},
        features="table",
        scores=("two_sample", "shapes"),
        dataset=lambda _: dataset(tables, compact, every, none, asking),
        judge=lambda tell: Unjudged(planned.ledger),
        sheet=lambda model: preview(model, recipe.seed),
        preview=".csv",
        finish=lambda model: calibrated(model, shares),
        settle=lambda model: calibrated(model, shares, count=MANY),
        private=Private(planned, secret, conditions(asking, shares, layout), {"pairs": term}),
    )
