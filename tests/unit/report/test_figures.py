import dataclasses

import numpy as np
import pandas as pd
import pytest
from froc_cases import half_height
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import same_color, to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.detections import CANDIDATES, DETECTIONS
from mammoflow.base.contracts.froc import CURVE, POINTS
from mammoflow.breasts.geometry import Geometry
from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection import mpm
from mammoflow.evaluation import froc, froc_report, matching, statistics
from mammoflow.evaluation.definitions import MODES, SIZES, Evaluation
from mammoflow.evaluation.folds import Fold
from mammoflow.patches import sliding_windows
from mammoflow.report import examples, literature, naming
from mammoflow.report.figures import (
    detection_examples,
    framework,
    froc_curves,
    loss_curves,
    overlay,
    size_strata,
    style,
    training_scores,
)
from mammoflow.report.tables import trainings

LABELS = {
    "datasets": {"film": "film phantoms", "digital": "digital phantoms"},
    "weights": {"random": "random", "natural": "natural images"},
    "backbones": {"compact": "compact", "vgg16": "VGG16"},
    "external": {"theirs": "Others 2018"},
}
EVALUATION = Evaluation(
    mode="paper",
    hit="iou-above",
    iou=0.2,
    duplicates="ignore",
    lesions="merged",
    fpi_over="all",
    operating_points=[0.25, 0.5, 1.67],
    size_strata_cm2=[1, 4],
    bootstrap=20,
)
DEFINITION = EVALUATION.definition
CHAINS = ["digital/compact/natural", "digital/compact/natural+film"]


def history(losses):
    n = len(losses)
    return pd.DataFrame({"epoch": np.arange(1, n + 1), "validation_loss": losses, "seconds": 1.0})


def world(folds=3, images=6, area_cm2=None, seed=0):
    """Folds whose lesions are found more or less well."""
    rng = np.random.default_rng(seed)
    area_cm2 = area_cm2 or (lambda number: (0.5, 2.0, 6.0)[number % 3])
    made = []
    for fold in range(folds):
        names = [f"f{fold}i{number}" for number in range(images)]
        lesions, boxes = [], []
        for number, name in enumerate(names):
            if number % 2 == 0:
                y, x = rng.integers(10, 60, 2)
                lesions.append((name, f"{name}l", y, x, y + 20, x + 20, 300 + number, area_cm2(number), ""))
                boxes.append((name, rng.uniform(0.3, 1), y + 2, x + 1, y + 22, x + 19))
            boxes += [(name, rng.uniform(0, 0.8), 70, 10 + 9 * k, 80, 16 + 9 * k) for k in range(3)]
        rows = [
            (name, level / 20, *box, score)
            for level in range(20)
            for name, score, *box in boxes
            if score > level / 20
        ]
        made.append(
            Fold(
                fold,
                pd.DataFrame(
                    {"image_id": names, "patient_id": [f"p{name}" for name in names], "laterality": ""}
                ),
                pd.DataFrame(
                    lesions,
                    columns=["image_id", "lesion_id", *BOX, "area_px", "area_cm2", "pathology"],
                ),
                detections := pd.DataFrame(rows, columns=["image_id", "threshold", *BOX, "score"]),
                candidates=half_height(detections),
            )
        )
    return made


def stored(image_id="f0i0", lesion=(30, 20, 50, 40), mirrored=False):
    pixels = np.random.default_rng(1).normal(500, 40, (100, 80)).clip(0).astype(np.uint16)
    lesions = np.zeros((100, 80), np.uint8)
    y0, x0, y1, x1 = lesion
    lesions[y0:y1, x0:x1] = 1
    pixels[lesions > 0] += 300
    breast = np.ones((100, 80), bool)
    breast[:, 70:] = False
    geometry = Geometry(200, 160, 0, 0, 200, 160, mirrored, 2.0)
    return StoredImage(image_id, pixels, breast, lesions, geometry)


