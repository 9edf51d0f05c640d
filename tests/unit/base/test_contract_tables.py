import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoflow.base.contracts.detections import DETECTIONS
from mammoflow.base.contracts.index import EXCLUDED, RECONCILIATION
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.base.contracts.stored import STORED

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


def excluded(paths):
    return pd.DataFrame({"path": paths, "reason": "x", "detail": ""})


@given(
    paths=st.lists(TEXT | st.sampled_from(["=cmd()", "+1", "-1", "@x", "'=x", "NA", "nan", ""]), min_size=1)
)
def test_text_comes_back_as_written(tmp_path_factory, paths):
    path = tmp_path_factory.mktemp("t") / "excluded.csv"
    EXCLUDED.write(excluded(paths), path)
    assert EXCLUDED.read(path)["path"].tolist() == paths


def test_no_cell_is_a_formula_for_a_spreadsheet(tmp_path):
    path = tmp_path / "excluded.csv"
    EXCLUDED.write(excluded(["=cmd|' /C calc'!A0", "+1", "@x"]), path)
    assert all(line.startswith(("'", "\"'")) for line in path.read_text().splitlines()[1:])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_numbers_keep_their_type(tmp_path, suffix):
    frame = pd.DataFrame(
        {"image_id": ["007"], "threshold": [0.25], "y0": [1], "x0": [2], "y1": [3], "x1": [4], "score": [0.5]}
    )
    path = tmp_path / f"detections.{suffix}"
    DETECTIONS.write(frame, path)
    pd.testing.assert_frame_equal(DETECTIONS.read(path), DETECTIONS.check(frame))
    assert DETECTIONS.read(path)["image_id"].tolist() == ["007"]


def test_rows_that_are_not_wanted_are_not_read(tmp_path):
    box = {"y0": 1, "x0": 2, "y1": 3, "x1": 4, "score": 0.5}
    frame = DETECTIONS.check(pd.DataFrame({"image_id": ["a", "b"], "threshold": [0.25, 0.5], **box}))
    path = tmp_path / "detections.parquet"
    DETECTIONS.write(frame, path)
    assert DETECTIONS.read(path, [("threshold", "==", 0.5)])["image_id"].tolist() == ["b"]
    assert DETECTIONS.read(path, [("threshold", ">", 0.5)]).empty
    with pytest.raises(ValueError, match="expected a Parquet file"):
        DETECTIONS.read(tmp_path / "detections.csv", [("threshold", "==", 0.5)])


def test_an_empty_table_keeps_its_columns(tmp_path):
    EXCLUDED.write(excluded([]), tmp_path / "excluded.csv")
    assert list(EXCLUDED.read(tmp_path / "excluded.csv")) == ["path", "reason", "detail"]


def test_unknown_numbers_stay_unknown(tmp_path):
    frame = pd.DataFrame({"quantity": ["masses"], "paper": [None], "found": [3], "difference": [None]})
    RECONCILIATION.write(frame, tmp_path / "r.csv")
    read = RECONCILIATION.read(tmp_path / "r.csv")
    assert read["paper"].isna().all()
    assert read["found"].tolist() == [3.0]


def test_missing_and_unknown_columns_are_named():
    with pytest.raises(ValueError, match=r"missing \['detail'\], unknown \['details'\]"):
        EXCLUDED.check(pd.DataFrame({"path": [], "reason": [], "details": []}))


def test_a_cell_of_the_wrong_kind_is_named_with_its_file(tmp_path):
    (tmp_path / "splits.csv").write_text("image_id,patient_id,fold,role\na,p,first,train\n")
    with pytest.raises(ValueError, match=r"splits\.csv: column 'fold'.*should hold int"):
        SPLITS.read(tmp_path / "splits.csv")


@pytest.mark.parametrize("fold", ["1.7", "", "1e30", "inf"])
def test_a_whole_number_is_never_cut_from_another(tmp_path, fold):
    (tmp_path / "splits.csv").write_text(f"image_id,patient_id,fold,role\na,p,0,test\na,p,{fold},train\n")
    with pytest.raises(ValueError, match=r"splits\.csv: column 'fold' of a 'splits' table should hold int: "):
        SPLITS.read(tmp_path / "splits.csv")


def test_a_whole_number_may_be_written_as_a_float():
    frame = pd.DataFrame({"image_id": ["a"], "patient_id": ["p"], "fold": [3.0], "role": ["test"]})
    assert SPLITS.check(frame)["fold"].tolist() == [3]
    with pytest.raises(ValueError, match=r"should hold int: expected whole numbers, got 1\.7"):
        SPLITS.check(frame.assign(fold=1.7))


def stored(*cells):
    return pd.DataFrame(
        {
            "image_id": "a",
            "stored": list(cells),
            "reason": "",
            "detail": "",
            "pixels_sha256": "",
            "stored_sha256": "",
        }
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([True, False], [True, False]),
        (["True", "False"], [True, False]),
        (["true", "FALSE"], [True, False]),
        ([], []),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_truth_is_true_or_false(tmp_path, cells, expected, suffix):
    STORED.write(stored(*cells), tmp_path / f"stored.{suffix}")
    read = STORED.read(tmp_path / f"stored.{suffix}")["stored"]
    assert read.tolist() == expected
    assert read.dtype == bool


@pytest.mark.parametrize("cell", ["yes", "0", "", 1, 0.0, None])
def test_truth_is_nothing_else(tmp_path, cell):
    with pytest.raises(
        ValueError, match="column 'stored' of a 'stored' table should hold bool: expected true"
    ):
        STORED.check(stored(True, cell))
    (tmp_path / "stored.csv").write_text(f"{','.join(STORED.columns)}\na,True,,,,\nb,{cell},,,,\n")
    with pytest.raises(
        ValueError, match=r"stored\.csv: column 'stored' of a 'stored' table should hold bool"
    ):
        STORED.read(tmp_path / "stored.csv")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2,3\n4,5,6,7\n", "image_id\n\u00e9\n".encode("latin-1")])
def test_what_is_no_table_is_named(tmp_path, content):
    (tmp_path / "splits.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"splits\.csv: expected"):
        SPLITS.read(tmp_path / "splits.csv")
