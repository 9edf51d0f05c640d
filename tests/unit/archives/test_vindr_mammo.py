import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vindr_mammo_forms as forms
from releases_by_hand import dicom_file, half_ellipse, recompress
from vindr_mammo_forms import finding

from mammoflow.archives import vindr_mammo
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded

JPEG_2000_LOSSLESS = 14  # of gdcm.TransferSyntax
BOX = (4.25, 10.5, 12.0, 20.75)
IMAGES_TABLE, FINDINGS_TABLE = forms.NAMES.values()


def index(root):
    return vindr_mammo.index(root, threads=1)


def reasons(found):
    return found.excluded.set_index("path")["reason"].to_dict()


def counts(found):
    return found.reconciliation.set_index("quantity")["found"]


@pytest.fixture
def images():
    """Three studies: masses, another finding in one view, nothing."""
    first, second, third = (forms.study(number) for number in range(3))
    first[0].findings = [
        finding(["Mass"], BOX, "BI-RADS 4"),
        finding(["Suspicious Calcification", "Mass"], (14.0, 3.0, 20.5, 9.0), ""),
        finding(["Skin Thickening"], (0, 0, 5, 5), "BI-RADS 3"),
    ]
    second[2].findings = [finding(["Focal Asymmetry"], BOX)]
    for image in (*first[:2], *second[2:]):
        image.birads = "BI-RADS 4"
    for image in third:
        image.split = "test"
    return [*first, *second, *third]


def test_index(tmp_path, images):
    forms.write(tmp_path, images, ImagerPixelSpacing=[0.1, 0.1])
    found = vindr_mammo.index(tmp_path, threads=2)
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(found, table.name))
    rows = found.images.set_index("image_id")
    assert set(rows.index) == {image.image_id for image in images} - {images[6].image_id}
    for image in (image for image in images if image.image_id in rows.index):
        assert rows.loc[image.image_id].to_dict() == {
            "patient_id": image.study,
            "laterality": image.side,
            "view": image.view,
            "official_split": {"training": "train", "test": "test"}[image.split],
            "path": image.path,
            "rows": 40,
            "columns": 32,
            "spacing_mm": 0.1,
            "spacing_source": "ImagerPixelSpacing",
            "flags": "suspicious-breast" if image in (images[1], images[7]) else "",
        }
    assert found.lesions[["image_id", "y0", "x0", "y1", "x1", "pathology"]].values.tolist() == [
        [images[0].image_id, 10, 4, 21, 12, "BI-RADS 4"],
        [images[0].image_id, 3, 14, 9, 21, ""],
    ]
    assert found.lesions["area_px"].tolist() == [11 * 8, 6 * 7]
    assert found.lesions["area_cm2"].tolist() == pytest.approx([88 * 1e-4, 42 * 1e-4])
    assert reasons(found) == {images[6].path: "other-findings", f"{FINDINGS_TABLE}:10": "image-excluded"}
    assert found.excluded["detail"].tolist()[1] == "the image has findings, none of them a mass"
    expected = {
        **{"studies": 3, "training studies": 2, "test studies": 1, "studies with masses": 1},
        **{"images": 12, "images with masses": 1, "images without findings": 10},
        **{"images with other findings only": 1, "masses": 2, "training masses": 2, "test masses": 0},
        **{"findings": 4, "findings of several categories": 1, "findings: Mass": 2},
        **{"findings: Suspicious Calcification": 1, "findings: Focal Asymmetry": 1},
        **{"images without findings in breasts of BI-RADS 3 to 5": 2},
        **{"files used": 13, "files and rows excluded": 2, "files that are plainly not images": 0},
    }
    assert counts(found)[list(expected)].to_dict() == expected


def test_a_mass_is_the_pixels_that_its_box_touches(tmp_path, images):
    forms.write(tmp_path, images)
    lesion = index(tmp_path).lesions.iloc[0]
    mask = vindr_mammo.lesion_mask(tmp_path, lesion["source"], (40, 32))
    expected = np.zeros((40, 32), bool)
    expected[10:21, 4:12] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-3.5, 10, 6, 20), (10, 0, 20, 6)),
        ((20, 30.5, 73, 81), (30, 20, 40, 32)),
        ((-41, -41, 300, 300), (0, 0, 40, 32)),
    ],
)
def test_a_box_that_leaves_the_image_is_clipped_and_flagged(tmp_path, images, box, clipped):
    images[0].findings = [finding(["Mass"], box)]
    forms.write(tmp_path, images)
    found = index(tmp_path)
    assert tuple(found.lesions.loc[0, ["y0", "x0", "y1", "x1"]]) == clipped
    flags = found.images.set_index("image_id")["flags"]
    assert flags[images[0].image_id] == "box-clipped"
    assert not flags.drop(images[0].image_id).str.contains("clipped").any()