def judged(*rows):
    columns = ["y0", "x0", "y1", "x1", "score", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def panel(kind, boxes, spacing=0.07, patient="p"):
    example = examples.Example(kind, 0, "f0i0", patient)
    return detection_examples.Panel(example, stored(), with_paper(boxes), "R MLO", spacing)


def with_paper(candidates, paper=None):
    """Boxes of each mode, candidates first."""
    return {"candidate": candidates, "paper": judged() if paper is None else paper}


THRESHOLDS = {"candidate": 0.4, "paper": 0.7}


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def boxes_of(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


@pytest.fixture(scope="module")
def report():
    return froc_report.evaluate(world(), EVALUATION, seed=1)


@pytest.fixture
def saved(tmp_path):
    def save(figure):
        style.save(figure, tmp_path / "f.png", tmp_path / "f.svg")
        return tmp_path / "f.png", tmp_path / "f.svg"

    return save


# ---- choosing examples


def test_operating_threshold_has_the_highest_tpr_within_the_fpi():
    points = pd.DataFrame(
        {
            "fold": [0, 0, 0, 1, 1, 1],
            "threshold": [np.inf, 0.8, 0.2, np.inf, 0.8, 0.5],
            "tpr": [0, 0.5, 1.0, 0, 0.5, 0.9],
            "fpi": [0, 0.1, 3.0, 0, 0.3, 0.6],
        }
    )
    # At 0.5 fold 0 is still where it was at 0.8: mean TPR 0.7, mean FPI 0.35.
    assert examples.operating_threshold(points, fpi=1) == 0.5
    assert examples.operating_threshold(points, fpi=0.2) == 0.8
    assert examples.operating_threshold(points, fpi=0.1) == np.inf
    assert examples.operating_threshold(points[:0]) == np.inf


def test_verdicts_of_boxes():
    lesions = pd.DataFrame({"y0": [0, 50], "x0": [0, 50], "y1": [10, 60], "x1": [10, 60]})
    boxes = pd.DataFrame({"y0": [0, 1, 80], "x0": [0, 0, 80], "y1": [10, 11, 90], "x1": [10, 10, 90]})
    with_verdict, hit = examples.judge(boxes, lesions, DEFINITION)
    assert list(with_verdict["verdict"]) == [examples.TRUE, examples.DUPLICATE, examples.FALSE]
    assert hit.tolist() == [True, False]


def test_examples_agree_with_the_curve_and_show_no_image_twice(report):
    folds = world()
    points = DEFINITION.rows(report.points)
    threshold = examples.operating_threshold(points)
    boxes, missed = examples.examine(folds, threshold, DEFINITION)
    at = points[points["threshold"] == threshold]
    assert (boxes["verdict"] == examples.TRUE).sum() == at["hits"].sum()
    assert (boxes["verdict"] == examples.FALSE).sum() == at["false_positives"].sum()
    assert len(missed) == (at["targets"] - at["hits"]).sum()
    chosen = examples.choose(boxes, missed, detection_examples.NUMBERS)
    assert len({example.image_id for example in chosen}) == len(chosen)
    hits = boxes[boxes["verdict"] == examples.TRUE].sort_values("score", ascending=False)
    correct = [example.image_id for example in chosen if example.kind == examples.CORRECT]
    assert correct == list(hits["image_id"][: detection_examples.NUMBERS[examples.CORRECT]])
    assert chosen == examples.choose(boxes[::-1], missed[::-1], detection_examples.NUMBERS)


@pytest.mark.parametrize("mode", MODES)
def test_findings_at_the_operating_threshold_read_only_what_they_need(mode, tmp_path, monkeypatch):
    evaluation = dataclasses.replace(EVALUATION, mode=mode)
    folds = world()
    definition = evaluation.definition
    points = froc_report.evaluate(folds, evaluation, seed=1).points
    splits = pd.concat([fold.images.assign(fold=fold.number, role="test") for fold in folds])
    table, suffix = (DETECTIONS, "parquet") if mode == "paper" else (CANDIDATES, "csv")
    paths = [tmp_path / f"fold-{fold.number}.{suffix}" for fold in folds]
    if mode == "candidate":
        folds = [fold._replace(detections=fold.candidates) for fold in folds]
    for fold, path in zip(folds, paths, strict=True):
        table.write(fold.detections, path)
    read, from_disk = [], pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda *a, **k: read.append(from_disk(*a, **k)) or read[-1])
    found = examples.findings(
        points,
        splits,
        pd.concat([fold.lesions for fold in folds]),
        pd.concat([fold.images for fold in folds]),
        paths,
        definition,
    )
    assert found.threshold == examples.operating_threshold(definition.rows(points))
    assert len(found.boxes) > 0
    boxes, missed = examples.examine(folds, found.threshold, definition)
    pd.testing.assert_frame_equal(found.boxes, boxes, check_dtype=False)
    pd.testing.assert_frame_equal(found.missed, missed, check_dtype=False)
    assert [fold.number for fold in found.folds] == [0, 1, 2]
    assert len(read) == (len(folds) if mode == "paper" else 0)
    assert all((table["threshold"] == found.threshold).all() for table in read)


def test_candidates_are_boxes_up_to_their_score():
    fold = world(folds=1)[0]
    alive = examples.boxes_at(fold.candidates, 0.35, "candidate")
    assert len(alive)
    assert (alive["score"] >= 0.35).all()
    assert not alive.duplicated(["image_id", "y0", "x0"]).any()


# ---- figure 1


def test_framework_shows_five_steps_with_map_and_boxes(saved):
    image = stored()
    windows = sliding_windows.Windows(16, 8, "inside")
    top, left = sliding_windows.grid(image.breast.shape, windows)
    probabilities = np.zeros((len(top), len(left)), np.float32)
    probabilities[3:5, 2:4] = 0.9
    grid = mpm.Grid(probabilities, top + 8.0, left + 8.0, image.breast, image.geometry)
    boxes = judged((60, 40, 100, 80, 0.9, examples.TRUE))
    figure = framework.draw(image, grid, boxes, windows, 0.4, "paper", 0.1, "compact, digital phantoms")
    said = " ".join(texts(figure))
    for step in "12345":
        assert f"{step} " in said
    assert "10 mm" in said or "5 mm" in said
    (box,) = boxes_of(figure.axes[3])
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (20, 30, 20, 20)
    assert same_color(box.get_edgecolor(), style.HIT)
    saved(figure)


@pytest.mark.parametrize(("mode", "regions"), [("paper", 1), ("candidate", 0)])
def test_framework_has_regions_for_the_boxes_that_surround_them(mode, regions):
    image = stored()
    windows = sliding_windows.Windows(16, 8, "inside")
    top, left = sliding_windows.grid(image.breast.shape, windows)
    probabilities = np.full((len(top), len(left)), np.float32(0.9))
    grid = mpm.Grid(probabilities, top + 8.0, left + 8.0, image.breast, image.geometry)
    figure = framework.draw(image, grid, judged(), windows, 0.4, mode, 0.1, "")
    last = figure.axes[3]
    assert len(last.images) == 1 + regions
    assert last.get_title(loc="left") == ("5 Threshold, boxes" if regions else "5 Candidates")


def test_framework_has_a_dot_for_each_window_that_was_classified(saved):
    image = stored(lesion=(0, 0, 0, 0))
    image.breast[:, 35:] = False
    windows = sliding_windows.Windows(16, 8, "inside")
    top, left = sliding_windows.grid(image.breast.shape, windows)
    classified = sliding_windows.supporting(image.breast, windows)
    grid = mpm.Grid(classified * np.float32(0.3), top + 8.0, left + 8.0, image.breast, image.geometry)
    figure = framework.draw(image, grid, judged(), windows, 0.4, "candidate", 0.1, "")
    (dots,) = (artist for artist in figure.axes[0].collections if isinstance(artist, PathCollection))
    cells = figure.axes[1].images[-1].get_array()
    assert len(dots.get_offsets()) == cells.count() == classified.sum() < classified.size
    assert (cells.compressed() > 0).all()
    with pytest.raises(IndexError):
        framework.draw(image, grid, judged(), sliding_windows.Windows(16, 4, "inside"), 0.4, "paper", 0.1, "")


def test_framework_of_a_breast_without_window_or_box(saved):
    image = stored(lesion=(0, 0, 0, 0))
    grid = mpm.Grid(np.zeros((0, 0), np.float32), np.zeros(0), np.zeros(0), image.breast, image.geometry)
    windows = sliding_windows.Windows(200, 56, "inside")
    saved(framework.draw(image, grid, judged(), windows, float("inf"), "paper", float("nan"), "nothing"))


# ---- figure 2


def test_loss_curves_have_a_panel_per_network_and_the_mean_of_what_all_runs_reached(saved):
    runs, histories = [], []
    for backbone in ("compact", "vgg16"):
        for init, losses in (("random", [[0.8, 0.7, 0.6], [0.6, 0.5]]), ("natural", [[0.4, 0.2]])):
            for run, loss in enumerate(losses):
                runs.append({"dataset": "film", "backbone": backbone, "init": init, "fold": 0, "run": run})
                histories.append(history(loss))
    figure = loss_curves.draw(runs, histories, LABELS)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["(a) compact", "(b) VGG16"]
    assert legend(figure) == ["random", "natural images", "chance"]
    mean = next(line for line in figure.axes[0].lines if line.get_label() == "random")
    np.testing.assert_allclose(mean.get_xydata(), [[1, 0.7], [2, 0.6]])
    faint = [line for line in figure.axes[0].lines if line.get_linewidth() == 0.7]
    assert [list(line.get_ydata()) for line in faint] == [[0.8, 0.7, 0.6], [0.6, 0.5], [0.4, 0.2]]
    assert "film phantoms" in figure.get_supylabel()
    saved(figure)


def test_losses_have_the_sample_deviation_for_a_band_and_a_dot_at_each_best_epoch():
    runs = [
        {"dataset": "film", "backbone": "compact", "init": "random", "fold": 0, "run": run}
        for run in range(3)
    ]
    losses = np.array([[0.8, 0.5, 0.6], [0.6, 0.7, 0.5], [0.7, 0.6, 0.4]])
    axes = loss_curves.draw(runs, list(map(history, losses)), LABELS).axes[0]
    mean, deviation = statistics.mean_std(losses)
    (band,) = (artist for artist in axes.collections if not isinstance(artist, PathCollection))
    corners = set(map(tuple, band.get_paths()[0].vertices.round(6)))
    for sign in (-1, 1):
        assert set(zip([1, 2, 3], (mean + sign * deviation).round(6), strict=True)) <= corners
    (dots,) = (artist for artist in axes.collections if isinstance(artist, PathCollection))
    np.testing.assert_allclose(dots.get_offsets(), [[2, 0.5], [3, 0.5], [3, 0.4]])


@pytest.mark.parametrize("diverged", [np.inf, np.nan])
def test_losses_have_no_mean_in_an_epoch_in_which_a_run_diverged(diverged, saved):
    runs = [
        {"dataset": "film", "backbone": "compact", "init": "random", "fold": 0, "run": run}
        for run in range(2)
    ]
    figure = loss_curves.draw(runs, [history([diverged, 0.6, 0.4]), history([0.7, 0.5, 0.3])], LABELS)
    mean = next(line for line in figure.axes[0].lines if line.get_label() == "random")
    np.testing.assert_allclose(mean.get_xydata(), [[2, 0.55], [3, 0.35]])
    saved(figure)


def test_loss_curves_of_one_run_of_one_epoch(saved):
    runs = [{"dataset": "film", "backbone": "compact", "init": "random", "fold": 0, "run": 0}]
    saved(loss_curves.draw(runs, [history([0.7])], LABELS))


def test_scores_are_points_over_their_mean_and_deviation(saved):
    rows = [
        {
            "dataset": "film",
            "backbone": "compact",
            "init": init,
            "fold": 0,
            "run": run,
            "accuracy": right,
            "az": az,
        }
        for init, scores in (("random", [(0.5, 0.6), (0.7, 0.8)]), ("natural", [(0.9, np.nan)]))
        for run, (right, az) in enumerate(scores)
    ]
    figure = training_scores.draw({"Experiment 1": rows, "Experiment 2": rows[:2]}, LABELS)
    accuracy, az, *second = figure.axes
    assert len(second) == 2
    assert [text.get_text() for text in accuracy.get_yticklabels()] == [
        "compact, random",
        "compact, natural images",
    ]
    points = [tuple(place) for dots in accuracy.collections for place in dots.get_offsets()]
    assert points == [(50, 0), (70, 0), (90, 1)]
    drawn = {tuple(line.get_xdata()) for line in accuracy.lines}
    assert any(np.allclose(np.ma.filled(xs, np.nan), [60, 90]) for xs in drawn if len(xs) == 2)
    deviation = np.std([50, 70], ddof=1)
    assert any(np.allclose(xs, [60 - deviation, 60 + deviation]) for xs in drawn if len(xs) == 2)
    assert [len(dots.get_offsets()) for dots in az.collections] == [2, 0]
    assert [axes.get_xlabel() for axes in figure.axes] == ["Accuracy (%)", "Az"] * 2
    saved(figure)
    assert not any("nan" in text for text in texts(figure))


def test_scores_have_the_mean_of_the_tables_and_a_dash_where_these_have_one(saved):
    """One of two trainings has no Az: nor has the model in tables 2 and 3, whatever the other one has."""
    model = {"dataset": "film", "backbone": "compact", "fold": 0}
    rows = [
        {**model, "init": "random", "run": 0, "accuracy": 0.5, "az": 0.6},
        {**model, "init": "random", "run": 1, "accuracy": 0.7, "az": np.nan},
        {**model, "init": "natural", "run": 0, "accuracy": 0.9, "az": 0.8},
        {**model, "init": "natural", "run": 1, "accuracy": 0.8, "az": 0.9},
    ]
    nothing = [{**row, "az": np.nan} for row in rows[:2]]
    figure = training_scores.draw({"Experiment 1": rows, "Experiment 2": nothing}, LABELS)
    for axes, of_panel in zip(figure.axes, (rows, rows, nothing, nothing), strict=True):
        scores = pd.DataFrame(of_panel)
        tables = [trainings.summary_of(its) for _, its in scores.groupby("init", sort=False)]
        measure = {"Accuracy (%)": "accuracy_percent", "Az": "az"}[axes.get_xlabel()]
        means = [table[f"{measure}_mean"] for table in tables]
        points = next((line for line in axes.lines if line.get_marker() == "|"), None)
        drawn = dict(zip(points.get_ydata(), points.get_xdata(), strict=True)) if points else {}
        np.testing.assert_allclose([drawn.get(place, np.nan) for place in range(len(tables))], means)
        dashes = [text.get_position()[1] for text in axes.texts if text.get_text() == "–"]
        assert dashes == list(np.flatnonzero(np.isnan(means)))
        bars = [line.get_xdata() for line in axes.lines if line.get_marker() != "|" and len(line.get_xdata())]
        deviations = [table[f"{measure}_std"] for table in tables if not np.isnan(table[f"{measure}_mean"])]
        np.testing.assert_allclose([np.ptp(bar) / 2 for bar in bars if not np.isnan(bar).any()], deviations)
    saved(figure)
    assert not list(figure.axes[3].get_xticks())
    assert not any("nan" in text for text in texts(figure))


# ---- figure 3


@pytest.fixture(scope="module")
def froc_figure(report):
    tables = (dict.fromkeys(CHAINS, table) for table in (report.points, report.curve, report.pooled))
    return froc_curves.draw(*tables, EVALUATION, LABELS)


BOTH = pytest.mark.parametrize(("place", "mode"), list(enumerate(MODES)))


def in_mode(mode):
    return dataclasses.replace(DEFINITION, mode=mode)


@BOTH
def test_froc_mean_is_the_table(report, froc_figure, place, mode):
    axes = froc_figure.axes[place]
    curve = in_mode(mode).rows(report.curve)
    mean = next(line for line in axes.lines if "film phantoms" in str(line.get_label()))
    dotted = next(line for line in axes.lines if line.get_linestyle() == ":")
    drawn = np.concatenate([mean.get_xydata(), dotted.get_xydata()])
    np.testing.assert_array_equal(drawn, curve[["fpi", "tpr_mean"]])
    ends = in_mode(mode).rows(report.points).groupby("fold")["fpi"].max()
    assert mean.get_xdata().max() <= ends.min() < dotted.get_xdata().min()


@BOTH
def test_froc_folds_and_pooled_curve_are_those_of_the_evaluation(report, froc_figure, place, mode):
    axes = froc_figure.axes[place]
    points = in_mode(mode).rows(report.points)
    faint = [line for line in axes.lines if line.get_linewidth() == 0.6 and len(line.get_xdata())]
    folds = [fold for _, fold in points.groupby("fold")]
    assert len(faint) == len(folds) * len(CHAINS)
    (dashed, *_) = (line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xdata()))
    for line, table in zip(
        [*faint[: len(folds)], dashed], [*folds, in_mode(mode).rows(report.pooled)], strict=True
    ):
        tpr, reached = froc.tpr_at(table["tpr"].to_numpy(), table["fpi"].to_numpy(), froc.CURVE_FPI)
        np.testing.assert_array_equal(
            line.get_xydata(), np.transpose([froc.CURVE_FPI[reached], tpr[reached]])
        )


