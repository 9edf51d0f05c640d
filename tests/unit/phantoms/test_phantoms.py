import csv
import io
import json
import plistlib
import re
from functools import partial
from itertools import pairwise

import numpy as np
import pydicom
import pytest
from PIL import Image
from skimage.draw import polygon2mask

from mammoflow.archives import annotated as annotated_loader
from mammoflow.archives import cbis_ddsm as cbis_ddsm_loader
from mammoflow.archives import coco_masks
from mammoflow.archives import inbreast as inbreast_loader
from mammoflow.base.boxes import bounding_box
from mammoflow.phantoms import anatomy, cohorts, film_release, patients, tissue
from mammoflow.phantoms.anatomy import Detector
from mammoflow.study.problems import WRITTEN_AS

SEED = 3
DETECTOR = [200, 150]
PIXEL_MM = 0.4


def entry(cohort, count):
    return {"cohort": cohort, "patients": count, "detector": DETECTOR, "pixel_mm": PIXEL_MM}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    root = tmp_path_factory.mktemp("film")
    return root, cohorts.write(root, entry("film", 16), SEED)


@pytest.fixture(scope="module")
def digital(tmp_path_factory):
    root = tmp_path_factory.mktemp("digital")
    return root, cohorts.write(root, entry("digital", 6), SEED)


def exposures(cohort, count):
    settings = patients.Settings.from_config(entry(cohort, count))
    for index in range(count):
        for exposure in patients.draw(settings, SEED, index).exposures:
            yield settings.detector, exposure


ODD_FILM, ODD_DIGITAL = "P_90000", str(20_000_000 + 16 * patients.ODD)


def dicom_files(folder):
    """DICOM files of the cohort: neither what a Mac left nor what a loader has to leave out."""
    return [
        file
        for file in folder.rglob("*.dcm")
        if not (file.name.startswith(("._", ODD_DIGITAL)) or ODD_FILM in str(file))
    ]


def contents(root):
    return {file.relative_to(root): file.read_bytes() for file in root.rglob("*") if file.is_file()}


# Tissue


@pytest.mark.parametrize("exponent", [2.5, 3.0, 3.5])
def test_texture_has_the_power_law_it_is_asked_for(exponent):
    rng = np.random.default_rng(0)
    shape, step = (512, 360), 0.2
    down = np.fft.fftfreq(shape[0], step)[:, None]
    across = np.fft.fftfreq(shape[1], step)[None, :]
    radius = np.hypot(down, across)
    power = np.mean(
        [np.abs(np.fft.fft2(tissue.texture(rng, shape, step, exponent))) ** 2 for _ in range(4)], axis=0
    )
    bands = np.geomspace(0.1, 2.0, 12)
    mean = [power[(radius >= low) & (radius < high)].mean() for low, high in pairwise(bands)]
    slope = np.polyfit(np.log(np.sqrt(bands[1:] * bands[:-1])), np.log(mean), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.15)


def test_interpolation_reproduces_a_plane():
    detector = Detector(60, 40, 0.07)
    y, x = np.mgrid[:15, :10].astype(np.float32)
    plane = tissue.to_detector(3 * y + x, detector, "L")
    rows, columns = (np.arange(60) + 0.5) / 4 - 0.5, (np.arange(40) + 0.5) / 4 - 0.5
    inner = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose(plane[inner], (3 * rows[:, None] + columns)[inner], atol=1e-4)
    np.testing.assert_array_equal(tissue.to_detector(3 * y + x, detector, "R"), plane[:, ::-1])


# Anatomy


def test_masses_have_the_area_of_their_stratum_in_both_views():
    seen = set()
    for detector, exposure in exposures("film", 40):
        view = exposure.breast.views[exposure.view]
        for mass, contour in zip(exposure.breast.masses, view.contours, strict=True):
            low, high = anatomy.STRATA_CM2[mass.stratum]
            area = anatomy.area_of(contour) / 100
            assert (low if mass.stratum != "small" else 0) < area < high
            assert area == pytest.approx(mass.area_cm2, rel=0.2)
            mask = anatomy.mass_mask(contour, exposure.breast.side, detector)
            assert mask.sum() * detector.pixel_mm**2 / 100 == pytest.approx(area, rel=0.05)
            seen.add(mass.stratum)
    assert seen == set(anatomy.STRATA_CM2)


