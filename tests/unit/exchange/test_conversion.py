"""A study's images, masses and folds for other programs, and the boxes of these back again."""

import itertools
import json
from math import ceil

import numpy as np
import pandas as pd
import pytest
import study_by_hand
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from study_by_hand import CASES

from mammoflow.base import coco, storage
from mammoflow.base.boxes import BOX
from mammoflow.base.contracts.converted import PICTURES
from mammoflow.base.contracts.detections import EXTERNAL
from mammoflow.base.contracts.froc import OPERATING_POINTS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.breasts.geometry import Geometry
from mammoflow.commands import main
from mammoflow.evaluation import external, froc_report, matching
from mammoflow.evaluation.definitions import Evaluation
from mammoflow.exchange import annotations, conversion, conversion_back


@pytest.fixture
def results(tmp_path):
    return study_by_hand.write(tmp_path / "results")


def convert(results, out, *options, to="coco", dataset="films"):
    return main.main(
        [
            "convert",
            str(results),
            "--dataset",
            dataset,
            "--to",
            to,
            "--out",
            str(out),
            "--threads",
            "2",
            *options,
        ]
    )


def read(path):
    return json.loads(path.read_text())


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- what is written ---------------------------------------------------------------------------------


def test_a_box_by_hand():
    """Crop, mirror, then scale: 29 + 10 … of 100 columns, seen from the chest wall at the right."""
    place = Geometry(120, 100, 10, 29, 110, 100, True, 2.5)
    assert conversion.to_picture(np.array([(30, 50, 60, 80)]), place).tolist() == [[8, 8, 20, 20]]
    assert conversion.to_picture(np.array([(0, 0, 35, 31)]), place).tolist() == [[0, 27.6, 10, 28.4]]
    assert conversion.to_picture(np.array([(0, 0, 10, 100), (0, 0, 120, 29)]), place).shape == (0, 4)


def test_coco_by_hand(results, tmp_path, capsys):
    assert convert(results, tmp_path / "out") == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'out'}: 6 pictures, 5 masses, 3 folds; not written, because they lie completely "
        "outside their pictures: 1\n"
    )
    test = read(tmp_path / "out/fold-0-test.json")
    assert test["images"] == [
        {"id": 1, "file_name": "000001.png", "height": 100, "width": 71},
        {"id": 2, "file_name": "000002.png", "height": 40, "width": 29},
    ]
    assert test["categories"] == [{"id": 1, "name": "mass"}]
    assert [entry["bbox"] for entry in test["annotations"]] == [
        [10, 10, 30, 40],
        [30, 60, 20, 20],
        [pytest.approx(7.6), pytest.approx(8.4), pytest.approx(13.6), pytest.approx(12.4)],
    ]
    assert [entry["image_id"] for entry in test["annotations"]] == [1, 1, 2]
    assert [entry["id"] for entry in test["annotations"]] == [1, 2, 3]
    assert test["annotations"][0]["area"] == 1200
    clipped = read(tmp_path / "out/fold-1-test.json")["annotations"]
    assert [entry["bbox"] for entry in clipped] == [
        [pytest.approx(20 / 1.5), 60, pytest.approx(20 / 1.5), pytest.approx(10 / 1.5)]
    ]


@pytest.mark.parametrize("layout", ["coco", "yolo"])
def test_every_fold_has_the_study_s_images_in_each_part(results, tmp_path, layout):
    out = tmp_path / "out"
    assert convert(results, out, to=layout) == 0
    names = dict(PICTURES.read(out / "pictures.csv")[["number", "image_id"]].to_numpy())
    splits = study_by_hand.splits()
    for (fold, role), rows in splits.groupby(["fold", "role"]):
        if layout == "coco":
            numbers = [image["id"] for image in read(out / f"fold-{fold}-{role}.json")["images"]]
        else:
            lines = (out / f"fold-{fold}-{role}.txt").read_text().splitlines()
            assert all((out / line).is_file() for line in lines)
            numbers = [int(line.removeprefix("./images/").removesuffix(".png")) for line in lines]
        assert [names[number] for number in numbers] == sorted(rows["image_id"])