@BOTH
def test_froc_band_is_the_interval_of_the_table(report, froc_figure, place, mode):
    curve = in_mode(mode).rows(report.curve)
    bands = froc_figure.axes[place].collections
    band, *_ = (artist for artist in bands if isinstance(artist, PolyCollection))
    vertices = band.get_paths()[0].vertices
    for side in ("tpr_low", "tpr_high"):
        assert set(map(tuple, curve[["fpi", side]].to_numpy())) <= set(map(tuple, vertices))


def test_froc_legends_name_the_curves_the_lines_and_the_published_points(froc_figure):
    said = legend(froc_figure)
    lines = ["mean over folds", "mean, where a fold's curve has ended", "one fold", "all folds pooled"]
    first = said.index("Lines")
    assert said[first + 1 :] == lines
    assert said[0] == "This run, on digital phantoms"
    names = ["compact\n" + naming.cascade("digital", chain.split("/")[2], LABELS) for chain in CHAINS]
    assert said[1:first] == names
    assert froc_figure.legends[1].get_title().get_text() == "Published, on INbreast"
    colours = [line.get_color() for line in froc_figure.legends[0].get_lines()[1:first]]
    means = [line for line in froc_figure.axes[1].lines if str(line.get_label()).startswith("compact")]
    assert colours == [line.get_color() for line in means]


