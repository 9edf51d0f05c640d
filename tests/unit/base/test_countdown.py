"""Reports of the progress at a terminal and in a log."""

import io

from mammoflow.base import countdown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def counted(monkeypatch, tell, seconds):
    """Reports on four items that are done at these times."""
    times = iter([0.0, *seconds])
    monkeypatch.setattr(countdown.time, "monotonic", lambda: next(times))
    reports = countdown.Countdown(4, "series", tell)
    for _ in seconds:
        reports.step()
    reports.end()
    return tell.getvalue()


def test_a_terminal_has_one_line_with_the_time_left_after_the_first(monkeypatch):
    line = counted(monkeypatch, Terminal(), [500, 1000, 2000])
    reports = [report.strip() for report in line.split("\r")[1:]]
    assert reports == [
        "1 of 4 series",
        "2 of 4 series, about 17 min left",
        "3 of 4 series, about 12 min left",
    ]
    assert line.endswith("\n")


def test_a_log_has_a_line_every_ten_seconds(monkeypatch):
    log = counted(monkeypatch, io.StringIO(), [1, 12, 13, 23])
    assert log == "2 of 4 series, about 22 s left\n4 of 4 series, about 0 s left\n"
