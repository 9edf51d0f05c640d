"""`mammoflow download cbis-ddsm` from a server on this machine that speaks the interface of NBIA."""

import shutil
import time
from collections import namedtuple

import cbis_ddsm_layouts as layouts
import nbia
import pandas as pd
import pytest

from mammoflow.archives import cbis_ddsm
from mammoflow.base import countdown
from mammoflow.commands import main
from mammoflow.exchange import fetching, tcia

TABLES = {f"tables/{name}": (layouts.DATA / name).read_bytes() for name in layouts.TABLES.values()}
# Two images with a mass each, and one with several.
CASES = ("Mass-Training_P_00001_LEFT_CC", "Mass-Test_P_00016_LEFT_CC", "Mass-Training_P_00106_LEFT_CC")
ITEMS = [item for item in layouts.objects() if item.image in CASES]


def content(item):
    data = layouts.pixels(item)
    return layouts.head(item, data.shape, 8 * data.itemsize) + data.tobytes()


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE_S", 0.01)
    monkeypatch.setattr(tcia, "_MORE_BYTES", 2**20)
    series = {}
    for item in sorted(ITEMS, key=lambda item: item.place):
        series.setdefault(item.series, (item.case, []))[1].append(content(item))
    series["1.2.3"] = ("Calc-Training_P_00005_RIGHT_CC", [b"calcifications"])
    with nbia.Service(series, dict(TABLES)) as running:
        yield running


def download(service, to, *options):
    addresses = "--service", f"{service.base}/nbia-api/v1/", "--tables", f"{service.base}/tables"
    return main.main(["download", "cbis-ddsm", "--to", str(to), *addresses, *options])


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mass_series(service):
    return [uid for uid, (case, _) in service.series.items() if case.startswith("Mass-")]


# ---- what is fetched ---------------------------------------------------------------------------------


def test_a_downloaded_release_is_indexed_like_any_other(service, tmp_path, capsys):
    assert download(service, tmp_path / "got", "--yes") == 0
    said = capsys.readouterr().out
    count = len(mass_series(service)) + 2
    assert f"0 of {count} files or series are there; 0." in said
    assert "CC BY 3.0" in said
    assert f"{count} fetched, 0 failed" in said
    (tmp_path / "stored").mkdir()
    layouts.store(tmp_path / "stored", ITEMS)
    layouts.lay_out(tmp_path / "tree", ITEMS, layouts.as_the_tables_say, tmp_path / "stored")
    layouts.write_tables(tmp_path / "tree", ("Mass-Training", "Mass-Test"))
    ours, theirs = (cbis_ddsm.index(tmp_path / name, 1) for name in ("got", "tree"))
    assert sorted(ours.images["image_id"]) == sorted(CASES)
    pd.testing.assert_frame_equal(*(index.images.drop(columns="path") for index in (ours, theirs)))
    pd.testing.assert_frame_equal(*(index.lesions.drop(columns="source") for index in (ours, theirs)))


def test_calcifications_only_when_asked_for(service, tmp_path):
    assert download(service, tmp_path / "got", "--yes") == 0
    assert not (tmp_path / "got/dicom/1.2.3").exists()
    assert download(service, tmp_path / "got", "--yes", "--calcifications") == 0
    assert (tmp_path / "got/dicom/1.2.3/00000001.dcm").read_bytes() == b"calcifications"
    assert {path.name for path in (tmp_path / "got").glob("*.csv")} == set(layouts.TABLES.values())


def test_without_yes_nothing_is_fetched(service, tmp_path, capsys):
    assert download(service, tmp_path / "got") == 0
    assert capsys.readouterr().out.endswith("Nothing was fetched. To fetch it, add --yes.\n")
    assert not (tmp_path / "got").exists()
    assert set(service.asked) == {"getSeries"}


def test_sizes_that_the_list_does_not_have_are_asked_for(service, tmp_path, capsys):
    assert download(service, tmp_path / "got") == 0
    told = capsys.readouterr().out
    service.sized = False
    assert download(service, tmp_path / "got") == 0
    assert capsys.readouterr().out == told
    assert sum(name.startswith("getSeriesSize") for name in service.asked) == len(mass_series(service))


def test_a_series_that_is_listed_twice_is_fetched_once(service, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "_listed", lambda listed=service._listed: listed() * 2)
    assert download(service, tmp_path / "got", "--yes") == 0
    assert {count for name, count in service.asked.items() if "MD5" in name} == {1}