def test_froc_panels_are_named_and_share_their_axis(froc_figure):
    paper, candidate = froc_figure.axes
    assert paper.get_title(loc="left") == "(a) the paper's boxes"
    assert candidate.get_title(loc="left") == "(b) fixed candidates"
    assert paper.get_ylim() == candidate.get_ylim()
    assert paper.get_xlim() == candidate.get_xlim()


@pytest.mark.parametrize("place", [0, 1])
def test_froc_has_every_published_point_and_names_data_and_subsets(froc_figure, place):
    axes = froc_figure.axes[place]
    drawn = np.concatenate([container.lines[0].get_xydata() for container in axes.containers])
    published = literature.operating_points()[["fpi", "tpr_mean"]].to_numpy()
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, published))
    said = " ".join(text.get_text() for text in froc_figure.legends[1].get_texts())
    for subset in ("malignant only", "benign only", "images with masses", "IoU ≥ 0.5"):
        assert subset in said
    assert froc_figure.get_suptitle() == "Detection of masses on digital phantoms"
    assert froc_figure.axes[0].get_ylabel() == "True positive rate (IoU > 0.2)"


def test_boxes_of_others_stand_under_a_heading_of_their_own(report, saved):
    given = [fold._replace(detections=fold.candidates) for fold in world()]
    theirs = froc_report.evaluate(given, EVALUATION, seed=1, boxes_of=matching.of_scores)
    chains = {CHAINS[1]: report, "digital/external/theirs": theirs}
    figure = froc_curves.draw(
        {chain: each.points for chain, each in chains.items()},
        {chain: each.curve for chain, each in chains.items()},
        {chain: each.pooled for chain, each in chains.items()},
        EVALUATION,
        LABELS,
    )
    said = legend(figure)
    headings = ["This run, on digital phantoms", "Boxes of others, on digital phantoms", "Lines"]
    places = [said.index(heading) for heading in headings]
    assert places == sorted(places)
    assert said[places[1] + 1] == "Others 2018"
    curve = dataclasses.replace(DEFINITION, mode="candidate").rows(theirs.curve)
    assert not any(line.get_label() == "Others 2018" for line in figure.axes[0].lines)
    line = next(line for line in figure.axes[1].lines if line.get_label() == "Others 2018")
    np.testing.assert_array_equal(line.get_ydata(), curve["tpr_mean"][: len(line.get_ydata())])
    saved(figure)


