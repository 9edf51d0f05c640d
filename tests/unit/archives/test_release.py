import os
import socket

import pytest
from releases_by_hand import dicom_file, half_ellipse

from mammoflow.archives import release
from mammoflow.base.contracts.index import EXCLUDED
from mammoflow.base.exclusions import Excluded


def listed(files):
    return [(row["path"], row["reason"]) for row in files.excluded]


def test_every_file_is_a_path_a_leftover_or_an_exclusion(tmp_path):
    for name in (
        "b.dcm",
        "a/c.csv",
        "a/._c.csv",
        "a/.DS_Store",
        "__MACOSX/a/c.csv",
        "my__MACOSX/d",
        "Thumbs.db",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    files = release.walk(tmp_path)
    assert files.paths == ["a/c.csv", "b.dcm", "my__MACOSX/d"]
    assert files.plain == 4
    assert files.excluded == []


def test_links_are_followed_to_files_inside_alone(tmp_path):
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "file").write_bytes(b"x")
    (tmp_path / "outside").write_bytes(b"x")
    (root / "good").symlink_to("file")
    (root / "leaves").symlink_to(tmp_path / "outside")
    (root / "leaves-by-dots").symlink_to("../outside")
    (root / "dangles").symlink_to("nothing")
    (root / "loop").symlink_to("loop")
    (root / "folder-link").symlink_to("folder")
    (root / "out-link").symlink_to(tmp_path)
    (root / "up").symlink_to("..")
    files = release.walk(root)
    assert files.paths == ["file", "good"]
    assert listed(files) == [
        ("dangles", "missing-file"),
        ("folder-link", "symbolic-link"),
        ("leaves", "outside-root"),
        ("leaves-by-dots", "outside-root"),
        ("loop", "missing-file"),
        ("out-link", "symbolic-link"),
        ("up", "symbolic-link"),
    ]


