import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from froc_cases import EDGES, line, masses, random_fold, settings_with
from PIL import Image
from review_site import CHAINS, DATASET

from mammoflow.breasts import image_store
from mammoflow.evaluation import froc, matching
from mammoflow.evaluation.definitions import Definition
from mammoflow.report.review import cases, javascript, lifetimes, model_data, review_page, review_pictures

# ---- boxes and matches -----------------------------------------------------------------------------------


def alive(table, count):
    """Number of rows that are alive at each of the thresholds."""
    change = np.zeros(count + 1, int)
    np.add.at(change, table["start"], 1)
    np.subtract.at(change, table["stop"], 1)
    return np.cumsum(change)[:-1]


def counted(found, definition):
    """Hits and false positives at each threshold, from boxes and matches alone."""
    count = len(found.thresholds)
    hits = alive(found.matches, count)
    if definition.duplicates == "ignore":
        return hits, alive(found.boxes[~found.boxes["on_lesion"]], count)
    return hits, alive(found.boxes, count) - hits


DEFINITIONS = [
    Definition(mode, hit, duplicates=duplicates)
    for mode in ("paper", "candidate")
    for hit, duplicates in (
        ("iou-above", "ignore"),
        ("centre-in-box", "ignore"),
        ("iou-above", "false-positive"),
    )
]


@pytest.mark.parametrize(
    "definition", DEFINITIONS, ids=lambda each: f"{each.mode}-{each.hit}-{each.duplicates}"
)
@pytest.mark.parametrize("seed", range(5))
def test_counts_are_the_evaluations_at_every_threshold(definition, seed):
    folds = [random_fold(100 * seed + number)._replace(number=number) for number in range(3)]
    boxes = [matching.of_maps(fold)[definition.mode] for fold in folds]
    found = lifetimes.of_folds(folds, boxes, definition)
    pooled = froc.pooled([line(fold, definition) for fold in folds], definition.mode)
    hits, false_positives = counted(found, definition)
    np.testing.assert_array_equal(found.thresholds, pooled.thresholds[1:])
    np.testing.assert_array_equal(hits, pooled.hits[1:])
    np.testing.assert_array_equal(false_positives, pooled.false_positives[1:])

    before = 0
    for fold in folds:
        its = range(before, before := before + len(fold.images))
        of_fold = found._replace(
            **{
                name: getattr(found, name)[getattr(found, name)["image"].isin(its)]
                for name in ("boxes", "matches")
            }
        )
        curve = line(fold, definition)
        own = np.isin(found.thresholds, curve.thresholds)
        hits, false_positives = counted(of_fold, definition)
        np.testing.assert_array_equal(hits[own], curve.hits[1:])
        np.testing.assert_array_equal(false_positives[own], curve.false_positives[1:])


def test_a_match_is_a_box_that_is_present_and_the_lesion_is_the_one_it_overlaps():
    definition = Definition("candidate")
    folds = [random_fold(7), random_fold(9)._replace(number=1)]
    found = lifetimes.of_folds(folds, [matching.of_maps(each)["candidate"] for each in folds], definition)
    lesions = {
        before + place: fold.lesions[fold.lesions["image_id"] == name]
        for before, fold in ((0, folds[0]), (len(folds[0].images), folds[1]))
        for place, name in enumerate(fold.images["image_id"])
    }
    assert len(found.matches) > 1
    for match in found.matches.itertuples():
        box = [[match.y0, match.x0, match.y1, match.x1]]
        same = found.boxes[
            (found.boxes[["image", "y0", "x0", "y1", "x1"]] == [match.image, *box[0]]).all(axis=1)
        ]
        assert ((same["start"] <= match.start) & (match.stop <= same["stop"])).any()
        mass = lesions[match.image].iloc[[match.lesion]][["y0", "x0", "y1", "x1"]].to_numpy(int)
        assert matching.links(np.array(box), mass, definition)[0].all()


def test_a_paper_box_is_divided_where_its_fold_lacks_a_threshold():
    table = pd.DataFrame({"image": [0, 0], "start": [0, 1], "stop": [3, 2]})
    own, thresholds = np.array([0.9, 0.8, 0.5]), np.array([0.95, 0.9, 0.8, 0.6, 0.5, 0.4])
    divided = lifetimes._on(table, own, thresholds, "paper")
    assert divided[["start", "stop"]].to_numpy().tolist() == [[1, 3], [4, 5], [2, 3]]
    kept = lifetimes._on(table, own, thresholds, "candidate")
    assert kept[["start", "stop"]].to_numpy().tolist() == [[1, 6], [2, 4]]


