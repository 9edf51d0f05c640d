"""Windows that a network takes for masses, in maps that are made up."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.base.boxes import BOX
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection import hard_negatives
from mammoflow.detection.mpm import Grid
from mammoflow.patches import bank, cutting, leakage, sliding_windows

WINDOW, STEP = 16, 4
WINDOWS = sliding_windows.Windows(WINDOW, STEP, "inside")
SETTINGS = hard_negatives.Settings(per_image=10, probability=0.5)
# The stored image is half of the original, which is mirrored and begins at row 20 and column 10.
GEOMETRY = Geometry(rows=400, columns=300, y0=20, x0=10, y1=340, x1=250, mirrored=True, factor=2.0)


def grid(*peaks, breast=None, slope=0.05):
    """A map whose hills have their tops, (row, column, height) of the grid, at known places."""
    top, left = sliding_windows.grid(GEOMETRY.shape, WINDOWS)
    y, x = np.mgrid[: len(top), : len(left)]
    hills = [height - slope * np.hypot(y - row, x - column) for row, column, height in peaks]
    values = np.clip(np.max([np.zeros(y.shape), *hills], axis=0), 0, 1).astype(np.float32)
    if breast is None:
        breast = np.ones(GEOMETRY.shape, bool)
    return Grid(values, top + WINDOWS.half, left + WINDOWS.half, breast, GEOMETRY)


def lesions(*stored):
    """Lesions of the image ``a``, from boxes in stored pixels."""
    boxes = GEOMETRY.to_original(np.array(stored).reshape(-1, 4))
    return pd.DataFrame(boxes, columns=BOX).assign(image_id="a")


NONE = lesions()


def found(grid, lesions=NONE, settings=SETTINGS):
    negatives = hard_negatives.of_image("a", grid, lesions, WINDOW, settings)
    assert negatives.image_id == "a"
    assert negatives.begin.dtype == np.int32
    return [
        (y // STEP, x // STEP, round(float(score), 2))
        for (y, x), score in zip(negatives.begin, negatives.scores, strict=True)
    ]


PEAKS = [(5, 6, 0.9), (20, 8, 0.8), (30, 20, 0.7), (12, 20, 0.4)]


def test_the_peaks_without_a_lesion_are_drawn_by_descending_probability():
    assert found(grid(*PEAKS)) == [(5, 6, 0.9), (20, 8, 0.8), (30, 20, 0.7)]
    # The centre of the second is pixel (88, 40); nothing of the hill around it is drawn in its place.
    lesion = lesions((84, 36, 92, 44))
    assert found(grid(*PEAKS), lesion) == [(5, 6, 0.9), (30, 20, 0.7)]
    assert found(grid(*PEAKS), lesion.assign(image_id="another")) == found(grid(*PEAKS))


def test_a_window_that_shows_a_pixel_of_a_lesion_is_none():
    # The window of the first covers rows 20 to 35 and columns 24 to 39.
    assert found(grid(PEAKS[0]), lesions((36, 24, 44, 40), (20, 40, 36, 60))) == [PEAKS[0]]
    for box in ((34, 38, 44, 60), (0, 0, 22, 26), (0, 0, 90, 90), (28, 30, 30, 32)):
        assert found(grid(PEAKS[0]), lesions(box)) == []


def test_no_place_is_drawn_twice():
    near = grid((10, 10, 0.8), (11, 11, 0.7), (10, 12, 0.75), slope=0.5)  # 2 steps: half a window
    assert found(near) == [(10, 10, 0.8), (10, 12, 0.75)]
    plateau = grid((10, 10, 0.8))
    plateau.probabilities[10, 10:13] = 0.8
    assert found(plateau) == [(10, 10, 0.8), (10, 12, 0.8)]


def test_the_number_of_an_image_is_bounded():
    for number in range(4):
        chosen = hard_negatives.Settings(number, 0.5)
        assert found(grid(*PEAKS), settings=chosen) == PEAKS[:number]


def test_centres_outside_the_breast_are_left_out():
    breast = np.ones(GEOMETRY.shape, bool)
    breast[28, 32] = False  # the centre of the first
    assert found(grid(*PEAKS, breast=breast)) == [(20, 8, 0.8), (30, 20, 0.7)]


def test_an_image_without_windows_has_none():
    empty = Grid(np.zeros((0, 0), np.float32), np.zeros(0), np.zeros(0), np.ones((8, 8), bool), GEOMETRY)
    assert found(empty) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_windows_of_any_map_are_apart_and_off_every_lesion(seed):
    generator = np.random.default_rng(seed)
    noise = grid()
    noise.probabilities[:] = generator.random(noise.probabilities.shape)
    begin = generator.integers(0, 100, (3, 2))
    boxes = np.concatenate([begin, begin + generator.integers(2, 40, (3, 2))], axis=1)
    negatives = hard_negatives.of_image("a", noise, lesions(*boxes), WINDOW, SETTINGS)
    again = hard_negatives.of_image("a", noise, lesions(*boxes), WINDOW, SETTINGS)
    np.testing.assert_array_equal(negatives.begin, again.begin)
    marked = np.zeros(GEOMETRY.shape, bool)
    for y0, x0, y1, x1 in boxes:
        marked[y0:y1, x0:x1] = True
    assert not sliding_windows.cut(marked.astype(np.uint16), negatives.begin, WINDOW).any()
    assert (negatives.scores >= 0.5).all()
    assert (np.diff(negatives.scores) <= 0).all()
    apart = np.abs(negatives.begin[:, None] - negatives.begin).max(axis=-1)
    assert (apart[~np.eye(len(apart), dtype=bool)] >= WINDOW / 2).all()


# ---- the file ----------------------------------------------------------------------------------------------


def image(number):
    shape = GEOMETRY.shape
    pixels = np.random.default_rng(number).integers(0, 4096, shape).astype(np.uint16)
    lesions = np.zeros(shape, np.uint8)
    lesions[40:60, 40:60] = number % 2
    return SimpleNamespace(pixels=pixels, breast=np.ones(shape, bool), lesions=lesions, masses=number % 2)


STORE = {name: image(number) for number, name in enumerate("abcdef")}
PARTS = {"train": ["a", "b"], "validation": ["c", "d"], "test": ["e", "f"]}
SPLITS = pd.DataFrame(
    [(name, f"p{name}", 0, part) for part, names in PARTS.items() for name in names],
    columns=["image_id", "patient_id", "fold", "role"],
)


@pytest.fixture
def written(tmp_path):
    """A bank, and hard negatives of training images alone."""
    cutting.write(tmp_path / "bank.h5", {0: PARTS}, STORE, STORE, WINDOWS, "mass-images", (0, "bank"))
    negatives = [
        hard_negatives.of_image("a", grid(*PEAKS), lesions(), WINDOW, SETTINGS),
        hard_negatives.of_image("b", grid(), lesions(), WINDOW, SETTINGS),
    ]
    cutting.write_negatives(tmp_path / "negatives.h5", {"train": negatives, "validation": []}, STORE, WINDOWS)
    return tmp_path


def test_the_file_has_the_layout_of_a_bank_and_the_scores(written):
    with (
        bank.open_negatives(written / "negatives.h5") as parts,
        bank.open_bank(written / "bank.h5", 0) as first,
    ):
        assert list(parts) == ["train", "validation"]
        assert {*first.train.windows, "score"} == {*parts["train"].windows}
        rows = parts["train"]
        assert rows.image_id.tolist() == ["a", "a", "a"]
        assert rows.labels.tolist() == [0, 0, 0]
        np.testing.assert_allclose(rows.column("score"), [0.9, 0.8, 0.7])
        places = np.stack([rows.y, rows.x], axis=1)
        assert places.tolist() == [[20, 24], [80, 32], [120, 80]]
        np.testing.assert_array_equal(
            rows.read(np.arange(3)).patches, sliding_windows.cut(STORE["a"].pixels, places, WINDOW)
        )
        assert len(parts["validation"]) == 0


def test_the_same_windows_make_the_same_file(written):
    digests = []
    for number, height in enumerate((0.9, 0.9, 0.95)):
        negatives = hard_negatives.of_image("a", grid((5, 6, height)), NONE, WINDOW, SETTINGS)
        path = written / f"{number}.h5"
        cutting.write_negatives(path, {"train": [negatives], "validation": []}, STORE, WINDOWS)
        with bank.open_negatives(path) as parts:
            digests.append(parts["train"].digest)
    assert digests[0] == digests[1] != digests[2]  # scores count too


def test_a_bank_is_extended_and_its_classes_balance(written):
    with (
        bank.open_bank(written / "bank.h5", 0) as first,
        bank.open_negatives(written / "negatives.h5") as more,
    ):
        extended = first.extended(more)
        assert extended.test is first.test
        part, before = extended.train, first.train
        assert extended.window == part.window == WINDOW
        assert 2 * part.labels.sum() == len(part) == len(before) + 2 * 3
        # All patches of both, and three positives twice.
        everything = np.concatenate(
            [rows.read(np.arange(len(rows))).patches for rows in (before, more["train"])]
        )
        found = part.read(np.arange(len(part))).patches
        np.testing.assert_array_equal(found[: len(everything)], everything)
        twice = before.read(np.flatnonzero(before.labels)[:3]).patches
        np.testing.assert_array_equal(found[len(everything) :], twice)
        # In any order, those of one file between those of the other, labels with their patches.
        order = np.random.default_rng(0).permutation(len(part))
        np.testing.assert_array_equal(part.read(order).patches, found[order])
        assert len(part.read(order[:0]).patches) == 0
        assert len({part.digest, before.digest, more["train"].digest}) == 3
        np.testing.assert_array_equal(extended.validation.labels, first.validation.labels)


def test_hard_negatives_of_another_role_are_refused(written):
    with bank.open_negatives(written / "negatives.h5") as parts:
        images = {part: rows.image_id for part, rows in parts.items()}
    leakage.check_parts(SPLITS, 0, images)
    for role in ("validation", "test"):
        leaking = SPLITS.assign(role=SPLITS["role"].where(SPLITS["image_id"] != "a", role))
        with pytest.raises(ValueError, match=f"image 'a' of fold 0: expected only .* train, got .* {role}$"):
            leakage.check_parts(leaking, 0, images, "fold-0.h5")
    with pytest.raises(ValueError, match=r"image 'a' of fold 1: expected .* got one of the role none"):
        leakage.check_parts(SPLITS, 1, images)
