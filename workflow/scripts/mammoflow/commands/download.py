"""The subcommand ``mammoflow download``: a public archive, or base weights, and how to get the rest."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mammoflow.commands import arguments

if TYPE_CHECKING:
    from mammoflow.exchange.downloading import Part
    from mammoflow.exchange.fetching import Client

# Exit status if some parts could not be fetched, and for an archive that cannot be fetched at all.
_SOME_FAILED, _RESTRICTED = 3, 2
_MOST_CONNECTIONS = 8


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "download",
        help="fetch CBIS-DDSM or ImageNet weights; how to get other archives",
        description="Fetch what is free to fetch, or say where access to the rest is asked for. Nothing is "
        "fetched without --yes. Stopped with Ctrl-C, the same command goes on. Exit status: 0, all is there; "
        "3, some files or series could not be fetched; 2, an archive that its owners give; 1, an error.",
    )
    what = command.add_subparsers(title="what", metavar="what", required=True)
    cbis = what.add_parser("cbis-ddsm", help="mammograms of CBIS-DDSM, from The Cancer Imaging Archive")
    _add_common(cbis)
    cbis.add_argument(
        "--calcifications", action="store_true", help="the calcification cases too, which no study uses"
    )
    cbis.add_argument("--service", help="address of the REST service (default: that of the archive)")
    cbis.add_argument(
        "--tables", help="address of the folder with the tables of cases (default: the archive's)"
    )
    cbis.set_defaults(run=_cbis_ddsm)
    weights = what.add_parser("imagenet", help="ImageNet weights of the networks, as Keras publishes them")
    _add_common(weights)
    weights.add_argument("--from", dest="base", help="address of a folder with the files (default: Keras')")
    weights.set_defaults(run=_imagenet)
    for name in ("inbreast", "vindr-mammo", "embed"):
        restricted = what.add_parser(name, help="how to get this archive, which its owners give")
        restricted.add_argument("--to", type=Path, help="not used")
        restricted.set_defaults(run=_restricted, archive=name)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--to", type=Path, required=True, help="folder to write to; what is there is kept")
    command.add_argument("--yes", action="store_true", help="fetch; without it, only sizes are shown")
    command.add_argument(
        "--connections",
        type=_connections,
        default=4,
        help=f"files or series fetched at the same time, at most {_MOST_CONNECTIONS} (default: 4)",
    )


def _connections(text: str) -> int:
    expected = f"a whole number from 1 to {_MOST_CONNECTIONS}"
    return int(arguments.number(text, int, lambda value: 1 <= value <= _MOST_CONNECTIONS, expected))


def _cbis_ddsm(options: argparse.Namespace) -> int:
    from mammoflow.exchange import fetching, tcia

    client, cases = fetching.Client(), ("mass", "calcification")[: 2 if options.calcifications else 1]
    service = options.service or tcia.SERVICE
    try:
        series = tcia.listed(client, service, cases, options.connections)
        parts = tcia.parts(client, service, options.tables or tcia.TABLES, cases, series, options.to)
        return _fetched(parts, client, options, tcia.TERMS)
    except KeyboardInterrupt:
        return arguments.stopped()


def _imagenet(options: argparse.Namespace) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from mammoflow.exchange import fetching, imagenet

    client, files = fetching.Client(), imagenet.pinned()
    terms = "weights published with Keras, learnt from ImageNet: for research and education"
    try:
        parts = imagenet.parts(client, files, options.base, options.to)
        status = _fetched(parts, client, options, terms)
    except KeyboardInterrupt:
        return arguments.stopped()
    if all(part.path.is_file() for part in parts):
        settings = imagenet.write_settings(files, options.to)
        print(
            f"{settings}: the settings of these files, for a study: snakemake --configfile my.yaml {settings}"
        )
    return status


def _restricted(options: argparse.Namespace) -> int:
    from mammoflow.exchange import restricted

    print(restricted.told(options.archive))
    return _RESTRICTED


def _fetched(parts: "Sequence[Part]", client: "Client", options: argparse.Namespace, terms: str) -> int:
    """Say what is missing, and fetch it if the user said so."""
    from mammoflow.exchange import downloading

    waiting = downloading.missing(parts)
    print(
        f"{options.to}: {len(parts) - len(waiting)} of {len(parts)} files or series are there; "
        f"{downloading.size(sum(part.size for part in waiting))} to fetch ({terms})"
    )
    if not waiting:
        return 0
    downloading.require_room(waiting, options.to, options.connections)
    if not options.yes:
        print("Nothing was fetched. To fetch it, add --yes.")
        return 0
    outcome = downloading.fetch(waiting, client, options.connections, sys.stderr)
    print(f"{options.to}: {outcome.fetched} fetched, {outcome.failed} failed")
    if outcome.remarks:
        print(f"{len(outcome.remarks)} without a digest to compare with, such as {outcome.remarks[0]}")
    if outcome.failed:
        print(f"First failure: {outcome.reason}. The same command tries again.", file=sys.stderr)
    return _SOME_FAILED if outcome.failed else 0