# ---- names -----------------------------------------------------------------------------------------------


def test_names_count_patients_and_number_repeated_views():
    images = pd.DataFrame(
        [("a", "L", "CC"), ("b", "L", "CC"), ("c", "R", "MLO"), ("d", "", "")],
        columns=["image_id", "laterality", "view"],
    )
    rows = [("c", "zoe", 1), ("b", "zoe", 0), ("a", "zoe", 0), ("d", "adam", 0)]
    splits = pd.DataFrame(rows, columns=["image_id", "patient_id", "fold"]).assign(role="test")
    training = pd.DataFrame([("a", "zoe", 1, "train")], columns=splits.columns)
    splits = pd.concat([splits, training])
    assert cases.named(splits, images).to_numpy().tolist() == [
        ["1", "d", 0],
        ["2-L-CC", "a", 0],
        ["2-L-CC-2", "b", 0],
        ["2-R-MLO", "c", 1],
    ]


# ---- pictures --------------------------------------------------------------------------------------------


def test_a_picture_has_the_order_of_the_grey_values_inside_the_breast_and_black_outside(study):
    image = study.stored[1]
    shown = review_pictures.picture(image)
    assert shown.grey.shape == image.pixels.shape
    assert (shown.grey[~image.breast] == 0).all()
    order = np.argsort(image.pixels[image.breast], kind="stable")
    assert (np.diff(shown.grey[image.breast][order].astype(int)) >= 0).all()
    assert (shown.grey[image.breast].min(), shown.grey[image.breast].max()) == (0, 255)
    low, high = np.quantile(shown.grey[image.breast], [0.01, 0.999]) / 255
    assert shown.window == pytest.approx((low, high), abs=2 / 255)


def test_a_breast_without_contrast_and_an_image_without_breast_have_a_picture(study):
    image = study.stored[0]
    for breast in (image.breast, np.zeros_like(image.breast)):
        flat = image_store.StoredImage(
            "x", np.full_like(image.pixels, 7), breast, image.lesions, image.geometry
        )
        low, high = review_pictures.picture(flat).window
        assert low < high


def test_a_thumbnail_is_the_picture_in_its_window_and_fits_on_a_tile(study):
    shown = review_pictures.picture(study.stored[0])
    small = review_pictures.thumbnail(shown)
    rows, columns = shown.grey.shape
    assert small.shape[0] == review_pictures.TILE[0]
    assert small.shape[1] / small.shape[0] == pytest.approx(columns / rows, abs=0.01)
    dark, bright = review_pictures.Picture(np.full((2000, 10), 51, np.uint8), (0.1, 0.3)), shown.grey[:1, :1]
    assert review_pictures.thumbnail(dark)[0, 0] == 128
    assert review_pictures.thumbnail(review_pictures.Picture(bright, (0, 1))).shape == (1, 1)


@pytest.mark.parametrize("size", [1, 12])
def test_an_outline_encloses_the_area_of_its_mask(size):
    y, x = np.mgrid[: 120 * size, : 100 * size]
    mask = np.hypot(y - 60 * size, (x - 40 * size) * 1.5) < 40 * size
    (polygon,) = review_pictures.outline(mask)
    x, y = np.array(polygon).T
    area = abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
    assert area == pytest.approx(mask.sum(), rel=0.04)
    middle = [(edges.min() + edges.max()) / 2 for edges in (x, y)]
    assert middle == pytest.approx([40 * size + 0.5, 60 * size + 0.5], abs=0.6 * size**0.5)
    assert review_pictures.outline(np.zeros((3, 3), bool)) == []


def test_facts_of_an_image(study):
    path, *_ = study.stores()
    store = image_store.open_store(path)
    shard = review_pictures.of_shard(
        store, study.cases, study.images.set_index("image_id"), study.lesions, EDGES
    )
    assert len(shard.facts) == len(shard.images) == len(shard.thumbnails) == len(store)
    for facts, source in zip(shard.facts, shard.images, strict=True):
        case = study.cases.iloc[facts["number"]]
        image = store[case["image_id"]]
        its = study.lesions[study.lesions["image_id"] == image.image_id]
        assert facts["name"] == case["case"]
        assert len(facts["lesions"]) == len(its)
        assert facts["mm"] == pytest.approx(0.2)
        for lesion, label in zip(facts["lesions"], range(1, 4), strict=False):
            y0, x0, y1, x1 = lesion["box"]
            assert (image.lesions[int(y0) : int(y1), int(x0) : int(x1)] == label).any()
        decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))
        assert decoded.shape == (facts["rows"], facts["columns"])


