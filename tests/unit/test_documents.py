"""The documents: every column of the results is described, and every relative link leads to a file."""

import importlib
import inspect
import pkgutil
import re

import pytest
from configs import REPOSITORY, load

from mammoflow.base import contracts
from mammoflow.base.contracts.table import Table
from mammoflow.networks.architectures import Network
from mammoflow.phantoms import cohorts
from mammoflow.phantoms.patients import Settings
from mammoflow.report.naming import WHY_BOXES_DIFFER
from mammoflow.report.tables.catalogue import PRESENTATIONS

DICTIONARY = (REPOSITORY / "docs" / "data-dictionary.md").read_text()
MODULES = [
    importlib.import_module(f"{contracts.__name__}.{module.name}")
    for module in pkgutil.iter_modules(contracts.__path__)
]
TABLES = {each.name: each for module in MODULES for each in vars(module).values() if isinstance(each, Table)}
PAGES = sorted(
    page
    for folder in (".", "docs", "config", "profiles", "benchmarks")
    for page in (REPOSITORY / folder).glob("*.md")
)
LINK = re.compile(r"\]\(([^)#:]+)(#[^)]*)?\)")


def test_every_column_is_described():
    described = {
        name
        for line in DICTIONARY.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])
    }
    columns = {(name, column) for name, table in TABLES.items() for column in table.columns}
    assert len(TABLES) > 10
    assert {(name, column) for name, column in columns if column not in described} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files(page):
    targets = [path for path, _ in LINK.findall(page.read_text())]
    assert [path for path in targets if not (page.parent / path).exists()] == []


@pytest.mark.parametrize("name", ["table-4", "figure-3", "figure-4", "figure-5"])
def test_what_shows_both_kinds_of_boxes_says_why_they_differ(name):
    assert WHY_BOXES_DIFFER in (REPOSITORY / "workflow" / "report" / f"{name}.rst").read_text()


def test_so_does_the_note_of_table_4():
    assert WHY_BOXES_DIFFER in PRESENTATIONS["table-4"].note


def test_the_practice_images_are_written_where_their_config_looks_for_them(monkeypatch):
    (code,) = re.findall(r"python -c '\n(.*?)'", (REPOSITORY / "docs" / "own-data.md").read_text(), re.DOTALL)
    written = []
    monkeypatch.setattr(cohorts, "write", lambda *given, **settings: written.append((given, settings)))
    exec(inspect.cleandoc(code), {})
    ((root, cohort), settings), config = written[0], load("own-data.yaml")
    own = config["datasets"]["own"]
    assert (root, settings["archive"]) == (f"{config['workspace']}/{own['root']}", own["archive"])
    assert Settings.from_config(cohort).cohort == own["acquisition"]


def test_the_example_of_a_network_is_one():
    (code,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "networks.md").read_text(), re.DOTALL)
    module = {}
    exec(code, module)
    assert isinstance(module["NETWORK"], Network)


def test_the_example_of_another_detector_is_a_program():
    """It needs packages that are not the project's."""
    (code,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "convert.md").read_text(), re.DOTALL)
    compile(code, "convert.md", "exec")