def test_yolo_by_hand(results, tmp_path):
    out = tmp_path / "out"
    assert convert(results, out, to="yolo") == 0
    assert (out / "fold-1.yaml").read_text() == (
        "train: fold-1-train.txt\nval: fold-1-validation.txt\ntest: fold-1-test.txt\nnames:\n  0: mass\n"
    )
    assert (out / "fold-1-test.txt").read_text() == "./images/000003.png\n./images/000004.png\n"
    labels = [(out / f"labels/{number:06d}.txt").read_text() for number in range(1, 7)]
    assert [text.count("\n") for text in labels] == [2, 1, 1, 0, 0, 1]
    (line,) = labels[1].splitlines()
    shares = [7.6 + 6.8, 8.4 + 6.2, 13.6, 12.4] / np.array([29, 40, 29, 40])
    assert line.split()[0] == "0"
    np.testing.assert_allclose([float(word) for word in line.split()[1:]], shares, atol=1e-8)


@pytest.mark.parametrize(("bits", "mode"), [("16", "I;16"), ("8", "L")])
def test_pictures_hold_the_grey_values_of_the_store(results, tmp_path, bits, mode):
    assert convert(results, tmp_path / "out", "--bits", bits) == 0
    for number, name in enumerate(CASES, start=1):
        stored = study_by_hand.stored(name)
        with Image.open(tmp_path / f"out/images/{number:06d}.png") as picture:
            assert picture.mode == mode
            pixels = np.asarray(picture)
        if bits == "16":
            np.testing.assert_array_equal(pixels, stored.pixels)
        else:
            low, high = np.percentile(stored.pixels[stored.breast], [1, 99.9])
            expected = 255 * (stored.pixels - low) / (high - low)
            assert np.abs(pixels - expected.clip(0, 255)).max() < 0.51


def test_grey_values_without_a_range_are_black():
    flat = study_by_hand.stored("a")
    flat.pixels[:] = 700
    assert not conversion.grey(flat, 8).any()
    flat.breast[:] = False
    assert not conversion.grey(flat, 8).any()


def test_nothing_names_a_patient_or_a_file(results, tmp_path):
    for layout in ("coco", "yolo"):
        assert convert(results, tmp_path / "out", to=layout) == 0
    for name, written in content(tmp_path / "out").items():
        assert b"SECRET" not in written, name
        assert str(tmp_path).encode() not in written, name


@pytest.mark.parametrize("layout", ["coco", "yolo"])
def test_no_fold_of_an_earlier_call_stays(results, tmp_path, layout):
    for each in ("coco", "yolo"):
        assert convert(results, tmp_path / "out", to=each) == 0
    (tmp_path / "out/fold-2-test-found.json").write_text("[]")
    before = content(tmp_path / "out")
    assert convert(results, tmp_path / "out", to=layout) == 0
    assert content(tmp_path / "out") == before
    splits = study_by_hand.splits()
    splits = splits[splits["fold"] < 2].assign(fold=lambda table: 1 - table["fold"])
    SPLITS.write(splits, results / "splits/films.csv")
    assert convert(results, tmp_path / "out", to=layout) == 0
    for each in ("coco", "yolo"):
        assert convert(results, tmp_path / "new", to=each) == 0
    now = content(tmp_path / "out")
    assert now.pop("fold-2-test-found.json") == b"[]"
    assert now == content(tmp_path / "new")


# ---- and back ----------------------------------------------------------------------------------------

places = st.builds(
    lambda y0, x0, height, width, beyond, mirrored, factor: Geometry(
        y0 + height + beyond, x0 + width + beyond, y0, x0, y0 + height, x0 + width, mirrored, factor
    ),
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.integers(0, 300),
    st.booleans(),
    st.floats(1, 20) | st.sampled_from([1.0, 1.1, 3.5, 4.0, 0.28 / 0.07]),
)


def box_with_a_pixel_in_the_crop(data, place):
    def side(low, high, end):
        first = data.draw(st.integers(0, high - 1))
        return first, data.draw(st.integers(max(first, low) + 1, end))

    (y0, y1), (x0, x1) = side(place.y0, place.y1, place.rows), side(place.x0, place.x1, place.columns)
    return y0, x0, y1, x1


