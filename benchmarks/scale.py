"""Computes the cost of a study from the costs of an image, a patch, a window and a job, without running it.

Prints a table for the paper's study, and for the same study with a digital archive of 2.5 million images
instead of INbreast. Unit costs that were measured name the program in this folder; the others are assumed.
To use other values:

    python benchmarks/scale.py --set trained=600 mapped=2000
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

UNITS = {
    "index": (0.0093, "s of a core, an object: index.py at full size"),
    "images": (0.305, "s of a core, an image of 4084×3328: images.py"),
    "read": (0.047, "s of a core, an image of the store: images.py"),
    "write": (232e-6, "s of a core, a patch: bank.py"),
    "boxes": (0.40, "s of a core, a map of 3328×2560 at 1000 levels: the one pass of boxes.py"),
    "candidates": (0.22, "s of a core, a map of 3328×2560: image.py"),
    "learning": (300, "images of a fold that scores are learnt from: config.yaml"),
    "thresholds": (5000, "validation images that thresholds are chosen on, at most: bundles.images"),
    "froc": (0.0023, "s of a core, an image: froc.py, 100,000 images; tables scaled up from one fold"),
    "page": (1.5, "s of a core, a table or figure: the tests' tiny study"),
    "image_mb": (19.0, "MB, an image of the store: images.py, film phantoms"),
    "patch_mb": (0.070, "MB, a patch: bank.py"),
    "model_mb": (87.2, "MB, weights of InceptionV3: 21.8 million of 4 bytes"),
    "boxes_mb": (0.015, "MB, the boxes of an image: ten times those at 100 levels in the tests' tiny study"),
    "windows": (2400, "windows of an image at stride 56: images.py, phantoms"),
    "epochs": (30, "of a training: ASSUMED; 100 at most"),
    "trained": (300, "patches/s of a training on a GPU: ASSUMED, never run on one"),
    "mapped": (1500, "windows/s on a GPU: ASSUMED, never run on one"),
}
WINDOW_MB = 4e-6


@dataclass(frozen=True)
class Cohort:
    """A data set: the size of its release, its division, and the patches of one fold.

    `models` counts those that are classified, `mapped` sets of maps of all its images, and `scored` sets of
    candidates; `maps` counts maps by windows, one at the usual stride. Each fold is mapped in `map_shards`
    jobs.
    """

    objects: int
    images: int
    shards: int
    folds: int
    training: int
    validation: int
    test: int
    trainings: int
    models: int
    maps: float = 0
    mapped: int = 0
    scored: int = 0
    map_shards: int = 1

    @property
    def map_jobs(self) -> int:
        """Jobs that make all maps."""
        return self.mapped * self.folds * self.map_shards

    @property
    def patches(self) -> int:
        """In the bank: half of those of a fold are positive and the same in all, the others are its own."""
        return (self.training + self.validation + self.test) * (1 + self.folds) // 2


# Patches of table 1 of the paper. Trainings and maps as config/config.yaml asks for them: on film, three
# networks, two initialisations, five runs, and one each for the ablations of scaling and of labels; on
# digital images two chains and three ablations that train, five folds, and maps of these at stride 56, of one
# at 28 and of one at 112. Two banks of each, one for the ablation of labels. Two model files.
FILM = Cohort(10_239, 1592, 16, 1, 2 * 25_979, 2 * 6_210, 2 * 8_694, 3 * 2 * 5 + 2, 3 * 2)
INBREAST = Cohort(410, 410, 16, 5, 2_020 + 2_101, 539 + 549, 882 + 918, 5 * 5, 5, 5 + 4 + 1 / 4, 7, 8)
EVALUATED, PRESENTED, WEIGHTS, BANKS, PACKED = 8, 22, 3, 2, 2


def archive(images: int, shards: int, map_shards: int) -> Cohort:
    """A digital archive of screening: one image in a hundred has masses, and each INbreast's patches.

    The draw of negatives rounds up, so that every image without masses gives one patch at least.
    """
    positive = images / 100 * (2_020 + 539 + 882) / 107
    patches = positive + max(positive, images * 0.99)
    fifth = round(patches / 5)
    return Cohort(
        images,
        images,
        shards,
        5,
        3 * fifth,
        fifth,
        fifth,
        INBREAST.trainings,
        INBREAST.models,
        INBREAST.maps,
        INBREAST.mapped,
        INBREAST.scored,
        map_shards,
    )


@dataclass(frozen=True)
class Stage:
    """What one stage takes: jobs, hours of one core and of one GPU, GB, and hours of its longest job."""

    name: str
    jobs: int
    cores: float = 0
    gpus: float = 0
    size: float = 0
    longest: float = 0


def stages(cohorts: list[Cohort], unit: Mapping[str, float]) -> list[Stage]:
    """Costs of a study; a job is assumed to have one core, or one GPU that never waits for data."""
    hour = 3600

    def total(cost: str, count: str) -> float:
        return sum(getattr(cohort, count) for cohort in cohorts) * unit[cost]

    banks = [
        (cohort, (cohort.images * unit["read"] + cohort.patches * unit["write"]) / hour) for cohort in cohorts
    ]
    trained = [
        (
            cohort,
            unit["epochs"] * (cohort.training / unit["trained"] + cohort.validation / unit["mapped"]) / hour
            + cohort.test / unit["mapped"] / hour,
        )
        for cohort in cohorts
    ]
    # Maps of the tested images, and of the images that scores are learnt from.
    maps = {cohort: cohort.images + min(unit["learning"], cohort.images) * cohort.folds for cohort in cohorts}
    swept = [(cohort, maps[cohort] * unit["windows"] / unit["mapped"] / hour) for cohort in cohorts]
    scored = [(cohort, maps[cohort] * unit["candidates"] / hour) for cohort in cohorts]
    boxed = [(cohort, cohort.images * unit["boxes"] / hour) for cohort in cohorts]
    tested = cohorts[-1]
    validated = min(tested.images / tested.folds, unit["thresholds"])
    packed = validated * unit["windows"] / unit["mapped"] / hour
    trainings = sum(cohort.trainings for cohort in cohorts)
    return [
        Stage(
            "index, splits",
            2 * len(cohorts),
            total("index", "objects") / hour,
            longest=max(cohort.objects for cohort in cohorts) * unit["index"] / hour,
        ),
        Stage(
            "images",
            sum(cohort.shards for cohort in cohorts),
            total("images", "images") / hour,
            size=total("image_mb", "images") / 1e3,
            longest=max(cohort.images / cohort.shards for cohort in cohorts) * unit["images"] / hour,
        ),
        Stage(
            "bank",
            BANKS * len(cohorts),
            BANKS * sum(cost for _, cost in banks),
            size=BANKS * total("patch_mb", "patches") / 1e3,
            longest=max(cost for _, cost in banks),
        ),
        Stage(
            "weights, train, classify",
            WEIGHTS + trainings + sum(cohort.models for cohort in cohorts),
            gpus=sum(cohort.trainings * cost for cohort, cost in trained),
            size=trainings * unit["model_mb"] / 1e3,
            longest=max(cost for _, cost in trained),
        ),
        Stage(
            "mpm",
            sum(cohort.map_jobs for cohort in cohorts),
            gpus=sum(cohort.maps * cost for cohort, cost in swept),
            size=sum(cohort.maps * maps[cohort] for cohort in cohorts) * unit["windows"] * WINDOW_MB / 1e3,
            longest=max(4 * cost / cohort.folds / cohort.map_shards for cohort, cost in swept if cohort.maps),
        ),
        Stage(
            "detections",
            sum(cohort.map_jobs for cohort in cohorts),
            sum(cohort.mapped * cost for cohort, cost in boxed),
            size=sum(cohort.mapped * cohort.images for cohort in cohorts) * unit["boxes_mb"] / 1e3,
            longest=max(cost / cohort.folds / cohort.map_shards for cohort, cost in boxed if cohort.maps),
        ),
        Stage(
            "candidates, scores",
            sum(cohort.scored * cohort.folds * (cohort.map_shards + 1) for cohort in cohorts),
            sum(cohort.scored * cost for cohort, cost in scored),
            longest=max(cost / cohort.folds / cohort.map_shards for cohort, cost in scored if cohort.maps),
        ),
        Stage(
            "contours, froc",
            1 + EVALUATED,
            EVALUATED * cohorts[-1].images * unit["froc"] / hour,
            longest=cohorts[-1].images * unit["froc"] / hour,
        ),
        # Maps of the validation images of one fold.
        Stage("bundle", PACKED, gpus=PACKED * packed, longest=packed),
        Stage(
            "tables, figures, page", PRESENTED, PRESENTED * unit["page"] / hour, longest=unit["page"] / hour
        ),
    ]


def table(title: str, rows: list[Stage], cores: int, gpus: int) -> str:
    """Markdown."""
    whole = Stage(
        "all",
        *(sum(getattr(row, column) for row in rows) for column in ("jobs", "cores", "gpus", "size")),
        longest=max(row.longest for row in rows),
    )
    wall = whole.cores / cores + whole.gpus / gpus
    lines = [
        f"### {title}",
        "",
        "| stage | jobs | hours of a core | hours of a GPU | GB | longest job, hours |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.name} | {row.jobs:,} | {row.cores:,.1f} | {row.gpus:,.1f} | {row.size:,.1f} "
            f"| {row.longest:,.2f} |"
            for row in [*rows, whole]
        ),
        "",
        f"{cores} cores and {gpus} GPU(s), one kind of work after the other and none idle: {wall:,.0f} h; "
        f"never less than its longest jobs, {sum(row.longest for row in rows):,.0f} h.",
    ]
    return "\n".join(lines)


def setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in UNITS:
        raise argparse.ArgumentTypeError(f"the units are {', '.join(UNITS)}; got '{name}'")
    return name, float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--set", type=setting, nargs="+", default=[], metavar="UNIT=VALUE")
    parser.add_argument("--cores", type=int, default=12)
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--images", type=int, default=2_500_000, help="of the digital archive")
    parser.add_argument("--shards", type=int, default=1000, help="of the digital archive")
    parser.add_argument("--map-shards", type=int, default=250, help="jobs that map a fold of it")
    options = parser.parse_args()
    unit = {name: value for name, (value, _) in UNITS.items()} | dict(options.set)
    print("| unit | value | |\n|---|---|---|")
    for name, (value, source) in UNITS.items():
        print(f"| {name} | {unit[name]:g} | {source if unit[name] == value else 'given'} |")
    for title, digital in {
        "The paper's study": INBREAST,
        f"{options.images:,} digital images": archive(options.images, options.shards, options.map_shards),
    }.items():
        print(f"\n{table(title, stages([FILM, digital], unit), options.cores, options.gpus)}")


if __name__ == "__main__":
    main()