def test_froc_without_lesions_in_any_fold(saved):
    folds = [fold._replace(lesions=fold.lesions[:0]) for fold in world(folds=1)]
    empty = froc_report.evaluate(folds, EVALUATION, seed=1)
    points, curve = POINTS.check(empty.points), CURVE.check(empty.curve)
    figure = froc_curves.draw(
        {CHAINS[0]: points}, {CHAINS[0]: curve}, {CHAINS[0]: empty.pooled}, EVALUATION, LABELS
    )
    saved(figure)


def test_same_figure_same_bytes(froc_figure, saved):
    first, second = ([path.read_bytes() for path in saved(froc_figure)] for _ in range(2))
    assert first == second


# ---- figure 4


def test_examples_have_colours_by_verdict_scores_and_scale(saved):
    boxes = judged(
        (60, 40, 100, 80, 0.93, examples.TRUE),
        (0, 0, 20, 20, 0.71, examples.FALSE),
        (62, 40, 100, 90, 0.5, examples.DUPLICATE),
    )
    figure = detection_examples.draw(
        [panel(examples.CORRECT, boxes)], THRESHOLDS, "compact, digital phantoms"
    )
    drawn = {to_hex(box.get_edgecolor()): box for box in boxes_of(figure.axes[0])}
    hit = drawn[style.HIT.lower()]
    assert (hit.get_x(), hit.get_y(), hit.get_width(), hit.get_height()) == (20, 30, 20, 20)
    assert drawn[style.FALSE_ALARM.lower()].get_linestyle() == "--"
    contours = [artist for artist in figure.axes[0].collections if len(artist.get_paths())]
    assert any(same_color(artist.get_edgecolor(), style.ANNOTATION) for artist in contours)
    said = texts(figure)
    assert {"0.93", "0.71", "no false positive", "no mass missed"} <= set(said)
    assert "0.50" not in said
    assert any(text.endswith(" mm") for text in said)
    assert figure.get_suptitle().splitlines() == [
        "compact, digital phantoms",
        "fixed candidates, threshold 0.4; the paper's boxes, threshold 0.7",
    ]
    saved(figure)