@given(data=st.data(), place=places)
def test_out_and_back_loses_no_box_and_no_pixel(data, place):
    """As COCO's and as YOLO's text, the box comes back as the part of it that the picture shows."""
    box = box_with_a_pixel_in_the_crop(data, place)
    shown = np.array(
        [max(box[0], place.y0), max(box[1], place.x0), min(box[2], place.y1), min(box[3], place.x1)]
    )
    (there,) = conversion.to_picture(np.array([box]), place)
    rows, columns = place.shape
    assert (there[:2] >= 0).all()
    assert there[2] <= rows + 1e-9
    assert there[3] <= columns + 1e-9
    x, y, width, height = json.loads(
        json.dumps([there[1], there[0], there[3] - there[1], there[2] - there[0]])
    )
    assert place.to_original([[y, x, y + height, x + width]]).tolist() == [shown.tolist()]
    words = annotations._labels(there[None], place).split()[1:]
    x, y, width, height = np.array(words, float) * [columns, rows, columns, rows]
    yolo = [[y - height / 2, x - width / 2, y + height / 2, x + width / 2]]
    assert place.to_original(yolo).tolist() == [shown.tolist()]
    assert ceil((place.y1 - place.y0) / place.factor - 1e-6) == rows


def as_results(path, tables, scores=0.9):
    """Results of a detector that finds exactly the masses."""
    found = [
        {"image_id": entry["image_id"], "category_id": 1, "bbox": entry["bbox"], "score": scores}
        for table in tables
        for entry in read(table)["annotations"]
    ]
    path.write_text(json.dumps(found))
    return str(path)


@pytest.fixture
def converted(results, tmp_path):
    assert convert(results, tmp_path / "out") == 0
    return tmp_path / "out"


def back(converted, *files, out="boxes.csv"):
    table = converted.parent / out
    return main.main(["convert-back", *map(str, files), "--pictures", str(converted), "--out", str(table)])


@pytest.mark.parametrize("names", [int, "{:06d}".format])
def test_boxes_on_pictures_become_boxes_on_the_originals(converted, tmp_path, capsys, names):
    found = (
        read(tmp_path / "out/fold-0-test.json")["annotations"]
        + read(tmp_path / "out/fold-2-test.json")["annotations"]
    )
    results = [{"image_id": names(each["image_id"]), "bbox": each["bbox"], "score": 0.5} for each in found]
    (tmp_path / "found.json").write_text(json.dumps(results))
    assert back(converted, tmp_path / "found.json") == 0
    assert "boxes.csv: 4 boxes on 3 images" in capsys.readouterr().out
    boxes = EXTERNAL.read(tmp_path / "boxes.csv")
    truth = study_by_hand.lesions()
    truth = truth[truth["image_id"].isin(["a", "b", "f"])]
    assert boxes["image_id"].tolist() == truth["image_id"].tolist()
    assert boxes[BOX].to_numpy().tolist() == truth[BOX].to_numpy().tolist()
    assert boxes["score"].tolist() == [0.5] * 4


@given(
    corner=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    size=st.tuples(st.floats(1e-4, 200), st.floats(1e-4, 200)),
    place=places,
)
def test_any_box_of_a_detector_stays_a_box_in_the_image(corner, size, place):
    (y0, x0), (height, width) = corner, size
    rows = pd.DataFrame([[y0, x0, y0 + height, x0 + width]], columns=BOX, index=[7])
    table = conversion_back._original(rows, place)
    assert table.index.tolist() == [7]
    ((top, left, bottom, right),) = table.to_numpy()
    assert 0 <= top < bottom <= place.rows
    assert 0 <= left < right <= place.columns


