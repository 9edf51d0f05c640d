import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammoflow.archives import mini_mias
from mammoflow.base.contracts.index import EXCLUDED, IMAGES, LESIONS, RECONCILIATION
from mammoflow.base.exclusions import Excluded

INFO = """MIAS MiniMammographic Database: a line of prose
mdb001 G CIRC B 10 5 3
mdb002 D NORM
mdb003 F SPIC M 8 30 4
mdb003 F MISC B 20 20 2
mdb004 G CALC B 12 12 6
mdb005 F CIRC B
mdb006 F CALC M *NOTE 3*
mdb007 G NORM
mdb008 G CIRC B 10 5 3
mdb010 G CIRC B 10 5 3
mdb010 F SPIC M
mdb011 G CIRC B 10 5 3
mdb011 G LUMP M 8 30 4
mdb012 F CIRC B 10 5 3000000
mdb013 G SPIC M *NOTE 3*
mdb014 D ASYM B 10 5 3
mdb014 D ARCH M 10 5 3
mdb014 D MISC B 10 36 2
mdb015 F CIRC B 900 5 3
"""


def pgm(path, pixels, comment=b""):
    rows, columns = pixels.shape
    path.write_bytes(
        b"P5\n" + comment + b"%d %d\n255\n" % (columns, rows) + pixels.astype(np.uint8).tobytes()
    )


@pytest.fixture
def root(tmp_path):
    for number in (1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15):
        pgm(tmp_path / f"mdb{number:03}.pgm", np.full((40, 32), number))
    (tmp_path / "mdb008.pgm").write_bytes(b"P5\n32 40\n255\n short")
    (tmp_path / "Info.txt").write_text(INFO)
    (tmp_path / "README").write_text("about")
    (tmp_path / "other.pgm").write_bytes(b"P5")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._mdb001.pgm").write_bytes(b"x")
    return tmp_path


def test_index(root):
    index = mini_mias.index(root, threads=2)
    for table in (IMAGES, LESIONS, EXCLUDED, RECONCILIATION):
        table.check(getattr(index, table.name))
    images = index.images.set_index("image_id")
    assert list(images.index) == ["mdb001", "mdb002", "mdb003", "mdb004", "mdb006", "mdb014"]
    assert images["laterality"].tolist() == ["R", "L", "R", "L", "L", "L"]
    assert images["patient_id"].tolist() == [f"pair-{pair:03}" for pair in (1, 1, 2, 2, 3, 7)]
    assert images.loc["mdb014", "flags"] == "other-abnormality-ARCH;other-abnormality-ASYM"
    assert images.loc["mdb004", "flags"] == images.loc["mdb006", "flags"] == "other-abnormality-CALC"
    assert set(images["view"]) == {"MLO"}
    assert set(images["spacing_mm"]) == {0.2}
    excluded = index.excluded.set_index("path")["reason"].to_dict()
    assert excluded == {
        "mdb005.pgm": "lesion-without-coordinates",
        "mdb007.pgm": "missing-file",
        "mdb008.pgm": "truncated",
        "mdb009.pgm": "not-in-table",
        "mdb010.pgm": "lesion-without-coordinates",
        "mdb011.pgm": "bad-row",
        "mdb012.pgm": "lesion-without-coordinates",
        "mdb013.pgm": "lesion-without-coordinates",
        "mdb015.pgm": "contour-outside",
        "other.pgm": "name",
    }
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["images with masses"] == 3
    assert found["images with other abnormalities"] == 3
    assert found["lesions"] == 4
    assert found["files that are plainly not images"] == 2
    assert index.reconciliation["paper"].isna().all()


def test_the_y_axis_starts_at_the_bottom(root):
    lesion = mini_mias.index(root, threads=1).lesions.iloc[0]
    assert lesion[["y0", "x0", "y1", "x1"]].tolist() == [31, 7, 38, 14]
    assert lesion["area_cm2"] == pytest.approx(lesion["area_px"] * 0.0004)
    mask = mini_mias.lesion_mask(root, lesion["source"], (40, 32))
    assert np.count_nonzero(mask) == lesion["area_px"]
    assert mask[34, 10]
    assert mask[31, 10]
    assert not mask[30, 10]


def test_several_rows_of_one_image_are_several_lesions(root):
    lesions = mini_mias.index(root, threads=1).lesions
    of_third = lesions[lesions["image_id"] == "mdb003"]
    assert of_third["lesion_id"].tolist() == ["mdb003_1", "mdb003_2"]
    assert of_third["pathology"].tolist() == ["MALIGNANT", "BENIGN"]


def test_copies_of_a_film_are_listed_and_two_films_of_one_name_are_left_out(root):
    expected = mini_mias.index(root, threads=1)
    (root / "more").mkdir()
    (root / "more" / "mdb001.pgm").write_bytes((root / "mdb001.pgm").read_bytes())
    (root / "more" / "mdb002.pgm").write_bytes((root / "mdb001.pgm").read_bytes())
    index = mini_mias.index(root, threads=1)
    assert set(expected.images["image_id"]) - set(index.images["image_id"]) == {"mdb002"}
    added = set(index.excluded["path"]) - set(expected.excluded["path"])
    assert added == {"more/mdb001.pgm", "mdb002.pgm", "more/mdb002.pgm"}
    assert set(index.excluded.set_index("path").loc[list(added), "reason"]) == {"duplicate"}


