"""Fixtures shared by the workflow tests."""

import pytest
from project import Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished tiny study; tests look, and put back what they change."""
    project = Project(tmp_path_factory.mktemp("study"))
    project.run("--workflow-profile", "profiles/laptop", timeout=2400)
    return project


@pytest.fixture
def releases(tmp_path):
    """Folders that look like the two releases, for plans of the paper's study."""
    for name in (
        "cbis-ddsm/mass_case_description_train_set.csv",
        "cbis-ddsm/mass_case_description_test_set.csv",
        "inbreast/INbreast.csv",
        "inbreast/AllDICOMs/x.dcm",
        "inbreast/AllXML/x.xml",
        "third/INbreast.csv",
        "third/AllDICOMs/x.dcm",
        "third/AllXML/x.xml",
    ):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
