"""The config: whether it makes sense, and what it asks for."""

import difflib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import jsonschema

from mammoflow.archives import marks
from mammoflow.networks import architectures

# What the paper calls the archives that it studies.
PUBLISHED = {"cbis-ddsm": "CBIS-DDSM", "inbreast": "INbreast"}

# Settings of an ablation on which a model's weights depend, and on which its maps do.
_TRAINED = ("normalization", "layers")
_MAPPED = (*_TRAINED, "stride")

# The archive whose format each kind of phantoms is written in.
WRITTEN_AS = {"film": "cbis-ddsm", "digital": "inbreast"}


class ConfigurationError(ValueError):
    """A config that cannot be run; the message is one sentence that names the key."""


def check(config: dict[str, Any], schema: Path) -> None:
    """Refuse a config that cannot be run, before any job starts.

    Parameters
    ----------
    config : dict
        The merged config.
    schema : Path
        Its JSON schema.

    Raises
    ------
    ConfigurationError
        For an unknown key, a value of the wrong kind or range, a chain that does not resolve,
        or a data set that is not where its root says.
    """
    rules = json.loads(schema.read_text())
    rules["$defs"]["backbone"] |= {
        "description": f"One of the networks {', '.join(architectures.names())}.",
        "enum": architectures.names(),
    }
    validator = jsonschema.Draft202012Validator(rules)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise ConfigurationError(_sentence(error))
    study = Study(config)
    for problem in study.problems():
        raise ConfigurationError(problem)


def in_order(settings: dict[str, Any]) -> dict[str, Any]:
    """The same settings with their keys in alphabetical order, those of mappings in them too.

    Examples
    --------
    >>> in_order({"b": 1, "a": {"d": [2, 1], "c": 3}})
    {'a': {'c': 3, 'd': [2, 1]}, 'b': 1}
    """
    return {
        key: in_order(value) if isinstance(value, dict) else value for key, value in sorted(settings.items())
    }


def _sentence(error: jsonschema.ValidationError) -> str:
    """One sentence about the first thing that the schema refuses."""
    key = ".".join(map(str, error.absolute_path))
    place = f"config key '{key}'" if key else "the config"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(name for name in error.instance if name not in known)
        path = f"{key}.{unknown}" if key else unknown
        near = difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the keys there are {', '.join(known)}."
        return f"Unknown config key '{path}': {hint}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{place[0].upper()}{place[1:]} lacks '{missing}': {_described(error, missing)}"
    expected = error.schema.get("description", error.message).rstrip(".")
    return f"{place[0].upper()}{place[1:]}: expected {_lower(expected)}; got {json.dumps(error.instance)}."


def _described(error: jsonschema.ValidationError, key: str) -> str:
    description = error.schema.get("properties", {}).get(key, {}).get("description", "it is required")
    return f"expected {_lower(description)}".rstrip(".") + "."


def _lower(text: str) -> str:
    return text if text[1:2].isupper() else text[0].lower() + text[1:]


class Wildcards(Protocol):
    """What Snakemake gives to input and params functions; each has those of its rule."""

    dataset: str
    backbone: str
    init: str
    weights: str
    external: str


@dataclass(frozen=True)
class Run:
    """One training: where its files lie."""

    dataset: str
    backbone: str
    init: str
    fold: int
    run: int

    @property
    def key(self) -> dict[str, str | int]:
        """The run as plain data, for a script's parameters."""
        return {
            "dataset": self.dataset,
            "backbone": self.backbone,
            "init": self.init,
            "fold": self.fold,
            "run": self.run,
        }

    @property
    def place(self) -> str:
        """The run's part of every path."""
        return f"{self.dataset}/{self.backbone}/{self.init}/fold-{self.fold}/run-{self.run}"

    @property
    def metadata(self) -> str:
        """Path of the record of the training."""
        return f"results/models/{self.place}/model.json"

    @property
    def history(self) -> str:
        """Path of the table of epochs."""
        return f"results/models/{self.place}/history.csv"

    @property
    def classification(self) -> str:
        """Path of the probabilities of the test patches."""
        return f"results/classification/{self.place}.csv"


