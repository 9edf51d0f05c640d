"""What in a config of the right shape cannot be run: one sentence for each problem."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mammoflow.archives import marks
from mammoflow.base.chains import TRANSFERRED, members
from mammoflow.networks import architectures
from mammoflow.study.design import Study, unique

# Archives whose formats each kind of phantoms is written in.
WRITTEN_AS = {
    "film": ("cbis-ddsm", "cbis-ddsm-jpeg"),
    "digital": ("inbreast", "annotated", "vindr-mammo", "cdd-cesm"),
}
# Archives that come with a division into training and test images, or whose user may give one.
WITH_OFFICIAL_SPLIT = ("cbis-ddsm", "cbis-ddsm-jpeg", "vindr-mammo", "annotated")
# Forms of the same films, whose grey values differ.
FILMS_OF_DDSM = ("cbis-ddsm", "cbis-ddsm-jpeg")
WITHOUT_SPACING = (*FILMS_OF_DDSM, "cdd-cesm")


def problems(study: Study) -> Iterator[str]:
    """One sentence for each thing in a config of the right shape that cannot be run."""
    for name in ("classification", "detection"):
        yield from _problems_of_experiment(study, name, study.config["experiments"][name])
    if study.transfer:
        yield from _problems_of_transfer(study, study.transfer)
    for backbone in study.backbones:
        window, smallest = study.config["patches"]["window"], architectures.network(backbone).smallest
        if window < smallest:
            yield (f"Config key 'patches.window': {backbone} needs at least {smallest} pixels; got {window}.")
    for backbone in study.backbones:
        batch, parts, gpus = (study.training_of(backbone)[key] for key in ("batch", "parts", "gpus"))
        if batch % (parts * gpus):
            yield (
                f"Config key 'training.batch': expected a multiple of 'parts' times 'gpus' "
                f"({parts} × {gpus}) for {backbone}; got {batch}."
            )
    for backbone in study.backbones:
        low, high = study.training_of(backbone)["augmentation"]["scale"]
        if low > high:
            own = "augmentation" in study.config["training_of"].get(backbone, {})
            key = f"training_of.{backbone}" if own else "training"
            yield f"Config key '{key}.augmentation.scale': expected [low, high]; got [{low}, {high}]."
    evaluation = study.config["detection"]["evaluation"]
    small, large = evaluation["size_strata_cm2"]
    if small >= large:
        yield (
            "Config key 'detection.evaluation.size_strata_cm2': expected two areas, the smaller first; "
            f"got [{small}, {large}]."
        )
    if evaluation["hit"] == "iou-at-least" and not evaluation["iou"]:
        yield (
            "Config key 'detection.evaluation.iou': with hit 'iou-at-least' any two boxes would have at "
            "least 0; expected a number above 0, got 0."
        )
    candidates = study.config["detection"]["candidates"]
    scorings = [candidates["scoring"], *(changes.get("scoring") for changes in study.ablations.values())]
    if "learnt" in scorings and candidates["learning"]["images"] == 0:
        yield (
            "Config key 'detection.candidates.learning.images': expected at least 1 image, or null for all, "
            "to learn the scores of candidates from; got 0. Or set 'scoring' to 'peak'."
        )
    yield from _problems_of_bundles(study)
    for name, boxes in study.config["detection"]["external"].items():
        yield from _problems_of_boxes(f"detection.external.{name}.path", Path(boxes["path"]))
    labels = [study.config["datasets"][dataset]["label"] for dataset in study.used_datasets]
    for label in unique(label for label in labels if labels.count(label) > 1):
        yield (
            "Config key 'datasets': expected a label of its own for each data set, by which tables tell "
            f"them apart; got '{label}' {labels.count(label)} times."
        )
    yield from _problems_of_ablations(study)
    yield from _problems_of_maps(study)
    yield from _problems_of_own_scale(study)
    for key, path in _paths(study):
        if "{" in path or "}" in path:
            yield f"Config key '{key}': expected a path without braces (wildcards); got '{path}'."
    for dataset in study.used_datasets:
        yield from _problems_of_dataset(study, dataset)
    for weights in unique(init.split("+")[0] for init in study.chains):
        if weights != "random":
            yield from _problems_of_weights(study, weights)


def _paths(study: Study) -> Iterator[tuple[str, str]]:
    """Keys and values of the paths that become inputs of rules."""
    for name, dataset in study.config["datasets"].items():
        yield from ((f"datasets.{name}.{key}", dataset[key]) for key in ("root", "splits") if key in dataset)
        for key in ("boxes", "images"):
            if key in dataset.get("annotations", {}):
                yield f"datasets.{name}.annotations.{key}", dataset["annotations"][key]
    for name, weights in study.config["weights"].items():
        for backbone, file in weights.get("files", {}).items():
            yield f"weights.{name}.files.{backbone}.path", file["path"]
    for name, boxes in study.config["detection"]["external"].items():
        yield f"detection.external.{name}.path", boxes["path"]


def _problems_of_experiment(study: Study, name: str, experiment: dict[str, Any]) -> Iterator[str]:
    dataset, key = experiment["dataset"], f"experiments.{name}"
    if dataset not in study.datasets:
        yield f"Config key '{key}.dataset': expected one of {_listed(study.datasets)}; got '{dataset}'."
        return
    for init in experiment["initializations"]:
        first, *rest = init.split("+")
        starts = ["random", *study.base_weights]
        if first not in starts:
            yield (
                f"Config key '{key}.initializations': '{init}' should begin with one of "
                f"{_listed(starts)}; got '{first}'."
            )
        trained_on = [name for link in rest for name in members(link)]
        for name in trained_on:
            if name not in study.datasets:
                yield (
                    f"Config key '{key}.initializations': '{init}' goes through '{name}', which is "
                    f"none of the data sets {_listed(study.datasets)}."
                )
        yield from _problems_of_forms(study, f"{key}.initializations", [*trained_on, dataset])
        elsewhere = [study.origin(name) for name in trained_on if name in study.datasets]
        if study.origin(dataset) in elsewhere or len(set(trained_on)) < len(trained_on):
            yield (
                f"Config key '{key}.initializations': '{init}' should go through other images than "
                f"those of '{dataset}', once each, or patients under test may have been trained on."
            )
        for link in rest:
            yield from _problems_of_joint(study, f"{key}.initializations", members(link))


def _problems_of_transfer(study: Study, transfer: dict[str, Any]) -> Iterator[str]:
    key, datasets, start = "experiments.transfer", transfer["datasets"], transfer["initialization"]
    unknown = [name for name in datasets if name not in study.datasets]
    for name in unknown:
        yield f"Config key '{key}.datasets': expected names among {_listed(study.datasets)}; got '{name}'."
    starts = ["random", *study.base_weights]
    if start not in starts:
        yield f"Config key '{key}.initialization': expected one of {_listed(starts)}; got '{start}'."
    if unknown:
        return
    origins = [study.origin(name) for name in datasets]
    if len(set(origins)) < len(origins):
        yield (
            f"Config key '{key}.datasets': expected data sets with images of their own, or patients under "
            f"test may have been trained on; got some of the same images among {_listed(datasets)}."
        )
    yield from _problems_of_forms(study, f"{key}.datasets", datasets)
    if (fold := study.config["bundles"]["fold"]) != "best":
        yield (
            f"Config key 'bundles.fold': a model is tested elsewhere with its best fold and the thresholds "
            f"of its model file ('{key}'); expected 'best', got {fold}."
        )
    if transfer["together"]:
        yield from _problems_of_joint(study, f"{key}.datasets", datasets)


def _problems_of_joint(study: Study, key: str, datasets: list[str]) -> Iterator[str]:
    """What keeps data sets from training one network at once."""
    if len(datasets) == 1 or any(name not in study.datasets for name in datasets):
        return
    folds = {name: len(study.folds(name)) for name in datasets}
    listed = ", ".join(f"{number} of '{name}'" for name, number in folds.items())
    if len(set(folds.values()) - {1}) > 1:
        yield (
            f"Config key '{key}': data sets that train one network at once need the same number of folds, "
            f"or an official split; got {listed}."
        )
    if study.config["detection"]["hard_negatives"]:
        yield (
            f"Config key '{key}': hard negatives are found for models of a single data set; expected "
            "'detection.hard_negatives' null, or no data sets that train one network at once."
        )


def _problems_of_forms(study: Study, key: str, datasets: list[str]) -> Iterator[str]:
    """Two forms of the same films among the data sets of one model."""
    known = [study.config["datasets"][name] for name in datasets if name in study.datasets]
    for phantoms in (False, True):
        alike = [settings for settings in known if bool(settings.get("phantoms")) == phantoms]
        if {settings["archive"] for settings in alike}.issuperset(FILMS_OF_DDSM):
            yield (
                f"Config key '{key}': {_listed(FILMS_OF_DDSM)} are the same patients on different grey "
                f"scales; expected one of them for a model, got both in {_listed(datasets)}."
            )


def _problems_of_bundles(study: Study) -> Iterator[str]:
    fold, dataset = study.config["bundles"]["fold"], study.detection_dataset
    if dataset in study.datasets and fold != "best" and fold not in study.folds(dataset):
        yield (
            f"Config key 'bundles.fold': expected 'best' or a fold of '{dataset}' "
            f"({_listed(map(str, study.folds(dataset)))}); got {fold}."
        )
    known = [*study.datasets, *study.base_weights]
    for name in study.config["bundles"]["licences"]:
        if name not in known:
            yield f"Config key 'bundles.licences': expected names among {_listed(known)}; got '{name}'."


def _problems_of_ablations(study: Study) -> Iterator[str]:
    key = "Config key 'experiments.ablations'"
    listed = [entry["name"] for entry in study.config["experiments"]["ablations"]]
    for name in unique(name for name in listed if listed.count(name) > 1):
        yield f"{key}: expected names that differ; got '{name}' {listed.count(name)} times."
    if TRANSFERRED in listed:
        yield f"{key}: expected another name than '{TRANSFERRED}', which models of experiment 4 have."
    hit = study.config["detection"]["evaluation"]["hit"]
    for name, changes in study.ablations.items():
        if "iou" in changes and hit == "centre-in-box":
            yield f"{key}: with hit 'centre-in-box' no IoU matters; expected no 'iou' in '{name}'."
        if changes.get("iou") == 0 and hit == "iou-at-least":
            yield (
                f"{key}: with hit 'iou-at-least' any two boxes would have at least 0; expected an 'iou' "
                f"above 0 in '{name}', got 0."
            )


def _problems_of_maps(study: Study) -> Iterator[str]:
    if study.config["inference"]["maps"] != "dense":
        return
    used = {"normalization": study.config["normalization"]}
    for name, changes in study.ablations.items():
        if "normalization" in changes:
            used[f"experiments.ablations ({name})"] = changes["normalization"]
    for key, kind in used.items():
        if kind == "gcn":
            yield (
                f"Config key '{key}': 'gcn' normalises each window by itself, but 'inference.maps: dense' "
                "computes all windows of an image together; expected 'scale' or 'local'."
            )


def _problems_of_own_scale(study: Study) -> Iterator[str]:
    settings = study.config["detection"]["candidates"]
    asked = {"detection.candidates.own_scale": settings} if settings["own_scale"] else {}
    for name, changes in study.ablations.items():
        if changes.get("own_scale"):
            asked[f"experiments.ablations ({name})"] = settings | changes
    for key, its in asked.items():
        if its["scoring"] == "peak":
            yield (
                f"Config key '{key}': windows around candidates are features of a learnt score; expected "
                "scoring 'learnt', or no 'own_scale', got scoring 'peak'."
            )


def _problems_of_dataset(study: Study, dataset: str) -> Iterator[str]:
    settings, key = study.config["datasets"][dataset], f"datasets.{dataset}"
    if bool(settings.get("root")) == bool(settings.get("phantoms")):
        yield (
            f"Config key '{key}': expected either 'root', the folder of the release, or 'phantoms', "
            f"the cohort to make; got {'both' if settings.get('root') else 'neither'}."
        )
    elif settings.get("root"):
        yield from _problems_of_root(f"{key}.root", settings["archive"], Path(settings["root"]))
    elif settings["archive"] not in (written := WRITTEN_AS[cohort := settings["phantoms"]["cohort"]]):
        yield (
            f"Config key '{key}.archive': expected one of {_listed(written)}, as which {cohort} phantoms are "
            f"written; got '{settings['archive']}'."
        )
    yield from _problems_of_annotations(settings, f"{key}.annotations")
    if settings["archive"] == "cbis-ddsm-jpeg" and "8 bits" not in settings["label"]:
        yield (
            f"Config key '{key}.label': the JPEG files of CBIS-DDSM have 8 bits, on another scale than its "
            "DICOM files, and tables should say so; expected a label with '8 bits', such as 'CBIS-DDSM "
            f"(8 bits)', got '{settings['label']}'."
        )
    if settings["archive"] in WITHOUT_SPACING and "mm" in settings["resolution"]:
        yield (
            f"Config key '{key}.resolution': '{settings['archive']}' does not tell the pixel spacing; "
            "expected 'original' or a factor, got mm."
        )
    if settings["archive"] in FILMS_OF_DDSM and settings["negatives"] == "normal-images":
        yield (
            f"Config key '{key}.negatives': CBIS-DDSM has no images without masses; expected "
            "'mass-images', got 'normal-images'."
        )
    if "splits" in settings:
        if not Path(settings["splits"]).is_file():
            yield (
                f"Config key '{key}.splits': expected a splits table; there is no file "
                f"'{settings['splits']}'."
            )
    elif settings["folds"] == "official" and settings["archive"] not in WITH_OFFICIAL_SPLIT:
        yield (
            f"Config key '{key}.folds': only {_listed(WITH_OFFICIAL_SPLIT)} have an official split; expected "
            f"a number of folds for '{settings['archive']}', got 'official'."
        )
    elif settings["folds"] == "official" and "validation_fraction" not in settings:
        if settings["archive"] == "annotated":
            return  # the user's own split may have validation images: seen by the job that divides the images
        yield (
            f"Config key '{key}' lacks 'validation_fraction': an official split needs the part of its "
            "training images that validates."
        )


def _problems_of_annotations(settings: dict[str, Any], key: str) -> Iterator[str]:
    """What keeps a user's files from being read as annotations; what is in them is checked by their job."""
    annotations, archive = settings.get("annotations"), settings["archive"]
    if (annotations is None) == (archive == "annotated"):
        yield (
            f"Config key '{key}': expected the files of annotations for the archive 'annotated', and for no "
            f"other; got {'none' if annotations is None else f'some for {archive!r}'}."
        )
    if annotations is None or archive != "annotated":
        return
    boxes = annotations["boxes"]
    if marks.is_coco(boxes) and "coordinates" in annotations:
        yield f"Config key '{key}.coordinates': those of COCO are known; expected none for '{boxes}'."
    if not marks.is_coco(boxes):
        for name, why in (("coordinates", "what its numbers are"), ("images", "whose images they are")):
            if name not in annotations:
                yield f"Config key '{key}' lacks '{name}': a table of boxes does not tell {why}."
    if settings.get("root"):
        root = Path(settings["root"])
        for name in ("boxes", "images"):
            if name in annotations and not _is_file_under(root, annotations[name]):
                yield f"Config key '{key}.{name}': there is no file '{annotations[name]}' under '{root}'."


