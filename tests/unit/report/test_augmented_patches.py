"""The contact sheet of augmented patches."""

import numpy as np
import pytest
from matplotlib.text import Text

from mammoflow.report.figures import augmented_patches, style
from mammoflow.training import augmentation
from mammoflow.training.augmentation import Augmentation, Views

PAPER = Augmentation(flip=True, rotation_degrees=30, scale=(0.75, 1.25))


def sheet(labels, epochs):
    stored = np.random.default_rng(0).integers(0, 4096, (len(labels), 24, 24)).astype(np.uint16)
    views = [augmentation.draw(PAPER, len(labels), 1, epoch) for epoch in range(epochs)]
    shown = [augmentation.apply(stored, drawn) for drawn in views]
    return stored, shown, augmented_patches.draw(stored, np.array(labels), shown, views, "phantoms")


def test_row_shows_the_patch_and_then_its_epochs_in_one_grey_scale():
    stored, shown, figure = sheet([1, 0], epochs=3)
    pictures = [axes.images[0] for axes in figure.axes]
    assert len(pictures) == 2 * (1 + 3)
    for row, patch in enumerate(stored):
        first, *others = pictures[4 * row : 4 * row + 4]
        np.testing.assert_array_equal(first.get_array(), patch)
        for picture, epoch in zip(others, shown, strict=True):
            np.testing.assert_array_equal(picture.get_array(), epoch[row])
        assert {picture.get_clim() for picture in (first, *others)} == {(patch.min(), patch.max())}


def test_what_was_drawn_stands_below():
    views = Views(np.array([True]), np.radians([-12.0]), np.array([1.2]))
    patch = np.zeros((1, 8, 8))
    figure = augmented_patches.draw(patch, np.array([0]), [patch], [views], "phantoms")
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert {"-12°, ×1.20, mirrored", "as stored", "epoch 1", "non-mass", "phantoms"} <= set(texts)


def test_it_is_written(tmp_path):
    style.save(sheet([1], epochs=2)[2], tmp_path / "a.png", tmp_path / "a.svg")
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("labels", "rows"), [([1, 0, 0, 1], [0, 3, 1, 2]), ([0, 0, 0], [0, 1, 2]), ([1] * 9, [1, 4, 7]), ([], [])]
)
def test_rows_of_both_classes_are_spread(labels, rows):
    assert augmented_patches.spread(np.array(labels, int), each=3).tolist() == rows
