import os
import subprocess
import sys
from pathlib import Path

import pytest

from mammoflow.archives import marks

NAMES = ("table.csv", "table.xls")
SCRIPTS = Path(marks.__file__).parents[2]


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("folder", ["", "one", "one/two", "INbreast Release 1.0"])
def test_a_mark_is_found_in_the_root_and_two_levels_below(tmp_path, folder):
    assert marks.find(tmp_path, NAMES) is None
    path = put(tmp_path / folder / "table.xls")
    assert marks.find(tmp_path, NAMES) == path


def test_deeper_ones_and_links_and_leftovers_of_a_mac_are_not(tmp_path):
    root = tmp_path / "root"
    put(root / "one" / "two" / "three" / "table.csv")
    put(root / "__MACOSX" / "table.csv")
    put(tmp_path / "elsewhere" / "table.csv")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "table.csv").symlink_to(tmp_path / "elsewhere" / "table.csv")
    assert marks.find(root, NAMES) is None


def test_the_highest_then_the_preferred_then_the_first_folder(tmp_path):
    put(tmp_path / "a" / "b" / "table.csv")
    last = put(tmp_path / "b" / "table.xls")
    assert marks.find(tmp_path, NAMES) == last
    second = put(tmp_path / "c" / "table.csv")
    assert marks.find(tmp_path, NAMES) == second
    first = put(tmp_path / "a" / "table.csv")
    assert marks.find(tmp_path, NAMES) == first
    put(tmp_path / "table.xls")
    assert marks.find(tmp_path, NAMES) == tmp_path / "table.xls"


def test_a_root_that_is_not_there_holds_nothing(tmp_path):
    assert marks.find(tmp_path / "nowhere", NAMES) is None


def test_marks_load_nothing_heavy():
    heavy = "[name for name in ('numpy', 'pandas', 'pydicom', 'skimage') if name in sys.modules]"
    code = f"import sys; from mammoflow.archives import marks; print({heavy})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_what_cannot_be_looked_at_or_is_of_the_other_kind_is_no_mark(tmp_path, monkeypatch):
    (tmp_path / "a" / "table.csv").mkdir(parents=True)
    put(tmp_path / "b" / "Folder")
    assert marks.find(tmp_path, ["table.csv"]) is None
    assert marks.find(tmp_path, ["Folder"]) is None
    table = put(tmp_path / "release" / "table.csv")
    real = os.stat

    def stat(path, *args, **kwargs):  # a folder such as lost+found, closed to this user
        if Path(path).parent == tmp_path / "a":
            raise PermissionError(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", stat)
    assert marks.find(tmp_path, ["table.csv"]) == table


def test_links_that_were_passed_by_are_named(tmp_path):
    root = tmp_path / "root"
    put(root / "a" / "other.csv")
    assert marks.linked(root, NAMES) == ""
    put(tmp_path / "elsewhere" / "table.csv")
    (root / "file-link").symlink_to(root / "a" / "other.csv")
    assert marks.linked(root, NAMES) == ""
    (root / "folder-link").symlink_to(tmp_path / "elsewhere")
    assert marks.linked(root, NAMES).startswith("'folder-link', but symbolic links are not followed: move ")
    (root / "a" / "b").mkdir()
    (root / "a" / "b" / "c").symlink_to(tmp_path / "elsewhere")
    assert marks.linked(root, NAMES).startswith("'folder-link', but")
    (root / "a" / "b" / "table.csv").symlink_to(tmp_path / "elsewhere" / "table.csv")
    assert marks.linked(root, NAMES).startswith("'a/b/table.csv', but symbolic links are not followed")
    for number in range(4):
        (root / f"folder-{number}").mkdir()
        (root / f"folder-{number}" / "table.xls").symlink_to("nowhere")
    assert marks.linked(root, NAMES).startswith(
        "'folder-0/table.xls', 'folder-1/table.xls', 'folder-2/table.xls' and 2 more, but symbolic links"
    )


def test_a_root_that_is_a_link_is_followed(tmp_path):
    put(tmp_path / "disk" / "one" / "table.csv")
    (tmp_path / "link").symlink_to("disk")
    assert marks.find(tmp_path / "link", NAMES) == tmp_path / "link" / "one" / "table.csv"
