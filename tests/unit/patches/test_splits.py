from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoflow.archives import cbis_ddsm
from mammoflow.patches import leakage, splits

TABLES = Path(__file__).parents[2] / "data" / "cbis-ddsm"


def cohort(images_of, masses_of, split_of=None):
    """Tables of patients with so many images, of which the first so many have a mass each."""
    images, lesions = [], []
    for patient, count in enumerate(images_of):
        for number in range(count):
            image_id = f"p{patient}-{number}"
            images.append((image_id, f"p{patient}", (split_of or {}).get(patient, "train"), image_id))
            if number < masses_of[patient]:
                lesions.append((image_id, image_id))
    return (
        pd.DataFrame(images, columns=["image_id", "patient_id", "official_split", "pixels_sha256"]),
        pd.DataFrame(lesions, columns=["image_id", "lesion_id"]),
    )


def inbreast_like():
    """108 patients with 410 images; 50 patients have the 107 images with masses."""
    images_of = [4] * 75 + [2] * 25 + [8] * 5 + [3, 7, 10]
    masses_of = [2] * 50 + [0] * 58
    for patient in range(7):
        masses_of[patient] += 1
    return cohort(images_of, masses_of)


def real_tables():
    """Images and masses as the real tables of CBIS-DDSM have them."""
    frames = [
        cbis_ddsm._read_table(TABLES / name).assign(split=key) for key, name in cbis_ddsm.TABLES.items()
    ]
    rows = pd.concat(frames)
    rows["image_id"] = rows["image file path"].str.split("/").str[0]
    images = rows.drop_duplicates("image_id").rename(columns={"split": "official_split"})
    columns = ["image_id", "patient_id", "official_split", "pixels_sha256"]
    return images.assign(pixels_sha256=images["image_id"])[columns], rows[["image_id"]]


def test_official_split_of_the_real_tables_is_the_papers():
    images, lesions = real_tables()
    table = splits.official(images, lesions, 0.2, seed=1)
    assert table["role"].value_counts().to_dict() == {"train": 985, "validation": 246, "test": 361}
    patients = table.groupby("role")["patient_id"].nunique()
    masses = lesions.merge(table, on="image_id").value_counts("role")
    assert (patients["test"], masses["test"]) == (201, 378)
    assert abs(patients["validation"] - 138) <= 3
    assert abs(masses["validation"] - 263) <= 3


def test_five_folds_are_balanced():
    images, lesions = inbreast_like()
    table = splits.k_fold(images, lesions, 5, seed=1)
    with_mass = table["image_id"].isin(lesions["image_id"])
    tested = table["role"] == "test"
    assert set(table[tested].value_counts("fold")) == {82}
    masses = table[tested & with_mass].value_counts("fold")
    assert masses.sum() == 107
    assert masses.max() - masses.min() <= 1
    patients = table[tested].groupby("fold")["patient_id"].nunique()
    assert patients.max() - patients.min() <= 1


def test_fold_k_tests_what_fold_k_minus_1_validates():
    images, lesions = inbreast_like()
    table = splits.k_fold(images, lesions, 5, seed=1)
    roles = {key: set(rows["image_id"]) for key, rows in table.groupby(["fold", "role"])}
    for fold in range(5):
        assert roles[fold, "validation"] == roles[(fold + 1) % 5, "test"]
        assert sum(len(roles[fold, role]) for role in splits.ROLES) == len(images)
    assert set.union(*(roles[fold, "test"] for fold in range(5))) == set(images["image_id"])


def test_the_seed_decides_and_the_row_order_does_not():
    images, lesions = inbreast_like()
    first = splits.k_fold(images, lesions, 5, seed=1)
    pd.testing.assert_frame_equal(first, splits.k_fold(images, lesions, 5, seed=1))
    shuffled = splits.k_fold(images.sample(frac=1, random_state=0), lesions, 5, seed=1)
    keys = ["fold", "image_id"]
    pd.testing.assert_frame_equal(
        first.sort_values(keys, ignore_index=True), shuffled.sort_values(keys, ignore_index=True)
    )
    assert not first.equals(splits.k_fold(images, lesions, 5, seed=2))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_cohort_is_divided_by_patient(data):
    counts = data.draw(st.lists(st.integers(1, 10), min_size=3, max_size=40))
    masses = [data.draw(st.integers(0, count)) for count in counts]
    folds = data.draw(st.integers(3, min(6, len(counts))))
    images, lesions = cohort(counts, masses)
    table = splits.k_fold(images, lesions, folds, seed=data.draw(st.integers(0, 99)))
    leakage.check(table)
    assert len(table) == folds * len(images)
    tested = table[table["role"] == "test"]
    assert sorted(tested["image_id"]) == sorted(images["image_id"])


def test_training_patients_who_are_tested_too_are_dropped():
    images, lesions = cohort([2] * 6, [1] * 6, {0: "test"})
    leaking = pd.DataFrame([("extra", "p0", "train", "extra")], columns=images.columns)
    table = splits.official(pd.concat([images, leaking], ignore_index=True), lesions, 0.2, seed=1)
    assert "extra" not in set(table["image_id"])
    assert set(table.loc[table["patient_id"] == "p0", "role"]) == {"test"}


