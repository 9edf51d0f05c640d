import csv
import io
import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mammoflow.base import user_tables
from mammoflow.base.contracts.detections import EXTERNAL
from mammoflow.base.contracts.splits import SPLITS

REAL = Path(__file__).parents[2] / "data" / "cbis-ddsm"
COLUMNS = ("patient_id", "left or right breast", "path")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")

separators = st.sampled_from(sorted(user_tables.SEPARATORS))
newlines = st.sampled_from(["\n", "\r\n", "\r"])
cells = st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]) | st.sampled_from("\n,;|\t\"' é"))


def text_of(rows, separator, newline):
    written = io.StringIO()
    csv.writer(written, delimiter=separator, lineterminator=newline).writerows(rows)
    return written.getvalue()


def encoded(text, encoding):
    """Bytes of a text; None where they could be UTF-8 as well as Windows-1252."""
    content = text.encode(encoding)
    if encoding == "cp1252" and not text.isascii():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            return content
        return None
    return content


@given(
    rows=st.lists(st.tuples(cells, cells, cells), max_size=4),
    separator=separators,
    newline=newlines,
    encoding=st.sampled_from(ENCODINGS),
)
@example(rows=[("a", "b;c", "d,e"), ("é", 'f"g', "h\ti")], separator=";", newline="\n", encoding="cp1252")
def test_a_table_is_read_equal_in_every_separator_and_encoding(
    tmp_path_factory, rows, separator, newline, encoding
):
    path = tmp_path_factory.mktemp("t") / "table.csv"
    content = encoded(text_of([COLUMNS, *rows], separator, newline), encoding)
    if content is None:
        return
    path.write_bytes(content)
    while rows and not any(map(str.strip, rows[-1])):
        rows.pop()
    frame = user_tables.read(path, COLUMNS, "a table")
    assert tuple(frame.columns) == COLUMNS
    assert list(frame.itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", user_tables.SEPARATORS)
@pytest.mark.parametrize("name", sorted(path.name for path in REAL.glob("*_case_description_*.csv")))
def test_the_real_tables_are_read_equal(tmp_path, name, separator, encoding):
    with (REAL / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    path = tmp_path / name
    path.write_bytes(text_of(rows, separator, "\r\n").encode(encoding))
    expected = user_tables.read(REAL / name, rows[0], "a table")
    assert len(expected) == len(rows) - 1
    pd.testing.assert_frame_equal(user_tables.read(path, rows[0], "a table"), expected)


numbers = st.floats(-1e5, 1e5, allow_nan=False)


@given(
    boxes=st.lists(st.tuples(st.sampled_from(["007", "=a", "é"]), *[numbers] * 5), max_size=4),
    separator=separators,
    encoding=st.sampled_from(ENCODINGS),
    decimal_comma=st.booleans(),
)
def test_numbers_are_read_equal_with_decimal_commas(
    tmp_path_factory, boxes, separator, encoding, decimal_comma
):
    path = tmp_path_factory.mktemp("t") / "boxes.csv"
    expected = EXTERNAL.check(pd.DataFrame(boxes, columns=list(EXTERNAL.columns)))
    decimal_comma &= separator != ","
    rows = [
        [name, *(str(number).replace(".", "," if decimal_comma else ".") for number in box)]
        for name, *box in boxes
    ]
    path.write_bytes(text_of([EXTERNAL.columns, *rows], separator, "\r\n").encode(encoding))
    pd.testing.assert_frame_equal(user_tables.read_as(EXTERNAL, path), expected)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_that_the_workflow_wrote_is_one_to_start_from(tmp_path, suffix):
    frame = pd.DataFrame(
        {"image_id": ["007", "=b", "'c"], "patient_id": ["p", "-q", ""], "fold": [0, 1, 2], "role": "test"}
    )
    SPLITS.write(frame, tmp_path / f"splits.{suffix}")
    pd.testing.assert_frame_equal(
        user_tables.read_as(SPLITS, tmp_path / f"splits.{suffix}"), SPLITS.check(frame)
    )


SPLITS_HEADER = "image_id;patient_id;fold;role"


@pytest.mark.parametrize(
    "text",
    [
        f"sep=;\r\n{SPLITS_HEADER}\r\na;p;0;test\r\n",
        f"\r\n{SPLITS_HEADER};;\r\n\r\na;p;0;test;;\r\n;;;;;\r\n;;;;;\r\n",
        f"{SPLITS_HEADER}\na;p;0;test;\n",
        f"{SPLITS_HEADER}\na;p;0,0;test",
        " image_id ; patient_id;fold;role\na;p; 0 ;test",
    ],
)
def test_what_spreadsheets_add_is_taken_off(tmp_path, text):
    (tmp_path / "splits.csv").write_text(text)
    assert user_tables.read_as(SPLITS, tmp_path / "splits.csv").to_numpy().tolist() == [["a", "p", 0, "test"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a 'splits' table, got an empty file"),
        (b"PK\x03\x04...", "got an Excel workbook, which should be saved as CSV"),
        (b"\xd0\xcf\x11\xe0...", "got an Excel workbook, which should be saved as CSV"),
        (b"image_id\x81", "expected a 'splits' table in UTF-8, UTF-16 or Windows-1252, got 9 bytes of none"),
        (b"\xff\xfea", "expected a 'splits' table in UTF-8, UTF-16 or Windows-1252, got 3 bytes of none"),
        (b"image_id:fold\n", r"missing \['image_id', 'patient_id', 'fold', 'role'\] among 1$"),
        (b'"image_id:fold\n', r"missing \['image_id', 'patient_id', 'fold', 'role'\] among 0$"),
        (b"image_id;fold\n1;2;3\n", r"missing \['patient_id', 'role'\] among 2$"),
        (f"{SPLITS_HEADER};age\n".encode(), r"missing none, unknown \['age'\]"),
        (f"{SPLITS_HEADER};fold\n".encode(), "with each column once, got fold twice"),
        (
            f'{SPLITS_HEADER}\n"a\nb";p;0;test\nc;"p;0;test\n'.encode(),
            "got a row from line 4 on that does not",
        ),
        (f"{SPLITS_HEADER}\na;p;0;test;b\n".encode(), "more fields than the header has columns"),
        (f"{SPLITS_HEADER};\na;p;0;test;b\n".encode(), "more fields than the header has columns"),
        (f"{SPLITS_HEADER}\na;p;;test\n".encode(), "column 'fold' of a 'splits' table should hold int"),
        (f"{SPLITS_HEADER}\na;p;x;test\n".encode(), "column 'fold' of a 'splits' table should hold int"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path, content, message):
    (tmp_path / "splits.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"splits\.csv: .*{message}") as caught:
        user_tables.read_as(SPLITS, tmp_path / "splits.csv")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("separator", "row", "message"),
    [
        ("\t", "a\t1,234\t1\t9\t9\t0.5", "one decimal sign, got some with a comma and some with a point"),
        (",", 'a,1,1,9,9,"0,5"', "column 'score' of a 'external' table should hold float"),
    ],
)
def test_a_comma_that_could_be_another_sign_is_refused(tmp_path, separator, row, message):
    (tmp_path / "boxes.csv").write_text(f"{separator.join(EXTERNAL.columns)}\n{row}\n")
    with pytest.raises(ValueError, match=message):
        user_tables.read_as(EXTERNAL, tmp_path / "boxes.csv")


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.parquet"])
def test_what_cannot_be_read_is_refused_in_one_sentence(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: expected a 'external' table"):
        user_tables.read_as(EXTERNAL, tmp_path / name)
    (tmp_path / name).write_bytes(os.urandom(100))
    with pytest.raises(ValueError, match=rf"{name}: .*expected"):
        user_tables.read_as(EXTERNAL, tmp_path / name)
