import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from mammoflow.base.contracts.stored import STORED
from mammoflow.breasts.image_store import Overview
from mammoflow.report.figures import breast_regions, style
from mammoflow.report.figures.breast_regions import FLAGGED, LEFT_OUT, NEAR_LIMIT, USUAL


def view(height=0.6, width=0.5):
    """A breast of a share of the height and width of its image, and an original ten times as large."""
    y, x = np.ogrid[:100, :80]
    region = (np.abs(y - 49.5) <= 50 * height) & (x < 80 * width)
    picture = np.where(region, 180, 20).astype(np.uint8)
    return Overview(picture, region, 1000, 800)


def stored(**rows):
    """A 'stored' table: for each image its reason, or the flags of a stored one."""
    return STORED.check(
        pd.DataFrame(
            [(name, not reason, reason, flags, "", "") for name, (reason, flags) in rows.items()],
            columns=list(STORED.columns),
        )
    )


def lesions(*rows):
    return pd.DataFrame(rows, columns=["image_id", "y0", "x0", "y1", "x1"])


@pytest.fixture
def found():
    table = stored(
        usual=("", ""),
        alike=("", ""),
        wide=("", ""),
        flagged=("", "fallback-region;lesion-outside-breast"),
        small=("", ""),
        large=("", ""),
        broken=("breast-fragmented", ""),
    )
    views = {name: view() for name in table["image_id"]} | {
        "wide": view(width=0.7),
        "small": view(0.3, 0.3),
        "large": view(0.9, 0.9),
    }
    return breast_regions.tiles(table, lesions(("alike", 300, 100, 400, 200)), views.items())


def test_what_to_look_at_comes_first_then_the_unusual(found):
    assert [(tile.image_id, tile.kind) for tile in found] == [
        ("broken", LEFT_OUT),
        ("flagged", FLAGGED),
        ("large", NEAR_LIMIT),
        ("small", NEAR_LIMIT),
        ("wide", USUAL),
        ("alike", USUAL),
        ("usual", USUAL),
    ]
    words = {tile.image_id: tile.words for tile in found}
    assert words["broken"] == "breast-fragmented"
    assert words["flagged"] == "fallback-region, lesion-outside-breast"
    assert words["small"] == "area 9%"
    assert words["usual"] == ""


def test_unusual_by_hand():
    assert breast_regions.unusualness([]).shape == (0,)
    assert breast_regions.unusualness([view()] * 3).tolist() == [0, 0, 0]
    # Width, the feature that differs most: 0.6, 0.3 and 0 from the median, of which the median is 0.3.
    far = breast_regions.unusualness([view(width=0.2), view(width=0.8), view(width=0.5)])
    np.testing.assert_allclose(far, [0.3 / (1.4826 * 0.3), 0.3 / (1.4826 * 0.3), 0], atol=1e-12)


def test_a_region_that_stops_inside_the_breast_is_unusual_by_what_shines_outside():
    whole = view()
    part = Overview(whole.picture, view(0.5, 0.45).region, 1000, 800)
    far = breast_regions.unusualness([whole] * 5 + [part])
    assert far[5] > 20
    assert far[0] == 0


def test_sheet_shows_every_image_with_frames_outlines_and_masses(found):
    figure = breast_regions.draw(found, {"truncated": 2}, "some films")
    axes = figure.axes[0]
    assert len(axes.images) == 7
    assert len(axes.collections) == 7
    frames = [patch for patch in axes.patches if patch.get_linewidth() > 1]
    colours = [to_hex(patch.get_edgecolor()) for patch in frames]
    assert [colours.count(colour) for colour in dict.fromkeys(colours)] == [1, 1, 2]
    (mass,) = [
        patch
        for patch in axes.patches
        if isinstance(patch, Rectangle) and to_hex(patch.get_edgecolor()) == style.ANNOTATION.lower()
    ]
    left, right, bottom, top = axes.images[5].get_extent()
    assert (right - left, bottom - top) == (80, 100)
    assert (mass.get_x() - left, mass.get_y() - top, mass.get_width(), mass.get_height()) == (10, 30, 10, 10)
    words = " ".join(text.get_text() for text in [*axes.texts, *figure.texts])
    assert "breast-fragmented" in words
    assert "7 of 9 images shown; left out 1; stored, with a flag 1;" in words
    assert "no picture for 2: truncated" in words
    assert "not shown" not in words


def test_a_large_data_set_says_what_is_not_shown(monkeypatch, found):
    monkeypatch.setattr(breast_regions, "LIMIT", 5)
    figure = breast_regions.draw(found, {}, "some films")
    assert len(figure.axes[0].images) == 5
    assert breast_regions.summary(found, {}).endswith("; not shown: the 2 most usual regions")
    monkeypatch.setattr(breast_regions, "LIMIT", 3)
    assert breast_regions.summary(found, {}).endswith("; not shown: the 4 most usual regions, 1 marked")


def test_a_sheet_without_any_picture_is_drawn(tmp_path):
    style.save(breast_regions.draw([], {"truncated": 1}, "none"), tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1