def test_lesions_of_unknown_area_have_no_size(study):
    image = study.stored[0]
    lesions = masses((image.image_id, (20, 10, 40, 30)), areas=[np.nan], pathologies=["BENIGN"])
    row = {"laterality": "L", "view": "CC", "spacing_mm": np.nan, "flags": "implant"}
    facts = review_pictures.facts(image, row, lesions, EDGES)
    assert facts["lesions"] == [{"box": [0, 0, 10, 10], "cm2": None, "size": "", "pathology": "BENIGN"}]
    assert facts["mm"] is None
    assert facts["flags"] == ["implant"]
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


# ---- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [np.arange(200), np.array([70000]), np.array([], int), np.array([True, False]), np.array([0.1, -2.0])],
)
def test_packed_arrays_come_back(array):
    packed = javascript.packed(array)
    kind = packed["type"].removesuffix("Array").lower()
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(packed["bytes"]), kind), array)


def test_a_file_that_a_browser_cannot_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        javascript.write(tmp_path / "x.js", "x", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def read(path):
    """Name and value of a data file."""
    name, value = re.fullmatch(
        r"\(window\.reviewData \?\?= \{\}\)\[(.*?)\]=(.*);\n", path.read_text()
    ).groups()
    return json.loads(name), json.loads(value)


def test_nothing_of_a_patient_is_in_the_files_that_are_passed_on(study, site):
    files = [path for path in site.rglob("*") if path.is_file()]
    assert len(files) == 2 * 3 + 2 * 3
    names = {*study.images["image_id"], *study.images["patient_id"], "secret"}
    for path in files:
        content = path.read_bytes().decode("latin-1")
        assert not [name for name in names if name in content]


def test_boxes_and_maps_of_a_model(study, site):
    chain, model = read(site / CHAINS[0] / "model.js")
    assert (chain, set(model["modes"])) == (CHAINS[0], {"paper", "candidate"})
    name, maps = read(site / CHAINS[0] / "maps.js")
    assert name == f"maps {CHAINS[0]}"
    assert len(maps) == len(study.cases)
    boxes = model["modes"]["candidate"]["boxes"]
    offsets = np.frombuffer(
        base64.b64decode(boxes["offsets"]["bytes"]), boxes["offsets"]["type"][:-5].lower()
    )
    assert len(offsets) == len(study.cases) + 1
    assert offsets[0] == 0
    assert (np.diff(offsets.astype(int)) >= 0).all()


def test_maps_belong_to_their_images(study):
    paths, *_ = study.model(3)
    grids, geometries = model_data.maps(paths, study.cases)
    by_id = {image.image_id: image for image in study.stored}
    assert geometries == [by_id[image_id].geometry for image_id in study.cases["image_id"]]
    assert len(grids) == len(study.cases)


# ---- the page --------------------------------------------------------------------------------------------


def test_the_page_needs_no_network_and_escapes_names(site):
    text = (site / CHAINS[0] / "index.html").read_text()
    own = text.replace(review_page._viewer(), "")
    own = own.replace("http://www.w3.org/2000/svg", "").replace("script[src=", "")
    assert not re.search("https?:", own)
    assert "invented &lt;data&gt;" in text
    assert "<data>" not in text
    assert "sourceMappingURL" not in text
    assert "CodePlex Foundation" in text
    sources = re.findall(r'(?:src|href)="(.*?)"', own)
    assert sources == ["data:,", *[f"../../shard-{shard}/cases.js" for shard in (0, 1)], "model.js"]
    folder = site / CHAINS[0]
    assert all((folder / source).is_file() for source in sources[1:])


def test_another_version_of_the_viewer_is_refused(monkeypatch):
    monkeypatch.setattr(review_page, "_VIEWER_SHA256", "0" * 64)
    with pytest.raises(
        ValueError, match=r"^openseadragon-6\.1\.1\.min\.js: expected SHA-256 0{64}, got 14d5"
    ):
        review_page._viewer()


def test_filters_offer_what_there_is():
    labels = {
        "datasets": {DATASET: "d"},
        "weights": {"random": "r"},
        "backbones": {"compact": "c"},
        "external": {},
    }
    words = {"pathology": ["", "BI-RADS 4a"], "laterality": ["R", "L"], "view": ["CC"]}
    text = review_page.page(CHAINS[0], CHAINS[:1], 1, [0, 1], words, settings_with(), labels)
    options = re.findall(r'<option value="(.*?)">(.*?)</option>', text)
    assert ("BI-RADS 4a", "BI-RADS 4a") in options
    assert ("small", "&lt; 1 cm²") in options
    assert [value for value, _ in options if value in ("L", "R")] == ["L", "R"]
