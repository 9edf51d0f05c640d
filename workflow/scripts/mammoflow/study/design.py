"""The design of a study: what a config asks for."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mammoflow.base.chains import TRANSFERRED, is_transferred, members, transferred_from
from mammoflow.networks import architectures

# What publications call the archives whose counts they give; CBIS-DDSM and INbreast are those of the paper.
PUBLISHED = {
    "cbis-ddsm": "CBIS-DDSM",
    "cbis-ddsm-jpeg": "CBIS-DDSM",
    "cdd-cesm": "CDD-CESM",
    "inbreast": "INbreast",
    "vindr-mammo": "VinDr-Mammo",
}

# Settings of an ablation on which a model's weights depend, those of its second training, its maps, and its
# candidates.
_TRAINED = ("normalization", "label", "layers")
_RETRAINED = (*_TRAINED, "hard_negatives")
_MAPPED = (*_RETRAINED, "stride", "runs", "mirrored", "magnifications")
_SCORED = (*_MAPPED, "smoothing", "fractions", "scoring", "own_scale")


# Settings of an ablation that every link of its chain has; the others change the last one.
WHOLE_CHAIN = {"normalization", "label"}


@dataclass(frozen=True)
class Run:
    """One training."""

    dataset: str
    backbone: str
    init: str
    fold: int
    run: int


@dataclass(frozen=True)
class Transfer:
    """A model of experiment 4 and the data set that it is tested on.

    Parameters
    ----------
    trained_on : str
        Data set, or several joined by ``&``.
    tested_on : str
        Data set.
    fine_tuned : bool
        Whether it was then trained on the training part of ``tested_on``.
    chain : str
        ``dataset/backbone/init``, under which its results on ``tested_on`` are stored.
    source : str or None
        The chain of the model file whose thresholds are carried over; None for a model that was trained on
        ``tested_on``, among others or after others.
    """

    trained_on: str
    tested_on: str
    fine_tuned: bool
    chain: str
    source: str | None


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
        asking = [*self.experiments, *([self.transfer] if self.transfer else [])]
        return unique(backbone for experiment in asking for backbone in experiment["backbones"])

    @cached_property
    def used_datasets(self) -> list[str]:
        """Data sets that some experiment, or the chain of one, trains on."""
        chained = (
            dataset
            for experiment in self.experiments
            for init in experiment["initializations"]
            for link in init.split("+")[1:]
            for dataset in members(link)
        )
        transferred = self.transfer["datasets"] if self.transfer else []
        return unique([experiment["dataset"] for experiment in self.experiments] + [*chained, *transferred])

    @cached_property
    def chains(self) -> list[str]:
        """Every initialisation that must exist, the beginnings of longer chains included."""
        asked = [init for experiment in self.experiments for init in experiment["initializations"]]
        asked += [each.chain.split("/")[2].partition("@")[0] for each in self.transfers]
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
            experiment.get("runs_of", {}).get(backbone, experiment["runs"])
            for experiment in self.experiments
            if dataset == experiment["dataset"]
            and backbone in experiment["backbones"]
            and init in experiment["initializations"]
        ]
        return max(asked, default=1)

    def folds(self, dataset: str) -> list[int]:
        """Folds of a data set, or of several joined by ``&``; an official split is fold 0."""
        folds = [self.config["datasets"][name]["folds"] for name in members(dataset)]
        return list(range(max(1 if number == "official" else number for number in folds)))

    def fold_of(self, dataset: str, fold: int) -> int:
        """Fold of one data set that belongs to a fold of several: an official split belongs to all."""
        return fold if len(self.folds(dataset)) > 1 else 0

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

    def tests(self, dataset: str, backbone: str, init: str) -> list[tuple[int, int, Run]]:
        """Every run that is tested for a model on a data set: the fold, its number there, and the run."""
        if not is_transferred(init):
            runs = self.runs_of_model(dataset, backbone, self.trained_as(init))
            return [(run.fold, run.run, run) for run in runs]
        return [
            (fold, number, run)
            for fold in self.folds(dataset)
            for number, run in enumerate(self.transferred_runs(dataset, backbone, init, fold))
        ]

    # ---- experiment 4 --------------------------------------------------------------------------

    @property
    def transfer(self) -> dict[str, Any] | None:
        """Settings of experiment 4; None if it is not asked for."""
        return self.config["experiments"]["transfer"]

    @cached_property
    def joint_datasets(self) -> list[str]:
        """Data sets that a model is trained on at once, joined by ``&`` as in paths."""
        links = [link for init in self.chains for link in init.split("+")[1:]]
        return unique(link for link in links if "&" in link)

    @cached_property
    def transfers(self) -> list[Transfer]:
        """Every model of experiment 4 on every data set, by network and data set of its training."""
        if not self.transfer:
            return []
        start, datasets = self.transfer["initialization"], self.transfer["datasets"]
        together = ["&".join(datasets)] if self.transfer["together"] else []
        return [
            transfer
            for backbone in self.transfer["backbones"]
            for trained in [*datasets, *together]
            for tested in datasets
            for transfer in _transfers(trained, tested, backbone, start)
        ]

    @property
    def transferred_chains(self) -> list[str]:
        """Initialisations, as in paths, of models that are tested without fine-tuning."""
        inits = unique(each.chain.split("/")[2] for each in self.transfers)
        return [init for init in inits if is_transferred(init)]

    def transferred_runs(self, dataset: str, backbone: str, init: str, fold: int) -> list[Run]:
        """Runs that may test a fold of a data set without fine-tuning.

        If the data set was among those of the training, only runs that kept the test part of the fold out.
        """
        trained, before = transferred_from(init)
        runs = self.runs_of_model(trained, backbone, before)
        if dataset not in members(trained):
            return runs
        return [run for run in runs if self.fold_of(dataset, run.fold) == fold]

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
                key: entry[key]
                for key, now in self.ablated_settings.items()
                if _ordered(entry.get(key, now)) != _ordered(now)
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

    def retrained_as(self, init: str) -> str:
        """Initialisation under which the weights of the second training for one lie."""
        return self._nearest(init, _RETRAINED)

    def mapped_as(self, init: str) -> str:
        """Initialisation under which the maps for one lie."""
        return self._nearest(init, _MAPPED)

    def scored_as(self, init: str) -> str:
        """Initialisation under which the candidates for one lie."""
        return self._nearest(init, _SCORED)

    def _nearest(self, init: str, matter: tuple[str, ...]) -> str:
        if is_transferred(init):
            return init
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
            "label": self.config["patches"]["label"],
            "layers": self.training_of(self.shown_chain.split("/")[1])["layers"],
            "hard_negatives": self.config["detection"]["hard_negatives"],
            "stride": self.config["detection"]["stride"],
            **self.config["detection"]["ensemble"],
            **{
                key: self.config["detection"]["candidates"][key]
                for key in ("smoothing", "fractions", "scoring", "own_scale")
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
        """Names in print of the data sets with published counts, and what publications call them."""
        settings = (self.config["datasets"][name] for name in self.used_datasets)
        return {
            dataset["label"]: PUBLISHED[dataset["archive"]]
            for dataset in settings
            if dataset["archive"] in PUBLISHED and not dataset.get("phantoms")
        }


def _transfers(trained: str, tested: str, backbone: str, start: str) -> Iterator[Transfer]:
    if trained == tested:
        chain = f"{tested}/{backbone}/{start}"
        yield Transfer(trained, tested, False, chain, chain)
        return
    chain = f"{tested}/{backbone}/{start}+{trained}"
    among = tested in members(trained)
    source = None if among else f"{trained}/{backbone}/{start}"
    yield Transfer(trained, tested, False, f"{chain}@{TRANSFERRED}", source)
    if not among:
        yield Transfer(trained, tested, True, chain, None)


def _ordered(value: Any) -> Any:  # noqa: ANN401
    """A setting in a form that compares: the order of a list does not matter."""
    return sorted(value) if isinstance(value, list) else value


def unique(items: Iterable[str]) -> list[str]:
    """Items without repetition, in the order of their first appearance."""
    return list(dict.fromkeys(items))