def test_every_film_is_accounted_for(root):
    index = mini_mias.index(root, threads=1)
    on_disk = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    used, excluded = {*index.images["path"], "Info.txt"}, set(index.excluded["path"])
    assert not used & excluded
    assert on_disk - used - excluded == {"README", "__MACOSX/._mdb001.pgm"}
    found = index.reconciliation.set_index("quantity")["found"]
    assert found["files used"] == len(used)
    assert found["files and rows excluded"] == len(index.excluded) == len(excluded)


def test_read_image(tmp_path):
    pixels = np.arange(12).reshape(3, 4)
    pgm(tmp_path / "a.pgm", pixels, comment=b"# by hand\n")
    image = mini_mias.read_image(tmp_path, "a.pgm")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"P2\n1 1\n255\n0", "unreadable"),
        (b"P5\n0 1\n255\n0", "unreadable"),
        (b"P5\n99999 99999\n255\n0", "too-many-pixels"),
        (b"P5\n" + b"9" * 5000 + b" 1\n255\n0", "unreadable"),
        (b"P5\n2 2\n255\n000", "truncated"),
        (b"", "unreadable"),
    ],
)
def test_broken_images(tmp_path, content, reason):
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(Excluded, match=reason):
        mini_mias.read_image(tmp_path, "a.pgm")


@pytest.mark.parametrize("start", [b"P5 ", b"P5\n1 ", b"P5\n1 1 "])
def test_a_header_of_comments_only_takes_no_time(tmp_path, start):
    (tmp_path / "a.pgm").write_bytes(start + b"# " * 200_000)
    begun = time.process_time()
    with pytest.raises(Excluded, match="unreadable"):
        mini_mias.read_image(tmp_path, "a.pgm")
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("header", [b"P5#a\n#b 7\n4 #c\n\n3\n# 9 9\n255\n", b"P5 4\t3\r\n255 "])
def test_comments_and_gaps_of_any_kind(tmp_path, header):
    (tmp_path / "a.pgm").write_bytes(header + bytes(range(12)))
    np.testing.assert_array_equal(mini_mias.read_image(tmp_path, "a.pgm"), np.arange(12).reshape(3, 4))


def test_no_path_leaves_the_root(root):
    with pytest.raises(Excluded, match="outside-root"):
        mini_mias.read_image(root / "__MACOSX", "../mdb001.pgm")


def test_nothing_usable(tmp_path):
    with pytest.raises(ValueError, match=r"expected Info\.txt there or .*, found none"):
        mini_mias.index(tmp_path, threads=1)
    (tmp_path / "Info.txt").write_text(INFO)
    with pytest.raises(ValueError, match=r": expected PGM files of mini-MIAS, found 1 \.txt file$"):
        mini_mias.index(tmp_path, threads=1)
    (tmp_path / "mdb001.pgm").write_bytes(b"P6")
    (tmp_path / "mdb7.pgm").write_bytes(b"P5")
    (tmp_path / "films").symlink_to(tmp_path)
    with pytest.raises(
        ValueError,
        match=r"expected at least one usable image, found none: 13 × missing-file \(a table names .*\), "
        r"1 × name \(.*\), 'films', but symbolic links are not followed",
    ):
        mini_mias.index(tmp_path, threads=1)
    with pytest.raises(ValueError, match="expected the folder of a release"):
        mini_mias.index(tmp_path / "nowhere", threads=1)


def test_a_row_that_is_there_twice_is_one_mass(root):
    (root / "Info.txt").write_text("mdb001 G CIRC B 10 5 3\nmdb001 G CIRC B 10 5 3\nmdb002 D NORM\n")
    index = mini_mias.index(root, threads=1)
    assert index.lesions["lesion_id"].tolist() == ["mdb001_1"]
    assert index.excluded.set_index("path")["reason"]["Info.txt:2"] == "duplicate"


def test_only_the_pixels_of_a_film_are_read(root):
    pgm(root / "mdb001.pgm", np.full((40, 32), 1))
    os.truncate(root / "mdb001.pgm", 2**40)  # sparse: more than any memory
    assert (mini_mias.read_image(root, "mdb001.pgm") == 1).all()


def test_a_film_that_cannot_be_read_is_listed(root, monkeypatch):
    real = Path.open

    def opened(path, *args, **kwargs):
        if path.name == "mdb001.pgm":
            raise PermissionError(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", opened)
    excluded = mini_mias.index(root, threads=1).excluded.set_index("path")
    assert excluded.loc["mdb001.pgm", "reason"] == "unreadable"
    assert "mdb001" not in excluded.loc["mdb001.pgm", "detail"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [" ", ",", ";", "\t"])
def test_a_table_saved_by_another_program_says_the_same(root, separator, encoding):
    expected = mini_mias.index(root, threads=1)
    text = INFO.replace(" ", separator).replace("\n", f"{separator * 2}\r\n")
    (root / "Info.txt").write_bytes(text.encode(encoding))
    index = mini_mias.index(root, threads=1)
    for name in ("images", "lesions", "excluded"):
        pd.testing.assert_frame_equal(getattr(index, name), getattr(expected, name))


def test_a_table_without_a_row_is_refused_in_one_sentence(root):
    (root / "Info.txt").write_text("mdb1: a spiculated mass\n")
    with pytest.raises(ValueError, match=r"Info\.txt: expected rows such as 'mdb001 .*', found none$"):
        mini_mias.index(root, threads=1)
