"""Samples as the kind of data frame that was learned from."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Like:
    """What a data frame was like, for samples to be so too.

    Args:
        kind: "polars" or "pandas".
        names: of pandas' columns by their names as text, where those differ; plain values.
        dtypes: of pandas' columns, by their names as text.
    """

    kind: str = "polars"
    names: Mapping[str, Any] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Any) -> Self:
        """What a source is like; what is no data frame gives polars'."""
        if type(source).__module__.split(".")[0] != "pandas":
            return cls()
        from .modalities.tables.reading import good_names

        good = good_names([str(name) for name in source.columns])[0]
        names = {own: name for own, name in zip(good, source.columns, strict=True) if own != name}
        names = {own: name for own, name in names.items() if isinstance(name, str | int)}
        return cls("pandas", names, dict(zip(good, map(str, source.dtypes), strict=True)))

    def frame(self, rows: "pl.DataFrame") -> Any:
        """Rows as such a data frame."""
        if self.kind != "pandas":
            return rows
        found = rows.to_pandas()
        for name in found.columns:
            wanted = self.dtypes.get(name, "object")
            if str(found[name].dtype) != wanted:
                with suppress(TypeError, ValueError):  # missing values where the original had none, an odd type
                    found[name] = found[name].astype(wanted)
        return found.rename(columns=self.names)