def test_a_box_at_the_border_is_not_clipped(tmp_path, images):
    images[0].findings = [finding(["Mass"], (0, 0, 32, 40))]
    forms.write(tmp_path, images)
    found = index(tmp_path)
    assert found.lesions.loc[0, "area_px"] == 40 * 32
    assert not found.images["flags"].str.contains("clipped").any()


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((-9, 10, -1, 20), "contour-outside"),
        ((10, 40, 20, 45), "contour-outside"),
        ((), "lesion-without-coordinates"),
        ((12.0, 10, 4.25, 20), "bad-row"),
        ((4, 10, 4, 20), "bad-row"),
        ((4, 10, "", 20), "bad-row"),
        ((4, 10, "nan", 20), "bad-row"),
        ((4, 10, "inf", 20), "bad-row"),
        ((4, 10, "1e9", 20), "bad-row"),
        ((4, 10, "9" * 400, 20), "bad-row"),
        ((4, 10, "__import__('os')", 20), "bad-row"),
    ],
)
def test_an_image_with_a_mass_that_cannot_be_used_is_left_out(tmp_path, images, box, reason):
    images[0].findings[1] = finding(["Mass"], box)
    forms.write(tmp_path, images)
    found = index(tmp_path)
    assert found.lesions.empty
    assert (
        reasons(found).items()
        >= {
            images[0].path: "lesion-excluded",
            f"{FINDINGS_TABLE}:2": "image-excluded",
            f"{FINDINGS_TABLE}:3": reason,
            f"{FINDINGS_TABLE}:4": "image-excluded",
        }.items()
    )
    assert counts(found)["images with masses"] == counts(found)["findings: Mass"] == 0


@pytest.mark.parametrize(
    "categories",
    [
        "",
        "Mass",
        "['Mass'",
        "('Mass',)",
        "{'Mass'}",
        "'Mass'",
        "[['Mass']]",
        "['Mass', 4]",
        "[]",
        "['mass']",
        "['Mass ']",
        "['Mass', 'No Finding']",
        "['Mass'] * 3",
        "['Mass' for _ in range(3)]",
        "[__import__('os').getcwd()]",
        "[" * 400 + "]" * 400,
        "[" * 5000,
        "['" + "M" * 5000 + "']",
        "['Mass\\\n']",
        "['\\d']",
        "['Mass\0']",
    ],
)
def test_categories_that_are_no_list_of_the_releases_texts_leave_the_image_out(tmp_path, images, categories):
    images[0].findings[1] = (categories, *images[0].findings[1][1:])
    forms.write(tmp_path, images)
    found = index(tmp_path)
    assert reasons(found)[images[0].path] == reasons(found)[f"{FINDINGS_TABLE}:3"] == "bad-row"
    assert images[0].image_id not in set(found.images["image_id"])
    said = found.excluded["detail"][found.excluded["path"] == f"{FINDINGS_TABLE}:3"].item()
    assert len(said) < 100
    assert "import" not in said


@pytest.mark.parametrize(
    "categories", ['["Mass"]', "[ 'Mass' ]", "['Mass','Mass']", "['Suspicious Calcification',\n 'Mass']"]
)
def test_the_list_may_be_written_otherwise(tmp_path, images, categories):
    images[0].findings[0] = (categories, *images[0].findings[0][1:])
    forms.write(tmp_path, images)
    found = index(tmp_path)
    assert len(found.lesions) == 2
    assert counts(found)["findings: Mass"] == 2


@pytest.mark.parametrize("birads", ["", "BI-RADS 9", "4", "a name"])
def test_another_word_is_no_pathology(tmp_path, images, birads):
    images[0].findings[0] = finding(["Mass"], BOX, birads)
    forms.write(tmp_path, images)
    assert index(tmp_path).lesions["pathology"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        ([forms.NONE, finding(["Mass"], BOX)], "bad-row"),
        ([("['No Finding']", "", *BOX)], "bad-row"),
        ([finding(["Asymmetry"], BOX), finding(["Skin Thickening"])], "other-findings"),
    ],
)
def test_findings_that_leave_an_image_out(tmp_path, images, findings, reason):
    images[1].findings = findings
    forms.write(tmp_path, images)
    assert reasons(index(tmp_path))[images[1].path] == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"side": "B"}, "bad-row"),
        ({"view": "ML"}, "bad-row"),
        ({"split": "validation"}, "bad-row"),
        ({"study": "1"}, "bad-row"),
        ({"study": forms.identifier("another")}, "bad-row"),
        ({"size": (40, -32)}, "bad-row"),
        ({"size": (40, "")}, "bad-row"),
        ({"size": (400, 320)}, "image-size"),
        ({"size": (32, 40)}, "image-size"),
    ],
)
def test_what_the_tables_say_of_an_image_must_be_understood_and_fit_its_file(
    tmp_path, images, change, reason
):
    forms.write(tmp_path, images)
    forms.write_tables(tmp_path, [replace(images[0], **change), *images[1:]])
    found = index(tmp_path)
    assert reasons(found)[images[0].path] == reason
    assert reasons(found)[f"{FINDINGS_TABLE}:2"] == "image-excluded"
    assert found.lesions.empty