@pytest.mark.parametrize("cohort", ["film", "digital"])
def test_masses_lie_in_the_breast(cohort):
    for detector, exposure in exposures(cohort, 12):
        side, view = exposure.breast.side, exposure.breast.views[exposure.view]
        breast = anatomy.breast_mask(view, side, detector)
        assert 0.15 < breast.mean() < 0.85
        assert len(view.contours) == len(exposure.breast.masses)
        for contour in view.contours:
            assert breast[anatomy.mass_mask(contour, side, detector)].all()


def test_a_mass_is_as_far_behind_the_nipple_in_both_views():
    for _, exposure in exposures("film", 12):
        for view in exposure.breast.views.values():
            for mass, contour in zip(exposure.breast.masses, view.contours, strict=True):
                behind = np.dot(contour.mean(axis=0) - view.nipple, view.axis)
                assert behind == pytest.approx(mass.depth_mm, abs=2.5)


def test_masses_are_brighter_than_their_surroundings_in_both_views():
    settings = patients.Settings.from_config(entry("digital", 12))
    differences = []
    for index in range(12):
        patient = patients.draw(settings, SEED, index)
        for exposure in patient.exposures:
            pixels = patients.expose(settings, SEED, patient, exposure).astype(float)
            side, view = exposure.breast.side, exposure.breast.views[exposure.view]
            for mass, contour in zip(exposure.breast.masses, view.contours, strict=True):
                centre = contour.mean(axis=0)
                mask = anatomy.mass_mask(contour, side, settings.detector)
                around = anatomy.mass_mask(centre + 1.8 * (contour - centre), side, settings.detector)
                around &= (pixels > 0) & ~anatomy.mass_mask(
                    centre + 1.3 * (contour - centre), side, settings.detector
                )
                differences.append((pixels[mask].mean() - pixels[around].mean()) / mass.contrast)
    assert np.mean(np.array(differences) > 0) > 0.85
    assert np.median(differences) > 500


def contrast_to_noise(pixels, breast, mass):
    """Mean of the middle of a mass less that of a ring around it, over the deviation of both."""
    y0, x0, y1, x1 = bounding_box(mass)
    rows, columns = np.ogrid[: mass.shape[0], : mass.shape[1]]

    def grown(factor):
        high = np.abs(rows - (y0 + y1 - 1) / 2) < factor * (y1 - y0) / 2
        return breast & high & (np.abs(columns - (x0 + x1 - 1) / 2) < factor * (x1 - x0) / 2)

    middle, ring, all_of_it = grown(0.6), grown(1.8) & ~grown(1.2), grown(1.8)
    return (pixels[middle].mean() - pixels[ring].mean()) / pixels[all_of_it].std()


def test_masses_stand_out_as_much_as_on_films():
    settings = patients.Settings.from_config(entry("film", 16))
    found = []
    for index in range(16):
        patient = patients.draw(settings, SEED, index)
        for exposure in patient.exposures:
            side, view = exposure.breast.side, exposure.breast.views[exposure.view]
            breast = anatomy.breast_mask(view, side, settings.detector)
            pixels = patients.expose(settings, SEED, patient, exposure).astype(float)
            masks = (anatomy.mass_mask(contour, side, settings.detector) for contour in view.contours)
            found += [contrast_to_noise(pixels, breast, mask) for mask in masks]
    assert len(found) >= 32
    # Quartiles of the masses of mini-MIAS: docs/results.md.
    assert 1.20 < np.median(found) < 1.93


def test_right_breasts_are_mirrored():
    for detector, exposure in exposures("digital", 4):
        mask = anatomy.breast_mask(exposure.breast.views[exposure.view], exposure.breast.side, detector)
        chest = mask[:, 0] if exposure.breast.side == "L" else mask[:, -1]
        assert chest.mean() > 0.5
        assert not mask[:, -1 if exposure.breast.side == "L" else 0].any()


# Cohorts


@pytest.mark.parametrize("cohort", ["film", "digital"])
def test_a_patient_does_not_depend_on_the_cohorts_size(cohort, film, digital, tmp_path):
    larger = contents({"film": film, "digital": digital}[cohort][0])
    cohorts.write(tmp_path, entry(cohort, 2), SEED)
    for path, content in contents(tmp_path).items():
        if path.suffix in {".dcm", ".xml"}:
            assert larger[path] == content
        elif path.suffix == ".csv":
            assert larger[path].startswith(content)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_change_nothing(digital, tmp_path):
    root, record = digital
    assert cohorts.write(tmp_path, entry("digital", 6), SEED, threads=3) == record
    assert contents(tmp_path) == contents(root)


