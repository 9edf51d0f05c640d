"""The design of a study: what a config asks for."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mammoflow.networks import architectures

# What the paper calls the archives that it studies.
PUBLISHED = {"cbis-ddsm": "CBIS-DDSM", "inbreast": "INbreast"}

# Settings of an ablation on which a model's weights depend, on which its maps do, and its candidates.
_TRAINED = ("normalization", "layers")
_MAPPED = (*_TRAINED, "stride", "runs", "mirrored")
_SCORED = (*_MAPPED, "smoothing", "fractions", "scoring")


@dataclass(frozen=True)
class Run:
    """One training."""

    dataset: str
    backbone: str
    init: str
    fold: int
    run: int


@dataclass(frozen=True)
class Case:
    """A row of the table of ablations: the shown model with settings changed, or as it is.

    Parameters
    ----------
    changes : dict
        Values by the keys of an ablation; none for the model as it is.
    chain : str
        ``dataset/backbone/init@name``, under which its FROC tables are stored.
    runs : list of Run
        Trainings that it uses.
    mapped : str
        ``dataset/backbone/init``, under which its maps are stored.
    folds : list of int
        Folds that it is tested on.
    """

    changes: dict[str, Any]
    chain: str
    runs: list[Run]
    mapped: str
    folds: list[int]


class Study:
    """What a checked config asks for, in the terms that the rules use.

    Parameters
    ----------
    config : dict
        A config that `configuration.check` accepted, or one whose `problems` are wanted.
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
        return unique(backbone for experiment in self.experiments for backbone in experiment["backbones"])

    @cached_property
    def used_datasets(self) -> list[str]:
        """Data sets that some experiment, or the chain of one, trains on."""
        chained = (
            link
            for experiment in self.experiments
            for init in experiment["initializations"]
            for link in init.split("+")[1:]
        )
        return unique([experiment["dataset"] for experiment in self.experiments] + list(chained))

    @cached_property
    def chains(self) -> list[str]:
        """Every initialisation that must exist, the beginnings of longer chains included."""
        asked = [init for experiment in self.experiments for init in experiment["initializations"]]
        return unique(
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

    def root(self, dataset: str) -> str:
        """Folder of a release; the project's own cohorts are under ``data/``."""
        settings = self.config["datasets"][dataset]
        return f"data/{dataset}" if settings.get("phantoms") else settings["root"]

    def origin(self, dataset: str) -> str:
        """Source of the images of a data set; data sets of different names may share it."""
        settings = self.config["datasets"][dataset]
        if settings.get("phantoms"):
            return f"{settings['phantoms']['cohort']} phantoms"
        return os.path.realpath(settings.get("root", dataset))

    def training_of(self, backbone: str) -> dict[str, Any]:
        """Training settings of a network: the common ones, changed by its own."""
        common, own = self.config["training"], self.config["training_of"].get(backbone, {})
        return {
            key: {**value, **own.get(key, {})} if isinstance(value, dict) else own.get(key, value)
            for key, value in common.items()
        }

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
        if self.runs(*self.shown_chain.split("/")) == 1:  # all runs are the best one
            changes = {name: {k: v for k, v in its.items() if k != "runs"} for name, its in changes.items()}
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

    def scored_as(self, init: str) -> str:
        """Initialisation under which the candidates for one lie."""
        return self._nearest(init, _SCORED)

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
                f"{dataset}/{backbone}/{self.mapped_as(variant)}",
                self.folds(dataset),
            )
            for variant in [init, *(f"{init}@{name}" for name in self.ablations)]
        ]

    @property
    def ablated_settings(self) -> dict[str, Any]:
        """What the ablations are changes of."""
        return {
            "normalization": self.config["normalization"],
            "layers": self.training_of(self.shown_chain.split("/")[1])["layers"],
            "stride": self.config["detection"]["stride"],
            **self.config["detection"]["ensemble"],
            **{
                key: self.config["detection"]["candidates"][key]
                for key in ("smoothing", "fractions", "scoring")
            },
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
    def evaluated_as(self) -> str:
        """Name of the table of what counts as lesions."""
        unmerged = self.config["detection"]["evaluation"]["lesions"] == "unmerged"
        return "contours" if unmerged else "lesions"

    @property
    def bank_keys(self) -> list[dict[str, str | int]]:
        """Data set and fold of every bank."""
        return [
            {"dataset": dataset, "fold": fold}
            for dataset in self.used_datasets
            for fold in self.folds(dataset)
        ]

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


def unique(items: Iterable[str]) -> list[str]:
    """Items without repetition, in the order of their first appearance."""
    return list(dict.fromkeys(items))