def test_tables_that_disagree_leave_the_image_out(tmp_path, images):
    forms.write(tmp_path, images)
    table = tmp_path / FINDINGS_TABLE
    lines = table.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace(",L,CC,", ",R,CC,")
    table.write_text("".join(lines))
    assert reasons(index(tmp_path))[images[0].path] == "bad-row"


def test_no_row_and_no_file_is_forgotten(tmp_path, images):
    forms.write(tmp_path, images)
    stranger = forms.study(9)[0]
    dicom_file(tmp_path / stranger.path, half_ellipse((40, 32)))
    dicom_file(tmp_path / "images/other.dicom", half_ellipse((40, 32)))
    (tmp_path / images[0].path).unlink()
    (tmp_path / images[1].path).unlink()
    (tmp_path / images[2].path).write_text("no DICOM")
    for name in ("LICENSE.txt", "SHA256SUMS.txt", "metadata.csv"):
        (tmp_path / name).write_text("text")
    table = tmp_path / FINDINGS_TABLE
    unknown = replace(forms.study(8)[0], findings=[finding(["Mass"], BOX)])
    lines = table.read_text().splitlines()
    forms.write_tables(tmp_path / "images", [unknown])
    more = (tmp_path / "images" / FINDINGS_TABLE).read_text().splitlines()[1]
    for name in forms.NAMES.values():
        (tmp_path / "images" / name).unlink()
    table.write_text("\n".join([*lines, more, lines[-1]]) + "\n")
    found = index(tmp_path)
    assert reasons(found) == {
        stranger.path: "not-in-table",
        "images/other.dicom": "name",
        f"{IMAGES_TABLE}:2": "missing-file",
        f"{IMAGES_TABLE}:3": "missing-file",
        **{f"{FINDINGS_TABLE}:{row}": "image-excluded" for row in (2, 3, 4, 10)},
        images[2].path: "not-dicom",
        images[6].path: "other-findings",
        f"{FINDINGS_TABLE}:16": "missing-image",
        f"{FINDINGS_TABLE}:17": "duplicate",
    }
    on_disk = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    used = {*found.images["path"], *forms.NAMES.values()}
    plain = {"LICENSE.txt", "SHA256SUMS.txt", "metadata.csv"}
    assert on_disk == used | plain | (set(found.excluded["path"]) & on_disk)
    assert counts(found)["files used"] == len(used)
    assert counts(found)["files that are plainly not images"] == len(plain)


def test_copies_of_an_image_are_listed_and_two_files_of_one_name_are_left_out(tmp_path, images):
    forms.write(tmp_path, images)
    for image in images[:2]:
        (tmp_path / "more" / image.study).mkdir(parents=True, exist_ok=True)
    copy, other = (tmp_path / "more" / image.path.removeprefix("images/") for image in images[:2])
    copy.write_bytes((tmp_path / images[0].path).read_bytes())
    other.write_bytes((tmp_path / images[0].path).read_bytes())
    found = index(tmp_path)
    assert images[0].image_id in set(found.images["image_id"])
    assert images[1].image_id not in set(found.images["image_id"])
    listed = reasons(found)
    paths = [copy, other, tmp_path / images[1].path]
    assert {listed[path.relative_to(tmp_path).as_posix()] for path in paths} == {"duplicate"}


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Modality": "CT"}, "not-mammography"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing"),
        ({"NumberOfFrames": 3}, "several-frames"),
    ],
)
def test_an_object_that_is_no_mammogram_is_left_out(tmp_path, images, elements, reason):
    forms.write(tmp_path, images)
    dicom_file(tmp_path / images[0].path, half_ellipse((40, 32)), **elements)
    found = index(tmp_path)
    assert reasons(found)[images[0].path] == reason
    assert reasons(found)[f"{FINDINGS_TABLE}:2"] == "image-excluded"