def test_boxes_of_a_mirrored_image_lie_mirrored():
    example = examples.Example(examples.CORRECT, 0, "i", "p")
    boxes = judged((60, 80, 100, 120, 0.9, examples.TRUE))
    shown = detection_examples.Panel(example, stored(mirrored=True), with_paper(boxes), "R CC", 0.1)
    (box,) = boxes_of(detection_examples.draw([shown], THRESHOLDS, "").axes[0])
    assert (box.get_x(), box.get_width()) == (20, 20)


def test_contour_lies_on_the_lesion():
    figure = detection_examples.draw([panel(examples.MISSED, judged())], THRESHOLDS, "")
    (vertices,) = [
        np.concatenate([path.vertices for path in artist.get_paths()])
        for artist in figure.axes[0].collections
        if len(artist.get_paths())
    ]
    np.testing.assert_allclose([vertices.min(0), vertices.max(0)], [[20, 30], [40, 50]], atol=0.51)


def test_unknown_spacing_has_no_bar(saved):
    thresholds = THRESHOLDS | {"paper": float("inf")}
    figure = detection_examples.draw([panel(examples.MISSED, judged(), float("nan"))], thresholds, "t")
    said = texts(figure)
    assert "spacing unknown" in said
    assert not any(text.endswith(" mm") for text in said)
    assert figure.get_suptitle().endswith("the paper's boxes, no box at any threshold")
    assert "no correct detection" in said
    saved(figure)


