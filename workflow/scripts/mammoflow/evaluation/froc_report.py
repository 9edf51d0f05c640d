"""All evaluation results of one model: curves, operating points and areas under every definition."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from mammoflow.base import seeds
from mammoflow.base.contracts.froc import CURVE, DRAWS, FOLDS, MERITS, OPERATING_POINTS, POINTS, POOLED
from mammoflow.base.contracts.table import Table
from mammoflow.evaluation import froc, matching, resampling, statistics, wafroc
from mammoflow.evaluation.definitions import MODES, Definition, Evaluation
from mammoflow.evaluation.folds import Fold
from mammoflow.evaluation.froc import Counts, Curve
from mammoflow.evaluation.matching import Boxes, Matches


class Report(NamedTuple):
    """A table of each kind in `contracts.froc`."""

    points: pd.DataFrame
    curve: pd.DataFrame
    pooled: pd.DataFrame
    operating_points: pd.DataFrame
    folds: pd.DataFrame
    merits: pd.DataFrame
    draws: pd.DataFrame


_TABLES = Report(POINTS, CURVE, POOLED, OPERATING_POINTS, FOLDS, MERITS, DRAWS)


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
        At least one. Each is taken once and its table of detections let go before the next is asked for:
        rows at a thousand thresholds take far more memory than the boxes among them.
    evaluation : Evaluation
        The settings.
    seed : int
        Root seed. All definitions and models see the same draws of patients.
    boxes_of : function
        Boxes of a fold in each mode that it has: `matching.of_maps` or `matching.of_scores`.
    """
    model = _Model(folds, boxes_of, evaluation, seed)
    at = sorted({*froc.STANDARD_FPI, *map(float, evaluation.operating_points)})
    rows = Report(*([] for _ in Report._fields))
    drawn = model.possible(evaluation.drawn())
    paired = [replace(model.own, mode=mode) for mode in model.modes]
    for definition in model.possible([*evaluation.protocol(), *drawn]):
        every = model.counted(definition)
        together = froc.pooled([froc.curve(counts) for _, counts, _ in every], definition.mode)
        counted = [each for each in every if each.counts.defined]
        lines = {fold.number: froc.curve(counts) for fold, counts, _ in counted}
        samples = resampling.over_folds(
            [froc.bootstrap(counts, draws, at) for _, counts, draws in counted],
            [counts.targets for _, counts, _ in counted],
            (evaluation.bootstrap, len(at)),
        )
        rows.operating_points.append(
            _operating_points(definition, list(lines.values()), together, at, samples)
        )
        rows.folds.extend(_fold(definition, number, line, at) for number, line in lines.items())
        if definition in drawn and lines:
            rows.points.extend(_points(definition, number, line) for number, line in lines.items())
            rows.curve.append(_mean_curve(definition, list(lines.values())))
        if definition in drawn and together.defined:
            rows.pooled.append(_pooled(definition, together))
        if definition in paired:
            rows.draws.extend(
                _drawn(definition.mode, "TPR", fpi, samples[:, place]) for place, fpi in enumerate(at)
            )
    for measure in wafroc.MEASURES:
        merit, samples = _merit(model, measure)
        rows.merits.append(merit)
        rows.draws.append(_drawn("candidate", measure, np.nan, samples))
    return Report(*(_table(table, frames) for table, frames in zip(_TABLES, rows, strict=True)))


class _Counted(NamedTuple):
    """A fold, what is found in it, and the draws of its patients."""

    fold: Fold
    counts: Counts
    draws: np.ndarray


class _Model:
    """Boxes of a model on all folds, and what of them several definitions share."""

    def __init__(
        self,
        folds: Iterable[Fold],
        boxes_of: Callable[[Fold], dict[str, Boxes]],
        evaluation: Evaluation,
        seed: int,
    ) -> None:
        # No comprehension: its variable would keep a fold until the next is read.
        self.folds, self._boxes = zip(*map(partial(_compact, boxes_of), folds), strict=True)
        self.draws = [
            resampling.draws(
                fold.images["patient_id"].nunique(),
                evaluation.bootstrap,
                seeds.generator(seed, "froc", fold.number),
            )
            for fold in self.folds
        ]
        self.modes = [mode for mode in MODES if mode in self._boxes[0]]
        own = evaluation.definition
        self.own = own if own.mode in self.modes else replace(own, mode=self.modes[0])
        self._edges = evaluation.size_strata_cm2
        self._matches: dict[Definition, list[Matches]] = {}

    def possible(self, definitions: Iterable[Definition]) -> list[Definition]:
        """Definitions in a mode that the boxes have, each once, the model's own first."""
        of_mode = (
            each if each.mode in self.modes else replace(each, mode=self.own.mode) for each in definitions
        )
        return list(dict.fromkeys([self.own, *of_mode]))

    def matches(self, definition: Definition) -> list[Matches]:
        """Matches of every fold; neither the images, the unit nor the subset change them."""
        shared = replace(definition, fpi_over="all", unit="lesion", subset="all")
        if shared not in self._matches:
            self._matches[shared] = [
                matching.match(
                    boxes[shared.mode], fold.annotated(shared.lesions), fold.images["image_id"], shared
                )
                for fold, boxes in zip(self.folds, self._boxes, strict=True)
            ]
        return self._matches[shared]

    def counted(self, definition: Definition) -> list[_Counted]:
        """Counts of every fold."""
        return [
            _Counted(fold, froc.count(matches, fold, definition, self._edges), draws)
            for fold, matches, draws in zip(self.folds, self.matches(definition), self.draws, strict=True)
        ]


