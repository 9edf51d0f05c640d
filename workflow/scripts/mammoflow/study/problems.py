"""What in a config of the right shape cannot be run: one sentence for each problem."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mammoflow.archives import marks
from mammoflow.networks import architectures
from mammoflow.study.design import Study, unique

# The archive whose format each kind of phantoms is written in.
WRITTEN_AS = {"film": "cbis-ddsm", "digital": "inbreast"}


def problems(study: Study) -> Iterator[str]:
    """One sentence for each thing in a config of the right shape that cannot be run."""
    for name in ("classification", "detection"):
        yield from _problems_of_experiment(study, name, study.config["experiments"][name])
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
        for link in rest:
            if link not in study.datasets:
                yield (
                    f"Config key '{key}.initializations': '{init}' goes through '{link}', which is "
                    f"none of the data sets {_listed(study.datasets)}."
                )
        elsewhere = [study.origin(link) for link in rest if link in study.datasets]
        if study.origin(dataset) in elsewhere or len(set(rest)) < len(rest):
            yield (
                f"Config key '{key}.initializations': '{init}' should go through other images than "
                f"those of '{dataset}', once each, or patients under test may have been trained on."
            )


def _problems_of_ablations(study: Study) -> Iterator[str]:
    key = "Config key 'experiments.ablations'"
    listed = [entry["name"] for entry in study.config["experiments"]["ablations"]]
    for name in unique(name for name in listed if listed.count(name) > 1):
        yield f"{key}: expected names that differ; got '{name}' {listed.count(name)} times."
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


def _problems_of_dataset(study: Study, dataset: str) -> Iterator[str]:
    settings, key = study.config["datasets"][dataset], f"datasets.{dataset}"
    if bool(settings.get("root")) == bool(settings.get("phantoms")):
        yield (
            f"Config key '{key}': expected either 'root', the folder of the release, or 'phantoms', "
            f"the cohort to make; got {'both' if settings.get('root') else 'neither'}."
        )
    elif settings.get("root"):
        yield from _problems_of_root(f"{key}.root", settings["archive"], Path(settings["root"]))
    elif settings["archive"] != WRITTEN_AS[settings["phantoms"]["cohort"]]:
        yield (
            f"Config key '{key}.archive': film phantoms are written as 'cbis-ddsm' and digital ones as "
            f"'inbreast'; got '{settings['archive']}' for {settings['phantoms']['cohort']} ones."
        )
    if settings["archive"] == "cbis-ddsm" and "mm" in settings["resolution"]:
        yield (
            f"Config key '{key}.resolution': CBIS-DDSM does not tell the spacing of its films; expected "
            "'original' or a factor, got mm."
        )
    if settings["archive"] == "cbis-ddsm" and settings["negatives"] == "normal-images":
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
    elif settings["folds"] == "official" and settings["archive"] != "cbis-ddsm":
        yield (
            f"Config key '{key}.folds': only cbis-ddsm has an official split; expected a number of "
            "folds, got 'official'."
        )
    elif settings["folds"] == "official" and "validation_fraction" not in settings:
        yield (
            f"Config key '{key}' lacks 'validation_fraction': an official split needs the part of its "
            "training images that validates."
        )


def _problems_of_weights(study: Study, weights: str) -> Iterator[str]:
    settings, key = study.config["weights"].get(weights), f"weights.{weights}"
    if settings is None:
        return
    needed = unique(
        backbone
        for experiment in study.experiments
        if any(init.split("+")[0] == weights for init in experiment["initializations"])
        for backbone in experiment["backbones"]
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
        yield f"Config key '{key}': expected a CSV file of boxes; found {found} at '{path}'."
    elif not os.access(path, os.R_OK):
        yield f"Config key '{key}': the file '{path}' may not be read by this user."


def _listed(items: Iterable[str]) -> str:
    return ", ".join(f"'{item}'" for item in items)
