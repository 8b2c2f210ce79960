import dataclasses
import json

from rivals.modalities.tables.columns import Column, Format, column_from


def test_a_column_comes_back_from_json_even_from_a_later_version():
    column = Column(
        "age", "integer", rows=10, missing=2, low=1.0, high=90.0, special=(-1.0,), words=("unknown",),
        format=Format(also=("%d.%m.%Y",), missing="?"),
    )  # fmt: skip
    values = json.loads(json.dumps(dataclasses.asdict(column)))
    assert column_from(values) == column
    assert column_from({**values, "later": 1, "format": {**values["format"], "newer": 2}}) == column
