"""The rooms of the package: data passes them in one order."""

import ast
from pathlib import Path

import pytest
from configs import REPOSITORY, SCRIPTS

PACKAGE = SCRIPTS / "mammoflow"

# From what every room uses to what uses every room. The table in docs/development.md has the same order.
ROOMS = [
    "base",
    "dicom",
    "archives",
    "phantoms",
    "breasts",
    "patches",
    "networks",
    "training",
    "detection",
    "dicom_results",
    "evaluation",
    "bundles",
    "report",
    "study",
    "exchange",
    "library",
    "application",
    "commands",
]
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    """Rooms that a module imports, wherever in it."""
    rooms = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("mammoflow.")}
    return rooms


def test_every_module_is_in_a_room():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)
    assert [path.name for path in PACKAGE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_a_later_one(room):
    earlier = set(ROOMS[: ROOMS.index(room) + 1])
    modules = [path for path in MODULES if path.parts[0] == room]
    assert modules
    later = {str(path): rooms_imported(path) - earlier for path in modules}
    assert {path: rooms for path, rooms in later.items() if rooms} == {}


def test_no_name_has_two_meanings():
    """Contracts are named after the modules that write their tables."""
    names = [
        path.stem
        for path in MODULES
        if path.name != "__init__.py" and path.parts[:2] != ("base", "contracts")
    ]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_tests_are_laid_out_as_the_package_is():
    unit = REPOSITORY / "tests" / "unit"
    assert {path.name for path in unit.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(
        ROOMS
    )
