import numpy as np
import pandas as pd
import pytest
from froc_cases import boxes, fold, masses
from scipy import stats

from mammoflow.base.contracts.review import ERRORS
from mammoflow.breasts.geometry import Geometry
from mammoflow.detection.mpm import Grid
from mammoflow.evaluation.definitions import Definition
from mammoflow.report import detection_errors as errors
from mammoflow.report.figures import error_panels, style

CANDIDATE = Definition("candidate")
BOX, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60)


def lesions_of(areas, best):
    return pd.DataFrame({"image_id": [f"i{n}" for n in range(len(areas))], "area_cm2": areas, "best": best})


def test_the_best_score_is_that_of_the_best_box_on_a_mass():
    its = fold(
        {"a": "p", "b": "p", "c": "q"},
        masses(("a", BOX), ("a", (20, 20, 30, 30)), ("b", BOX)),
        boxes(("a", BOX, 0.4), ("a", (0, 0, 9, 10), 0.7), ("a", ELSEWHERE, 0.9), ("c", BOX, 0.2)),
    )
    lesions, false = errors.best_scores([its], CANDIDATE)
    assert lesions["best"].tolist()[0] == 0.7
    assert lesions["best"].isna().tolist() == [False, True, True]
    assert sorted(false) == [0.2, 0.9]


def test_rates_by_area_are_those_of_masses_of_one_size_and_change_with_it():
    areas, found = np.repeat([0.1, 10.0], 50), np.repeat([0.2, 0.9], 50)
    found[:10], found[50:55] = 0.8, 0.1
    curve = errors.by_area(lesions_of(areas, found), 0.5)
    assert curve["value"].iloc[[0, -1]].tolist() == pytest.approx([0.2, 0.9], abs=1e-6)
    assert curve["n"].iloc[[0, -1]].tolist() == [50, 50]
    for row, hits in ((curve.iloc[0], 10), (curve.iloc[-1], 45)):
        interval = stats.binomtest(hits, 50).proportion_ci(method="wilson")
        assert (row["low"], row["high"]) == pytest.approx(interval, abs=1e-6)
    assert (curve["x"].min(), curve["x"].max()) == pytest.approx((0.1, 10))


def test_masses_of_unknown_area_and_single_masses_have_no_curve():
    assert len(errors.by_area(lesions_of([np.nan, np.nan], [1, 1]), 0.5)) == 0
    assert len(errors.by_area(lesions_of([2.0], [1.0]), 0.5)) == 0


def test_numbers_by_score_add_up():
    rows = errors.by_score(lesions_of([1, 1, 1], [0.22, 1.0, np.nan]), np.array([0.21, 0.23, 0.99]))
    counted = rows[rows["x"].notna()].groupby("group")["value"].sum()
    assert counted.to_dict() == {errors.MASS: 2, errors.FALSE: 3}
    low = rows[np.isclose(rows["x"], 0.225)].set_index("group")["value"]
    assert low.to_dict() == {errors.MASS: 1, errors.FALSE: 2}
    never = rows[rows["x"].isna()]
    assert never[["value", "n"]].to_numpy().tolist() == [[1, 3]]


def grid(mirrored):
    breast = np.zeros((64, 60), bool)
    breast[:, :48] = True
    geometry = Geometry(128, 120, 0, 0, 128, 120, mirrored, 2)
    return Grid(np.zeros((0, 0), np.float32), np.array([]), np.array([]), breast, geometry)


@pytest.mark.parametrize("mirrored", [False, True])
def test_false_positives_lie_where_their_centre_is_from_the_chest_wall(mirrored):
    # The centre lies 24 stored pixels from the chest wall, half of the breast's width, and 16 from the top.
    x = 120 - 48 if mirrored else 48
    box = pd.DataFrame([("a", 28, x - 4, 36, x + 4)], columns=["image_id", "y0", "x0", "y1", "x1"])
    rows = errors.places(box, [("a", grid(mirrored)), ("b", grid(mirrored))], {"a": "CC", "b": "CC"})
    assert rows["value"].sum() == pytest.approx(0.5)
    weights = rows["value"] / rows["value"].sum()
    assert (weights @ rows["x"], weights @ rows["y"]) == pytest.approx((0.5, 0.25), abs=0.03)
    assert (rows["low"] == 1).all()
    assert set(rows["n"]) == {1}


