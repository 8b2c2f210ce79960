import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rivals

ROOT = Path(rivals.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def imported(path):
    """The modules that a file imports anywhere, by their full names."""
    package = [ROOT.name, *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (part.name for part in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{part.name}" for part in node.names)


@pytest.mark.parametrize("floor", ["engine", "judging", "layers"])
def test_the_lower_floors_import_no_modality_and_nothing_above(floor):
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] == floor]
    assert files
    above = ("rivals.modalities", "rivals.api", "rivals.cli", "rivals.display", "rivals.sampling", "rivals.studio")
    found = {(str(path.relative_to(ROOT)), name) for path in files for name in imported(path) if name.startswith(above)}
    assert found == set()


def test_a_modality_imports_no_other_modality_and_nothing_above():
    folders = [path for path in (ROOT / "modalities").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert folders
    for folder in folders:
        for path in folder.rglob("*.py"):
            for name in imported(path):
                assert not name.startswith(("rivals.api", "rivals.cli", "rivals.display", "rivals.studio")), (
                    path,
                    name,
                )
                if name.startswith("rivals.modalities."):
                    assert name.split(".")[2] == folder.name, (path, name)


def test_layers_do_not_import_judging_and_the_engine_imports_neither():
    for path in FILES:
        floor = path.relative_to(ROOT).parts[0]
        for name in imported(path):
            if floor == "layers":
                assert not name.startswith("rivals.judging"), (path, name)
            if floor == "engine":
                assert not name.startswith(("rivals.judging", "rivals.layers")), (path, name)


def test_importing_the_package_imports_no_torch():
    code = "import sys, rivals; print(sorted({'torch', 'numpy', 'PIL', 'lightning_fabric'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", rivals.__all__)
def test_every_public_name_resolves(name):
    assert getattr(rivals, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = rivals.trian


def test_files_and_lines_stay_within_the_house_rules():
    long = {str(path.relative_to(ROOT)): count for path in FILES if (count := len(path.read_text().splitlines())) > 300}
    assert not long


def test_pictures_need_none_of_the_libraries_for_tables():
    """A plain install has no polars; whether a source is a table is asked of every source."""
    words = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['polars', 'pyarrow', 'pandas', 'sklearn', 'opacus']))\n"  # imports fail
        "from pathlib import Path\n"
        "from rivals.jobs import Request\n"
        "from rivals.preparation import preparation\n"
        "print(preparation(Request(source='digits', folder=Path('none'))).__module__)"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "rivals.picture_jobs", done.stderr
