"""A small study for the review page, from drawn images and invented maps, without networks and Snakemake."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from froc_cases import half_height, settings_with

from mammoflow.base import storage
from mammoflow.base.boxes import bounding_box
from mammoflow.base.contracts.index import IMAGES, LESIONS
from mammoflow.base.contracts.splits import SPLITS
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry
from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection import components, mpm
from mammoflow.evaluation import folds, froc_report, matching
from mammoflow.report.review import cases, javascript, model_data, review_page, review_pictures

DATASET, LEVELS, SHARDS, FOLDS = "invented", 40, 2, 3
ROWS, COLUMNS = 240, 150
GEOMETRY = {"rows": 600, "columns": 400, "y0": 20, "x0": 10, "y1": 20 + 2 * ROWS, "x1": 10 + 2 * COLUMNS}
LABELS = {
    "datasets": {DATASET: "invented <data>"},
    "weights": {"random": "random", "natural": "natural"},
    "backbones": {"compact": "compact"},
    "external": {},
}
CHAINS = [f"{DATASET}/compact/random", f"{DATASET}/compact/natural"]


@dataclass
class Study:
    """Tables of the study, and of each model the files that its page needs."""

    folder: Path
    patients: int = 9
    seed: int = 0
    evaluation: object = field(default_factory=settings_with)

    def __post_init__(self):
        self.folder.mkdir(exist_ok=True)
        generator = np.random.default_rng(self.seed)
        self.stored = [
            self._image(generator, f"secret{patient}_{side}_{view}", side)
            for patient in range(self.patients)
            for side in "LR"
            for view in ("CC", "MLO")
        ]
        names = [image.image_id.split("_") for image in self.stored]
        self.images = IMAGES.check(
            pd.DataFrame(
                {
                    "image_id": [image.image_id for image in self.stored],
                    "patient_id": [patient for patient, *_ in names],
                    "laterality": [side for _, side, _ in names],
                    "view": [view for *_, view in names],
                    "official_split": "",
                    "path": "",
                    "rows": GEOMETRY["rows"],
                    "columns": GEOMETRY["columns"],
                    "spacing_mm": 0.1,
                    "spacing_source": "",
                    "flags": ["implant" if number % 10 == 3 else "" for number in range(len(names))],
                }
            )
        )
        self.lesions = LESIONS.check(
            pd.DataFrame(
                [row for image in self.stored for row in _rows(image)], columns=list(LESIONS.columns)
            )
        )
        fold = [int(patient.removeprefix("secret")) % FOLDS for patient, *_ in names]
        self.splits = SPLITS.check(self.images[["image_id", "patient_id"]].assign(fold=fold, role="test"))
        self.cases = cases.named(self.splits, self.images)

    def _image(self, generator, image_id, side):
        y, x = np.mgrid[:ROWS, :COLUMNS]
        breast = ((y - ROWS / 2) / (ROWS / 2 - 4)) ** 2 + (x / (COLUMNS - 6)) ** 2 < 1
        pixels = 300 + 200 * generator.random(breast.shape) + 100 * np.sin(x / 9) * np.cos(y / 13)
        lesions = np.zeros(breast.shape, np.uint8)
        for label in range(1, generator.choice([1, 2, 2, 3])):
            centre, radius = generator.uniform((50, 20), (ROWS - 50, 90)), generator.uniform(6, 14)
            inside = (np.hypot(y - centre[0], x - centre[1]) < radius) & (lesions == 0)
            lesions[inside] = label
            pixels[inside] += 250
        return StoredImage(
            image_id,
            pixels.astype(np.uint16),
            breast,
            lesions,
            Geometry(**GEOMETRY, mirrored=side == "R", factor=2),
        )

    def stores(self):
        """Shards of the images store, written on demand."""
        paths = [self.folder / f"shard-{shard}.h5" for shard in range(SHARDS)]
        for shard, path in enumerate(paths):
            if path.exists():
                continue
            with storage.create_hdf5(path) as file:
                for image in self.stored[shard::SHARDS]:
                    image_store.write(file, image)
        return paths

    def model(self, seed):
        """Maps, detections and candidates of each fold: bumps at some masses and elsewhere."""
        generator = np.random.default_rng(seed)
        found = []
        for fold in range(FOLDS):
            path = self.folder / f"maps-{seed}-{fold}.h5"
            tested = set(self.splits.loc[self.splits["fold"] == fold, "image_id"])
            with storage.create_hdf5(path) as file:
                for image in self.stored:
                    if image.image_id in tested:
                        mpm.write_grid(file, image.image_id, _grid(generator, image))
            detections = components.detections(mpm.open_maps(path), LEVELS, 1)
            found.append((path, detections, half_height(detections)))
        return zip(*found, strict=True)

    def folds(self, detections, candidates):
        return folds.folds_of(
            self.splits, self.lesions, iter(detections), self.images, candidates=iter(candidates)
        )

    def write(self, site):
        """The site of all models, as the workflow writes it; returns the report of each."""
        folder = site / DATASET
        for shard, path in enumerate(self.stores()):
            store = image_store.open_store(path)
            edges = self.evaluation.size_strata_cm2
            shown = review_pictures.of_shard(
                store, self.cases, self.images.set_index("image_id"), self.lesions, edges
            )
            place = folder / f"shard-{shard}"
            javascript.write(place / "cases.js", f"cases-{shard}", shown.facts)
            javascript.write(place / "images.js", f"images-{shard}", shown.images)
            javascript.write(place / "thumbnails.js", f"thumbnails-{shard}", shown.thumbnails)
        return {chain: self._write_model(site, chain, seed) for seed, chain in enumerate(CHAINS)}

    def _write_model(self, site, chain, seed):
        maps, detections, candidates = self.model(seed)
        report = froc_report.evaluate(self.folds(detections, candidates), self.evaluation, 0)
        grids, geometries = model_data.maps(maps, self.cases)
        tested = list(self.folds(detections, candidates))
        boxes = [matching.of_maps(fold) for fold in tested]
        data = {
            "chain": chain,
            "label": chain.rpartition("/")[2],
            "modes": model_data.modes(tested, boxes, self.cases, geometries, self.evaluation),
            "points": {
                each.mode: model_data.points(report.points, report.pooled, each)
                for each in self.evaluation.in_modes(chain)
            },
        }
        folder = site / chain
        javascript.write(folder / "model.js", chain, data)
        javascript.write(folder / "maps.js", f"maps {chain}", grids)
        words = {"pathology": ["BENIGN", "MALIGNANT"], "laterality": ["L", "R"], "view": ["CC", "MLO"]}
        page = review_page.page(chain, CHAINS, SHARDS, range(FOLDS), words, self.evaluation, LABELS)
        (folder / "index.html").write_text(page, encoding="utf-8")
        return report


def _rows(image):
    for label in range(1, int(image.lesions.max()) + 1):
        box = np.array([bounding_box(image.lesions == label)])
        (original,) = image.geometry.to_original(box)
        area = 4 * int((image.lesions == label).sum())
        kind = "MALIGNANT" if area > 1200 else "BENIGN"
        yield (image.image_id, f"{image.image_id}-{label}", *original, area, area / 1e4 * 20, kind, "")


def _grid(generator, image):
    y, x = np.arange(10.0, ROWS, 12), np.arange(10.0, COLUMNS, 12)
    grid = 0.15 * generator.random((len(y), len(x)))
    centres = [
        np.argwhere(image.lesions == label).mean(axis=0) for label in range(1, image.lesions.max() + 1)
    ]
    centres = [centre for centre in centres if generator.random() < 0.75]
    centres += list(generator.uniform((30, 10), (ROWS - 30, 100), (generator.integers(0, 3), 2)))
    for centre in centres:
        distance = np.hypot(y[:, None] - centre[0], x[None] - centre[1])
        grid = np.maximum(grid, generator.uniform(0.3, 1) * np.exp(-((distance / 18) ** 2)))
    return mpm.Grid(grid.astype(np.float32), y, x, image.breast, image.geometry)
