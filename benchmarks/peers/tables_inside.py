"""SDMetrics' numbers for two tables; run in the environment that `tables_equal.py` makes.

python tables_inside.py FOLDER     # reads real.csv, fake.csv, kinds.json; prints JSON
"""

import json
import sys
import warnings
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.single_column import KSComplement, TVComplement

SDTYPES = {"number": "numerical", "category": "categorical"}


def shape(real: pd.Series, fake: pd.Series, kind: str) -> float:
    return float((KSComplement if kind == "number" else TVComplement).compute(real, fake))


def trend(real: pd.DataFrame, fake: pd.DataFrame, kinds: dict[str, str]) -> float:
    numeric = [name for name in real.columns if kinds[name] == "number"]
    if len(numeric) == 2:
        return float(CorrelationSimilarity.compute(real, fake))
    return float(ContingencySimilarity.compute(real.copy(), fake.copy(), continuous_column_names=numeric or None))


def main() -> None:
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    kinds: dict[str, str] = json.loads((folder / "kinds.json").read_text())
    types = {name: np.float64 if kind == "number" else str for name, kind in kinds.items()}
    real, fake = (pd.read_csv(folder / f"{side}.csv", dtype=types) for side in ("real", "fake"))
    report = QualityReport()
    report.generate(
        real, fake, {"columns": {name: {"sdtype": SDTYPES[kind]} for name, kind in kinds.items()}}, verbose=False
    )
    averages = report.get_properties().set_index("Property")["Score"]
    found = {
        "shapes": {name: shape(real[name], fake[name], kind) for name, kind in kinds.items()},
        "trends": [[a, b, trend(real[[a, b]], fake[[a, b]], kinds)] for a, b in combinations(kinds, 2)],
        "report": {"shapes": averages["Column Shapes"], "trends": averages["Column Pair Trends"]},
        "version": version("sdmetrics"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
