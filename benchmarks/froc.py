"""Compares the bootstrap of FROC curves with a loop over the draws, on a data set of the size of INbreast.

    python benchmarks/froc.py --samples 2000

The data are 410 images of 108 patients in five folds, with boxes at 1000 thresholds. Matching is the same in
both; the loop then collects the images of the patients of each draw and counts them again. It processes only
some of the draws, for which both must agree, and its time is scaled to all draws. Prints both times for one
definition, their ratio, and the time and peak memory of the complete evaluation (every definition of the
protocol table, areas, tables).
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow.base.boxes import BOX
from mammoflow.evaluation import froc, froc_report, matching, resampling
from mammoflow.evaluation.definitions import Definition, Evaluation
from mammoflow.evaluation.folds import Fold

LEVELS, SIDE, MASS = 1000, 3000, 250
AT = (0.25, 0.44, 0.5, 0.58, 0.79, 1.67, 2.1)


def study(folds: int = 5, patients: int = 108, images: int = 410, masses: int = 107) -> list[Fold]:
    """Folds of patients; on each image components that grow, and merge two by two, as the threshold falls."""
    generator = np.random.default_rng(0)
    patient = np.sort(np.arange(images) % patients)
    made = []
    for number in range(folds):
        here = np.flatnonzero(patient % folds == number)
        frame = pd.DataFrame(
            {
                "image_id": [f"i{i}" for i in here],
                "patient_id": [f"p{patient[i]}" for i in here],
                "laterality": "L",
            }
        )
        lesions, tables = [], []
        for place, image_id in enumerate(frame["image_id"]):
            with_mass = place * images // len(here) < masses
            centres = generator.integers(MASS, SIDE - MASS, (generator.integers(2, 9), 2))
            if with_mass:
                y, x = centres[0] - MASS // 2 + generator.integers(-40, 40, 2)
                lesions.append((image_id, image_id, y, x, y + MASS, x + MASS, MASS**2, 3.0, "MALIGNANT", ""))
            tables.append(components(image_id, centres, generator, with_mass))
        columns = ["image_id", "lesion_id", *BOX, "area_px", "area_cm2", "pathology", "source"]
        made.append(
            Fold(number, frame, pd.DataFrame(lesions, columns=columns), pd.concat(tables, ignore_index=True))
        )
    return made


def components(
    image_id: str, centres: np.ndarray, generator: np.random.Generator, mass: bool
) -> pd.DataFrame:
    """Boxes around peaks at every threshold below them, the larger the lower; one box in the lowest tenth."""
    rows = []
    for place, (y, x) in enumerate(centres):
        peak = generator.beta(5, 2) if mass and not place else generator.beta(1, 4)
        last = int(peak * LEVELS)
        level = np.arange(LEVELS // 10, last)
        half = (40 + 200 * (1 - level / max(last, 1))).astype(int)
        rows.append(
            np.column_stack(
                [level / LEVELS, y - half, x - half, y + half, x + half, np.full(len(level), last)]
            )
        )
    level = np.arange(LEVELS // 10)
    whole = [centres.min(0) - 240, centres.max(0) + 240]
    top = max([LEVELS // 10, *(int(each[0, 5]) for each in rows if len(each))])
    rows.append(
        np.column_stack(
            [level / LEVELS, np.tile(np.concatenate(whole), (len(level), 1)), np.full(len(level), top)]
        )
    )
    table = np.concatenate(rows)
    frame = pd.DataFrame({"image_id": image_id, "threshold": table[:, 0]})
    frame[BOX] = table[:, 1:5].astype(int)
    return frame.assign(score=table[:, 5] / LEVELS)


def found_in(fold: Fold, definition: Definition) -> matching.Matches:
    image_ids = fold.images["image_id"]
    return matching.match(matching.alive(fold.detections, image_ids), fold.lesions, image_ids, definition)


def ours(matches: matching.Matches, fold: Fold, definition: Definition, draws: np.ndarray) -> np.ndarray:
    return froc.bootstrap(froc.count(matches, fold, definition, (1, 4)), draws, AT)


def one_by_one(matches: matching.Matches, fold: Fold, draws: np.ndarray) -> np.ndarray:
    """Images and lesions of the drawn patients put together, and counted, for each draw by itself."""
    patient, names = pd.factorize(fold.images["patient_id"])
    image_of_lesion = pd.Index(fold.images["image_id"]).get_indexer(fold.lesions["image_id"])
    values = []
    for draw in draws:
        chosen = [
            np.flatnonzero(patient == number) for number in range(len(names)) for _ in range(draw[number])
        ]
        lesions = [np.flatnonzero(np.isin(image_of_lesion, images)) for images in chosen]
        images, lesions = np.concatenate(chosen), np.concatenate(lesions)
        if not len(lesions):
            values.append(np.full(len(AT), np.nan))
            continue
        tpr = np.append(0, matches.hit[:, lesions].sum(axis=1)) / len(lesions)
        fpi = np.append(0, matches.false_positives[:, images].sum(axis=1)) / len(images)
        values.append(froc.tpr_at(tpr, fpi, AT)[0])
    return np.array(values)


def seconds(work, *arguments) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=200, help="draws of the loop in each fold")
    arguments = parser.parse_args()
    folds, definition = study(), Definition()
    images, lesions, boxes = (sum(len(each[place]) for each in folds) for place in (1, 2, 3))
    matched, fast, slow = [], [], []
    for fold in folds:
        patients = fold.images["patient_id"].nunique()
        drawn = resampling.draws(patients, arguments.samples, np.random.default_rng(fold.number))
        spent, matches = seconds(found_in, fold, definition)
        matched.append(spent)
        spent, values = seconds(ours, matches, fold, definition, drawn)
        fast.append(spent)
        spent, expected = seconds(one_by_one, matches, fold, drawn[: arguments.loop])
        slow.append(spent * arguments.samples / arguments.loop)
        np.testing.assert_allclose(values[: arguments.loop], expected)
    print(f"{images} images, {lesions} masses, {boxes} boxes, {arguments.samples} draws of patients")
    print(
        f"one definition: matching {sum(matched):.2f} s, bootstrap {sum(fast):.2f} s, draw by draw "
        f"{sum(slow):.1f} s (from {arguments.loop} draws a fold), ratio {sum(slow) / sum(fast):.1f}"
    )
    evaluation = Evaluation(
        "paper", "iou-above", 0.2, "ignore", "merged", "all", AT, (1, 4), arguments.samples
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent, report = seconds(froc_report.evaluate, folds, evaluation, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    definitions = len(report.operating_points.drop_duplicates(list(definition.key)))
    print(
        f"whole evaluation, {definitions} definitions: {spent:.1f} s; "
        f"peak memory {peak / 1024:.0f} MiB, of which it added {(peak - before) / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
