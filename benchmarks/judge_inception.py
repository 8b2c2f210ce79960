"""Is our Inception the standard one? The same weights and pictures through it and through torch-fidelity's own code.

    python benchmarks/judge_inception.py

The published weights can't be had everywhere, so both get the same random ones: equal features then mean an equal
graph, resizer, rounding and order of channels, whatever the weights. Pictures of several sizes, larger and smaller than
the network's 299 pixels. Torch-fidelity runs in its own environment (`peers/judging.py` makes it). Times are CPU time
of one thread, one after the other. Writes results/judge_inception.json.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common import ROOT, RUNS, write_result
from rivals.modalities.images.inception import Inception, space_of

PEERS = RUNS / "peers-judging" / "venv" / "bin" / "python"
SIZES = ((32, 32), (48, 40), (64, 64), (299, 299), (350, 310))
WANTED = 1e-4


def random_weights(seed: int) -> dict[str, Tensor]:
    """Weights under which signals keep their size from layer to layer, with norms that do something."""
    rng = torch.Generator().manual_seed(seed)
    state = Inception().state_dict()
    for name, value in state.items():
        if name.endswith(("running_var", "bn.weight")):
            value.copy_(0.5 + torch.rand(value.shape, generator=rng))
        elif name.endswith(("running_mean", "bias")):
            value.copy_(0.2 * torch.randn(value.shape, generator=rng))
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=rng) * (2 / value[0].numel()) ** 0.5)
    return state


def pictures(height: int, width: int, count: int) -> np.ndarray:
    """Blocks, ramps and noise, (count, 3, height, width) uint8: features of pure noise would all be alike."""
    rng = np.random.default_rng(height * width)
    coarse = rng.integers(0, 256, (count, 3, 4, 4))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    ramp = np.linspace(0, 60, width)
    noise = rng.normal(0, 20, (count, 3, height, width))
    return (coarse[:, :, rows][:, :, :, columns] + ramp + noise).clip(0, 255).astype(np.uint8)


def compare(state: dict[str, Tensor], pixels: np.ndarray, folder: Path) -> dict:
    """Both networks on the same pictures, and how far apart their features are, relative to the features' size."""
    weights, given, out = (folder / name for name in ("weights.pth", "pictures.npy", "found.npz"))
    torch.save(state, weights)
    np.save(given, pixels)
    command = [str(PEERS), str(ROOT / "benchmarks" / "peers" / "inception.py"), *map(str, (weights, given, out))]
    subprocess.run(command, check=True)
    theirs = np.load(out)
    space = space_of(state, "random")
    x = torch.from_numpy(pixels).float() / 127.5 - 1
    space.embed(x[:1])
    began = time.thread_time()
    ours = space.embed(x).numpy()
    took = time.thread_time() - began
    assert space.classify is not None
    logits = space.classify(x).numpy()
    spread = theirs["features"] - theirs["features"].mean(0)
    return {
        "height": pixels.shape[2],
        "width": pixels.shape[3],
        "pictures": len(pixels),
        "relative_error": relative(ours, theirs["features"]),
        "relative_to_the_spread_between_pictures": float(np.linalg.norm(ours - theirs["features"]) / norm(spread)),
        "relative_error_of_logits": relative(logits, theirs["logits"]),
        "speed_ratio": round(float(theirs["seconds"]) / took, 2),
        "torch_fidelity": str(theirs["version"]),
    }


def norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values))


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The norm of the difference over that of theirs."""
    return norm(ours - theirs) / norm(theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sizes, one picture each; writes no result")
    given = parser.parse_args()
    if not PEERS.exists():
        raise SystemExit("torch-fidelity is not there: python benchmarks/peers/judging.py")
    torch.set_num_threads(1)
    state = random_weights(0)
    rows = []
    for height, width in SIZES[:2] if given.quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(compare(state, pictures(height, width, 2 if given.quick else 6), Path(folder)))
        print(rows[-1], flush=True)
    worst = max(max(row["relative_error"], row["relative_error_of_logits"]) for row in rows)
    assert worst < WANTED, f"our Inception is not theirs: relative error {worst:.1e}"
    if not given.quick:
        write_result("judge_inception", {"wanted": WANTED, "worst_relative_error": worst, "rows": rows})


if __name__ == "__main__":
    main()