def _is_file_under(root: Path, name: str) -> bool:
    path = (root / name).resolve()
    return path.is_file() and path.is_relative_to(root.resolve())


def _problems_of_weights(study: Study, weights: str) -> Iterator[str]:
    settings, key = study.config["weights"].get(weights), f"weights.{weights}"
    if settings is None:
        return
    asking = [(each["initializations"], each["backbones"]) for each in study.experiments]
    if study.transfer:
        asking.append(([study.transfer["initialization"]], study.transfer["backbones"]))
    needed = unique(
        backbone
        for inits, backbones in asking
        if any(init.split("+")[0] == weights for init in inits)
        for backbone in backbones
    )
    for backbone in needed:
        if settings["source"] == "keras" and not architectures.network(backbone).imagenet:
            having = _listed(name for name in architectures.names() if architectures.network(name).imagenet)
            yield (
                f"Config key '{key}': Keras has ImageNet weights for {having}; "
                f"an experiment asks for '{backbone}'."
            )
        if settings["source"] == "files":
            file = settings.get("files", {}).get(backbone)
            if file is None:
                yield f"Config key '{key}.files': expected an entry for '{backbone}', got none."
            elif not Path(file["path"]).is_file():
                yield f"Config key '{key}.files.{backbone}.path': there is no file '{file['path']}'."
            else:
                yield from _problems_of_weights_file(f"{key}.files.{backbone}.path", backbone, file["path"])


