import polars as pl
import pytest

from rivals.modalities.tables.dtypes import dtype_of, is_nested, name_of


@pytest.mark.parametrize(
    "dtype",
    [
        pl.String(), pl.Boolean(), pl.Int8(), pl.UInt64(), pl.Float32(), pl.Date(), pl.Time(), pl.Categorical(),
        pl.Datetime("us"), pl.Datetime("ms", "Europe/Berlin"), pl.Duration("ns"), pl.Decimal(12, 3), pl.Null(),
    ],
)  # fmt: skip
def test_every_type_comes_back_from_its_name(dtype):
    assert dtype_of(name_of(dtype)) == dtype


def test_enums_come_back_with_their_categories_and_nested_types_are_told():
    assert dtype_of("enum", ("b", "a")) == pl.Enum(["a", "b"])
    assert is_nested(pl.List(pl.Int64()))
    assert is_nested(pl.Binary())
    assert not is_nested(pl.String())