def test_an_unknown_side_and_view_is_a_dash():
    shown = dataclasses.replace(panel(examples.CORRECT, judged()), view="")
    figure = detection_examples.draw([shown], THRESHOLDS, "t")
    assert figure.axes[0].get_title(loc="left") == "(a) correct, –\nfixed candidates"


@pytest.mark.parametrize(("spacing", "mode"), [(0.07, "candidate"), (float("nan"), "paper")])
def test_an_overlay_has_contours_heat_boxes_and_scale(spacing, mode, saved):
    image = stored()
    values = np.where(image.breast, np.linspace(0, 1, 80), 0).astype(np.float32)
    boxes = judged((60, 40, 100, 80, 0.9, examples.TRUE), (2, 0, 30, 20, 0.6, examples.FALSE))
    figure = overlay.draw(image, values, boxes, 0.5, mode, spacing, "Image f0i0")
    saved(figure)
    plain, found, bar = figure.axes
    (heat,) = found.images[1:]
    np.testing.assert_allclose(heat.get_array(), values, atol=1e-6)
    assert heat.get_alpha()[~image.breast].max() == 0
    assert [same_color(box.get_edgecolor(), style.HIT) for box in found.patches] == [True, False]
    assert {"0.90", "0.60"} <= set(texts(figure))
    kind = {"candidate": "fixed candidates", "paper": "the paper's boxes"}[mode]
    assert f"Image f0i0\n{kind}, threshold 0.5" in texts(figure)
    words = [text.get_text() for text in plain.texts]
    assert words == (["spacing unknown"] if np.isnan(spacing) else ["2 mm"])
    # A score of a candidate is no probability of the map.
    assert ([line.get_ydata()[0] for line in bar.lines][-1:] == [0.5]) == (mode == "paper")