def test_what_is_there_is_not_fetched_again(service, tmp_path, capsys):
    assert download(service, tmp_path / "got", "--yes") == 0
    before = files(tmp_path / "got")
    uid = mass_series(service)[0]
    shutil.rmtree(tmp_path / f"got/dicom/{uid}")
    service.asked.clear()
    assert download(service, tmp_path / "got", "--yes") == 0
    assert service.asked == {"getSeries": 1, f"getImageWithMD5Hash {uid}": 1}
    assert files(tmp_path / "got") == before
    capsys.readouterr()
    assert download(service, tmp_path / "got") == 0
    assert "0.0 MB to fetch" in capsys.readouterr().out


def test_what_a_killed_process_left_is_removed(service, tmp_path):
    uid = mass_series(service)[0]
    for name in (f".{uid}.partial/00000001.dcm", f".1.partial.{uid}.zip"):
        path = tmp_path / "got/dicom" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert download(service, tmp_path / "got", "--yes") == 0
    assert not [
        path for path in (tmp_path / "got").rglob("*") if "partial" in path.name or path.suffix == ".zip"
    ]


def test_a_series_without_digests_is_fetched_and_named(service, tmp_path, capsys):
    uid = mass_series(service)[0]
    service.unlisted.add(uid)
    assert download(service, tmp_path / "got", "--yes") == 0
    assert f"1 without a digest to compare with, such as {uid}" in capsys.readouterr().out
    assert (tmp_path / f"got/dicom/{uid}").is_dir()


# ---- what goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["503", "429", "500", "hangs up", *nbia.WRONG])
def test_what_fails_once_or_twice_is_fetched_in_the_end(service, tmp_path, fault):
    uid = mass_series(service)[0]
    service.faults[uid] = [fault, fault]
    service.faults["getSeries"] = ["503", "hangs up"]
    service.faults["mass_case_description_test_set.csv"] = ["502"]
    assert download(service, tmp_path / "got", "--yes") == 0
    assert service.asked[f"getImageWithMD5Hash {uid}"] == 3
    assert service.asked["getSeries"] == 3
    got = files(tmp_path / "got")
    assert [got[f"dicom/{uid}/00000001.dcm"]] == service.series[uid][1][:1]
    assert not list(tmp_path.rglob("slipped*"))


REASONS = {
    "wrong md5": "with MD5",
    "../": "a member '../../slipped.dcm', whose name is not that of a file",
    "two of one name": "two members of one name",
    "bomb": "an archive of 16,777,",
    "a listed file is missing": "without '00000099.dcm', whose MD5 it lists",
    "no DICOM file": "an archive of 0 DICOM files for",
    "damaged": "a damaged archive",
    "no archive": "a damaged archive",
    "truncated": "a damaged archive",
    "hangs up": "bytes (6 times)",
    "404": "got status 404. The",
    "503": "got status 503 (6 times)",
}


@pytest.mark.parametrize("fault", REASONS)
def test_a_series_that_always_fails_does_not_end_the_others(service, tmp_path, capsys, fault):
    uid = mass_series(service)[1]
    service.faults[uid] = [fault, "always"]
    assert download(service, tmp_path / "got", "--yes") == 3
    said = capsys.readouterr()
    assert "1 failed" in said.out
    (sentence,) = said.err.splitlines()
    assert REASONS[fault] in sentence
    assert f"SeriesInstanceUID={uid}: expected a complete answer" in sentence
    names = {path.name for path in (tmp_path / "got/dicom").iterdir()}
    assert names == set(mass_series(service)) - {uid}
    assert not list(tmp_path.rglob("slipped*"))
    assert service.asked[f"getImageWithMD5Hash {uid}"] == (1 if fault == "404" else 6)
    service.faults.clear()
    assert download(service, tmp_path / "got", "--yes") == 0


def test_a_server_that_fails_for_everything_ends_the_command(service, tmp_path, capsys):
    for uid in mass_series(service):
        service.faults[uid] = ["503", "always"]
    assert download(service, tmp_path / "got", "--yes") == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.endswith("5 files or series failed one after the other")


def refused(capsys):
    (sentence,) = capsys.readouterr().err.splitlines()
    return sentence