def test_seeds_differ():
    settings = patients.Settings.from_config(entry("film", 1))
    assert patients.draw(settings, 1, 0).code != patients.draw(settings, 2, 0).code


def test_share_is_even():
    members = [patients.share(index, 0.23, start=0.31) for index in range(10_000)]
    for size in range(1, 10_000, 37):
        assert abs(sum(members[:size]) - 0.23 * size) <= 1


def test_composition_of_a_digital_cohort():
    settings = patients.Settings.from_config(entry("digital", 108))
    drawn = [patients.draw(settings, SEED, index) for index in range(108)]
    images = [exposure for patient in drawn for exposure in patient.exposures]
    with_masses = sum(bool(exposure.breast.masses) for exposure in images)
    assert 380 <= len(images) <= 450
    assert 0.2 <= with_masses / len(images) <= 0.32
    assert sum(any(e.breast.masses for e in patient.exposures) for patient in drawn) in (49, 50, 51)
    assert sum(any(e.study for e in patient.exposures) for patient in drawn) in (8, 9, 10)


def test_leftovers_are_removed_and_other_files_are_not(tmp_path):
    cohorts.write(tmp_path, entry("digital", 1), SEED)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "__MACOSX" / ".12.partial.._AllDICOMs").write_bytes(b"half")
    (tmp_path / "AllDICOMs" / ".12.partial.20000001_0_MG_L_CC_ANON.dcm").write_bytes(b"half")
    cohorts.write(tmp_path, entry("film", 1), SEED)
    assert not (tmp_path / "AllDICOMs").exists()
    assert not (tmp_path / "AllXML").exists()
    assert not (tmp_path / "INbreast.csv").exists()
    assert [file.name for file in (tmp_path / "__MACOSX").iterdir()] == ["._CBIS-DDSM"]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    cohorts.clear(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_of_patients_is_refused(digital, tmp_path):
    file = next((digital[0] / "AllDICOMs").glob("*.dcm"))
    dataset = pydicom.dcmread(file)
    dataset.file_meta.ImplementationVersionName = "SCANNER"
    (tmp_path / "AllDICOMs").mkdir()
    dataset.save_as(tmp_path / "AllDICOMs" / file.name)
    with pytest.raises(ValueError, match="expected a folder for phantoms"):
        cohorts.write(tmp_path, entry("digital", 1), SEED)
    assert (tmp_path / "AllDICOMs" / file.name).is_file()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"cohort": "glass"}, "phantoms.cohort"),
        ({"patients": 0}, "phantoms.patients"),
        ({"masses": 1.5}, "phantoms.masses"),
        ({"detector": [10, 10]}, "phantoms.detector"),
        ({"pixel_mm": -1}, "phantoms.detector"),
        ({"pixel_mm": 0}, "phantoms.detector"),
    ],
)
def test_impossible_settings_name_their_key(change, key):
    with pytest.raises(ValueError, match=re.escape(key)):
        patients.Settings.from_config(entry("film", 2) | change)


def test_cohorts_are_written_as_the_archives_that_the_config_is_checked_against():
    written = {
        cohort: tuple(writer.ARCHIVE for writer in writers) for cohort, writers in cohorts._WRITERS.items()
    }
    assert written == WRITTEN_AS


def test_a_cohort_is_not_written_as_an_archive_of_the_other_kind(tmp_path):
    with pytest.raises(ValueError, match=r"expected inbreast or .* for digital phantoms, got cbis-ddsm"):
        cohorts.write(tmp_path, entry("digital", 1), SEED, archive="cbis-ddsm")


def test_the_same_patients_are_written_as_annotated_images(digital, tmp_path):
    record = cohorts.write(tmp_path, entry("digital", 6), SEED, threads=2, archive="annotated")
    counts = ("patients", "images", "mass_images", "masses", "contours")
    assert {name: record[name] for name in counts} == {name: digital[1][name] for name in counts}
    annotations = {"boxes": "annotations.json", "images": "images.csv", "masses": ["mass"]}
    index = annotated_loader.index(tmp_path, 2, annotations)
    other = inbreast_loader.index(digital[0], 2)
    excluded = index.excluded["reason"].value_counts()
    assert len(index.images) == record["images"] - excluded["other-findings"]
    assert (excluded["missing-file"], excluded["not-in-table"]) == (2, 1)
    assert len(index.lesions) == record["contours"]
    assert set(index.images["official_split"]) == {"train", "validation", "test"}
    pixels = {
        image.tobytes()
        for image in map(partial(inbreast_loader.read_image, digital[0]), other.images["path"])
    }
    read = partial(annotated_loader.read_image, tmp_path)
    assert {read(path).tobytes() for path in index.images["path"]} <= pixels


