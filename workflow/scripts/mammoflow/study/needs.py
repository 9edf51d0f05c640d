"""What each rule needs: input files, parameters and code, as functions of its wildcards."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mammoflow import archives
from mammoflow.archives import marks
from mammoflow.study import paths, sources
from mammoflow.study.design import Run, Study


class Wildcards(Protocol):
    """Wildcards that Snakemake passes to input and params functions: those of the rule."""

    dataset: str
    backbone: str
    init: str
    weights: str
    external: str
    fold: str


class Needs:
    """Input and params functions of the rules of a study.

    Parameters
    ----------
    study : Study
        The design.
    packages : Path
        Folder that holds the package.
    script : callable
        Path of a script, by its name.
    """

    def __init__(self, study: Study, packages: Path, script: Callable[[str], Path]) -> None:
        self._study = study
        self._config = study.config
        self._packages = packages
        self._script = script

    # ---- code --------------------------------------------------------------------------------------

    def code(self, script: str) -> tuple[str, ...]:
        """Unnamed params of a rule: its script and the modules that this imports, each with a digest.

        An edit of one re-runs exactly the rules that use it. Unlike input files, these do not depend on
        where the project lies or when its files were written.
        """
        return sources.listed(self._packages, self._script(script))

    def archive_code(self, wildcards: Wildcards) -> tuple[str, ...]:
        """The loader of the data set's archive; an edit of another archive's loader re-runs nothing."""
        archive = archives.ARCHIVES[self._config["datasets"][wildcards.dataset]["archive"]]
        return sources.listed(self._packages, self._packages / f"mammoflow/archives/{archive}.py")

    def network_code(self, wildcards: Wildcards) -> tuple[str, ...]:
        """The module of the network; an edit of another network re-runs nothing."""
        return sources.listed(
            self._packages, self._packages / f"mammoflow/networks/architectures/{wildcards.backbone}.py"
        )

    # ---- data sets ---------------------------------------------------------------------------------

    def setting(self, key: str) -> Callable[[Wildcards], Any]:
        """Params function: one key of the data set."""

        def setting(wildcards: Wildcards) -> Any:  # noqa: ANN401
            return self._config["datasets"][wildcards.dataset].get(key)

        return setting

    def root(self, wildcards: Wildcards) -> str:
        """Folder of the release."""
        return self._study.root(wildcards.dataset)

    def release_files(self, wildcards: Wildcards) -> list[str]:
        """Files that represent a release: when one changes, the index is rebuilt."""
        dataset = wildcards.dataset
        if self._config["datasets"][dataset].get("phantoms"):
            return [f"data/{dataset}/phantoms.json"]
        root = Path(self._study.root(dataset))
        archive = self._config["datasets"][dataset]["archive"]
        found = [marks.find(root, names) for names in marks.MARKS[archive]]
        return [str(path) for path in found if path and path.is_file()]

    def stores(self, wildcards: Wildcards) -> list[str]:
        """All shards of the images store."""
        return self.stores_of(wildcards.dataset)

    def stores_of(self, dataset: str) -> list[str]:
        """All shards of the images store of a data set."""
        return [paths.store(dataset, shard) for shard in range(self._shards(dataset))]

    def stored(self, wildcards: Wildcards) -> list[str]:
        """Tables of what every shard stored."""
        dataset = wildcards.dataset
        return [paths.stored(dataset, shard) for shard in range(self._shards(dataset))]

    def _shards(self, dataset: str) -> int:
        return self._config["datasets"][dataset]["shards"]

    def own_splits(self, wildcards: Wildcards) -> list[str]:
        """The user's own splits table, where the config names one."""
        own = self._config["datasets"][wildcards.dataset].get("splits")
        return [own] if own else []

    def is_official(self, wildcards: Wildcards) -> bool:
        """Whether the folds are the archive's own split."""
        return self._config["datasets"][wildcards.dataset]["folds"] == "official"

    def folds(self, wildcards: Wildcards) -> list[int]:
        """Folds of the data set."""
        return self._study.folds(wildcards.dataset)

    def first_bank(self, wildcards: Wildcards) -> str:
        """Patch bank of the first fold."""
        return paths.bank(wildcards.dataset, self._study.folds(wildcards.dataset)[0])

    def bank(self, wildcards: Wildcards) -> str:
        """Patch bank of the fold that a model is trained and tested on."""
        return paths.bank(wildcards.dataset, wildcards.fold, self.normalization(wildcards))

    # ---- models ------------------------------------------------------------------------------------

    def initial_weights(self, wildcards: Wildcards) -> list[str]:
        """Weights that a run starts from: none, base weights, or every run of the chain before this one."""
        return self._initial(wildcards, "model.weights.h5")

    def initial_metadata(self, wildcards: Wildcards) -> list[str]:
        """Records of those weights, from which the chain's best run is chosen on validation loss."""
        return self._initial(wildcards, "model.json")

    def _initial(self, wildcards: Wildcards, file: str) -> list[str]:
        init, _, ablation = wildcards.init.partition("@")
        before, _, last = init.rpartition("+")
        if last == "random":
            return []
        if not before:
            return [paths.base_weights(last, wildcards.backbone, Path(file).suffix)]
        if "normalization" in self._study.changes(wildcards.init):  # every link of a chain normalises alike
            before = f"{before}@{ablation}"
        runs = self._study.runs_of_model(last, wildcards.backbone, before)
        return [paths.model(run, file) for run in runs]

    def runs_of_fold(self, file: str) -> Callable[[Wildcards], list[str]]:
        """Input function: one file of every run of the fold."""

        def files(wildcards: Wildcards) -> list[str]:
            init = self._study.trained_as(wildcards.init)
            runs = self._study.runs_of_model(wildcards.dataset, wildcards.backbone, init)
            return [paths.model(run, file) for run in runs if run.fold == int(wildcards.fold)]

        return files

    def maps(self, wildcards: Wildcards) -> list[str]:
        """Maps of every fold, in order."""
        return [paths.mpm(self._mapped(wildcards), fold) for fold in self.folds(wildcards)]

    def detections(self, wildcards: Wildcards) -> list[str]:
        """Detections of every fold, in order."""
        return [paths.detections(self._mapped(wildcards), fold) for fold in self.folds(wildcards)]

    def candidates(self, wildcards: Wildcards) -> list[str]:
        """Candidates of every fold, in order."""
        init = self._study.scored_as(wildcards.init)
        chain = f"{wildcards.dataset}/{wildcards.backbone}/{init}"
        return [paths.candidates(chain, fold) for fold in self.folds(wildcards)]

    def drawn_boxes(self, wildcards: Wildcards) -> list[str]:
        """Boxes of every fold, in order, of the kind that is drawn on mammograms."""
        drawn = self._config["detection"]["drawn"]
        return self.candidates(wildcards) if drawn == "candidate" else self.detections(wildcards)

    def map_of_fold(self, wildcards: Wildcards) -> str:
        """Maps of the test images of the fold."""
        return paths.mpm(self._mapped(wildcards), int(wildcards.fold))

    def _mapped(self, wildcards: Wildcards) -> str:
        init = self._study.mapped_as(wildcards.init)
        return f"{wildcards.dataset}/{wildcards.backbone}/{init}"

    def training_of_weights(self, wildcards: Wildcards) -> dict[str, Any]:
        """Training settings of a network that matter when its base weights are learnt."""
        settings = self._study.training_of(wildcards.backbone)
        return {key: settings[key] for key in ("precision", "batch_normalization_momentum")}

    def training_of_model(self, wildcards: Wildcards) -> dict[str, Any]:
        """Training settings of a model: those of its network, changed by its ablation."""
        settings = self._study.training_of(wildcards.backbone)
        return settings | {"layers": self._study.changes(wildcards.init).get("layers", settings["layers"])}

    def normalization(self, wildcards: Wildcards) -> str:
        """Normalisation of grey values for a model."""
        return self._study.changes(wildcards.init).get("normalization", self._config["normalization"])

    def stride(self, wildcards: Wildcards) -> int:
        """Step between the windows of a model's maps, in pixels."""
        return self._study.changes(wildcards.init).get("stride", self._config["detection"]["stride"])

    def ensemble(self, wildcards: Wildcards) -> dict[str, Any]:
        """Which networks and views a model's maps are the mean of."""
        changes, settings = self._study.changes(wildcards.init), self._config["detection"]["ensemble"]
        return {key: changes.get(key, value) for key, value in settings.items()}

    def candidate_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """How the candidates of a model are found."""
        changes, settings = self._study.changes(wildcards.init), self._config["detection"]["candidates"]
        keys = ("smoothing", "fractions", "overlap", "containment")
        return {key: changes.get(key, settings[key]) for key in keys}

    def scoring(self, wildcards: Wildcards) -> str:
        """How the candidates of a model are scored."""
        settings = self._config["detection"]["candidates"]
        return self._study.changes(wildcards.init).get("scoring", settings["scoring"])

    def evaluation(self, wildcards: Wildcards) -> dict[str, Any]:
        """Definition of a detection for a model."""
        settings = self._config["detection"]["evaluation"]
        return settings | {"iou": self._study.changes(wildcards.init).get("iou", settings["iou"])}

    def gpus(self, wildcards: Wildcards) -> int:
        """GPUs that a training of a network asks for."""
        return self._study.training_of(wildcards.backbone)["gpus"]

    # ---- the user's own files ----------------------------------------------------------------------

    def weights_source(self, wildcards: Wildcards) -> dict[str, Any]:
        """Settings of the source of a network's base weights."""
        source = self._config["weights"][wildcards.weights]
        backbone = wildcards.backbone
        if "files" in source:
            return {"source": source["source"], "files": {backbone: source["files"][backbone]}}
        own = source.get("of", {}).get(backbone, {})
        return {key: value for key, value in source.items() if key not in ("of", "label")} | own

    def weights_file(self, wildcards: Wildcards) -> list[str]:
        """The user's file of base weights, where the config names one."""
        files = self._config["weights"][wildcards.weights].get("files", {})
        return [files[wildcards.backbone]["path"]] if wildcards.backbone in files else []

    def external_file(self, wildcards: Wildcards) -> str:
        """The user's file of boxes from another system."""
        return self._config["detection"]["external"][wildcards.external]["path"]

    # ---- what is presented -------------------------------------------------------------------------

    def of_runs(self, runs: Sequence[Run]) -> dict[str, list[str]]:
        """Test probabilities and records of runs."""
        return {
            "classifications": [paths.classification(run) for run in runs],
            "metadata": [paths.model(run, "model.json") for run in runs],
        }

    def of_chains(self, chains: Sequence[str], **files: str) -> dict[str, list[str]]:
        """FROC tables of models, by the names that their script knows them by."""
        return {name: [paths.froc(chain, file) for chain in chains] for name, file in files.items()}

    def of_shown(self, path: Callable[[str, int], str]) -> list[str]:
        """A file of the shown model for every fold."""
        study = self._study
        return [path(study.shown_chain, fold) for fold in study.folds(study.detection_dataset)]
