"""Measures the evaluation on a data set of the size of INbreast, and on one of 100,000 images.

    python benchmarks/froc.py --samples 2000
    python benchmarks/froc.py --samples 2000 --images 100000

The data are 410 images of 108 patients in five folds, with boxes at 1000 thresholds. Matching is the same in
both; the loop then collects the images of the patients of each draw and counts them again. It processes only
some of the draws, for which both must agree, and its time is scaled to all draws. Prints both times for one
definition, their ratio, and the time and peak memory of the complete evaluation (every definition of the
protocol table, areas, tables).

With ``--images``, the data are five folds with four images of each patient, and 1 to 20 boxes on each image
in each mode; every candidate has its own score. Prints processor time and peak memory of the complete
evaluation and of writing its tables, and then both for a single curve and area with their bootstrap on 1,200
images of one fold, against arrays of all patients, thresholds and pairs of patients: both must agree.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from mammoflow.base.boxes import BOX
from mammoflow.evaluation import froc, froc_report, matching, resampling, wafroc
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
    image_ids, tables = fold.images["image_id"], [fold.detections]
    boxes = matching.alive(tables, matching.distinct([fold.detections["threshold"]]), image_ids)
    return matching.match(boxes, fold.lesions, image_ids, definition)


def ours(matches: matching.Matches, fold: Fold, definition: Definition, draws: np.ndarray) -> np.ndarray:
    return froc.bootstrap(froc.count(matches, fold, definition, (1, 4)), draws, AT)


def one_by_one(matches: matching.Matches, fold: Fold, draws: np.ndarray) -> np.ndarray:
    """Images and lesions of the drawn patients put together, and counted, for each draw by itself."""
    patient, names = pd.factorize(fold.images["patient_id"])
    image_of_lesion = pd.Index(fold.images["image_id"]).get_indexer(fold.lesions["image_id"])
    hit, false_positives = dense(matches.hit).T, dense(matches.false_positives).T
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
        tpr = np.append(0, hit[:, lesions].sum(axis=1)) / len(lesions)
        fpi = np.append(0, false_positives[:, images].sum(axis=1)) / len(images)
        values.append(froc.tpr_at(tpr, fpi, AT)[0])
    return np.array(values)


def dense(changes) -> np.ndarray:
    """Counts at every threshold, (n, t)."""
    return np.cumsum(changes.toarray(), axis=1)[:, :-1]


def scored_fold(number: int, images: int, columns: list[str]) -> Fold:
    """Images with few lesions, some of which touch, and candidates on and around them."""
    generator = np.random.default_rng([number, 0])
    names = np.array([f"{number}-{image}" for image in range(images)], object)
    frame = pd.DataFrame({"image_id": names, "laterality": np.array(["L", "R"])[np.arange(images) % 2]})
    frame["patient_id"] = [f"{number}-p{image // 4}" for image in range(images)]
    marked = np.repeat(np.arange(images), generator.choice([0, 1, 2], images, p=[0.6, 0.3, 0.1]))
    centres = generator.integers(MASS, SIDE - MASS, (len(marked), 2))
    touching = np.append(False, marked[1:] == marked[:-1]) & (generator.random(len(marked)) < 0.2)
    centres[touching] = centres[np.flatnonzero(touching) - 1] + generator.integers(
        -80, 80, (touching.sum(), 2)
    )
    lesions = pd.DataFrame({"image_id": names[marked], "lesion_id": np.arange(len(marked)).astype(str)})
    lesions[BOX] = np.hstack([centres - MASS // 2, centres + MASS // 2])
    lesions["area_cm2"] = generator.choice([0.5, 2, 9], len(marked))
    lesions["pathology"] = generator.choice(["MALIGNANT", "BENIGN"], len(marked))
    image, boxes, score = boxes_near(marked, centres, images, generator)
    candidates = pd.DataFrame({"image_id": names[image], **dict(zip(BOX, boxes.T, strict=True))})
    return Fold(
        number,
        frame,
        lesions,
        pd.DataFrame(columns=columns),
        candidates=candidates.assign(score=score),
    )


def boxes_near(marked, centres, images: int, generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, box and score of 1 to 20 boxes on each image; a quarter of them near a lesion."""
    image = np.repeat(np.arange(images), generator.integers(1, 21, images))
    middle, score = generator.integers(MASS, SIDE - MASS, (len(image), 2)), generator.beta(1, 3, len(image))
    lesion = np.searchsorted(marked, image).clip(max=len(marked) - 1)
    near = (marked[lesion] == image) & (generator.random(len(image)) < 0.25)
    middle[near] = centres[lesion[near]] + generator.integers(-60, 60, (near.sum(), 2))
    score[near] = generator.beta(3, 2, near.sum())
    half = generator.integers(60, 200, (len(image), 2))
    return image, np.hstack([middle - half, middle + half]), score