def test_headers_that_mammograms_have(tmp_path, images):
    forms.write(tmp_path, images)
    pixels = half_ellipse((40, 32))
    padded = {"PixelPaddingValue": 0, "WindowCenter": [2000, 1000], "WindowWidth": [4000, 2000]}
    dicom_file(tmp_path / images[0].path, pixels, ImageLaterality="R", **padded)
    inverted = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    dicom_file(tmp_path / images[1].path, 4095 - pixels, SOPInstanceUID=images[1].image_id, **inverted)
    recompress(tmp_path / images[0].path, tmp_path / images[2].path, JPEG_2000_LOSSLESS)
    (tmp_path / images[3].path).rename((tmp_path / images[3].path).with_suffix(".DCM"))
    found = index(tmp_path)
    rows = found.images.set_index("image_id")
    for image in images[:4]:
        read = vindr_mammo.read_image(tmp_path, rows.loc[image.image_id, "path"])
        np.testing.assert_array_equal(read, pixels)
    assert rows.loc[images[0].image_id, "flags"] == "laterality-header"
    assert pd.isna(rows["spacing_mm"]).all()
    assert found.lesions["area_cm2"].isna().all()


def test_studies_of_several_sizes_and_series(tmp_path):
    images = forms.study()
    images[3].size = (44, 36)
    images[3].series = images[2].series = forms.identifier("second series")
    images[1].view = "CC"
    forms.write(tmp_path, images)
    found = index(tmp_path)
    assert sorted(found.images["rows"]) == [40, 40, 40, 44]
    assert found.images["patient_id"].unique().tolist() == [images[0].study]
    assert sorted(found.images["view"]) == ["CC", "CC", "CC", "MLO"]


@pytest.mark.parametrize("folder", ["vindr-mammo-1.0.0", "files/1.0.0"])
def test_tables_lie_up_to_two_folders_below(tmp_path, images, folder):
    (tmp_path / folder).mkdir(parents=True)
    forms.write(tmp_path / folder, images)
    assert len(index(tmp_path).images) == 11


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_tables_saved_by_another_program_say_the_same(tmp_path, images, separator):
    forms.write(tmp_path, images)
    expected = index(tmp_path)
    for name in forms.NAMES.values():
        frame = pd.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
        edges = [column for column in frame if column[1:] in ("min", "max")]
        frame[edges] = frame[edges].apply(lambda column: column.str.replace(".", ",", regex=False))
        text = frame[frame.columns[::-1]].to_csv(sep=separator, index=False, lineterminator="\r\n")
        (tmp_path / name).write_bytes(text.encode("utf-16"))
    found = index(tmp_path)
    for name in ("images", "lesions", "excluded"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))


def test_a_root_without_what_is_needed_is_refused_in_one_sentence(tmp_path, images):
    with pytest.raises(
        ValueError, match=rf"expected {IMAGES_TABLE} there or up to 2 folders below, found none$"
    ):
        index(tmp_path)
    forms.write_tables(tmp_path, images)
    with pytest.raises(ValueError, match=r"expected DICOM files of VinDr-Mammo, found 2 \.csv files$"):
        index(tmp_path)
    for image in forms.study(7):
        dicom_file(tmp_path / image.path, half_ellipse((40, 32)))
    with pytest.raises(
        ValueError, match=r"expected the rows of the 4 images under .*, found rows of 12 others$"
    ):
        index(tmp_path)
    (tmp_path / FINDINGS_TABLE).write_text("image_id,finding_categories\n")
    with pytest.raises(
        ValueError, match=r"expected the columns of a VinDr-Mammo table, .*missing \['study_id'"
    ):
        index(tmp_path)


def test_derived_copies_with_smaller_pictures_say_what_does_not_fit(tmp_path, images):
    forms.write(tmp_path, images)
    for image in images:
        dicom_file(tmp_path / image.path, half_ellipse((20, 16)))
    with pytest.raises(
        ValueError, match=r"found none: 11 × image-size \(the table gives the image another size"
    ):
        index(tmp_path)


def test_no_path_leaves_the_root(tmp_path, images):
    (tmp_path / "release").mkdir()
    forms.write(tmp_path / "release", images)
    path = tmp_path / "release" / images[0].path
    path.rename(tmp_path / "elsewhere.dicom")
    path.symlink_to(tmp_path / "elsewhere.dicom")
    assert reasons(index(tmp_path / "release"))[images[0].path] == "outside-root"
    with pytest.raises(Excluded, match="outside-root"):
        vindr_mammo.read_image(tmp_path / "release", "../elsewhere.dicom")


def test_a_file_that_cannot_be_read_is_listed(tmp_path, images):
    forms.write(tmp_path, images)
    path = tmp_path / images[0].path
    os.truncate(path, path.stat().st_size - 100)
    assert reasons(index(tmp_path))[images[0].path] == "truncated"
