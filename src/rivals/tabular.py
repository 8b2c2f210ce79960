"""Tables in the manner of scikit-learn: `Tables(minutes=5).fit(frame).sample(1000)`, and constraints that rows keep.

>>> from rivals.tabular import Greater, Sum, Tables, Together  # doctest: +SKIP
>>> model = Tables(minutes=5, constraints=[Greater("end", "start"), Together("city", "state")])  # doctest: +SKIP
>>> model.fit(frame).sample(1000, conditions={"income": ">50K", "age": (25, 40)})  # doctest: +SKIP
"""

import inspect
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .data_frames import Like
from .engine.errors import RequestError

try:
    from .modalities.tables.constraints import Between, Check, Constraint, Greater, Sum, Together, Unique, constraint_of
except ModuleNotFoundError as error:
    raise RequestError(f"tables need {error.name}: pip install 'rivals[tables]'") from None

if TYPE_CHECKING:
    from .display import Display
    from .engine.model import Model

__all__ = ["Between", "Check", "Greater", "Sum", "Tables", "Together", "Unique"]

CARD = "tables.json"


class Tables:
    """A generator of rows like those of a table; arguments are kept as they are and looked at by `fit`.

    Any of scikit-learn's tools that copy estimators (`clone`, `get_params`, `set_params`) can be used.

    Args:
        method: "r3gan" if not given; `rivals recipes` lists all.
        minutes: of training; 10 if neither this nor `steps` is given.
        steps: rounds of training; with this alone, the same seed gives the same model.
        seed: of weights, noise and the order of rows.
        columns: kinds that are given rather than found, such as {"age": "integer"}.
        constraints: what every row keeps: texts such as "end > start", a `Greater`, `Sum`, `Together`, `Unique` or
            `Between`, or a predicate: a function, or a `Check` of one.
        epsilon: train with differential privacy.
        delta: of the same.
        folder: of the run, for its page, log and checkpoints; if not given, one that goes when the object does.
        device: "auto", "cpu", "cuda" or "mps".

    Attributes:
        model_: the trained generator, a `rivals.Model`.
        columns_: what the columns of the table were found to be.
        verdict_: scores on rows that were not learned from, as in the run's `verdict.json`.
    """

    def __init__(
        self,
        *,
        method: str | None = None,
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        columns: Mapping[str, str] | None = None,
        constraints: Sequence[Any] = (),
        epsilon: float | None = None,
        delta: float | None = None,
        folder: str | Path | None = None,
        device: str = "auto",
    ) -> None:
        self.method = method
        self.minutes = minutes
        self.steps = steps
        self.seed = seed
        self.columns = columns
        self.constraints = constraints
        self.epsilon = epsilon
        self.delta = delta
        self.folder = folder
        self.device = device

    def fit(self, rows: Any, y: None = None) -> Self:
        """Learn from a table.

        Interrupted by Ctrl-C or failing midway, the newest saved state is kept as the model before the error goes on.

        Args:
            rows: a polars or pandas data frame, or anything that `rivals.train` takes for a table.
            y: nothing; there for pipelines.

        Raises:
            RequestError: the table, or a constraint, can't be served.
        """
        del y
        from . import api
        from .modalities.tables.reading import is_table

        if not is_table(rows):
            raise RequestError(
                f"{type(rows).__name__} is no table: give a polars or pandas data frame, or a file of rows"
            )
        constraints = [constraint_of(each) for each in self.constraints]
        folder = Path(tempfile.mkdtemp(prefix="rivals-")) if self.folder is None else Path(self.folder)
        if self.folder is None:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        made = None
        try:
            with terminal() as display:
                made = api.train(
                    rows,
                    out=folder,
                    method=self.method,
                    minutes=self.minutes,
                    steps=self.steps,
                    seed=self.seed,
                    columns=self.columns,
                    constraints=constraints,
                    epsilon=self.epsilon,
                    delta=self.delta,
                    device=self.device,
                    loggers=(),
                    tell=display or api.silent,
                )
        finally:
            if made is None:
                with suppress(RequestError):
                    made = api.load(folder)
            if made is not None:
                self._fitted(made, Like.of(rows), constraints, folder)
        return self

    def sample(
        self,
        n: int = 1000,
        conditions: str | Mapping[str, Any] | None = None,
        *,
        balance: str | None = None,
        seed: int = 0,
    ) -> Any:
        """Rows in a data frame of the kind that was fitted (polars for a file), every constraint kept in each.

        Args:
            n: how many.
            conditions: what holds in every row: {"income": ">50K", "age": (25, 40), "job": ["cook", "nurse"]}, where an
                end of a range may be None; or a text as for `rivals sample --wish`.
            balance: a column of categories, of each of which there are as many rows.
            seed: the same gives the same rows.

        Raises:
            RequestError: nothing is fitted, or hardly any row would be as it is asked for.
        """
        import polars as pl

        from .modalities.tables.sampling import balanced, checked, frames
        from .modalities.tables.wishes import wish_of

        model: Any = self._model()
        sieve = checked(model.modality, self._checks)
        if conditions and balance is not None:
            raise RequestError("conditions and balance are two things: ask for one at a time")
        with terminal() as display:

            def progress(done: int, total: int) -> None:
                if display is not None:
                    display({"kind": "writing", "done": done, "total": total, "items": "rows"})

            if balance is not None:
                parts = balanced(model, n, balance, seed=seed, sieve=sieve, progress=progress)
            else:
                wish = wish_of(conditions, model.modality) if conditions else None
                parts = frames(model, n, seed=seed, wish=wish, sieve=sieve, progress=progress)
            return self._like.frame(pl.concat(parts))

    def save(self, folder: str | Path) -> None:
        """Write the model as JSON and safetensors; predicates are left out.

        Raises:
            RequestError: nothing is fitted, or the folder holds something.
        """
        from .engine.files import write_whole

        model, path = self._model(), Path(folder)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RequestError(f"{path} is there already and not empty; give another folder")
        model.save(path)
        plain = ("method", "minutes", "steps", "seed", "columns", "epsilon", "delta", "device")
        card = {
            "params": {name: getattr(self, name) for name in plain},
            "frame": vars(self._like),
            "verdict": self.verdict_,
        }
        write_whole(path / CARD, json.dumps(card, indent=2, default=dict).encode())

    @classmethod
    def load(cls, folder: str | Path, *, checks: Sequence[Any] = ()) -> Self:
        """A saved model, or a run of `rivals train`, ready to sample; no code is run from the files.

        Args:
            folder: where it was saved.
            checks: the predicates that it was fitted with, which files can't hold.

        Raises:
            RequestError: there is no model of a table, or it is damaged.
        """
        from . import api

        path = Path(folder)
        model = api.load(path)
        if model.name != "tables":
            raise RequestError(f"{path} makes {model.name}, no rows of a table: load it with rivals.load")
        try:
            card = json.loads((path / CARD).read_text(encoding="utf-8")) if (path / CARD).exists() else {}
            made = cls(**card.get("params", {}))
            like = Like(**card.get("frame", {}))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise RequestError(f"{path / CARD} is damaged: {error}") from None
        made.constraints = [*written(model), *checks]
        made._fitted(model, like, [constraint_of(each) for each in checks], path)
        made.verdict_ = card.get("verdict", made.verdict_)
        return made

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments, by name."""
        del deep
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change arguments; a model that was fitted stays until the next `fit`.

        Raises:
            RequestError: there is no such argument.
        """
        from .engine.names import named

        for name, value in params.items():
            named(name, self.get_params(), "argument")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        usual = {name: part.default for name, part in inspect.signature(type(self)).parameters.items()}
        told = (f"{name}={value!r}" for name, value in self.get_params().items() if value != usual[name])
        return f"Tables({', '.join(told)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _fitted(self, model: "Model", like: Like, constraints: Sequence[Constraint], folder: Path) -> None:
        """Take a model over."""
        from .judging.record import read_json

        modality: Any = model.modality
        self.model_ = model
        self.columns_ = modality.columns
        self.verdict_ = dict(read_json(folder / "verdict.json")[0])
        self._like = like
        self._checks = [rule for rule in constraints if isinstance(rule, Check)]

    def _model(self) -> "Model":
        """The trained generator."""
        if not hasattr(self, "model_"):
            raise RequestError("nothing is fitted yet: call fit with a table first")
        return self.model_


def written(model: "Model") -> Iterator[Constraint]:
    """The constraints that a saved model keeps, predicates aside."""
    modality: Any = model.modality
    rules = modality.rules
    yield from (*rules.greater, *rules.sums)
    yield from (Together(*joint.columns) for joint in rules.joints)
    yield from (Between(limits.column, limits.low, limits.high) for limits in rules.ranges)
    yield from (Unique(*names) for names in rules.unique)


@contextmanager
def terminal() -> Iterator["Display | None"]:
    """Progress on a terminal; nothing elsewhere, such as in a notebook."""
    from .display import Display

    display = Display()
    try:
        yield display if display.console.is_terminal else None
    finally:
        display.clear()
