"""All evaluation results of one model: curves, operating points and areas under every definition."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.base import seeds, storage
from mammoflow.base.contracts.froc import CURVE, DRAWS, FOLDS, MERITS, OPERATING_POINTS, POINTS, POOLED
from mammoflow.base.contracts.table import Table, escape
from mammoflow.evaluation import froc, matching, resampling, statistics, wafroc
from mammoflow.evaluation.definitions import MODES, Definition, Evaluation
from mammoflow.evaluation.folds import Fold
from mammoflow.evaluation.froc import Curve
from mammoflow.evaluation.matching import Boxes, Matches

TABLES = {
    "points": POINTS,
    "curve": CURVE,
    "pooled": POOLED,
    "operating_points": OPERATING_POINTS,
    "folds": FOLDS,
    "merits": MERITS,
    "draws": DRAWS,
}


@dataclass(frozen=True)
class Report:
    """A table of each kind in `contracts.froc`.

    The tables ``points`` and ``pooled`` have a row per threshold: of 100,000 images, millions of rows. They
    are built from the curves when they are needed, because they take several times the memory.

    Attributes
    ----------
    lines : dict of Definition to dict of int to Curve
        The curve of each fold, under each definition whose complete curves are stored.
    curve, operating_points, folds, merits, draws : pandas.DataFrame
        Tables.
    """

    lines: Mapping[Definition, Mapping[int, Curve]]
    curve: pd.DataFrame
    operating_points: pd.DataFrame
    folds: pd.DataFrame
    merits: pd.DataFrame
    draws: pd.DataFrame

    @property
    def points(self) -> pd.DataFrame:
        """Table ``froc-points``."""
        return _table(POINTS, list(self.parts_of_points()))

    @property
    def pooled(self) -> pd.DataFrame:
        """Table ``froc-pooled``."""
        return _table(POOLED, list(self.parts_of_pooled()))

    def parts_of_points(self) -> Iterator[pd.DataFrame]:
        """Rows of ``points``, one fold and definition at a time."""
        for definition, lines in self.lines.items():
            yield from (_points(definition, number, line) for number, line in lines.items() if line.defined)

    def parts_of_pooled(self) -> Iterator[pd.DataFrame]:
        """Rows of ``pooled``, one definition at a time."""
        for definition, lines in self.lines.items():
            together = froc.pooled(list(lines.values()), definition.mode)
            if together.defined:
                yield _pooled(definition, together)


def evaluate(
    folds: Iterable[Fold],
    evaluation: Evaluation,
    seed: int,
    boxes_of: Callable[[Fold], dict[str, Boxes]] = matching.of_maps,
) -> Report:
    """FROC of one model per fold, over all folds, under every definition.

    A fold with nothing to find under a definition, or without an image to count false positives on, has no
    curve there and is excluded from the mean; the columns ``folds`` say how many remain. The pooled curve
    has the images of every fold.

    Parameters
    ----------
    folds : iterable of Fold
        At least one. Each is evaluated and let go before the next is asked for.
    evaluation : Evaluation
        The settings.
    seed : int
        Root seed. All definitions and models see the same draws of patients.
    boxes_of : function
        Boxes of a fold in each mode that it has: a function of `matching`.
    """
    at = sorted({*froc.STANDARD_FPI, *map(float, evaluation.operating_points)})
    # Comprehensions would keep a fold in memory until the next one is read.
    compact = map(partial(_compact, boxes_of), folds)
    found = list(map(partial(_of_fold, evaluation=evaluation, seed=seed, at=at), compact))
    every = [_over_folds(definition, found, evaluation.bootstrap, at) for definition in found[0].counted]
    areas = [_area(measure, found, evaluation.bootstrap) for measure in wafroc.MEASURES]
    modes = found[0].modes
    drawn = [each for each in every if each.definition in _possible(evaluation.drawn(), evaluation, modes)]
    own = [replace(_own(evaluation, modes), mode=mode) for mode in modes]
    return Report(
        lines={each.definition: each.lines for each in drawn},
        curve=_table(CURVE, [_mean_curve(each) for each in drawn if each.defined]),
        operating_points=_table(OPERATING_POINTS, [_operating_points(each, at) for each in every]),
        folds=_table(
            FOLDS,
            [
                _fold(each.definition, number, line, at)
                for each in every
                for number, line in each.defined.items()
            ],
        ),
        merits=_table(MERITS, [_merit(each) for each in areas]),
        draws=_table(
            DRAWS,
            [
                _drawn(each.definition.mode, "TPR", fpi, each.samples[:, place])
                for each in every
                if each.definition in own
                for place, fpi in enumerate(at)
            ]
            + [_drawn("candidate", each.measure, np.nan, each.samples) for each in areas],
        ),
    )


class _Counted(NamedTuple):
    """Curve of a fold under one definition, units of each patient, and TPR at each FPI in each draw."""

    line: Curve
    targets: np.ndarray
    samples: np.ndarray


class _OfFold(NamedTuple):
    """Results of a fold; of areas, those that are defined, and the draws of its patients."""

    number: int
    modes: list[str]
    counted: dict[Definition, _Counted]
    ratings: dict[str, wafroc.Ratings]
    draws: np.ndarray


class _OverFolds(NamedTuple):
    """The curve of each fold under one definition, and the mean TPR at each FPI in each draw."""

    definition: Definition
    lines: dict[int, Curve]
    samples: np.ndarray

    @property
    def defined(self) -> dict[int, Curve]:
        """Curves of those folds that have rates."""
        return {number: line for number, line in self.lines.items() if line.defined}


class _Area(NamedTuple):
    """An area under the weighted AFROC: of each fold, and its mean over folds in each draw."""

    measure: str
    values: np.ndarray
    samples: np.ndarray


def _compact(boxes_of: Callable[[Fold], dict[str, Boxes]], fold: Fold) -> tuple[Fold, dict[str, Boxes]]:
    """A fold without its detections, and its boxes in each mode."""
    return fold._replace(detections=None), boxes_of(fold)


def _of_fold(
    compact: tuple[Fold, dict[str, Boxes]], evaluation: Evaluation, seed: int, at: Sequence[float]
) -> _OfFold:
    fold, boxes = compact
    modes = [mode for mode in MODES if mode in boxes]
    draws = resampling.draws(
        fold.images["patient_id"].nunique(),
        evaluation.bootstrap,
        seeds.generator(seed, "froc", fold.number),
    )

    @cache
    def shared(definition: Definition) -> Matches:
        return matching.match(
            boxes[definition.mode],
            fold.annotated(definition.lesions),
            fold.images["image_id"],
            definition,
        )

    def matches(definition: Definition) -> Matches:
        """Neither the images, the unit nor the subset change them."""
        return shared(replace(definition, fpi_over="all", unit="lesion", subset="all"))

    def counted(definition: Definition) -> _Counted:
        counts = froc.count(matches(definition), fold, definition, evaluation.size_strata_cm2)
        return _Counted(froc.curve(counts), counts.targets, froc.bootstrap(counts, draws, at))

    definitions = _possible([*evaluation.protocol(), *evaluation.drawn()], evaluation, modes)
    scored = replace(_own(evaluation, modes), mode="candidate")
    ratings = {
        measure: wafroc.ratings_of(matches(scored), fold, scored, measure) for measure in wafroc.MEASURES
    }
    return _OfFold(fold.number, modes, {each: counted(each) for each in definitions}, ratings, draws)


def _own(evaluation: Evaluation, modes: Sequence[str]) -> Definition:
    """The configured definition, in a mode that the boxes have."""
    own = evaluation.definition
    return own if own.mode in modes else replace(own, mode=modes[0])


def _possible(
    definitions: Iterable[Definition], evaluation: Evaluation, modes: Sequence[str]
) -> list[Definition]:
    """Definitions in a mode that the boxes have, each once, the configured one first."""
    own = _own(evaluation, modes)
    of_mode = (each if each.mode in modes else replace(each, mode=own.mode) for each in definitions)
    return list(dict.fromkeys([own, *of_mode]))


def _over_folds(
    definition: Definition, found: Sequence[_OfFold], samples: int, at: Sequence[float]
) -> _OverFolds:
    every = {each.number: each.counted[definition] for each in found}
    defined = [each for each in every.values() if each.line.defined]
    return _OverFolds(
        definition,
        {number: each.line for number, each in every.items()},
        resampling.over_folds(
            [each.samples for each in defined], [each.targets for each in defined], (samples, len(at))
        ),
    )


def _area(measure: str, found: Sequence[_OfFold], samples: int) -> _Area:
    defined = [each for each in found if each.ratings[measure].defined]
    return _Area(
        measure,
        np.array([each.ratings[measure].area() for each in defined]),
        resampling.over_folds(
            [each.ratings[measure].areas(each.draws) for each in defined],
            [each.ratings[measure].diseased for each in defined],
            (samples,),
        ),
    )


def _points(definition: Definition, number: int, line: Curve) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **definition.key,
            "fold": number,
            "threshold": line.thresholds,
            "tpr": line.tpr,
            "fpi": line.fpi,
            "hits": line.hits,
            "targets": line.targets,
            "false_positives": line.false_positives,
            "images": line.images,
            "normal_false_positives": line.normal_false_positives,
            "normal_images": line.normal_images,
        }
    )


def _pooled(definition: Definition, together: Curve) -> pd.DataFrame:
    columns = ("hits", "targets", "false_positives", "images")
    return pd.DataFrame(
        {
            **definition.key,
            "threshold": together.thresholds,
            "tpr": together.tpr,
            "fpi": together.fpi,
            **{column: getattr(together, column) for column in columns},
        }
    )


def _values(lines: Iterable[Curve], at: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """TPR, and whether it is reached, of each curve at each FPI: (folds, x) each."""
    found = [froc.tpr_at(line.tpr, line.fpi, at) for line in lines]
    values, reached = (np.reshape([pair[side] for pair in found], (-1, len(at))) for side in (0, 1))
    return values, reached


def _mean_curve(of: _OverFolds) -> pd.DataFrame:
    values, _ = _values(of.defined.values(), froc.CURVE_FPI)
    mean, std = statistics.mean_std(values)
    low, high = statistics.t_interval(values, low=0, high=1)
    columns = {"fpi": froc.CURVE_FPI, "tpr_mean": mean, "tpr_std": std, "tpr_low": low, "tpr_high": high}
    return pd.DataFrame({**of.definition.key, **columns, "folds": len(values)})


def _operating_points(of: _OverFolds, at: Sequence[float]) -> pd.DataFrame:
    lines = list(of.defined.values())
    together = froc.pooled(list(of.lines.values()), of.definition.mode)
    values, reached = _values(lines, at)
    mean, std = statistics.mean_std(values)
    t_low, t_high = statistics.t_interval(values, low=0, high=1)
    low, high = resampling.percentiles(of.samples)
    normal, folds_normal = _fpi_of_kind(lines, at, "normal")
    mass, _ = _fpi_of_kind(lines, at, "mass")
    return pd.DataFrame(
        {
            **of.definition.key,
            "fpi": at,
            "tpr_mean": mean,
            "tpr_std": std,
            "t_low": t_low,
            "t_high": t_high,
            "bootstrap_low": low,
            "bootstrap_high": high,
            "tpr_pooled": froc.tpr_at(together.tpr, together.fpi, at)[0] if together.defined else np.nan,
            "tpr_ceiling": np.mean([line.ever / line.targets for line in lines]) if lines else np.nan,
            "fpi_normal": normal,
            "fpi_mass": mass,
            "targets": sum(line.targets for line in lines),
            "images": sum(line.images for line in lines),
            "folds": len(lines),
            "folds_reached": reached.sum(axis=0),
            "folds_normal": folds_normal,
        }
    )


def _fpi_of_kind(lines: Iterable[Curve], at: Sequence[float], kind: str) -> tuple[np.ndarray, int]:
    """FPI on normal or on mass images where the TPR is read, mean over the folds that have such: (x,)."""
    rates = []
    for line in lines:
        images, found = getattr(line, f"{kind}_images"), getattr(line, f"{kind}_false_positives")
        if images:
            rates.append(found[froc.point_at(line.tpr, line.fpi, at)] / images)
    return (np.mean(rates, axis=0) if rates else np.full(len(at), np.nan)), len(rates)


def _fold(definition: Definition, number: int, line: Curve, at: Sequence[float]) -> pd.DataFrame:
    """The points of one fold that its operating points are read from."""
    place = froc.point_at(line.tpr, line.fpi, at)
    return pd.DataFrame(
        {
            **definition.key,
            "fold": number,
            "fpi": at,
            "tpr": line.tpr[place],
            "reached": line.fpi.max() >= np.asarray(at),
            "threshold": line.thresholds[place],
            "fpi_there": line.fpi[place],
        }
    )


def _merit(area: _Area) -> pd.DataFrame:
    names = ("mean", "std", "t_low", "t_high", "bootstrap_low", "bootstrap_high")
    found = (
        *statistics.mean_std(area.values),
        *statistics.t_interval(area.values, low=0, high=1),
        *resampling.percentiles(area.samples),
    )
    row = dict(zip(names, map(float, found), strict=True))
    return pd.DataFrame([{"measure": area.measure, **row, "folds": len(area.values)}])


def _drawn(mode: str, measure: str, fpi: float, samples: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"mode": mode, "measure": measure, "fpi": fpi, "draw": np.arange(len(samples)), "value": samples}
    )


def _table(table: Table, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return table.check(pd.concat(frames) if frames else pd.DataFrame(columns=list(table.columns)))


def write(report: Report, paths: Mapping[str, str]) -> None:
    """Write each table of a report to the path under its name."""
    for name, table in TABLES.items():
        if name not in ("points", "pooled"):
            table.write(getattr(report, name), paths[name])
    _write_parts(POINTS, report.parts_of_points(), paths["points"])
    _write_parts(POOLED, report.parts_of_pooled(), paths["pooled"])


def _write_parts(table: Table, parts: Iterable[pd.DataFrame], path: str) -> None:
    """Write a table as `Table.write` does, a part of its rows at a time."""
    with storage.whole(path) as temporary:
        _table(table, []).to_csv(temporary, index=False)
        for part in parts:
            escape(table.check(part)).to_csv(temporary, index=False, header=False, mode="a")


def sentence(report: Report) -> str:
    """The first definition's TPR at the FPI nearest to one, in words."""
    own = report.operating_points.iloc[0]
    rows = Definition(**own[[field.name for field in fields(Definition)]]).rows(report.operating_points)
    row = rows.iloc[(rows["fpi"] - 1).abs().argmin()]
    if row["folds"] == 0:
        return "no lesion in any fold, no TPR"
    return f"TPR {row['tpr_mean']:.2f} at {row['fpi']:g} FPI over {row['folds']} folds, mode {row['mode']}"
