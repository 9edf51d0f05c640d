"""Measures the review page: making its files from images of full size, and showing many thumbnails.

    python benchmarks/review.py --images 4 --thumbnails 20000

The first part prepares drawn breasts of 3328×2560 pixels and finds the lifetimes of their boxes at 1000
thresholds, on one core. The second writes a page of so many images, scrolls through it in headless Chromium
and moves the slider; it needs chromium, chromedriver and the packages of the tests.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests" / "support")]

import headless
from boxes import LEVELS, example
from froc_cases import half_height, settings_with
from review_site import CHAINS, LABELS

from mammoflow.base import storage
from mammoflow.breasts import image_store
from mammoflow.breasts.geometry import Geometry
from mammoflow.breasts.image_store import StoredImage
from mammoflow.detection import components
from mammoflow.evaluation import matching
from mammoflow.evaluation.folds import Fold
from mammoflow.report.review import javascript, model_data, review_page, review_pictures

SHAPE = (3328, 2560)
SHARDS = 16


def breast(shape: tuple[int, int], name: str = "x") -> StoredImage:
    """Noise with clouds in half an ellipse, and a mass."""
    generator = np.random.default_rng(0)
    y, x = np.ogrid[: shape[0], : shape[1]]
    inside = (2 * y / shape[0] - 1) ** 2 + (1.05 * x / shape[1]) ** 2 < 1
    clouds = 600 * np.sin(y / 90) * np.cos(x / 70) + 1500
    pixels = (clouds + generator.normal(0, 60, shape)).clip(0).astype(np.uint16)
    mass = np.hypot(y - shape[0] / 2, x - shape[1] / 3) < shape[0] / 25
    geometry = Geometry(*shape, 0, 0, *shape, mirrored=False, factor=1)
    return StoredImage(name, pixels, inside, mass.astype(np.uint8), geometry)


def lesions_of(image: StoredImage) -> pd.DataFrame:
    y, x = np.nonzero(image.lesions)
    box = {"y0": y.min(), "x0": x.min(), "y1": y.max() + 1, "x1": x.max() + 1}
    return pd.DataFrame([{"image_id": image.image_id, **box, "area_cm2": 1.5, "pathology": ""}])


def pictures(images: int) -> None:
    """Time and size of the pictures of a shard."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard.h5"
        names = [f"image-{number}" for number in range(images)]
        with storage.create_hdf5(path) as file:
            for name in names:
                image_store.write(file, breast(SHAPE, name))
        store = image_store.open_store(path)
        cases = pd.DataFrame({"case": names, "image_id": names, "fold": 0})
        row = {"laterality": "L", "view": "CC", "spacing_mm": 0.07, "flags": ""}
        table = pd.DataFrame([row] * images, index=names)
        lesions = pd.concat([lesions_of(breast(SHAPE, name)) for name in names])
        start, core = time.perf_counter(), time.process_time()
        shard = review_pictures.of_shard(store, cases, table, lesions, (1, 4))
        size = javascript.write(Path(folder) / "images.js", "images-0", shard.images)
        taken, core = time.perf_counter() - start, time.process_time() - core
    print(f"pictures of {SHAPE[0]}×{SHAPE[1]}: {core / images:.3f} s of processor time an image", end="")
    print(f" ({taken / images:.3f} s elapsed), {size / images / 1e6:.2f} MB")


