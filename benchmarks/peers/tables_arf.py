"""An adversarial random forest (arfpy) by its public functions; run in the environment that `tables_peers.py` makes.

    python tables_arf.py '{"table": ..., "discrete": [...], "most": 20000, "seed": 0, "samples": {"a.csv": 1000}}'

Prints JSON.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from arfpy import arf


def main() -> None:
    warnings.simplefilter("ignore")
    asked = json.loads(sys.argv[1])
    np.random.seed(asked.get("seed", 0))  # its own draws come from there
    discrete = asked["discrete"]
    table = pd.read_csv(asked["table"], keep_default_na=False, dtype=dict.fromkeys(discrete, str))
    table = table.sample(min(len(table), asked["most"]), random_state=asked.get("seed", 0)).reset_index(drop=True)
    table[discrete] = table[discrete].astype("category")
    began = time.process_time()
    model = arf.arf(x=table, random_state=asked.get("seed", 0), verbose=False)
    model.forde()
    trained = time.process_time() - began
    told = {"peer": f"arfpy {version('arfpy')}", "trained": trained, "taught": len(table), "sampled": {}}
    for file, count in asked["samples"].items():
        began = time.process_time()
        model.forge(n=count).to_csv(file, index=False)
        told["sampled"][file] = {"rows": count, "csv": time.process_time() - began}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
