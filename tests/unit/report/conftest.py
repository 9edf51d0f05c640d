"""A small study with its review pages, for the tests of both."""

import pytest
from review_site import Study


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def written(study, tmp_path_factory):
    """The folder of the pages, and the evaluation of each model."""
    folder = tmp_path_factory.mktemp("site")
    return folder, study.write(folder)


@pytest.fixture(scope="session")
def site(written):
    """The folder of the pages."""
    return written[0]
