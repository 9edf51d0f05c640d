import pytest
from configs import load

from mammoflow.archives import marks


@pytest.fixture
def paper(tmp_path):
    """The paper's config, its data sets at folders that look like releases."""
    config = load("config.yaml")
    for name in ("cbis-ddsm", "inbreast"):
        root = tmp_path / name
        root.mkdir()
        for names in marks.MARKS[name]:
            mark = root / names[0]
            mark.touch() if mark.suffix else mark.mkdir()
        config["datasets"][name]["root"] = str(root)
    return config


@pytest.fixture
def demo():
    return load("config.yaml", "demo.yaml")
