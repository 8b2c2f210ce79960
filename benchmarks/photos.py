"""Some fifty photographs from packages, for benchmarks of restored pictures: each 512 pixels on its shorter side.

Made smaller, so that little is left of what JPEG did to them. Packages and licences are in `PACKAGES`; the pictures are
used here and not given on.
"""

import subprocess
from importlib.resources import files
from pathlib import Path

from PIL import Image

SHORT = 512  # pixels

PACKAGES = {  # of Debian: where its pictures lie, their licence, and which are photographs
    "lomiri-wallpapers-16.04": (
        "backgrounds",
        "CC BY 4.0, CC BY-SA 3.0 and 4.0, CC0",
        "Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Picture_0B_by_freespace Picture_1A_by_freespace "
        "Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi free_by_Peter_Nerlich friends_by_Aitzol_Berasategi "
        "greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi picosdeeuropa_by_Aitzol_Berasategi "
        "seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi",
    ),
    "lomiri-wallpapers-20.04": ("backgrounds", "CC BY-SA 4.0, CC BY 4.0, CC0", "Kleiber_by_Lukas_Baubkus"),
    "lxqt-themes": ("lxqt/wallpapers", "CC BY-SA 3.0, LGPL", "after-the-rain this-is-not-windows"),
    "mate-backgrounds": (
        "backgrounds/mate/nature",
        "GPL-2+",
        "Aqua Blinds Dune Garden GreenMeadow LadyBird RainDrops Storm TwoWings Wood YellowFlower",
    ),
    "palapeli-data": (
        "palapeli/collection",
        "CC0, GFDL, GPL",
        "cincinnati-bridge citrus-fruits european-honey-bee panther-chameleon-female",
    ),
    "plasma-workspace-wallpapers": (
        "wallpapers",
        "GPL-2+",
        "BytheWater ColorfulCups EveningGlow FallenLeaf Grey Kite OneStandsOut Path",
    ),
}
INSTALLED = {  # of PyPI
    "skimage.data": "astronaut.png chelsea.png coffee.png rocket.jpg motorcycle_left.png hubble_deep_field.jpg ihc.png",
    "sklearn.datasets.images": "china.jpg flower.jpg",
}
WORDS = ", ".join(f"{name} ({licence})" for name, (_, licence, _) in PACKAGES.items())


def unpacked(package: str, folder: Path) -> Path:
    """The files of a Debian package; fetched where they are not there."""
    place = folder / package
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        aside = folder / f"part-{package}"
        subprocess.run(["dpkg", "-x", str(next(folder.glob(f"{package}_*.deb"))), str(aside)], check=True)
        aside.rename(place)
    return place / "usr" / "share"


def found(folder: Path) -> dict[str, Path]:
    """The files of all photographs, by name."""
    places = {}
    for package, (inside, _, names) in PACKAGES.items():
        for name in names.split():
            path = unpacked(package, folder) / inside / f"{name}.jpg"
            places[name] = path if path.exists() else path.with_suffix("") / "contents" / "images" / "2560x1600.jpg"
    for module, names in INSTALLED.items():
        places |= {name.split(".")[0]: Path(str(files(module).joinpath(name))) for name in names.split()}
    return places


def make(place: Path, folder: Path) -> None:
    """All of them as PNG files in a folder."""
    place.mkdir(parents=True)
    for name, path in sorted(found(folder).items()):
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * SHORT, 2 * SHORT))
            picture = opened.convert("RGB")
        shrink = max(min(picture.size) / SHORT, 1)
        size = [max(round(side / shrink), 1) for side in picture.size]
        picture.resize((size[0], size[1]), Image.Resampling.LANCZOS).save(place / f"{name}.png")
