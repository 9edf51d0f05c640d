import re

import pandas as pd
import pytest

from mammoflow.patches import leakage


def table(*rows):
    return pd.DataFrame(rows, columns=["image_id", "patient_id", "fold", "role"])


GOOD = table(
    ("a", "p1", 0, "train"),
    ("b", "p1", 0, "train"),
    ("c", "p2", 0, "validation"),
    ("d", "p3", 0, "test"),
    ("a", "p1", 1, "test"),
    ("c", "p2", 1, "train"),
    ("d", "p3", 1, "validation"),
)
STORED = pd.DataFrame(
    [("a", "p1", "1"), ("b", "p1", "2"), ("c", "p2", "3"), ("d", "p3", "4")],
    columns=["image_id", "patient_id", "pixels_sha256"],
)


def changed(row, **cells):
    bad = GOOD.copy()
    for column, cell in cells.items():
        bad.loc[row, column] = cell
    return bad


def test_a_good_table_passes_and_gives_its_folds():
    leakage.check(GOOD)
    fold = leakage.fold_of(GOOD, 1, STORED, "own.csv")
    assert fold["image_id"].tolist() == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            changed(1, role="test"),
            "own.csv: patient 'p1' of fold 0: expected one role, got train (image 'a') and test (image 'b')",
        ),
        (
            changed(2, image_id="a"),
            "own.csv: image 'a' of fold 0: expected one row, got train (patient 'p1') and validation "
            "(patient 'p2')",
        ),
        (
            changed(1, image_id="a"),
            "own.csv: image 'a' of fold 0: expected one row, got train (patient 'p1') and train "
            "(patient 'p1')",
        ),
        (
            changed(3, role="Test"),
            "own.csv: image 'd' of fold 0: expected a role of train, validation, test, got 'Test'",
        ),
        (
            GOOD.drop(index=[5, 6]),
            "own.csv: fold 1: expected images for train, validation, test, got none for train and validation",
        ),
        (GOOD[:0], "own.csv: expected a row for each image and fold, got none"),
        (
            changed(3, image_id="x"),
            "own.csv: image 'x': expected an image that the images stage stored, got a name that it did not "
            "(1 such)",
        ),
        (
            changed([0, 4], patient_id="a"),
            "own.csv: image 'a': expected its patient 'p1', got 'a'",
        ),
        (GOOD[:4], "own.csv: expected rows of fold 1, got rows of fold 0"),
    ],
)
def test_one_sentence_names_what_is_wrong(bad, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        leakage.fold_of(bad, 1, STORED, "own.csv")
    assert "\n" not in str(caught.value)


def test_a_film_on_two_sides_is_named_with_both():
    twice = STORED.assign(pixels_sha256=["1", "2", "3", "2"])
    message = (
        "own.csv: a film of fold 0: expected one role, got the same pixels in train (image 'b') and test "
        "(image 'd')"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        leakage.fold_of(GOOD, 0, twice, "own.csv")


def test_what_was_stored_is_joined_to_the_index():
    images = pd.DataFrame({"image_id": ["a", "b", "c"], "patient_id": ["p", "q", "r"]})
    shards = [
        pd.DataFrame({"image_id": ["c", "a"], "stored": [True, False], "pixels_sha256": ["3", "1"]}),
        pd.DataFrame({"image_id": ["b"], "stored": [True], "pixels_sha256": ["2"]}),
    ]
    stored = leakage.stored_images(images, pd.concat(shards))
    assert stored.to_dict("list") == {
        "image_id": ["b", "c"],
        "patient_id": ["q", "r"],
        "pixels_sha256": ["2", "3"],
    }