def test_no_server_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE_S", 0.001)
    addresses = "--service", "http://127.0.0.1:9/v1"
    assert main.main(["download", "cbis-ddsm", "--to", str(tmp_path / "got"), *addresses]) == 1
    assert "expected a complete answer, got [Errno 111] Connection refused (6 times)" in refused(capsys)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc",
        "services.example.org",
        "ftp://127.0.0.1/v1",
        "http://[::1/v1",
        "http://a/ü",
        "http://a:b/",
    ],
)
def test_only_http_is_spoken(tmp_path, capsys, address):
    assert main.main(["download", "cbis-ddsm", "--to", str(tmp_path), "--service", address]) == 1
    assert f"expected one that begins with https:// or http://, got '{address}'" in refused(capsys)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({}, "expected series of mass cases, got 0 series, none of them"),
        ({"1.2": ("Calc-Test_P_00038_LEFT_CC", [b"a"])}, "got 1 series, none of them"),
        ({"../../etc": (CASES[0], [b"a"])}, "expected UIDs of series, got '../../etc'"),
        ({"..": (CASES[0], [b"a"])}, "expected UIDs of series, got '..'"),
        ({"1.2": (CASES[0], [b""])}, "expected the size of a series, got something else"),
    ],
)
def test_a_list_of_something_else_is_refused(service, tmp_path, capsys, entries, sentence):
    service.series = entries
    assert download(service, tmp_path / "got", "--yes") == 1
    assert sentence in refused(capsys)
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("answer", [b"<html>", b"[" * 100_000, b'{"a": 1}', b"[1]"])
def test_an_answer_that_is_no_list_of_series_is_refused(service, tmp_path, capsys, monkeypatch, answer):
    monkeypatch.setattr(nbia.json, "dumps", lambda entries: answer.decode())
    assert download(service, tmp_path / "got") == 1
    assert "no JSON" in (said := refused(capsys)) or "expected a list of series" in said


def test_a_page_in_place_of_a_table_is_no_table(service, tmp_path, capsys):
    service.files["tables/mass_case_description_test_set.csv"] = b"<html>moved</html>"
    assert download(service, tmp_path / "got", "--yes") == 3
    assert "got something other than a table of cases (6 times)" in refused(capsys)
    assert not (tmp_path / "got/mass_case_description_test_set.csv").exists()


def test_a_disk_without_room_is_told_before_anything_is_fetched(service, tmp_path, capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 1000))
    assert download(service, tmp_path / "got", "--yes") == 1
    assert "MB free on its disk, got 0.0 MB" in refused(capsys)
    assert set(service.asked) == {"getSeries"}


def test_a_disk_that_fills_up_is_one_sentence(service, tmp_path, capsys, disk, monkeypatch):
    small = disk(tmp_path / "disk", "1m")
    small.fill(16_384)
    monkeypatch.setattr("mammoflow.exchange.downloading.require_room", lambda *arguments: None)
    assert download(service, tmp_path / "disk/got", "--yes") == 1
    assert "make room and run again" in capsys.readouterr().err.splitlines()[-1]


def test_stopped_it_ends_at_once_and_goes_on_later(service, tmp_path, capsys, monkeypatch):
    slow = mass_series(service)[2:]
    for uid in slow:
        service.series[uid] = (service.series[uid][0], [bytes(2**24)])
        service.faults[uid] = ["slow"]

    def step(self):
        service.answered.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(countdown.Countdown, "step", step)
    begun = time.monotonic()
    assert download(service, tmp_path / "got", "--yes") == 130
    assert time.monotonic() - begun < 15
    assert capsys.readouterr().err.endswith("the same command goes on.\n")
    assert not [path for path in (tmp_path / "got").rglob("*") if "partial" in path.name]
    monkeypatch.undo()
    service.faults.clear()
    assert download(service, tmp_path / "got", "--yes") == 0


def test_a_file_in_place_of_the_folder(service, tmp_path, capsys):
    (tmp_path / "got").write_text("a file")
    assert download(service, tmp_path / "got", "--yes") == 1
    assert "expected a folder that can be written" in capsys.readouterr().err.splitlines()[-1]


def test_connections_have_a_limit(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["download", "cbis-ddsm", "--to", str(tmp_path), "--connections", "9"])
    assert ended.value.code == 2
    assert "expected a whole number from 1 to 8, got 9" in capsys.readouterr().err


def test_the_real_series_of_the_mass_cases_are_all_asked_for():
    """UIDs of the real tables are UIDs."""
    assert all(tcia._UID.fullmatch(item.series) for item in layouts.objects())
    assert len({item.series for item in layouts.objects()}) > 3000


# ---- archives that are not fetched -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        ("inbreast", ("doi:10.1016/j.acra.2011.09.014", "datasets.inbreast.root", "AllDICOMs/, AllXML/")),
        ("vindr-mammo", ("https://physionet.org/content/vindr-mammo/1.0.0/", "finding_annotations.csv")),
        ("embed", ("EMBED_Open_Data", "EMBED_OpenData_metadata.csv")),
    ],
)
def test_a_restricted_archive_is_explained(tmp_path, capsys, archive, words):
    assert main.main(["download", archive, "--to", str(tmp_path / "got")]) == 2
    said = capsys.readouterr().out
    assert all(word in said for word in words)
    assert not (tmp_path / "got").exists()
