import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoflow import tables

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


def excluded(paths):
    return pd.DataFrame({"path": paths, "reason": "x", "detail": ""})


@given(
    paths=st.lists(TEXT | st.sampled_from(["=cmd()", "+1", "-1", "@x", "'=x", "NA", "nan", ""]), min_size=1)
)
def test_text_comes_back_as_written(tmp_path_factory, paths):
    path = tmp_path_factory.mktemp("t") / "excluded.csv"
    tables.write(excluded(paths), path, "excluded")
    assert tables.read(path, "excluded")["path"].tolist() == paths


def test_no_cell_is_a_formula_for_a_spreadsheet(tmp_path):
    path = tmp_path / "excluded.csv"
    tables.write(excluded(["=cmd|' /C calc'!A0", "+1", "@x"]), path, "excluded")
    assert all(line.startswith(("'", "\"'")) for line in path.read_text().splitlines()[1:])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_numbers_keep_their_type(tmp_path, suffix):
    frame = pd.DataFrame(
        {"image_id": ["007"], "threshold": [0.25], "y0": [1], "x0": [2], "y1": [3], "x1": [4], "score": [0.5]}
    )
    path = tmp_path / f"detections.{suffix}"
    tables.write(frame, path, "detections")
    pd.testing.assert_frame_equal(tables.read(path, "detections"), tables.check(frame, "detections"))
    assert tables.read(path, "detections")["image_id"].tolist() == ["007"]


def test_an_empty_table_keeps_its_columns(tmp_path):
    tables.write(excluded([]), tmp_path / "excluded.csv", "excluded")
    assert list(tables.read(tmp_path / "excluded.csv", "excluded")) == ["path", "reason", "detail"]


def test_unknown_numbers_stay_unknown(tmp_path):
    frame = pd.DataFrame({"quantity": ["masses"], "paper": [None], "found": [3], "difference": [None]})
    tables.write(frame, tmp_path / "r.csv", "reconciliation")
    read = tables.read(tmp_path / "r.csv", "reconciliation")
    assert read["paper"].isna().all()
    assert read["found"].tolist() == [3.0]


def test_missing_and_unknown_columns_are_named():
    with pytest.raises(ValueError, match=r"missing \['detail'\], unknown \['details'\]"):
        tables.check(pd.DataFrame({"path": [], "reason": [], "details": []}), "excluded")


def test_a_cell_of_the_wrong_kind_is_named_with_its_file(tmp_path):
    (tmp_path / "splits.csv").write_text("image_id,patient_id,fold,role\na,p,first,train\n")
    with pytest.raises(ValueError, match=r"splits\.csv: column 'fold'.*should hold int"):
        tables.read(tmp_path / "splits.csv", "splits")