def _compact(boxes_of: Callable[[Fold], dict[str, Boxes]], fold: Fold) -> tuple[Fold, dict[str, Boxes]]:
    """A fold without its detections, and its boxes in each mode."""
    # A new table, for an empty slice would keep all of the old one in memory.
    without = fold._replace(detections=pd.DataFrame(columns=fold.detections.columns))
    return without, boxes_of(fold)


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


def _mean_curve(definition: Definition, lines: Sequence[Curve]) -> pd.DataFrame:
    values, _ = _values(lines, froc.CURVE_FPI)
    mean, std = statistics.mean_std(values)
    low, high = statistics.t_interval(values, low=0, high=1)
    columns = {"fpi": froc.CURVE_FPI, "tpr_mean": mean, "tpr_std": std, "tpr_low": low, "tpr_high": high}
    return pd.DataFrame({**definition.key, **columns, "folds": len(lines)})


def _operating_points(
    definition: Definition,
    lines: Sequence[Curve],
    together: Curve,
    at: Sequence[float],
    samples: np.ndarray,
) -> pd.DataFrame:
    values, reached = _values(lines, at)
    mean, std = statistics.mean_std(values)
    t_low, t_high = statistics.t_interval(values, low=0, high=1)
    low, high = resampling.percentiles(samples)
    normal, folds_normal = _fpi_of_kind(lines, at, "normal")
    mass, _ = _fpi_of_kind(lines, at, "mass")
    return pd.DataFrame(
        {
            **definition.key,
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


def _merit(model: _Model, measure: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Row of an area under the weighted AFROC, and its mean over folds in every draw, (samples,)."""
    definition = replace(model.own, mode="candidate")
    kernels = [
        (wafroc.by_patient(matches, fold, definition, measure), draws)
        for matches, fold, draws in zip(model.matches(definition), model.folds, model.draws, strict=True)
    ]
    kernels = [(kernel, draws) for kernel, draws in kernels if kernel.defined]
    values = np.array([kernel.area() for kernel, _ in kernels])
    samples = resampling.over_folds(
        [kernel.areas(draws) for kernel, draws in kernels],
        [kernel.diseased for kernel, _ in kernels],
        model.draws[0].shape[:1],
    )
    names = ("mean", "std", "t_low", "t_high", "bootstrap_low", "bootstrap_high")
    found = (
        *statistics.mean_std(values),
        *statistics.t_interval(values, low=0, high=1),
        *resampling.percentiles(samples),
    )
    row = {"measure": measure, **dict(zip(names, map(float, found), strict=True)), "folds": len(kernels)}
    return pd.DataFrame([row]), samples


def _drawn(mode: str, measure: str, fpi: float, samples: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"mode": mode, "measure": measure, "fpi": fpi, "draw": np.arange(len(samples)), "value": samples}
    )


def _table(table: Table, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return table.check(pd.concat(frames) if frames else pd.DataFrame(columns=list(table.columns)))


def write(report: Report, paths: Mapping[str, str]) -> None:
    """Write each table of a report to the path under its name."""
    for name, table, frame in zip(Report._fields, _TABLES, report, strict=True):
        table.write(frame, paths[name])


def sentence(report: Report) -> str:
    """The first definition's TPR at the FPI nearest to one, in words."""
    own = report.operating_points.iloc[0]
    rows = Definition(**own[[field.name for field in fields(Definition)]]).rows(report.operating_points)
    row = rows.iloc[(rows["fpi"] - 1).abs().argmin()]
    if row["folds"] == 0:
        return "no lesion in any fold, no TPR"
    return f"TPR {row['tpr_mean']:.2f} at {row['fpi']:g} FPI over {row['folds']} folds, mode {row['mode']}"