def test_perfect_boxes_find_every_mass(results, converted, tmp_path, capsys):
    """By all three ways: on the pictures of a fold, on the originals, and in the study itself."""
    files = []
    for fold in range(3):
        truth = converted / f"fold-{fold}-test.json"
        files.append(as_results(tmp_path / f"found-{fold}.json", [truth]))
    assert evaluate(tmp_path, files[-1], truth) == [1.0, 0.0]
    assert back(converted, *files) == 0
    index = results / "index/films"
    seen = study_by_hand.lesions()[lambda table: table["lesion_id"] != "c-1"]
    seen.to_csv(index / "lesions.csv", index=False)  # without the mass that is outside its picture
    assert evaluate(
        tmp_path, tmp_path / "boxes.csv", index / "lesions.csv", "--images", index / "images.csv"
    ) == [1.0, 0.0]
    images, splits = study_by_hand.images(), study_by_hand.splits()
    boxes = external.check(external.read(tmp_path / "boxes.csv"), images, splits)
    settings = Evaluation(
        mode="candidate",
        hit="iou-above",
        iou=0.2,
        duplicates="ignore",
        lesions="merged",
        fpi_over="all",
        operating_points=[0.5],
        size_strata_cm2=(1, 4),
        bootstrap=10,
    )
    report = froc_report.evaluate(
        external.folds(boxes, splits, seen, images), settings, 0, boxes_of=matching.of_scores
    )
    rows = settings.definition.rows(report.operating_points)
    assert rows["tpr_mean"].tolist() == [1.0] * len(rows)
    assert rows["fpi_normal"].fillna(0).tolist() == [0.0] * len(rows)


def evaluate(folder, *arguments):
    """Sensitivity at, and number of, no false positive per image."""
    assert (
        main.main(
            [
                "evaluate",
                *map(str, arguments),
                "--out",
                str(folder / "froc"),
                "--bootstrap",
                "10",
                "--fpi",
                "0",
            ]
        )
        == 0
    )
    points = OPERATING_POINTS.read(folder / "froc/operating-points.csv")
    row = points[(points["subset"] == "all") & (points["fpi"] == 0)].iloc[0]
    return [row["tpr_mean"], row["fpi_mass"]]


# ---- again -------------------------------------------------------------------------------------------


def test_pictures_that_are_there_are_kept_and_the_rest_is_written(results, tmp_path):
    out = tmp_path / "out"
    assert convert(results, out) == 0
    before = content(out)
    (out / "images/000002.png").unlink()
    (out / "images/000001.png").write_bytes(b"kept")
    assert convert(results, out) == 0
    assert content(out) == before | {"images/000001.png": b"kept"}


def test_both_layouts_share_the_pictures(results, tmp_path):
    out = tmp_path / "out"
    assert convert(results, out) == 0
    stamps = {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()}
    assert convert(results, out, to="yolo") == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()} == stamps
    assert (out / "fold-0-test.json").is_file()
    assert (out / "fold-0.yaml").is_file()


def test_stopped_it_goes_on(results, tmp_path, capsys, monkeypatch):
    begun = itertools.count()  # threads draw: a count is taken by one of them at a time

    def draw(study, out, row, draw=conversion._draw):
        if next(begun) >= 2:
            raise KeyboardInterrupt
        draw(study, out, row)

    monkeypatch.setattr(conversion, "_draw", draw)
    assert convert(results, tmp_path / "out") == 130
    assert capsys.readouterr().err.endswith("the same command goes on.\n")
    assert len(list((tmp_path / "out/images").iterdir())) >= 2
    monkeypatch.undo()
    assert convert(results, tmp_path / "out") == 0
    assert len(list((tmp_path / "out/images").iterdir())) == 6


# ---- mistakes ----------------------------------------------------------------------------------------


def refused(capsys):
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1, said
    return said


@pytest.mark.parametrize(
    ("spoil", "options", "sentence"),
    [
        (lambda results: None, {"dataset": "mias"}, "one of the data sets in {} (films, other), got 'mias'"),
        (lambda results: None, {"dataset": "../films"}, "got '../films'"),
        (lambda results: None, {"dataset": "other"}, "other.csv: expected a file of a study whose images"),
        (
            lambda results: (results / "index/films/lesions.csv").unlink(),
            {},
            "snakemake results/splits/films.csv",
        ),
        (
            lambda results: (results / "images/films/shard-1.h5").unlink(),
            {},
            "3 are missing, such as 'd'; run",
        ),
        (lambda results: (results / "images/films/shard-1.h5").write_bytes(b""), {}, "a complete HDF5 file"),
        (lambda results: (results / "splits/films.csv").write_text("a,b\n1,2\n"), {}, "missing ['image_id'"),
    ],
)
def test_an_unfinished_study_is_refused_in_one_sentence(results, tmp_path, capsys, spoil, options, sentence):
    spoil(results)
    assert convert(results, tmp_path / "out", **options) == 1
    assert sentence.format(results) in refused(capsys)
    assert not (tmp_path / "out").exists()