def boxes(images: int) -> None:
    """Time and size of the boxes of a model at all thresholds."""
    image = breast(SHAPE)
    found = components.rows(components.find(example(*SHAPE)), LEVELS, "x", image.geometry)
    names = [f"image-{number}" for number in range(images)]
    detections = pd.concat([found.assign(image_id=name) for name in names])
    lesions = pd.concat([lesions_of(image).assign(image_id=name) for name in names], ignore_index=True)
    table = pd.DataFrame({"image_id": names, "patient_id": names, "laterality": ""})
    fold = Fold(0, table, lesions, detections, None, half_height(detections))
    cases = pd.DataFrame({"case": names, "image_id": names, "fold": 0})
    core = time.process_time()
    data = model_data.modes(
        [fold], [matching.of_maps(fold)], cases, [image.geometry] * images, settings_with()
    )
    core = time.process_time() - core
    with tempfile.TemporaryDirectory() as folder:
        size = javascript.write(Path(folder) / "model.js", "model", data)
    rows = {mode: len(each["boxes"]["score"]["bytes"]) * 3 // 16 // images for mode, each in data.items()}
    print(f"boxes at {LEVELS} thresholds: {core / images:.3f} s of processor time an image,", end="")
    print(f" {size / images / 1e6:.3f} MB, boxes {rows}")


def site(folder: Path, count: int) -> Path:
    """A page of so many small images; all show the same breast."""
    image = breast((160, 120))
    cases = pd.DataFrame({"case": ["1"], "image_id": ["x"], "fold": [0]})
    row = {"laterality": "L", "view": "CC", "spacing_mm": 0.07, "flags": ""}
    table = pd.DataFrame([row], index=["x"])
    one = review_pictures.of_shard({"x": image}, cases, table, lesions_of(image), (1, 4))
    numbers = np.arange(count)
    for shard in range(SHARDS):
        its = numbers[shard::SHARDS].tolist()
        facts = [one.facts[0] | {"number": number, "name": f"{number}-L-CC"} for number in its]
        place = folder / "invented" / f"shard-{shard}"
        javascript.write(place / "cases.js", f"cases-{shard}", facts)
        javascript.write(place / "images.js", f"images-{shard}", one.images * len(its))
        javascript.write(place / "thumbnails.js", f"thumbnails-{shard}", one.thumbnails * len(its))
    found = components.rows(components.find(example(160, 120)), 100, "x", image.geometry)
    fold = Fold(
        0,
        pd.DataFrame({"image_id": numbers.astype(str), "patient_id": numbers.astype(str), "laterality": ""}),
        pd.concat([lesions_of(image)] * count).assign(image_id=numbers.astype(str)),
        pd.concat([found] * count).assign(image_id=np.repeat(numbers.astype(str), len(found))),
    )
    fold = fold._replace(candidates=half_height(fold.detections))
    cases = pd.DataFrame({"case": "", "image_id": numbers.astype(str), "fold": 0})
    modes = model_data.modes(
        [fold], [matching.of_maps(fold)], cases, [image.geometry] * count, settings_with()
    )
    chain = CHAINS[0]
    model = {"chain": chain, "label": "", "modes": modes, "points": {mode: {} for mode in modes}}
    javascript.write(folder / chain / "model.js", chain, model)
    grid = {name: javascript.packed(np.array([0, 100])) for name in ("y", "x")}
    grid["levels"] = javascript.packed(np.array([0, 50, 100, 200]))
    javascript.write(folder / chain / "maps.js", f"maps {chain}", [grid] * count)
    words = {"pathology": [], "laterality": ["L"], "view": ["CC"]}
    page = review_page.page(chain, CHAINS, SHARDS, [0], words, settings_with(), LABELS)
    path = folder / chain / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


SCROLL = """
const gallery = at("gallery"), times = [];
await new Promise((end) => {
  let before = performance.now();
  const frame = (now) => {
    times.push(now - before);
    before = now;
    gallery.scrollTop += 400;
    times.length < 300 ? requestAnimationFrame(frame) : end();
  };
  requestAnimationFrame(frame);
});
return times.slice(1);
"""


def thumbnails(count: int) -> None:
    """Time until the page is ready, of a frame while it is scrolled, and of a step of the slider."""
    with tempfile.TemporaryDirectory() as folder:
        path = site(Path(folder), count)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        driver = headless.start()
        try:
            headless.opened(driver, path)
            ready = driver.execute_script("return document.documentElement.dataset.ready")
            frames = sorted(headless.settled(driver, SCROLL))
            step = headless.settled(
                driver,
                "const begun = performance.now(); await moveThreshold(5); return performance.now() - begun",
            )
        finally:
            driver.quit()
    print(f"{count} thumbnails, {size / 1e6:.0f} MB: ready after {ready} ms; frames while scrolling:", end="")
    print(f" median {median(frames):.1f}, 99 % {frames[int(0.99 * len(frames))]:.1f} ms;", end="")
    print(f" a step of the slider {step:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--thumbnails", type=int, nargs="*", default=[410, 20000])
    arguments = parser.parse_args()
    pictures(arguments.images)
    boxes(arguments.images)
    for count in arguments.thumbnails:
        thumbnails(count)


if __name__ == "__main__":
    main()
