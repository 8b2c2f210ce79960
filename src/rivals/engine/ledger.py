"""The ledger of a private training: what was asked for, and what everything that touches the data is charged.

The unit is one row: the guarantee compares a table with the same table without any one of its rows (or with one more).
A person with several rows is protected less, k rows by k times epsilon. How many rows there are counts as public.
Charges add up (Dwork and Roth, 2014, theorem 3.16), which is safe for any mechanisms, whatever depends on what.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .errors import RequestError

UNIT = "one row, added or removed; the number of rows is public"
SLACK = 1e-9  # of the budget, for sums in floating point


@dataclass(frozen=True)
class Privacy:
    """Differential privacy as a recipe asks for it.

    Args:
        epsilon: how much any one row may change the odds of any outcome, as the exponent of e; above 0. About 1 is
            strong, 10 weak.
        delta: with which probability that may fail, from 0 to 1; None for `usual_delta`.
        clip: largest norm of one pair's gradient (C of Abadi et al., 2016).
        sigma: standard deviation of the noise in units of `clip`; None for the least that the budget allows.
    """

    epsilon: float
    delta: float | None = None
    clip: float = 1.0
    sigma: float | None = None

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip", "sigma"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise RequestError(f"privacy.{name} is a finite number above 0, not {value}")
        if self.delta is not None and not 0 < self.delta < 1:
            raise RequestError(
                f"privacy.delta lies between 0 and 1, not at {self.delta}; leave it out for the usual one"
            )


def usual_delta(rows: int) -> float:
    """The largest power of ten that is at most a tenth of 1 / rows.

    >>> usual_delta(26_048), usual_delta(1_000)
    (1e-06, 0.0001)
    """
    return float(f"1e-{len(str(rows - 1)) + 1}")


@dataclass(frozen=True)
class Charge:
    """One look at the data: what was looked at, by which mechanism, and what it costs.

    >>> print(Charge("the range of age", "noisy histogram", 0.1))
    the range of age: noisy histogram, epsilon 0.1
    """

    what: str
    how: str
    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.epsilon < math.inf and 0 <= self.delta < 1):
            raise RequestError(
                f"{self.what}: a charge has a finite epsilon and a delta below 1, not {self.epsilon} and {self.delta}"
            )

    def __str__(self) -> str:
        tail = f", delta {self.delta:.3g}" if self.delta else ""
        return f"{self.what}: {self.how}, epsilon {self.epsilon:.4g}{tail}"


@dataclass(frozen=True)
class Ledger:
    """A budget and the charges against it.

    Args:
        epsilon, delta: the budget.
        rows: of the table.
        charges: in the order in which they were made.
        unit: what is protected.
    """

    epsilon: float
    delta: float
    rows: int
    charges: tuple[Charge, ...] = ()
    unit: str = UNIT

    @classmethod
    def of(cls, privacy: Privacy, rows: int) -> "Ledger":
        """An empty ledger for a table.

        Raises:
            RequestError: there are no rows, or delta is so large that it would allow to publish one of them.
        """
        if rows < 2:
            raise RequestError(f"differential privacy needs a table of at least two rows, not {rows}")
        delta = usual_delta(rows) if privacy.delta is None else privacy.delta
        if delta >= 1 / rows:
            raise RequestError(
                f"privacy.delta {delta:g} is not below 1 / {rows} rows, which would allow to publish a row: "
                f"leave it out for {usual_delta(rows):.3g}"
            )
        return cls(privacy.epsilon, delta, rows)

    @property
    def spent(self) -> tuple[float, float]:
        """Epsilon and delta of all charges together."""
        return math.fsum(charge.epsilon for charge in self.charges), math.fsum(charge.delta for charge in self.charges)

    @property
    def left(self) -> tuple[float, float]:
        """Epsilon and delta that no charge has taken."""
        epsilon, delta = self.spent
        return max(self.epsilon - epsilon, 0.0), max(self.delta - delta, 0.0)

    def charge(self, *charges: Charge) -> "Ledger":
        """The ledger with further charges.

        Raises:
            RequestError: they come to more than the budget.
        """
        after = replace(self, charges=self.charges + charges)
        epsilon, delta = after.spent
        if epsilon > self.epsilon * (1 + SLACK) or delta > self.delta * (1 + SLACK):
            last = charges[-1].what if charges else "the charges"
            raise RequestError(
                f"the privacy budget is overdrawn by {last}: epsilon {epsilon:.4g} of {self.epsilon:.4g}, "
                f"delta {delta:.3g} of {self.delta:.3g}"
            )
        return after

    def lines(self) -> list[str]:
        """The ledger in words, a line for each charge and one for the sum."""
        epsilon, delta = self.spent
        total = f"in all epsilon {epsilon:.4g} of {self.epsilon:.4g}, delta {delta:.3g} of {self.delta:.3g}"
        return [*map(str, self.charges), f"{total}, per row of {self.rows}"]

    def to_json(self) -> str:
        """The ledger as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "the ledger") -> "Ledger":
        """The ledger that `to_json` wrote.

        Raises:
            RequestError: it is something else, or its charges come to more than its budget.
        """
        from .recipe import from_plain

        try:
            values: Mapping[str, Any] = json.loads(text)
        except ValueError as error:
            raise RequestError(f"{where} is not JSON: {error}") from None
        ledger: Ledger = from_plain(cls, values, where)
        return ledger.charge()