def test_masses_of_annotated_images_are_the_true_ones(tmp_path):
    cohorts.write(tmp_path, entry("digital", 6), SEED, archive="annotated")
    content = json.loads((tmp_path / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    masses = [each for each in content["annotations"] if each["category_id"] == 1]
    settings = patients.Settings.from_config(entry("digital", 6))
    seen = {"segmentation": 0, "bbox": 0}
    for index in range(6):
        patient = patients.draw(settings, SEED, index)
        for position, exposure in enumerate(patient.exposures):
            side, view = exposure.breast.side, exposure.breast.views[exposure.view]
            name = f"{patient.code}_{position}_{side}_{exposure.view}.png"
            written = [each for each in masses if names[each["image_id"]] == name]
            for contour, each in zip(view.contours, written, strict=True):
                mask, _ = coco_masks.draw(each, (settings.detector.rows, settings.detector.columns))
                truth = anatomy.mass_mask(contour, side, settings.detector)
                if "segmentation" in each:
                    assert np.count_nonzero(mask != truth) <= 0.02 * truth.sum()
                    seen["segmentation"] += 1
                else:
                    np.testing.assert_allclose(bounding_box(mask), bounding_box(truth), atol=1)
                    seen["bbox"] += 1
    assert min(seen.values()) > 0


def test_pictures_of_patients_are_not_overwritten(tmp_path):
    cohorts.write(tmp_path, entry("digital", 1), SEED, archive="annotated")
    cohorts.write(tmp_path, entry("digital", 1), SEED, archive="annotated")  # its own pictures are
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "mammograms" / "mine.png")
    with pytest.raises(ValueError, match=r"got one with other images \(mine\.png\)"):
        cohorts.write(tmp_path, entry("digital", 1), SEED)
    assert len(list((tmp_path / "mammograms").glob("*.png"))) > 2


def test_a_mass_shrinks_to_a_small_breast():
    settings = patients.Settings.from_config(entry("film", 1) | {"pixel_mm": 0.05})
    (mass,) = patients.draw(settings, SEED, 0).exposures[0].breast.masses
    assert mass.stratum == "small"
    assert mass.area_cm2 < 0.3


def test_a_field_too_small_for_any_mass_is_refused():
    settings = patients.Settings.from_config(entry("film", 1) | {"detector": [64, 64], "pixel_mm": 1e-6})
    with pytest.raises(ValueError, match="expected a detector that can hold a breast with masses"):
        patients.draw(settings, SEED, 0)


# The CBIS-DDSM release


def mass_rows(root):
    rows = []
    for name in film_release.TABLES.values():
        with open(root / name, newline="") as file:
            rows += (row for row in csv.DictReader(file) if row["patient_id"] != ODD_FILM)
    return rows


def objects(root):
    found = {}
    for file in dicom_files(root):
        dataset = pydicom.dcmread(file)
        assert dataset.PatientID == file.relative_to(root / "CBIS-DDSM").parts[0]
        found.setdefault(dataset.SeriesInstanceUID, []).append(dataset)
    return found


def test_film_tables_have_the_releases_columns_and_quirks(film):
    root, record = film
    rows = mass_rows(root)
    assert tuple(rows[0]) == film_release.COLUMNS
    assert len(rows) == record["contours"]
    assert {row["image view"] for row in rows} == {"CC", "MLO"}
    for row in rows:
        assert row["ROI mask file path"].endswith(".dcm\n")
        assert re.fullmatch(
            r"Mass-(Training|Test)_P_\d{5}_(LEFT|RIGHT)_(CC|MLO)/[\d.]+/[\d.]+/000000\.dcm",
            row["image file path"],
        )
    raw = (root / film_release.TABLES["Training"]).read_bytes()
    assert b'000001.dcm\n"\n' in raw or b'000000.dcm\n"\n' in raw
    assert b"\r" not in raw


def test_film_objects_hold_image_crop_and_mask_that_agree(film):
    root, record = film
    series = objects(root)
    for row in mass_rows(root):
        (full,) = series[row["image file path"].split("/")[2]]
        uids = {row[f"{kind} file path"].split("/")[2] for kind in ("cropped image", "ROI mask")}
        pair = sorted((one for uid in uids for one in series[uid]), key=lambda one: one.BitsAllocated)
        mask, crop = (one.pixel_array for one in pair)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
        if row["patient_id"] == "P_00004":
            assert mask.shape == tuple(round(n * 50 / 43.5) for n in DETECTOR) != full.pixel_array.shape
            continue
        assert mask.shape == full.pixel_array.shape
        y0, x0, y1, x1 = bounding_box(mask > 0)
        np.testing.assert_array_equal(full.pixel_array[y0:y1, x0:x1], crop)
    assert sum(len(one) for one in series.values()) == record["images"] + 2 * record["contours"]


def test_film_headers(film):
    root, _ = film
    for of_series in objects(root).values():
        for dataset in of_series:
            assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ImplicitVRLittleEndian
            assert dataset.SOPClassUID == pydicom.uid.SecondaryCaptureImageStorage
            assert dataset.Modality == "MG"
            assert "PixelSpacing" not in dataset
            assert "ImagerPixelSpacing" not in dataset
            if dataset.SeriesDescription == "full mammogram images":
                assert dataset.pixel_array.dtype == np.uint16
                assert dataset.pixel_array.min() > 0


def test_film_paths_follow_the_archives_tool(film):
    root, _ = film
    pattern = (
        r"CBIS-DDSM/Mass-(Training|Test)_P_\d{5}_(LEFT|RIGHT)_(CC|MLO)(_\d)?/"
        r"\d\d-\d\d-20\d\d-DDSM-NA-\d{5}/1\.000000-(full mammogram|cropped|ROI mask) images-\d{5}/1-[12]\.dcm"
    )
    for file in dicom_files(root):
        assert re.fullmatch(pattern, file.relative_to(root).as_posix())


def test_some_series_hold_the_mask_where_the_table_has_the_crop(film):
    root, _ = film
    series = objects(root)
    kinds = []
    for row in mass_rows(root):
        crop, mask = (row[f"{kind} file path"].split("/") for kind in ("cropped image", "ROI mask"))
        (named_crop,) = (one for one in series[crop[2]] if one.InstanceNumber == int(crop[3][:6]) + 1)
        together = crop[2] == mask[2]
        kinds.append((together, named_crop.BitsAllocated == 16))
    assert {(True, True), (True, False)} <= set(kinds)
    assert (False, False) not in kinds


def test_both_official_parts_hold_patients(film):
    root, _ = film
    parts = [{row[0] for row in csv.reader(open_text(root / name))} for name in film_release.TABLES.values()]
    train, test = (part - {"patient_id", ODD_FILM} for part in parts)
    assert len(train) + len(test) == 16
    assert len(test) in (3, 4)
    assert not train & test


def test_the_loader_finds_the_film_cohort_and_leaves_the_rest_out(film):
    root, record = film
    index = cbis_ddsm_loader.index(root, threads=1)
    assert len(index.images) == record["images"]
    assert len(index.lesions) == record["contours"]
    excluded = index.excluded.set_index("path")["reason"]
    odd = [path for path in excluded.index if ODD_FILM in path]
    assert len(odd) == len(excluded)
    assert {path.split("/")[1].split("-")[0] for path in odd} == {"Mass", "Calc"}
    of_masses = excluded[excluded.index.str.contains("/Mass-")]
    assert set(of_masses) == {"mask-constant", "lesion-excluded"}
    assert index.reconciliation.set_index("quantity").loc["files that are plainly not images", "found"] == 4


def test_masks_of_another_digitiser_are_flagged_and_give_the_same_region(film):
    root, _ = film
    index = cbis_ddsm_loader.index(root, threads=1)
    resized = index.images[index.images["flags"] == "mask-resized"]
    assert set(resized["patient_id"]) == {"P_00004"}
    settings = patients.Settings.from_config(entry("film", 16))
    exposures_of_patient = patients.draw(settings, SEED, 3).exposures
    checked = 0
    for exposure in exposures_of_patient:
        image_id = resized["image_id"][resized["view"] == exposure.view].item()
        lesions = index.lesions[index.lesions["image_id"] == image_id]
        contours = exposure.breast.views[exposure.view].contours
        for source, contour in zip(lesions["source"], contours, strict=True):
            found = cbis_ddsm_loader.lesion_mask(root, source, tuple(DETECTOR))
            truth = anatomy.mass_mask(contour, exposure.breast.side, settings.detector)
            np.testing.assert_array_equal(found, truth)
            checked += 1
    assert checked >= 2


def test_film_tables_have_gaps(film):
    root, _ = film
    rows = mass_rows(root)
    without_one = {row["patient_id"] for row in rows} - {
        row["patient_id"] for row in rows if row["abnormality id"] == "1"
    }
    assert without_one == {"P_00002"}
    assert {row["patient_id"] for row in rows if not row["mass shape"]} == {"P_00003"}


def open_text(path):
    return io.StringIO(path.read_bytes().decode(), newline="")


# The INbreast release


def test_digital_table(digital):
    root, record = digital
    raw = (root / "INbreast.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == record["images"] + 1 + 2
    with open(root / "INbreast.csv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))[2:]
    assert len(rows[0]) == 8
    files = {file.name.split("_")[0]: file for file in dicom_files(root)}
    assert {row["File Name"] for row in rows} == set(files)
    for row in rows:
        view = {"CC": "CC", "MLO": "ML", "FB": "FB"}[row["View"]]
        assert re.fullmatch(
            rf"\d{{8}}_[0-9a-f]{{16}}_MG_{row['Laterality']}_{view}_ANON\.dcm", files[row["File Name"]].name
        )
        assert (root / "AllXML" / f"{row['File Name']}.xml").exists() == (row["Bi-Rads"] != "1")
    assert len({row["Acquisition date"] for row in rows}) > 1


def test_digital_headers_and_background(digital):
    root, _ = digital
    settings = patients.Settings.from_config(entry("digital", 6))
    truth = {}
    for index in range(6):
        patient = patients.draw(settings, SEED, index)
        for position, exposure in enumerate(patient.exposures):
            view, side = exposure.breast.views[exposure.view], exposure.breast.side
            truth[20_000_000 + 16 * index + position] = anatomy.breast_mask(view, side, settings.detector)
    for file in dicom_files(root):
        dataset = pydicom.dcmread(file)
        assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert dataset.PixelSpacing == dataset.ImagerPixelSpacing == [PIXEL_MM, PIXEL_MM]
        assert dataset.PhotometricInterpretation == "MONOCHROME2"
        assert dataset.PresentationIntentType == "FOR PRESENTATION"
        pixels = dataset.pixel_array
        assert pixels.max() < 2**dataset.BitsStored
        np.testing.assert_array_equal(pixels > 0, truth[int(file.name.split("_")[0])])


def test_digital_annotations_are_the_masses(digital):
    root, record = digital
    contours, overlapping = 0, 0
    for file in (root / "AllXML").iterdir():
        if int(file.stem) > int(ODD_DIGITAL):
            continue
        content = file.read_bytes()
        assert b"<!DOCTYPE plist" in content
        (image,) = plistlib.loads(content, fmt=plistlib.FMT_XML)["Images"]
        assert image["NumberOfROIs"] == len(image["ROIs"])
        boxes = []
        for region in image["ROIs"]:
            assert region["NumberOfPoints"] == len(region["Point_px"]) == len(region["Point_mm"])
            if region["Name"] == "Mass":
                points = np.array(
                    [[float(n) for n in text.strip("()").split(",")] for text in region["Point_px"]]
                )
                mask = polygon2mask(tuple(DETECTOR), points[:, ::-1])
                (dicom,) = (root / "AllDICOMs").glob(f"{file.stem}_*")
                assert (pydicom.dcmread(dicom).pixel_array[mask] > 0).all()
                boxes.append((points.min(axis=0), points.max(axis=0)))
        contours += len(boxes)
        if len(boxes) == 2:
            (low, high), (other_low, other_high) = boxes
            overlapping += bool(np.all((low < other_high) & (other_low < high)))
    assert contours == record["contours"]
    assert overlapping >= 1


def test_record(digital):
    root, record = digital
    assert json.loads((root / cohorts.RECORD).read_text()) == record
    assert record["seed"] == SEED
    assert record["patients"] == 6
    assert record["images"] == len(dicom_files(root))
    assert len(record["sha256"]) == 64


def test_the_loader_finds_the_digital_cohort_and_leaves_the_rest_out(digital):
    root, record = digital
    index = inbreast_loader.index(root, threads=1)
    assert len(index.images) == record["images"]
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["contours"] == record["contours"]
    assert found["files that are plainly not images"] == 4
    excluded = {path.split("/")[-1][:8]: reason for path, reason in index.excluded.values[:, :2]}
    reasons = sorted(index.excluded["reason"])
    assert reasons == ["missing-file", "missing-image", "missing-xml"]
    assert set(excluded) == {ODD_DIGITAL, str(int(ODD_DIGITAL) + 1)}
    from_below = index.images[index.images["view"] == "FB"]
    assert from_below["image_id"].tolist() == ["20000016"]
