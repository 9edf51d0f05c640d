"""The console command."""

import pytest

from mammoflow.commands import main


def test_without_a_subcommand_it_prints_the_help(capsys):
    assert main.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: mammoflow")


def test_the_version_is_the_installed_one_or_unknown(capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mammoflow {main.version()}\n"


def test_what_it_does_not_know_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["nonsense"])
    assert ended.value.code == 2
    assert "invalid choice: 'nonsense'" in capsys.readouterr().err
