"""CTGAN through its public interface; run in the environment that `tables_peers.py` makes.

    python tables_ctgan.py '{"table": ..., "discrete": [...], "seconds": 300, "seed": 0, "samples": {"a.csv": 1000}}'

`rounds` or `seconds` (CPU, preparation included) says when training ends: after the round in which they are used up,
by an exception out of torch's own hook on optimizers, and then the generator is taken as it is. Prints JSON.
"""

import contextlib
import json
import sys
import time
import warnings
from importlib.metadata import version
from math import ceil

import pandas as pd
import torch
from clock import Clock, TimeIsUpError, peak
from ctgan import CTGAN


def main() -> None:
    warnings.simplefilter("ignore")
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    model = CTGAN(epochs=10**6, verbose=False, enable_gpu=False)  # its own defaults: batch 500, packs of 10, (256, 256)
    model.set_random_state(asked.get("seed", 0))
    clock = Clock(most=asked.get("seconds"))
    discrete = asked["discrete"]
    table = pd.read_csv(asked["table"], keep_default_na=False, dtype=dict.fromkeys(discrete, str))
    epochs = ceil(asked["rounds"] / (len(table) // 500)) if "rounds" in asked else 10**6
    with contextlib.suppress(TimeIsUpError):
        model.fit(table, discrete, epochs=epochs)
    told = {**clock.told(), "peer": f"ctgan {version('ctgan')}", "sampled": {}}
    clock.most = None
    for file, count in asked.get("samples", {}).items():
        began = time.process_time()
        made = model.sample(count)
        framed = time.process_time() - began
        made.to_csv(file, index=False)
        told["sampled"][file] = {"rows": count, "frame": framed, "csv": time.process_time() - began}
    for column, value, count, file in asked.get("wishes", ()):
        model.sample(count, column, value).to_csv(file, index=False)
    print(json.dumps({**told, "peak_mb": peak()}))


if __name__ == "__main__":
    main()
