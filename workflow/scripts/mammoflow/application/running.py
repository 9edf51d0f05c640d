"""Detects on a user's files: what is done is kept, what cannot be used is listed, and the rest goes on."""

import itertools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
import pandas as pd

from mammoflow.application import formats, inputs, surviving
from mammoflow.application.inputs import Found, Mammogram
from mammoflow.base import pool, storage
from mammoflow.base.contracts.detected import FILES, LEFT_OUT
from mammoflow.base.countdown import Countdown
from mammoflow.base.shards import shard_of
from mammoflow.breasts.image_store import StoredImage
from mammoflow.bundles.model_file import ModelFile
from mammoflow.detection.findings import Findings, Model
from mammoflow.detection.mpm import Grid

if TYPE_CHECKING:
    from mammoflow.bundles.detector import Detector

# Folder of what is done: a file for each image, which also says what it was done with.
_DONE = "images"


@dataclass(frozen=True)
class Options:
    """What a user chose.

    Parameters
    ----------
    mode : {"paper", "candidate"}
        Kind of boxes.
    threshold : float
        From 0 to 1.
    fpi : float or None
        Operating point that the threshold belongs to.
    acquisition : {"digital", "film"}
        How the breast is separated from the background.
    spacing_mm : float or None
        Side of a pixel of images whose files do not give it.
    formats : sequence of str
        Among `formats.NAMES`.
    paths : bool
        Whether to write which image is which file.
    part : (int, int) or None
        Number of a part, from 1, and the number of parts, if only a part of the files is searched; tables of
        all of them are then not written.
    threads : int
        Processes that prepare images, and threads of the network.
    """

    mode: str
    threshold: float
    fpi: float | None
    acquisition: str
    spacing_mm: float | None
    formats: Sequence[str]
    paths: bool
    part: tuple[int, int] | None
    threads: int


@dataclass(frozen=True)
class Outcome:
    """The result of a run on a user's files.

    Parameters
    ----------
    found : list of Findings
        Of each image that was searched.
    left_out : list of Found
        The other files, each with its reason.
    unwritten : list of str
        A sentence for each image of which a format could not be written.
    """

    found: list[Findings]
    left_out: list[Found]
    unwritten: list[str]


def run(
    model: ModelFile, model_version: str, paths: Sequence[Path], out: Path, options: Options, tell: TextIO
) -> Outcome:
    """Detect on all mammograms among some files.

    Parameters
    ----------
    model : ModelFile
        What to detect with.
    model_version : str
        Version of this program.
    paths : sequence of Path
        Files and folders.
    out : Path
        Folder for the results; what an earlier run of the same model and options did there is kept.
    options : Options
        See there.
    tell : file
        Where the progress is reported.

    Raises
    ------
    ValueError
        When a path leads nowhere, or the folder has results of another model or other options.
    """
    listed = _of_part(inputs.listed(paths, out), options.part)
    _begin(out)
    named = list(pool.ordered(inputs.identified, listed, options.threads))
    images, left_out = _unique(named)
    settings = inputs.Settings(options.acquisition, model.manifest["input"]["resolution"], options.spacing_mm)
    known = Model(model.manifest["model"], model_version, model.digest)
    record = _record(model.digest, options)
    if (earlier := next((out / _DONE).glob("*.json"), None)) is not None:
        _require_same(earlier, record, out)
    waiting = [image for image in images if not _is_done(out, image, options, record)]
    if waiting:
        progress = Countdown(len(waiting), "images", tell)
        left_out += _work(model, known, waiting, settings, out, options, progress)
    bad = {file.path for file in left_out}
    found = [_read(out, image, known) for image in images if image.path not in bad]
    unwritten = _write(found, left_out, named, out, options) if options.part is None else []
    return Outcome(found, left_out, unwritten)


def _begin(out: Path) -> None:
    """Make the folder, or refuse one with other files."""
    if out.exists() and not (out / _DONE).is_dir() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: expected an empty folder or one of an earlier run, got something else")
    storage.make_folder(out / _DONE)