def shards(fold: Fold, images: int = 400) -> Iterator[pd.DataFrame]:
    """Tables ``detections`` of some hundred images each: every candidate at up to 50 thresholds."""
    generator = np.random.default_rng([fold.number, 1])
    for first in range(0, len(fold.images), images):
        names = fold.images["image_id"][first : first + images]
        table = fold.candidates[fold.candidates["image_id"].isin(names)]
        top = (table["score"].to_numpy() * LEVELS).astype(int)
        levels = np.minimum(generator.integers(1, 51, len(top)), top + 1)
        row = np.repeat(np.arange(len(top)), levels)
        below = np.arange(len(row)) - np.repeat(np.cumsum(levels) - levels, levels)
        yield table.iloc[row].assign(threshold=((top - levels + 1)[row] + below) / LEVELS)


def of_shards(fold: Fold) -> dict[str, matching.Boxes]:
    image_ids, thresholds = fold.images["image_id"], np.arange(LEVELS) / LEVELS
    return {
        "paper": matching.alive(shards(fold), thresholds, image_ids),
        "candidate": matching.scored(fold.candidates, image_ids),
    }


def naive(fold: Fold, matches: matching.Matches, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TPR and wAFROC1 in each draw, from counts of each patient at each threshold and pairs of patients."""
    patient, names = pd.factorize(fold.images["patient_id"])
    image = pd.Index(fold.images["image_id"]).get_indexer(fold.lesions["image_id"])
    hit, false_positives = dense(matches.hit), dense(matches.false_positives)
    hits, found = (np.zeros((len(names), len(matches.thresholds))) for _ in range(2))
    np.add.at(hits, patient[image], hit)
    np.add.at(found, patient, false_positives)
    targets, images = np.bincount(patient[image], minlength=len(names)), np.bincount(patient)
    tpr = froc.tpr_at(
        draws @ hits / (draws @ targets)[:, None], draws @ found / (draws @ images)[:, None], AT
    )[0]
    lesion, worst = (highest(matches.thresholds, each) for each in (hit, false_positives))
    won = (lesion > worst[:, None]) + (lesion == worst[:, None]) / 2
    pairs = np.zeros((len(names), len(names)))
    np.add.at(pairs, (patient[:, None], patient[image]), won / np.bincount(image)[image])
    diseased = np.bincount(patient[np.unique(image)], minlength=len(names))
    return tpr, ((draws @ pairs) * draws).sum(axis=1) / ((draws @ images) * (draws @ diseased))


def highest(thresholds: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.where(counts.any(axis=1), thresholds[(counts > 0).argmax(axis=1)], -np.inf)


def sparse(fold: Fold, matches: matching.Matches, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    definition = Definition("candidate")
    tpr = froc.bootstrap(froc.count(matches, fold, definition, (1, 4)), draws, AT)
    return tpr, wafroc.ratings_of(matches, fold, definition, "wAFROC1").areas(draws)


def large(images: int, samples: int) -> None:
    """Prints the cost of a complete evaluation, and of one curve and area with and without large arrays."""
    columns = ["image_id", "threshold", *BOX, "score"]
    folds = (scored_fold(number, images // 5, columns) for number in range(5))
    evaluation = Evaluation("paper", "iou-above", 0.2, "ignore", "merged", "all", AT, (1, 4), samples)
    start = time.process_time()
    report = froc_report.evaluate(folds, evaluation, 0, of_shards)
    evaluated = time.process_time()
    print(f"{images} images, {samples} draws: {evaluated - start:.0f} s of processor time, {peak()}")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: f"{folder}/{name}.csv" for name in froc_report.TABLES}
        froc_report.write(report, paths)
        sizes = ", ".join(
            f"{name} {Path(paths[name]).stat().st_size / 1e6:.0f} MB" for name in ("points", "pooled")
        )
    print(f"tables written in {time.process_time() - evaluated:.0f} s ({sizes}), {peak()}")
    del report
    fold = scored_fold(0, 1200, columns)
    image_ids = fold.images["image_id"]
    boxes = matching.scored(fold.candidates, image_ids)
    matches = matching.match(boxes, fold.lesions, image_ids, Definition("candidate"))
    draws = resampling.draws(300, samples, np.random.default_rng(0))
    for work in (sparse, naive):
        start = time.process_time()
        found = work(fold, matches, draws)
        print(f"{work.__name__}, 1200 images: {time.process_time() - start:.2f} s, {peak()}")
        if work is sparse:
            expected = found
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def peak() -> str:
    return f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"


def seconds(work, *arguments) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=200, help="draws of the loop in each fold")
    parser.add_argument("--images", type=int, help="of a large data set, in place of that of 410 images")
    arguments = parser.parse_args()
    if arguments.images:
        large(arguments.images, arguments.samples)
        return
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