def test_an_overlay_where_there_is_nothing(saved):
    image = stored()
    empty = dataclasses.replace(
        image, breast=np.zeros_like(image.breast), lesions=np.zeros_like(image.lesions)
    )
    figure = overlay.draw(
        empty, np.zeros((100, 80), np.float32), judged(), float("inf"), "paper", 0.07, "Image f0i0"
    )
    saved(figure)
    assert "Image f0i0\nthe paper's boxes, no box at any threshold" in texts(figure)
    assert not figure.axes[1].patches


@pytest.mark.parametrize("first", MODES)
def test_an_example_has_the_boxes_of_both_kinds_side_by_side(first, saved):
    boxes = {
        "candidate": judged((60, 40, 100, 80, 0.9, examples.TRUE)),
        "paper": judged((78, 58, 82, 62, 0.9, examples.FALSE)),
    }
    thresholds = dict.fromkeys(sorted(MODES, key=lambda mode: mode != first), 0.5)
    shown = dataclasses.replace(panel(examples.CORRECT, judged()), boxes=boxes)
    figure = detection_examples.draw([shown], thresholds, "t")
    pictures = {axes.get_title(loc="left"): boxes_of(axes) for axes in figure.axes[:2]}
    assert [title.splitlines()[0] for title in pictures] == ["(a) correct, R MLO", ""]
    widths = {title.splitlines()[1]: [box.get_width() for box in drawn] for title, drawn in pictures.items()}
    assert widths == {"fixed candidates": [20], "the paper's boxes": [2]}
    assert next(iter(widths)) == naming.BOXES[first]
    saved(figure)


def test_all_kinds_of_examples_fill_three_rows(saved):
    shown = [
        panel(kind, judged()) for kind, number in detection_examples.NUMBERS.items() for _ in range(number)
    ]
    figure = detection_examples.draw(shown, THRESHOLDS, "t")
    assert len(figure.axes) == 12
    assert figure.axes[10].get_title(loc="left") == "(f) missed, R MLO\nfixed candidates"
    assert len({axes.get_subplotspec().rowspan.start for axes in figure.axes}) == 3
    saved(figure)


# ---- figure 5


@pytest.mark.parametrize("mode", MODES)
def test_size_strata_are_the_tables_and_count_masses(report, saved, mode):
    figure = size_strata.draw(report.points, report.curve, EVALUATION, CHAINS[1], LABELS)
    axes = figure.axes[MODES.index(mode)]
    assert axes.get_title(loc="left").endswith(naming.BOXES[mode])
    assert figure.get_suptitle() == naming.experiment(CHAINS[1], LABELS)
    for stratum in SIZES:
        curve = dataclasses.replace(DEFINITION, subset=stratum, mode=mode).rows(report.curve)
        line = next(line for line in axes.lines if str(line.get_label()).startswith(f"{stratum}, "))
        np.testing.assert_array_equal(line.get_ydata(), curve["tpr_mean"][: len(line.get_ydata())])
        assert len(line.get_ydata()) > 1
        assert sum("masses 3, folds 3" in text for text in legend(figure)) == 3
    assert sum("Agarwal et al. 2019 on INbreast" in text for text in legend(figure)) == 3
    saved(figure)


def test_a_stratum_without_masses_says_so(saved):
    few = froc_report.evaluate(world(folds=2, area_cm2=lambda number: 2.0), EVALUATION, seed=1)
    figure = size_strata.draw(few.points, few.curve, EVALUATION, CHAINS[0], LABELS)
    assert "small, < 1 cm²: no mass" in legend(figure)
    assert "medium, 1–4 cm²: masses 6, folds 2" in legend(figure)
    saved(figure)