def test_folders_that_are_no_results_are_refused(results, tmp_path, capsys):
    for folder, got in ((tmp_path / "none", "no folder"), (tmp_path, "; it has a folder 'results'")):
        assert convert(folder, tmp_path / "out") == 1
        assert refused(capsys).strip().endswith(got)


def test_a_folder_with_other_files_is_refused(results, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.DS_Store").touch()  # alone, it would not matter
    (tmp_path / "out/thesis.tex").touch()
    assert convert(results, tmp_path / "out") == 1
    assert "expected an empty folder or one of an earlier conversion, got other files" in refused(capsys)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".DS_Store", "thesis.tex"]
    (tmp_path / "out/thesis.tex").unlink()
    assert convert(results, tmp_path / "out") == 0


def test_a_folder_of_other_options_or_images_is_refused(results, converted, capsys):
    assert convert(results, converted, "--bits", "16") == 1
    assert "got one with another bits; choose another folder with --out" in refused(capsys)
    splits = study_by_hand.splits()
    SPLITS.write(splits[splits["image_id"] < "e"], results / "splits/films.csv")
    assert convert(results, converted) == 1
    assert "got one with 6 pictures for 4" in refused(capsys)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"a.json": [{"image_id": 99, "bbox": [1, 1, 2, 2], "score": 1}]},
            "expected an image of the data set",
        ),
        ({"a.json": {"images": []}}, "expected COCO results (a list of boxes), got dict"),
        ({}, "a file that cannot be read"),
        (
            {name: [{"image_id": 2, "bbox": [1, 1, 2, 2], "score": 1}] for name in ("a.json", "b.json")},
            "got image 'b', which is in",
        ),
    ],
)
def test_results_that_are_none_are_refused_in_one_sentence(converted, tmp_path, capsys, files, sentence):
    for name, entries in files.items():
        (tmp_path / name).write_text(json.dumps(entries))
    capsys.readouterr()
    assert back(converted, *[tmp_path / name for name in files or ["none.json"]]) == 1
    assert sentence in refused(capsys)
    assert not (tmp_path / "boxes.csv").exists()


def test_the_way_back_needs_the_folder_and_writes_a_table(converted, tmp_path, capsys):
    found = as_results(tmp_path / "a.json", [converted / "fold-0-test.json"])
    capsys.readouterr()
    assert back(converted / "images", found) == 1
    assert "expected a folder that 'mammoflow convert' wrote" in refused(capsys)
    assert back(converted, found, out="boxes.json") == 1
    assert "expected the name of a table to write (.csv), got boxes.json" in refused(capsys)


def test_no_box_at_all_is_an_empty_table(converted, tmp_path):
    (tmp_path / "a.json").write_text("[]")
    assert back(converted, tmp_path / "a.json") == 0
    assert EXTERNAL.read(tmp_path / "boxes.csv").empty


def test_a_full_disk_is_one_sentence(results, tmp_path, disk, capsys):
    small = disk(tmp_path / "disk", "64k")
    small.fill(12_000)
    assert convert(results, tmp_path / "disk/out", "--bits", "16") == 1
    assert "make room and run again" in refused(capsys)


def test_what_is_written_of_truth_is_read_as_it_was(tmp_path):
    images = pd.DataFrame({"number": [4], "file_name": ["000004.png"], "rows": [9], "columns": [8]})
    lesions = pd.DataFrame([(4, 1.5, 2.0, 3.0, 4.25)], columns=["number", *BOX])
    coco.write_truth(images, lesions, tmp_path / "a.json")
    listed, boxes, names = coco.truth(coco.read(tmp_path / "a.json"), "a.json")
    assert listed["image_id"].tolist() == ["000004"]
    assert names == {4: "000004"}
    assert boxes[BOX].to_numpy().tolist() == [[1.5, 2.0, 3.0, 4.25]]


def test_partial_files_of_a_killed_process_are_no_pictures(results, tmp_path):
    partial = tmp_path / "out/images/.1.partial.000001.png"
    assert convert(results, tmp_path / "out") == 0
    partial.write_bytes(b"half")
    (tmp_path / "out/images/000001.png").unlink()
    assert convert(results, tmp_path / "out") == 0
    assert not partial.exists()
    assert storage.sha256(tmp_path / "out/images/000001.png")
