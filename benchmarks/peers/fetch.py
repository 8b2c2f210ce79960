"""Fetch the peers that `speed_peers.py` measures against, at fixed versions, into benchmarks/runs/peers.

    python benchmarks/peers/fetch.py [--pytorch-gan PLACE] [--r3gan PLACE] [--basicsr PLACE] [--cut PLACE]

A PLACE is a git address or the path of a clone (bare or not); by default the project's own address.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PLACE = Path(__file__).parents[1] / "runs" / "peers"
TORCHGAN = "torchgan==0.1.0"
REPOSITORIES = {
    "pytorch-gan": (
        "https://github.com/eriklindernoren/PyTorch-GAN",
        "36d3c77e5ff20ebe0aeefd322326a134a279b93e",
        ("implementations/gan/gan.py", "implementations/dcgan/dcgan.py"),
    ),
    "r3gan": (
        "https://github.com/brownvc/R3GAN",
        "19a7ddf463fbac2bd39b4c1c73d63f1c441c7403",
        ("R3GAN", "torch_utils", "dnnlib"),
    ),
    "basicsr": (
        "https://github.com/XPixelGroup/BasicSR",
        "8d56e3a045f9fb3e1d8872f92ee4a4f07f886b0a",
        ("basicsr",),
    ),
    "cut": (  # CycleGAN's own repository is gigabytes; its authors keep the same model here
        "https://github.com/taesungp/contrastive-unpaired-translation",
        "b3ac297708dfb6f7589d04662277e53c0d579c27",
        ("models", "util"),
    ),
}


def fetch_torchgan() -> None:
    """Install torchgan beside, without what it depends on: torch is there, the rest isn't needed to train."""
    if not (PLACE / "torchgan").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PLACE), TORCHGAN]
        subprocess.run(command, check=True)


def fetch_repository(name: str, place: str | None = None) -> None:
    """Some files of a repository, at its fixed commit."""
    address, commit, wanted = REPOSITORIES[name]
    if (PLACE / name).exists():
        return
    with tempfile.TemporaryDirectory() as clone:
        source = place or address
        if not Path(source).exists():
            source = f"{clone}/git"
            subprocess.run(["git", "clone", "--quiet", "--bare", "--filter=blob:none", address, source], check=True)
        archive = f"{clone}/files.tar"
        subprocess.run(["git", "-C", source, "archive", "-o", archive, commit, *wanted], check=True)
        (PLACE / name).mkdir(parents=True)
        subprocess.run(["tar", "-xf", archive, "-C", str(PLACE / name)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in REPOSITORIES:
        parser.add_argument(f"--{name}", dest=name)
    places = vars(parser.parse_args())
    PLACE.mkdir(parents=True, exist_ok=True)
    fetch_torchgan()
    for name in REPOSITORIES:
        fetch_repository(name, places[name])
    print(f"peers in {PLACE}")


if __name__ == "__main__":
    main()