def test_breasts_are_counted_by_the_views_in_which_a_mass_is_found():
    images = pd.DataFrame(
        [(f"{patient}{view}", patient, "L", view) for patient in "pqrs" for view in ("CC", "MLO")],
        columns=["image_id", "patient_id", "laterality", "view"],
    )
    lesions = pd.DataFrame(
        [
            ("pCC", 0.9),
            ("pMLO", 0.8),
            ("qCC", 0.9),
            ("qMLO", 0.2),
            ("rCC", np.nan),
            ("rMLO", 0.1),
            ("sCC", 0.9),
        ],
        columns=["image_id", "best"],
    )
    rows = errors.by_view(lesions, images, 0.5)
    assert dict(zip(rows["group"], rows["value"], strict=True)) == dict.fromkeys(errors.FOUND_IN, 1)
    assert set(rows["n"]) == {3}
    one_view = errors.by_view(lesions[lesions["image_id"].str.endswith("CC")], images, 0.5)
    assert one_view["value"].sum() == 0


def test_calibration_compares_probabilities_with_shares():
    rows = errors.calibration(np.array([0, 0, 0, 1, 1, 1]), np.array([0.01, 0.03, 0.05, 0.07, 0.95, 1.0]))
    assert rows[["x", "value", "n"]].to_numpy() == pytest.approx(np.array([[0.04, 0.25, 4], [0.975, 1, 2]]))


def test_the_figure_has_the_numbers_of_the_table(tmp_path):
    generator = np.random.default_rng(0)
    lesions = lesions_of(generator.uniform(0.2, 9, 40), generator.random(40))
    images = pd.DataFrame(
        {
            "image_id": lesions["image_id"],
            "patient_id": np.arange(40) // 2,
            "laterality": "L",
            "view": ["CC", "MLO"] * 20,
        }
    )
    box = pd.DataFrame([("i0", 10, 10, 30, 30)], columns=["image_id", "y0", "x0", "y1", "x1"])
    views = dict(zip(images["image_id"], images["view"], strict=True))
    table = errors.table(
        [
            errors.by_area(lesions, 0.5),
            errors.by_score(lesions, generator.random(100)),
            errors.places(box, [(name, grid(False)) for name in views], views),
            errors.by_view(lesions, images, 0.5),
            errors.calibration(generator.integers(0, 2, 99), generator.random(99)),
        ]
    )
    ERRORS.write(table, tmp_path / "errors.csv")
    pd.testing.assert_frame_equal(ERRORS.read(tmp_path / "errors.csv"), table)
    figure = error_panels.draw(table, 0.5, "a model")
    titles = [axes.get_title(loc="left") for axes in figure.axes[:6]]
    assert titles[3:5] == ["(d) false positives, CC", "(e) false positives, MLO"]
    curve = table[table["panel"] == errors.AREA]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), curve[["x", "value"]].to_numpy())
    bars = [bar.get_height() for bar in figure.axes[5].patches]
    assert bars == table.loc[table["panel"] == errors.VIEWS, "value"].tolist()
    style.save(figure, tmp_path / "x.png", tmp_path / "x.svg")
    assert (tmp_path / "x.png").stat().st_size > 10_000


def test_a_model_that_finds_nothing_has_a_figure(tmp_path):
    lesions = lesions_of([np.nan], [np.nan])
    images = pd.DataFrame({"image_id": ["i0"], "patient_id": ["p"], "laterality": [""], "view": [""]})
    table = errors.table(
        [
            errors.by_area(lesions, np.inf),
            errors.by_score(lesions, np.array([])),
            errors.places(pd.DataFrame(columns=["image_id"]), [("i0", grid(False))], {"i0": ""}),
            errors.by_view(lesions, images, np.inf),
            errors.calibration(np.array([0]), np.array([0.5])),
        ]
    )
    style.save(error_panels.draw(table, np.inf, "a model"), tmp_path / "x.png")
    assert (tmp_path / "x.png").is_file()
