"""Runs a complete study of many small images, from the index to FROC, and reports the cost of each stage.

    python benchmarks/study.py --images 20000 --shards 20 --cores 2 --folder /somewhere/large

The images are drawn: half an ellipse with grain, on every tenth one a bright mass, four images a patient.
They are written as a user's own images (PNG and CSV). The network is the small one, trained for a few steps:
how well it detects is not the point. Prints for each rule its jobs, the processor time of an image, and the
longest and largest job. A second run in the same folder resumes the first.
"""

import argparse
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = "results/froc/own/compact/random/operating-points.csv"

# Rows and columns, and the side of a mass in pixels.
SHAPE, MASS = (120, 80), 16
EACH = 4


def draw(folder: Path, number: int) -> list[dict[str, object]]:
    """Write an image, and return the rows of its masses."""
    generator = np.random.default_rng(number)
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    breast = (2.2 * y / SHAPE[0] - 1.1) ** 2 + (1.1 * x / SHAPE[1]) ** 2 < 1
    pixels = np.where(breast, generator.normal(1200, 80, SHAPE), 0)
    rows = []
    if number % 10 == 0:
        y0, x0 = generator.integers(40, 60), generator.integers(8, 30)
        distance = np.hypot(y - y0 - MASS / 2, x - x0 - MASS / 2)
        pixels += 500 * np.clip(1 - distance / (MASS / 2), 0, 1)
        box = {"x0": x0, "y0": y0, "x1": x0 + MASS, "y1": y0 + MASS}
        rows.append({"image": f"{number:07}", "category": "mass", **box})
    place = folder / f"{number // 1000:04}"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0).astype(np.uint16)).save(place / f"{number:07}.png", compress_level=1)
    return rows


def release(folder: Path, images: int, cores: int) -> None:
    """Write the images, and the tables of them."""
    with ProcessPoolExecutor(cores) as pool:
        rows = [
            row for found in pool.map(draw, [folder] * images, range(images), chunksize=500) for row in found
        ]
    numbers = np.arange(images)
    table = pd.DataFrame(
        {
            "image": [f"{number:07}" for number in numbers],
            "patient": [f"{number // EACH:06}" for number in numbers],
            "laterality": np.where(numbers % EACH < 2, "L", "R"),
            "view": np.where(numbers % 2, "CC", "MLO"),
        }
    )
    table.to_csv(folder / "images.csv", index=False)
    pd.DataFrame(rows).to_csv(folder / "boxes.csv", index=False)


def settings(shards: int, map_shards: int, workspace: Path) -> dict[str, object]:
    """What differs from ``config/own-data.yaml``."""
    return {
        "workspace": str(workspace),
        "datasets": {
            "own": {
                "annotations": {"boxes": "boxes.csv", "coordinates": "edges"},
                "resolution": "original",
                "shards": shards,
                "folds": 5,
                "negatives": "normal-images",
            }
        },
        "patches": {"window": 32, "stride": 16},
        "training": {"epochs": 2, "patience": 1, "steps_per_epoch": 20},
        "detection": {
            "stride": 8,
            "levels": 100,
            "shards": map_shards,
            "candidates": {"learning": {"images": 300}},
        },
        "experiments": {part: {"initializations": ["random"]} for part in ("classification", "detection")},
    }


def measured(workspace: Path, images: int) -> pd.DataFrame:
    """What Snakemake measured of each job, by rule."""
    jobs = []
    for path in (workspace / "results" / "benchmarks").rglob("*.tsv"):
        rule = path.relative_to(workspace / "results" / "benchmarks").parts[0].removesuffix(".tsv")
        jobs.append(pd.read_csv(path, sep="\t").assign(rule=rule))
    table = pd.concat(jobs)
    table["seconds"] = table["s"].astype(float)
    by_rule = table.groupby("rule", sort=False)
    return pd.DataFrame(
        {
            "jobs": by_rule.size(),
            "core_ms_an_image": 1000 * by_rule["cpu_time"].sum() / images,
            "longest_s": by_rule["seconds"].max(),
            "largest_MiB": by_rule["max_rss"].max(),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20000)
    parser.add_argument("--shards", type=int, default=20, help="of the images")
    parser.add_argument("--map-shards", type=int, default=5, help="jobs that map a fold")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    workspace = options.folder.resolve() / "study"
    root = workspace / "data" / "own"
    root.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    if not (root / "boxes.csv").exists():
        release(root, options.images, options.cores)
        print(f"{options.images} images drawn in {time.monotonic() - begun:.0f} s", flush=True)
    config = options.folder / "study.yaml"
    config.write_text(yaml.safe_dump(settings(options.shards, options.map_shards, workspace)))
    begun = time.monotonic()
    own = REPOSITORY / "config" / "own-data.yaml"
    command = [sys.executable, "-m", "snakemake", TARGET, "--cores", str(options.cores), "--rerun-incomplete"]
    command += ["--configfile", str(own), str(config.resolve())]
    with open(options.folder / "run.log", "w") as log:
        ran = subprocess.run(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, check=False)
    if ran.returncode:
        sys.exit(f"Snakemake failed: see {log.name}")
    print(f"{time.monotonic() - begun:.0f} s from index to FROC")
    print(measured(workspace, options.images).round(2).to_string())


if __name__ == "__main__":
    main()