def _of_part(files: Sequence[Found], part: tuple[int, int] | None) -> list[Found]:
    """Files of a part: which one a file is in depends on its path alone."""
    if part is None:
        return list(files)
    number, parts = part
    return [file for file in files if shard_of(str(file.path), parts) == number - 1]


def _unique(named: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Images to search, each once, and files that are left out."""
    images: dict[str, Found] = {}
    left_out = []
    for file in named:
        if file.reason:
            left_out.append(file)
        elif file.image_id in images:
            left_out.append(Found(file.path, file.image_id, "duplicate", "the same bytes as another file"))
        else:
            images[file.image_id] = file
    return list(images.values()), left_out


# ---- what is done ------------------------------------------------------------------------------------


def _done(out: Path, image_id: str) -> Path:
    return out / _DONE / f"{image_id}.json"


def _record(digest: str, options: Options) -> dict[str, object]:
    """What the boxes of an image depend on, besides its file."""
    return {
        "model": digest,
        "mode": options.mode,
        "threshold": options.threshold,
        "acquisition": options.acquisition,
        "spacing": options.spacing_mm,
    }


def _is_done(out: Path, image: Found, options: Options, record: Mapping[str, object]) -> bool:
    """Whether an image was searched, with the same model and options, and its pictures are there."""
    path = _done(out, image.image_id)
    if not path.is_file():
        return False
    _require_same(path, record, out)
    written = [formats.OF_IMAGE[name] for name in options.formats if name in formats.OF_IMAGE]
    return all(kind.path(out, image.image_id).is_file() for kind in written)


def _require_same(path: Path, record: Mapping[str, object], out: Path) -> None:
    """Refuse a folder in which an image was searched with another model or other options."""
    before = _content(path).get("run")
    if before != record:
        differing = [key for key in record if not isinstance(before, dict) or before.get(key) != record[key]]
        raise ValueError(
            f"{out}: expected a folder for results of this model and these options, got one with another "
            f"{' and '.join(differing)}; choose another folder with --out"
        )


def _content(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path}: expected what was found on an image as JSON, got damage; delete it"
        ) from error
    return content if isinstance(content, dict) else {}


def _keep(findings: Findings, out: Path, options: Options) -> None:
    content = {
        "run": _record(findings.model.digest, options),
        **{key: value for key, value in asdict(findings).items() if key not in ("source", "model")},
        "boxes": findings.boxes.tolist(),
        "scores": findings.scores.tolist(),
    }
    with storage.whole(_done(out, findings.image_id)) as temporary:
        temporary.write_text(json.dumps(content) + "\n")


def _read(out: Path, image: Found, model: Model) -> Findings:
    path = _done(out, image.image_id)
    content = {key: value for key, value in _content(path).items() if key != "run"}
    try:
        content["boxes"] = np.array(content["boxes"], int).reshape(-1, 4)
        content["scores"] = np.array(content["scores"], float)
        return Findings(source=image.path, model=model, **content)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected what was found on an image, got something else; delete it"
        ) from error


# ---- the work ----------------------------------------------------------------------------------------


class _Ready(Mapping):
    """Prepared images that have no map yet, by identifier."""

    def __init__(self) -> None:
        self.mammograms: dict[str, Mammogram] = {}

    def __getitem__(self, image_id: str) -> StoredImage:
        return self.mammograms[image_id].stored

    def __iter__(self) -> Iterator[str]:
        return iter(self.mammograms)

    def __len__(self) -> int:
        return len(self.mammograms)


def _work(
    model: ModelFile,
    known: Model,
    waiting: Sequence[Found],
    settings: inputs.Settings,
    out: Path,
    options: Options,
    progress: Countdown,
) -> list[Found]:
    """Detect on images, keep what is found on each, and return those that cannot be used."""
    preparing = surviving.results(
        partial(inputs.read, settings=settings), waiting, min(options.threads, len(waiting)), _crashed
    )
    sources = {image.image_id: image.path for image in waiting}
    left_out, ready = [], _Ready()

    def prepared() -> Iterator[str]:
        for result in preparing:
            if isinstance(result, Found):
                left_out.append(result)
                progress.step()
            else:
                ready.mammograms[result.stored.image_id] = result
                yield result.stored.image_id

    order = prepared()
    if (first := next(order, None)) is None:  # starting the network takes seconds
        progress.end()
        return left_out
    detector = _loaded(model, options.threads)

    def mapped() -> Iterator[tuple[Mammogram, Grid]]:
        for image_id, grid in detector.grids(ready, itertools.chain([first], order)):
            yield ready.mammograms.pop(image_id), grid

    def finished(pair: tuple[Mammogram, Grid]) -> None:
        mammogram, grid = pair
        findings = _findings(detector, mammogram, grid, sources[mammogram.stored.image_id], options, known)
        for name in options.formats:
            if name in formats.OF_IMAGE:
                kind = formats.OF_IMAGE[name]
                kind.write(findings, mammogram.stored, grid, kind.path(out, findings.image_id))
        _keep(findings, out, options)

    try:
        for _ in pool.ordered(finished, mapped(), options.threads):
            progress.step()
    finally:
        preparing.close()
        progress.end()
    return left_out


def _crashed(image: Found) -> Found:
    return Found(image.path, image.image_id, "decoder-crashed", "the process that read it ended unexpectedly")


def _loaded(model: ModelFile, threads: int) -> "Detector":
    with _without_greetings():
        from mammoflow.bundles import detector  # TensorFlow takes seconds, and is not needed if all is done
        from mammoflow.networks import runtime

        runtime.configure(threads, training=False)
        return detector.load(model)


@contextmanager
def _without_greetings() -> Iterator[None]:
    """Keep what TensorFlow writes to descriptor 2 while it starts off the terminal; errors are raised."""
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def _findings(
    detector: "Detector", mammogram: Mammogram, grid: Grid, source: Path, options: Options, model: Model
) -> Findings:
    image = mammogram.stored
    boxes = detector.boxes(image, grid, options.mode, options.threshold)
    return Findings(
        image_id=image.image_id,
        source=source,
        rows=image.geometry.rows,
        columns=image.geometry.columns,
        spacing_mm=mammogram.spacing_mm,
        laterality=mammogram.laterality,
        view=mammogram.view,
        boxes=boxes[["y0", "x0", "y1", "x1"]].to_numpy(int),
        scores=boxes["score"].to_numpy(float),
        mode=options.mode,
        threshold=options.threshold,
        fpi=options.fpi,
        searched=datetime.now().isoformat(timespec="seconds"),
        model=model,
    )


# ---- the results -------------------------------------------------------------------------------------


def _write(
    found: Sequence[Findings], left_out: Sequence[Found], named: Sequence[Found], out: Path, options: Options
) -> list[str]:
    """Write the tables; files without a digest have a number in the order of their paths."""
    names = {file.path: file.image_id or f"file-{number}" for number, file in enumerate(named, start=1)}
    rows = [(names[file.path], file.reason, file.detail) for file in left_out]
    table = pd.DataFrame(rows, columns=list(LEFT_OUT.columns)).sort_values("file", ignore_index=True)
    if options.paths:
        listed = [(names[file.path], str(file.path)) for file in named]
        FILES.write(pd.DataFrame(listed, columns=list(FILES.columns)), out / "files.csv")
    return formats.write_tables(sorted(found, key=lambda each: each.image_id), table, out, options.formats)


def summary(outcome: Outcome, out: Path, options: Options) -> str:
    """What a user should know at the end."""
    boxes = sum(len(each.boxes) for each in outcome.found)
    text = f"{out}: {boxes} boxes on {len(outcome.found)} images"
    if options.part is not None:
        return f"{text} of this part, {len(outcome.left_out)} files left out"
    if not outcome.left_out:
        return text
    which = "files.csv names them" if options.paths else "with --paths, files.csv names them"
    reasons = pd.Series([file.reason for file in outcome.left_out]).value_counts()
    counts = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
    return f"{text}; {len(outcome.left_out)} files left out ({counts}): see excluded.csv; {which}"