@dataclass(frozen=True)
class Case:
    """A row of the table of ablations: the shown model with settings changed, or as it is.

    Parameters
    ----------
    changes : dict
        Values by the keys of an ablation; none for the model as it is.
    chain : str
        ``dataset/backbone/init@name``, where its FROC tables lie.
    runs : list of Run
        Trainings that it uses.
    maps : list of str
        Paths of its maps.
    """

    changes: dict[str, Any]
    chain: str
    runs: list[Run]
    maps: list[str]


class Study:
    """What a checked config asks for, in the terms that the rules use.

    Parameters
    ----------
    config : dict
        A config that `check` accepted, or one whose `problems` are wanted.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.datasets: list[str] = list(config["datasets"])
        self.base_weights: list[str] = list(config["weights"])
        self.classification_dataset: str = config["experiments"]["classification"]["dataset"]
        self.detection_dataset: str = config["experiments"]["detection"]["dataset"]

    @property
    def given_weights(self) -> list[str]:
        """Base weights that Keras or the user gives."""
        return [name for name in self.base_weights if name not in self.learnt_weights]

    @property
    def learnt_weights(self) -> list[str]:
        """Base weights that are learnt from photographs."""
        weights = self.config["weights"]
        return [name for name in weights if weights[name]["source"] == "photographs"]

    # ---- experiments ---------------------------------------------------------------------------

    @property
    def experiments(self) -> list[dict[str, Any]]:
        """The configured experiments, in the paper's order."""
        return [self.config["experiments"][name] for name in ("classification", "detection")]

    @cached_property
    def backbones(self) -> list[str]:
        """Networks that some experiment trains."""
        return _unique(backbone for experiment in self.experiments for backbone in experiment["backbones"])

    @cached_property
    def used_datasets(self) -> list[str]:
        """Data sets that some experiment, or the chain of one, trains on."""
        chained = (
            link
            for experiment in self.experiments
            for init in experiment["initializations"]
            for link in init.split("+")[1:]
        )
        return _unique([experiment["dataset"] for experiment in self.experiments] + list(chained))

    @cached_property
    def chains(self) -> list[str]:
        """Every initialisation that must exist, the beginnings of longer chains included."""
        asked = [init for experiment in self.experiments for init in experiment["initializations"]]
        return _unique(
            "+".join(init.split("+")[:length])
            for init in asked
            for length in range(1, len(init.split("+")) + 1)
        )

    @property
    def classification_runs(self) -> list[Run]:
        """Runs of experiment 1."""
        return list(self._runs_of(self.config["experiments"]["classification"]))

    @property
    def detection_runs(self) -> list[Run]:
        """Runs of experiments 2 and 3."""
        return list(self._runs_of(self.config["experiments"]["detection"]))

    def _runs_of(self, experiment: dict[str, Any]) -> Iterator[Run]:
        for backbone in experiment["backbones"]:
            for init in experiment["initializations"]:
                yield from self.runs_of_model(experiment["dataset"], backbone, init)

    def runs_of_model(self, dataset: str, backbone: str, init: str) -> list[Run]:
        """All folds and runs of one network from one initialisation on one data set."""
        return [
            Run(dataset, backbone, init, fold, run)
            for fold in self.folds(dataset)
            for run in range(self.runs(dataset, backbone, init))
        ]

    def runs(self, dataset: str, backbone: str, init: str) -> int:
        """Independent runs of one model: the most that an experiment asks for, else one."""
        asked = [
            experiment["runs"]
            for experiment in self.experiments
            if dataset == experiment["dataset"]
            and backbone in experiment["backbones"]
            and init in experiment["initializations"]
        ]
        return max(asked, default=1)

    def folds(self, dataset: str) -> list[int]:
        """Folds of a data set; an official split is fold 0."""
        folds = self.config["datasets"][dataset]["folds"]
        return [0] if folds == "official" else list(range(folds))

    def folds_of(self, wildcards: Wildcards) -> list[int]:
        """Folds of the data set that the wildcards name."""
        return self.folds(wildcards.dataset)

    # ---- ablations -------------------------------------------------------------------------------
    #
    # The shown model with settings changed. In paths it is ``{init}@{name}``, so that every rule makes it as
    # it makes any model, and what the settings do not touch is taken from the model itself.

    @cached_property
    def ablations(self) -> dict[str, dict[str, Any]]:
        """What each ablation changes, by name; those that change nothing in this study are left out."""
        listed = self.config["experiments"]["ablations"]
        changes = {
            entry["name"]: {
                key: entry[key] for key, now in self.ablated_settings.items() if entry.get(key, now) != now
            }
            for entry in listed
        }
        return {name: changed for name, changed in changes.items() if changed}

    @property
    def ablated_chains(self) -> list[str]:
        """Initialisations of ablations, as in paths, the beginnings of their chains included."""
        links = self.shown_chain.split("/")[2].split("+")
        beginnings = ["+".join(links[:length]) for length in range(1, len(links) + 1)]
        return [f"{beginning}@{name}" for beginning in beginnings for name in self.ablations]

    def changes(self, init: str) -> dict[str, Any]:
        """Settings that are changed for an initialisation as it is in paths."""
        return self.ablations.get(init.partition("@")[2], {})

    def trained_as(self, init: str) -> str:
        """Initialisation under which the weights for one lie."""
        return self._nearest(init, _TRAINED)

    def mapped_as(self, init: str) -> str:
        """Initialisation under which the maps for one lie."""
        return self._nearest(init, _MAPPED)

    def _nearest(self, init: str, matter: tuple[str, ...]) -> str:
        changed = any(key in matter for key in self.changes(init))
        return init if changed else init.partition("@")[0]

    @property
    def cases(self) -> list[Case]:
        """The shown model as it is, then each ablation of it."""
        dataset, backbone, init = self.shown_chain.split("/")
        return [
            Case(
                self.changes(variant),
                f"{dataset}/{backbone}/{variant}",
                self.runs_of_model(dataset, backbone, self.trained_as(variant)),
                [
                    f"results/mpm/{dataset}/{backbone}/{self.mapped_as(variant)}/fold-{fold}.h5"
                    for fold in self.folds(dataset)
                ],
            )
            for variant in [init, *(f"{init}@{name}" for name in self.ablations)]
        ]

    @property
    def ablated_settings(self) -> dict[str, Any]:
        """What the ablations are changes of."""
        return {
            "normalization": self.config["normalization"],
            "layers": self._training(self.shown_chain.split("/")[1])["layers"],
            "stride": self.config["detection"]["stride"],
            "iou": self.config["detection"]["evaluation"]["iou"],
        }

    # ---- what a reader sees --------------------------------------------------------------------

    @property
    def detection_chains(self) -> list[str]:
        """Models of experiment 3, as ``dataset/backbone/init``."""
        experiment = self.config["experiments"]["detection"]
        return [
            f"{experiment['dataset']}/{backbone}/{init}"
            for backbone in experiment["backbones"]
            for init in experiment["initializations"]
        ]

    @property
    def shown_chain(self) -> str:
        """The model that figures 1, 4 and 5 show: the last that experiment 3 names, as in the paper."""
        return self.detection_chains[-1]

    @property
    def external_chains(self) -> list[str]:
        """Boxes of other detectors on the same images, as ``dataset/external/name``."""
        return [f"{self.detection_dataset}/external/{name}" for name in self.config["detection"]["external"]]

    @property
    def evaluated_chains(self) -> list[str]:
        """All whose boxes are evaluated: our models first."""
        return self.detection_chains + self.external_chains

    @property
    def evaluated_lesions(self) -> str:
        """Table of what counts as lesions of the detection data set."""
        return f"results/index/{self.detection_dataset}/{self.evaluated_as}.csv"

    @property
    def evaluated_as(self) -> str:
        """Name of the table of what counts as lesions."""
        unmerged = self.config["detection"]["evaluation"]["lesions"] == "unmerged"
        return "contours" if unmerged else "lesions"

    def shown(self, folder: str, suffix: str) -> list[str]:
        """Files of the shown model, one for each fold."""
        return [
            f"{folder}/{self.shown_chain}/fold-{fold}.{suffix}" for fold in self.folds(self.detection_dataset)
        ]

    @property
    def bank_keys(self) -> list[dict[str, str | int]]:
        """Data set and fold of every bank."""
        return [
            {"dataset": dataset, "fold": fold}
            for dataset in self.used_datasets
            for fold in self.folds(dataset)
        ]

    @property
    def banks(self) -> list[str]:
        """Paths of the banks, in the order of `bank_keys`."""
        return [f"results/patches/{key['dataset']}/fold-{key['fold']}.h5" for key in self.bank_keys]

    @property
    def labels(self) -> dict[str, dict[str, str]]:
        """What tables and figures call data sets, initialisations, networks and the boxes of others."""
        external = self.config["detection"]["external"]
        return {
            "datasets": {name: dataset["label"] for name, dataset in self.config["datasets"].items()},
            "weights": {
                "random": "random",
                **{name: weights["label"] for name, weights in self.config["weights"].items()},
            },
            "backbones": {name: architectures.network(name).label for name in architectures.names()},
            "external": {name: boxes["label"] for name, boxes in external.items()},
        }

    @property
    def archives(self) -> dict[str, str]:
        """Names in print of the data sets that are the paper's, and what the paper calls them."""
        settings = (self.config["datasets"][name] for name in self.used_datasets)
        return {
            dataset["label"]: PUBLISHED[dataset["archive"]]
            for dataset in settings
            if dataset["archive"] in PUBLISHED and not dataset.get("phantoms")
        }

    # ---- inputs and parameters of single rules ---------------------------------------------------

    def root(self, wildcards: Wildcards) -> str:
        """Folder of a release; the project's own cohorts lie under ``data/``."""
        return self._root(wildcards.dataset)

    def _root(self, dataset: str) -> str:
        settings = self.config["datasets"][dataset]
        return f"data/{dataset}" if settings.get("phantoms") else settings["root"]

    def release_files(self, wildcards: Wildcards) -> list[str]:
        """Files that stand for a release: when one changes, the index is made again."""
        dataset = wildcards.dataset
        if self.config["datasets"][dataset].get("phantoms"):
            return [f"data/{dataset}/phantoms.json"]
        root = Path(self._root(dataset))
        archive = self.config["datasets"][dataset]["archive"]
        found = [marks.find(root, names) for names in marks.MARKS[archive]]
        return [str(path) for path in found if path and path.is_file()]

    def own_splits(self, wildcards: Wildcards) -> list[str]:
        """The user's own splits table of a data set, where the config names one."""
        own = self.config["datasets"][wildcards.dataset].get("splits")
        return [own] if own else []

    def is_official(self, wildcards: Wildcards) -> bool:
        """Whether the folds of a data set are the archive's own split."""
        return self.config["datasets"][wildcards.dataset]["folds"] == "official"

    def initial(self, wildcards: Wildcards, file: str) -> list[str]:
        """What a training starts from.

        Parameters
        ----------
        wildcards
            With ``backbone`` and ``init``.
        file : str
            ``model.weights.h5`` or ``model.json``.

        Returns
        -------
        list of str
            Nothing for ``random``; base weights, or their record, for a chain of one link; that file
            of every run of the chain's last data set otherwise.
        """
        init, _, ablation = wildcards.init.partition("@")
        before, _, last = init.rpartition("+")
        if last == "random":
            return []
        if not before:
            return [f"results/weights/{last}/{wildcards.backbone}{Path(file).suffix}"]
        if "normalization" in self.changes(wildcards.init):  # all links of a chain see grey values alike
            before = f"{before}@{ablation}"
        return [
            f"results/models/{run.place}/{file}"
            for run in self.runs_of_model(last, wildcards.backbone, before)
        ]

    def training_of_weights(self, wildcards: Wildcards) -> dict[str, Any]:
        """Training settings of a network that matter when base weights of it are learnt."""
        settings = self._training(wildcards.backbone)
        return {key: settings[key] for key in ("precision", "batch_normalization_momentum")}

    def training_of_model(self, wildcards: Wildcards) -> dict[str, Any]:
        """Training settings of a model: its network's, with an ablation's laid over."""
        settings = self._training(wildcards.backbone)
        return settings | {"layers": self.changes(wildcards.init).get("layers", settings["layers"])}

    def normalization(self, wildcards: Wildcards) -> str:
        """Grey values as a model takes them."""
        return self.changes(wildcards.init).get("normalization", self.config["normalization"])

    def stride(self, wildcards: Wildcards) -> int:
        """Step between windows of a model's maps."""
        return self.changes(wildcards.init).get("stride", self.config["detection"]["stride"])

    def evaluation(self, wildcards: Wildcards) -> dict[str, Any]:
        """What counts as a detection of a model."""
        settings = self.config["detection"]["evaluation"]
        return settings | {"iou": self.changes(wildcards.init).get("iou", settings["iou"])}

    def gpus(self, wildcards: Wildcards) -> int:
        """GPUs that a training of a network asks for."""
        return self._training(wildcards.backbone)["gpus"]

    def _training(self, backbone: str) -> dict[str, Any]:
        common, own = self.config["training"], self.config["training_of"].get(backbone, {})
        return {
            key: {**value, **own.get(key, {})} if isinstance(value, dict) else own.get(key, value)
            for key, value in common.items()
        }

    def weights_source(self, wildcards: Wildcards) -> dict[str, Any]:
        """Where base weights of a network come from."""
        source = self.config["weights"][wildcards.weights]
        backbone = wildcards.backbone
        if "files" in source:
            return {"source": source["source"], "files": {backbone: source["files"][backbone]}}
        own = source.get("of", {}).get(backbone, {})
        return {key: value for key, value in source.items() if key not in ("of", "label")} | own

    def weights_file(self, wildcards: Wildcards) -> list[str]:
        """The user's file of base weights, where they are given as files."""
        files = self.config["weights"][wildcards.weights].get("files", {})
        return [files[wildcards.backbone]["path"]] if wildcards.backbone in files else []

    def external_file(self, wildcards: Wildcards) -> str:
        """The user's file of somebody else's boxes."""
        return self.config["detection"]["external"][wildcards.external]["path"]

    # ---- what cannot be run ----------------------------------------------------------------------

    def problems(self) -> Iterator[str]:
        """One sentence for each thing in a config of the right shape that cannot be run."""
        for name in ("classification", "detection"):
            yield from self._problems_of_experiment(name, self.config["experiments"][name])
        for backbone in self.backbones:
            window, smallest = self.config["patches"]["window"], architectures.network(backbone).smallest
            if window < smallest:
                yield (
                    f"Config key 'patches.window': {backbone} needs at least {smallest} pixels; got {window}."
                )
        for backbone in self.backbones:
            batch, parts, gpus = (self._training(backbone)[key] for key in ("batch", "parts", "gpus"))
            if batch % (parts * gpus):
                yield (
                    f"Config key 'training.batch': expected a multiple of 'parts' times 'gpus' "
                    f"({parts} × {gpus}) for {backbone}; got {batch}."
                )
        for backbone in self.backbones:
            low, high = self._training(backbone)["augmentation"]["scale"]
            if low > high:
                own = "augmentation" in self.config["training_of"].get(backbone, {})
                key = f"training_of.{backbone}" if own else "training"
                yield f"Config key '{key}.augmentation.scale': expected [low, high]; got [{low}, {high}]."
        evaluation = self.config["detection"]["evaluation"]
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
        for name, boxes in self.config["detection"]["external"].items():
            yield from _problems_of_boxes(f"detection.external.{name}.path", Path(boxes["path"]))
        labels = [self.config["datasets"][dataset]["label"] for dataset in self.used_datasets]
        for label in _unique(label for label in labels if labels.count(label) > 1):
            yield (
                "Config key 'datasets': expected a label of its own for each data set, by which tables tell "
                f"them apart; got '{label}' {labels.count(label)} times."
            )
        yield from self._problems_of_ablations()
        for key, path in self._paths():
            if "{" in path or "}" in path:
                yield f"Config key '{key}': expected a path without braces (wildcards); got '{path}'."
        for dataset in self.used_datasets:
            yield from self._problems_of_dataset(dataset)
        for weights in _unique(init.split("+")[0] for init in self.chains):
            if weights != "random":
                yield from self._problems_of_weights(weights)

    def _paths(self) -> Iterator[tuple[str, str]]:
        """Keys and values of the paths that become inputs of rules."""
        for name, dataset in self.config["datasets"].items():
            yield from (
                (f"datasets.{name}.{key}", dataset[key]) for key in ("root", "splits") if key in dataset
            )
        for name, weights in self.config["weights"].items():
            for backbone, file in weights.get("files", {}).items():
                yield f"weights.{name}.files.{backbone}.path", file["path"]
        for name, boxes in self.config["detection"]["external"].items():
            yield f"detection.external.{name}.path", boxes["path"]

    def _problems_of_experiment(self, name: str, experiment: dict[str, Any]) -> Iterator[str]:
        dataset, key = experiment["dataset"], f"experiments.{name}"
        if dataset not in self.datasets:
            yield f"Config key '{key}.dataset': expected one of {_listed(self.datasets)}; got '{dataset}'."
            return
        for init in experiment["initializations"]:
            first, *rest = init.split("+")
            starts = ["random", *self.base_weights]
            if first not in starts:
                yield (
                    f"Config key '{key}.initializations': '{init}' should begin with one of "
                    f"{_listed(starts)}; got '{first}'."
                )
            for link in rest:
                if link not in self.datasets:
                    yield (
                        f"Config key '{key}.initializations': '{init}' goes through '{link}', which is "
                        f"none of the data sets {_listed(self.datasets)}."
                    )
            elsewhere = [self._origin(link) for link in rest if link in self.datasets]
            if self._origin(dataset) in elsewhere or len(set(rest)) < len(rest):
                yield (
                    f"Config key '{key}.initializations': '{init}' should go through other images than "
                    f"those of '{dataset}', once each, or patients under test may have been trained on."
                )

    def _problems_of_ablations(self) -> Iterator[str]:
        key = "Config key 'experiments.ablations'"
        listed = [entry["name"] for entry in self.config["experiments"]["ablations"]]
        for name in _unique(name for name in listed if listed.count(name) > 1):
            yield f"{key}: expected names that differ; got '{name}' {listed.count(name)} times."
        hit = self.config["detection"]["evaluation"]["hit"]
        for name, changes in self.ablations.items():
            if "iou" in changes and hit == "centre-in-box":
                yield f"{key}: with hit 'centre-in-box' no IoU matters; expected no 'iou' in '{name}'."
            if changes.get("iou") == 0 and hit == "iou-at-least":
                yield (
                    f"{key}: with hit 'iou-at-least' any two boxes would have at least 0; expected an 'iou' "
                    f"above 0 in '{name}', got 0."
                )

    def _origin(self, dataset: str) -> str:
        """Where images come from: data sets of different names may share it."""
        settings = self.config["datasets"][dataset]
        if settings.get("phantoms"):
            return f"{settings['phantoms']['cohort']} phantoms"
        return os.path.realpath(settings.get("root", dataset))

    def _problems_of_dataset(self, dataset: str) -> Iterator[str]:
        settings, key = self.config["datasets"][dataset], f"datasets.{dataset}"
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

    def _problems_of_weights(self, weights: str) -> Iterator[str]:
        settings, key = self.config["weights"].get(weights), f"weights.{weights}"
        if settings is None:
            return
        needed = _unique(
            backbone
            for experiment in self.experiments
            if any(init.split("+")[0] == weights for init in experiment["initializations"])
            for backbone in experiment["backbones"]
        )
        for backbone in needed:
            if settings["source"] == "keras" and not architectures.network(backbone).imagenet:
                having = _listed(
                    name for name in architectures.names() if architectures.network(name).imagenet
                )
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
                yield (
                    f"Config key '{key}': expected {' or '.join(names)} in '{root}' or up to {marks.LEVELS} "
                    f"folders below, as a release of {archive} has it; "
                    f"found {_listed(sorted(os.listdir(root))[:6]) or 'an empty folder'}."
                )


def _problems_of_boxes(key: str, path: Path) -> Iterator[str]:
    """What keeps a file from being read as somebody else's boxes; what is in it is checked by its job."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        yield f"Config key '{key}': expected a CSV file of boxes; found {found} at '{path}'."
    elif not os.access(path, os.R_OK):
        yield f"Config key '{key}': the file '{path}' may not be read by this user."


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _listed(items: Iterable[str]) -> str:
    return ", ".join(f"'{item}'" for item in items)