def _problems_of_weights_file(key: str, backbone: str, path: str) -> Iterator[str]:
    from mammoflow.networks import notop  # h5py takes a while

    try:
        notop.check(path, backbone, architectures.network(backbone).weights)
    except ValueError as error:
        yield f"Config key '{key}': {error}."


def _problems_of_root(key: str, archive: str, root: Path) -> Iterator[str]:
    """What keeps a folder from being read as a release of an archive."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        yield f"Config key '{key}': expected a folder that holds {archive}; found {found} at '{root}'."
    elif not os.access(root, os.R_OK | os.X_OK):
        yield f"Config key '{key}': the folder '{root}' may not be read by this user."
    else:
        for names in marks.MARKS[archive]:
            if marks.find(root, names) is None:
                listed = _listed(sorted(os.listdir(root))[:6])
                yield (
                    f"Config key '{key}': expected {' or '.join(names)} in '{root}' or up to {marks.LEVELS} "
                    f"folders below, as a release of {archive} has it; "
                    f"found {marks.linked(root, names) or listed or 'an empty folder'}."
                )


def _problems_of_boxes(key: str, path: Path) -> Iterator[str]:
    """What keeps a file from being read as somebody else's boxes; what is in it is checked by its job."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        yield f"Config key '{key}': expected a CSV file or COCO results; found {found} at '{path}'."
    elif not os.access(path, os.R_OK):
        yield f"Config key '{key}': the file '{path}' may not be read by this user."


def _listed(items: Iterable[str]) -> str:
    return ", ".join(f"'{item}'" for item in items)
