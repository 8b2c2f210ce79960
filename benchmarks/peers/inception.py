"""torch-fidelity's own Inception on given weights and pictures; run by the peers' interpreter, imports no Rivals.

PEERS/bin/python benchmarks/peers/inception.py WEIGHTS.pth PICTURES.npy OUT.npz
"""

import sys
import time
from importlib import import_module

import numpy as np
import torch

# The CPU build of torch lacks two operators that torchvision's import asks for; nothing here calls them.
LIBRARY = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def main() -> None:
    torch.set_num_threads(1)
    weights, pictures, out = sys.argv[1:]
    made = import_module("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    network = made("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights)
    found, seconds = [], 0.0
    for part in torch.from_numpy(np.load(pictures)).split(4):  # (n, 3, h, w) uint8
        began = time.thread_time()
        found.append(network(part))
        seconds += time.thread_time() - began
    features, logits = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    version = import_module("torch_fidelity").__version__
    np.savez(out, features=features, logits=logits, seconds=seconds, version=version)


if __name__ == "__main__":
    main()