def test_training_patients_with_a_film_that_is_tested_are_dropped():
    images, lesions = cohort([2] * 6, [1] * 6, {0: "test"})
    images.loc[images["image_id"] == "p3-1", "pixels_sha256"] = "p0-0"
    table = splits.official(images, lesions, 0.2, seed=1)
    assert set(images["image_id"]) - set(table["image_id"]) == {"p3-0", "p3-1"}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_patients_who_share_films_stay_together(data):
    counts = data.draw(st.lists(st.integers(1, 4), min_size=8, max_size=16))
    images, lesions = cohort(counts, [0] * len(counts))
    same = st.lists(st.sampled_from(images.index.tolist()), min_size=2, max_size=3)
    for group in data.draw(st.lists(same, max_size=2)):
        images.loc[group, "pixels_sha256"] = images.loc[group[0], "pixels_sha256"]
    table = splits.k_fold(images, lesions, 3, seed=1)
    leakage.check(table)
    leakage.check_stored(table, images)
    assert len(table) == 3 * len(images)


def test_a_table_of_the_users_own():
    images, lesions = cohort([1] * 6, [1] * 6)
    own = splits.k_fold(images, lesions, 3, seed=5)
    pd.testing.assert_frame_equal(splits.given(own, images, images, range(3), "own.csv"), own)
    stored = images[images["image_id"] != "p2-0"]
    less = splits.given(own, images, stored, range(3), "own.csv")
    assert set(own["image_id"]) - set(less["image_id"]) == {"p2-0"}
    with pytest.raises(ValueError, match=r"own.csv: expected the folds 0, 1, got 0, 1, 2"):
        splits.given(own, images, images, range(2), "own.csv")
    with pytest.raises(ValueError, match=r"own.csv: image 'p2-0': expected an image that the images stage"):
        splits.given(own, stored, stored, range(3), "own.csv")


@pytest.mark.parametrize("folds", [0, 1, 2, 4])
def test_impossible_folds_are_refused(folds):
    with pytest.raises(ValueError, match=f"folds: expected 3 to 3 .*got {folds}"):
        splits.k_fold(*cohort([1, 1, 1], [1, 0, 0]), folds, seed=1)


def test_official_needs_an_official_split_and_a_sensible_fraction():
    images, lesions = cohort([1] * 5, [1] * 5, {0: "test", 1: ""})
    with pytest.raises(ValueError, match="'p1-0': expected an official split"):
        splits.official(images, lesions, 0.2, seed=1)
    images, lesions = cohort([1] * 5, [1] * 5, {0: "test"})
    with pytest.raises(ValueError, match="validation_fraction"):
        splits.official(images, lesions, 1.0, seed=1)
    with pytest.raises(ValueError, match=r"fold 0: expected .*, got none for test"):
        splits.official(*cohort([1] * 5, [1] * 5), 0.2, seed=1)


def test_parts_are_as_even_as_whole_patients_allow():
    sizes = pd.DataFrame({"images": [5, 4, 3, 3, 3]}, index=list("abcde"))
    parts = splits._divide(sizes, [0.5, 0.5], np.random.default_rng(0))
    totals = np.bincount(list(parts.values()), sizes["images"])
    assert sorted(totals) == [9, 9]


def test_a_part_without_normal_images_is_refused_where_negatives_come_from_them():
    table = pd.DataFrame(
        {
            "image_id": list("abcdef"),
            "fold": 0,
            "role": ["train", "train", "validation", "validation", "test", "test"],
        }
    )
    table["patient_id"] = table["image_id"]
    splits.require_normal_images(table, pd.DataFrame({"image_id": list("ace")}), "digital")
    with pytest.raises(ValueError, match="among the 2 images of the validation part of fold 0") as caught:
        splits.require_normal_images(table, pd.DataFrame({"image_id": list("acde")}), "digital")
    assert str(caught.value).startswith("config key 'datasets.digital.negatives': expected normal images")
    assert str(caught.value).endswith("Choose 'mass-images', or fewer folds")


def test_an_official_split_may_have_a_validation_part():
    split_of = {0: "test", 1: "validation", 2: "train", 3: "train"}
    images, lesions = cohort([2] * 4, [1] * 4, split_of)
    table = splits.official(images, lesions, None, seed=1)
    assert table["role"].tolist() == images["official_split"].tolist()
    # Films that are shared: with a test patient, then with a validation patient.
    shared = images.assign(pixels_sha256=images["pixels_sha256"].replace({"p2-0": "p0-0", "p3-1": "p1-1"}))
    with pytest.raises(ValueError, match="expected images for train, validation, test, got none for train"):
        splits.official(shared, lesions, None, seed=1)


def test_without_a_validation_part_a_fraction_is_needed():
    images, lesions = cohort([2] * 4, [1] * 4, {0: "test"})
    with pytest.raises(
        ValueError, match="between 0 and 1, got None; the official split has no validation images"
    ):
        splits.official(images, lesions, None, seed=1)
