import pandas as pd
import pytest

from mammoflow.base.contracts.index import RECONCILIATION
from mammoflow.base.contracts.stored import STORED
from mammoflow.report import literature, reconciliation
from mammoflow.report.tables import presentation
from mammoflow.report.tables.study_counts import PRESENTATION

RELEASE = pd.DataFrame({"quantity": ["images"], "paper": [410.0], "found": [409.0], "difference": [-1.0]})


@pytest.fixture
def table():
    """One fold of INbreast with the paper's counts but for the masses, and one of phantoms."""
    paper = literature.data_description()
    fold = paper[paper["data"] == "INbreast"].assign(source="ours", fold=0)
    ours = pd.concat([fold.assign(masses=fold["masses"] + 1), fold.assign(data="phantoms", fold=3)])
    description = pd.concat([ours, paper], ignore_index=True)
    releases = {"INbreast": [RELEASE], "phantoms": [RELEASE]}
    return reconciliation.table(releases, description, {"INbreast": "INbreast"})


def test_every_count_of_every_fold_stands_beside_the_papers(table):
    rows = table[table["data"] == "INbreast"].set_index("quantity")
    assert rows.loc["images", ["paper", "found", "difference"]].tolist() == [410, 409, -1]
    assert pd.isna(rows.loc["images", "fold"])
    of_fold = rows.drop(index="images")
    assert len(of_fold) == 3 * len(reconciliation.QUANTITIES)
    assert set(of_fold["fold"]) == {0}
    assert rows.loc["train: mass patches", "paper"] == 2020
    differing = of_fold[of_fold["difference"] != 0]
    assert differing.index.tolist() == ["train: masses", "validation: masses", "test: masses"]
    assert (differing["difference"] == 1).all()


def test_phantoms_have_no_counterpart_in_the_paper(table):
    rows = table[table["data"] == "phantoms"]
    assert rows[["paper", "difference"]].isna().all(axis=None)
    assert rows["found"].notna().all()


def test_table_is_written_and_read(table, tmp_path):
    presentation.write(table, PRESENTATION, tmp_path / "r.csv", tmp_path / "r.md")
    shown = presentation.readable(presentation.read(tmp_path / "r.csv"), PRESENTATION)
    row = shown[(shown["Data"] == "INbreast") & (shown["Quantity"] == "train: masses")].iloc[0]
    assert row.tolist() == ["INbreast", "0", "train: masses", "68", "69", "+1"]


def test_what_the_images_stage_left_out_is_counted_with_its_masses():
    stored = pd.DataFrame(
        [
            ("a", True, "", "", "1", ""),
            ("b", True, "", "chest wall at the left;lesion-outside-breast", "1", ""),
            ("c", False, "breast-area", "expected 5%", "3", ""),
            ("d", False, "breast-area", "lesion-outside-breast", "3", ""),
            ("e", False, "truncated", "", "", ""),
        ],
        columns=list(STORED.columns),
    )
    lesions = pd.DataFrame({"image_id": ["a", "c", "c", "e", "elsewhere"]})
    rows = RECONCILIATION.check(reconciliation.of_store(stored, lesions))
    assert dict(zip(rows["quantity"], rows["found"], strict=True)) == {
        "images stored": 2,
        "images not stored": 3,
        "images not stored: breast-area": 2,
        "images not stored: truncated": 1,
        "masses in images not stored": 3,
        "images stored with a mass outside the breast found": 1,
        "images stored whose pixels are those of another": 2,
    }
    assert rows["paper"].isna().all()
