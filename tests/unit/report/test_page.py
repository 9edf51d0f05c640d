import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from froc_cases import SETTINGS

from mammoflow.report import page

EVIL = "<script>alert('x')</script> & \"co\""
LABELS = {
    "datasets": {"film": EVIL, "digital": "digital phantoms"},
    "weights": {"random": "random", "natural": "natural images"},
    "backbones": {"compact": "compact"},
}
CONFIG = {
    "seed": 7,
    "patches": {"window": 64, "stride": 16, "edge": "centred", "label": "centre"},
    "detection": {"evaluation": SETTINGS},
    "training": {"steps_per_epoch": None, "augmentation": {"flip": True, "scale": [0.75, 1.25]}},
    "training_of": {},
    "experiments": {
        "classification": {
            "dataset": "film",
            "backbones": ["compact"],
            "initializations": ["random", "natural"],
            "runs": 2,
        },
        "detection": {
            "dataset": "digital",
            "backbones": ["compact"],
            "initializations": ["natural+film"],
            "runs": 1,
        },
    },
}
PROVENANCE = {"commit": "abc", "dirty": True, "written": "2026-11-22T00:00:00+00:00"}
PNG = b"\x89PNG not really"


class Reader(HTMLParser):
    """Tags that are opened, and whether they are closed in order."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.sources = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def text():
    rows = pd.DataFrame({"Source": ["ours", "paper"], "Method": [EVIL, "Agarwal"]})
    shown = {
        name: page.Table(f"{name}. {EVIL}", rows, "a note")
        if name.startswith("table")
        else page.Picture(name, PNG, f"caption {EVIL}")
        for name in (*page.ORDER, "breast-regions-film")
    }
    counts = [(EVIL, "–", "masses", "–", "12", "–"), (EVIL, "0", "train: masses", "9", "8", "-1")]
    found = pd.DataFrame(counts, columns=["Data", "Fold", "Quantity", "Paper", "Found", "Difference"])
    return page.page(shown, page.Table("Counts", found, ""), CONFIG, LABELS, PROVENANCE)


@pytest.fixture
def reader(text):
    reader = Reader()
    reader.feed(text)
    return reader


def test_names_are_escaped(text, reader):
    assert "script" not in reader.tags
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_page_is_well_formed_and_needs_nothing_else(text, reader):
    assert reader.open == []
    assert not re.search(r'https?:|url\(|@import|<link|\bsrc="(?!data:)', text)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in reader.sources)


def test_page_has_every_table_and_figure(text, reader):
    assert reader.tags.count("img") == 7 + 1
    assert reader.tags.count("table") == 9
    assert re.findall(r'section id="(.*?)"', text) == [
        *page.ORDER,
        "breast-regions-film",
        "reconciliation",
    ]
    assert text.count('tr class="published"') == 7


def test_header_says_what_ran(text):
    for words in ("digital phantoms: compact; from natural images → ", "64×64 pixels, stride 16", "2 runs"):
        assert words in text
    assert "2026-11-22" in text
    assert "commit abc, with changes" in text
    assert "<dt>training.augmentation.scale</dt><dd>0.75, 1.25</dd>" in text
    assert "<dt>training_of</dt><dd>none</dd>" in text


def test_folders_of_the_user_are_left_out():
    config = {
        "workspace": "/home/jane/study",
        "datasets": {"film": {"label": "film", "root": "/home/jane/films", "shards": 2}},
        "weights": {"files": {"vgg16": {"path": "/home/jane/vgg16.h5", "sha256": "abc"}}},
    }
    assert dict(page.flattened(config)) == {
        "datasets.film.label": "film",
        "datasets.film.shards": "2",
        "weights.files.vgg16.sha256": "abc",
    }


def test_reconciliation_shows_a_dash_where_the_paper_is_silent(text):
    assert "<td>masses</td><td>–</td><td>12</td><td>–</td>" in text
    assert "<td>0</td><td>train: masses</td><td>9</td><td>8</td><td>-1</td>" in text