def test_a_root_may_be_a_link(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("data")
    assert release.walk(tmp_path / "link").paths == ["file"]


def test_what_is_no_file_is_listed_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.dcm")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.path.relpath(tmp_path / "socket.dcm"))
        (tmp_path / "link.dcm").symlink_to("pipe.dcm")
        files = release.walk(tmp_path)
    assert files.paths == []
    assert listed(files) == [
        ("link.dcm", "missing-file"),
        ("pipe.dcm", "unreadable"),
        ("socket.dcm", "unreadable"),
    ]


@pytest.mark.parametrize(
    "name", ["a\nb.dcm", "a\rb.dcm", "a\tb.dcm", "\x1b[2J.dcm", os.fsdecode(b"caf\xe9.dcm")]
)
def test_names_that_no_table_can_hold_are_listed_and_written_whole(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    (root / name).write_bytes(b"x")
    files = release.walk(root)
    assert files.paths == []
    (row,) = files.excluded
    assert row["reason"] == "name"
    assert row["path"].isprintable()
    frame = release._table(EXCLUDED, files.excluded, "path")
    EXCLUDED.write(frame, tmp_path / "excluded.csv")
    assert EXCLUDED.read(tmp_path / "excluded.csv")["path"].tolist() == [row["path"]]


def test_long_and_strange_names_are_names(tmp_path):
    names = ["=cmd|'C calc'!A1", "a" * 251 + ".dcm", "b\u00a0c.dcm", 'müller, "x".dcm', "ö.dcm"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert release.walk(tmp_path).paths == sorted(names)


def test_a_folder_too_deep_to_open_is_listed(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # 20 × 250 is more than the 4096 bytes that a path may have
        os.mkdir("d" * 250, dir_fd=handle)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(handle)
    (row,) = release.walk(tmp_path).excluded
    assert row["reason"] == "unreadable"
    assert row["detail"] == "a folder that cannot be opened (OSError)"
    assert set(row["path"]) == {"d", "/"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../outside", "outside-root"),
        ("folder/../../outside", "outside-root"),
        ("..\\outside", "outside-root"),
        ("/etc/passwd", "outside-root"),
        ("file\0", "outside-root"),
        ("folder", "missing-file"),
        ("", "missing-file"),
        ("a" * 300, "missing-file"),
        ("a/" * 3000, "missing-file"),
        ("file/file", "missing-file"),
    ],
)
def test_hostile_paths_are_refused(tmp_path, path, reason):
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "file").write_bytes(b"x")
    (tmp_path / "outside").write_bytes(b"x")
    assert release.inside(root, "folder/../file") == root / "file"
    with pytest.raises(Excluded, match=f"^{reason}"):
        release.inside(root, path)


def test_what_a_user_should_know_at_once_is_remarked(tmp_path):
    files = release.Files(tmp_path)
    index = release.make_index(files, [image("a")], [], {}, {}, 1)
    assert release.remarks(index) == []
    for number in range(5):
        files.exclude(f"folder-{number}", Excluded("symbolic-link"))
    flagged = {**image("b"), "flags": "implant;laterality-header"}
    links, sides = release.remarks(release.make_index(files, [image("a"), flagged], [], {}, {}, 1))
    assert links.startswith("found 'folder-0', 'folder-1', 'folder-2' and 2 more, but symbolic links are not")
    assert sides == "the header or the table gives another side for 1 images; see their flags"


def test_no_file_and_files_of_too_many_kinds(tmp_path):
    with pytest.raises(ValueError, match=r": expected DICOM files, found no file$"):
        release.require_some(release.walk(tmp_path), "DICOM files", lambda path: False)
    for name in ("a.png", "b.PNG", "c.png", "d.txt", "e.txt", "f", "g.zip", "h.csv"):
        (tmp_path / name).touch()
    with pytest.raises(
        ValueError, match=r"found 3 \.png files, 2 \.txt files, 1 file without a suffix, 2 others$"
    ):
        release.require_some(release.walk(tmp_path), "DICOM files", lambda path: False)
    release.require_some(release.walk(tmp_path), "archives", lambda path: path.endswith(".zip"))


def image(image_id):
    return {
        **{"image_id": image_id, "patient_id": "p", "laterality": "L", "view": "CC", "official_split": ""},
        **{"path": f"{image_id}.dcm", "rows": 4, "columns": 4, "spacing_mm": None, "spacing_source": ""},
        "flags": "",
    }


def lesion(image_id, lesion_id):
    mask = half_ellipse((4, 4)) > 0
    return release.lesion_row(image_id, lesion_id, mask, None, "", "")


@pytest.mark.parametrize(
    ("images", "lesions", "message"),
    [
        (["a", "b", "a"], [], "expected each image_id once, got a more than once"),
        (["a", "b"], [("a", "1"), ("b", "1")], "expected each lesion_id once, got 1 more than once"),
        (["a"], [("b", "1")], "expected lesions of images in the index, got some of b"),
    ],
)
def test_an_index_names_what_is_there_twice(tmp_path, images, lesions, message):
    files = release.Files(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path}: {message}"):
        release.make_index(
            files, [image(name) for name in images], [lesion(*names) for names in lesions], {}, {}, 1
        )


def test_an_index_is_in_the_order_of_its_identifiers(tmp_path):
    rows = [image("b"), image("a")]
    index = release.make_index(release.Files(tmp_path), rows, [lesion("b", "1")], {}, {"images": 2}, 2)
    assert index.images["image_id"].tolist() == ["a", "b"]
    assert index.reconciliation["quantity"].tolist()[0] == "images"


def test_a_file_is_an_image_by_its_name_or_by_its_prefix(tmp_path):
    dicom_file(tmp_path / "without-suffix", half_ellipse())
    (tmp_path / "text.DCM").write_text("text")
    (tmp_path / "text.txt").write_text("text")
    found = [release.is_image(tmp_path, name) for name in ("without-suffix", "text.DCM", "text.txt")]
    assert found == [True, True, False]


def test_a_file_that_cannot_be_opened_may_be_an_image(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    (tmp_path / "closed").write_bytes(b"x")
    monkeypatch.setattr(release.headers, "is_dicom", refuse)
    assert release.is_image(tmp_path, "closed")
