"""What each rule needs: input files, parameters and code, as functions of its wildcards."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from mammoflow import archives
from mammoflow.archives import marks
from mammoflow.base.chains import is_transferred, members, transferred_from
from mammoflow.bundles import licences
from mammoflow.study import paths, sources
from mammoflow.study.design import WHOLE_CHAIN, Run, Study


class Wildcards(Protocol):
    """Wildcards that Snakemake passes to input and params functions: those of the rule."""

    dataset: str
    backbone: str
    init: str
    weights: str
    external: str
    label: str
    fold: str
    shard: str
    run: str


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
    shared : bool, optional
        Whether jobs see each other's files, as in a shared folder. Otherwise results are in a store, and
        a job sees only its inputs.
    """

    def __init__(
        self, study: Study, packages: Path, script: Callable[[str], Path], shared: bool = True
    ) -> None:
        self._study = study
        self._config = study.config
        self._packages = packages
        self._script = script
        self._shared = shared

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
        annotations = self._config["datasets"][dataset].get("annotations", {})
        found += [root / annotations[key] for key in ("boxes", "images") if key in annotations]
        return [str(path) for path in found if path and path.is_file()]

    def index_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """What the loader of the archive needs to know in addition to the root."""
        settings = self._config["datasets"][wildcards.dataset]
        return {"annotations": settings["annotations"]} if "annotations" in settings else {}

    def stores(self, wildcards: Wildcards) -> list[str]:
        """All shards of the images store."""
        return self.stores_of(wildcards.dataset)

    def stores_of(self, dataset: str) -> list[str]:
        """All shards of the images store of a data set."""
        return [paths.store(dataset, shard) for shard in range(self._shards(dataset))]

    def stores_to_complete(self, wildcards: Wildcards) -> list[str]:
        """All shards, as inputs of `splits`; none where jobs of a model name them.

        Jobs with its table ``stored`` as an input depend on them without naming them: most of a large plan
        would be these names.
        """
        return self.stores(wildcards) if self._shared else []

    def stores_to_fetch(self, wildcards: Wildcards) -> list[str]:
        """Shards that a job of a model has to name: all if it cannot see them otherwise."""
        return [] if self._shared else self.stores(wildcards)

    def stores_not_named(self, params: Any) -> list[str]:  # noqa: ANN401
        """Shards that a job reads without naming them, by the params of its rule."""
        if not self._shared or params.get("images_store") is None:
            return []
        shards = params.get("mapped_shards") or range(params.shards)
        return [f"{params.images_store}/shard-{shard}.h5" for shard in shards]

    def stored(self, wildcards: Wildcards) -> list[str]:
        """Tables of what every shard stored."""
        dataset = wildcards.dataset
        return [paths.stored(dataset, shard) for shard in range(self._shards(dataset))]

    def review_shards(self, wildcards: Wildcards) -> list[str]:
        """What the review pages state about the test images of every shard."""
        dataset = wildcards.dataset
        return [paths.review_shard(dataset, shard) for shard in range(self._shards(dataset))]

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

    def shown_bank(self, wildcards: Wildcards) -> str:
        """Patch bank of a data set with the study's own normalisation."""
        return self.bank_of(wildcards.dataset)

    def bank_of(self, dataset: str, normalization: str | None = None) -> str:
        """Patch bank of a data set with the study's own labels and, by default, its normalisation."""
        label = self._config["patches"]["label"]
        return paths.bank(dataset, normalization or self._config["normalization"], label)

    def patches(self, wildcards: Wildcards) -> dict[str, Any]:
        """Size, places and labels of the windows in a bank."""
        return self._config["patches"] | {"label": wildcards.label.removeprefix("-") or "centre"}

    def patches_of_model(self, wildcards: Wildcards) -> dict[str, Any]:
        """Size, places and labels of the windows that a model is trained on."""
        return self._config["patches"] | {"label": self._label(wildcards)}

    def _label(self, wildcards: Wildcards) -> str:
        return self._study.changes(wildcards.init).get("label", self._config["patches"]["label"])

    def bank(self, wildcards: Wildcards) -> str:
        """Patch bank that a model is tested on: with the study's own labels, however it was trained."""
        return self.bank_of(wildcards.dataset, self.normalization(wildcards))

    def banks(self, wildcards: Wildcards) -> list[str]:
        """Patch banks that a model is trained on."""
        normalization, label = self.normalization(wildcards), self._label(wildcards)
        return [paths.bank(name, normalization, label) for name in members(wildcards.dataset)]

    def folds_of_banks(self, wildcards: Wildcards) -> list[int]:
        """The fold of each bank that a model is trained on."""
        return [self._study.fold_of(name, int(wildcards.fold)) for name in members(wildcards.dataset)]

    def of_each(self, path: Callable[[str], str]) -> Callable[[Wildcards], list[str]]:
        """Input function: a file of each data set that a model is trained on."""

        def files(wildcards: Wildcards) -> list[str]:
            return [path(name) for name in members(wildcards.dataset)]

        return files

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
        if self._study.changes(wildcards.init).keys() & WHOLE_CHAIN:
            before = f"{before}@{ablation}"
        runs = self._study.runs_of_model(last, wildcards.backbone, before)
        return [paths.model(run, file) for run in runs]

    def first_training(self, file: str) -> Callable[[Wildcards], list[str]]:
        """Input function: one file of the training that a second one with hard negatives begins with."""

        def files(wildcards: Wildcards) -> list[str]:
            init = self._study.trained_as(wildcards.init)
            run = Run(wildcards.dataset, wildcards.backbone, init, int(wildcards.fold), int(wildcards.run))
            return [paths.model(run, file)]

        return files

    def runs_of_fold(self, file: str) -> Callable[[Wildcards], list[str]]:
        """Input function: one file of every run of the fold that detects, after its last training."""

        def files(wildcards: Wildcards) -> list[str]:
            return self._detecting(self._of_fold(wildcards), wildcards, file)

        return files

    def folds_of_runs(self, wildcards: Wildcards) -> list[int]:
        """The fold in which each run that may detect was trained."""
        return [run.fold for run in self._of_fold(wildcards)]

    def given_scores(self, wildcards: Wildcards) -> list[str]:
        """Scores of candidates of each run that may detect, where they come with the model.

        So it is for a model that was not trained on the data set: it brings its score along.
        """
        if not is_transferred(wildcards.init):
            return []
        trained, before = transferred_from(wildcards.init)
        if wildcards.dataset in members(trained):
            return []
        chain = f"{trained}/{wildcards.backbone}/{before}"
        return [paths.score(chain, run.fold) for run in self._of_fold(wildcards)]

    def runs_that_detect(self, file: str) -> Callable[[Wildcards], list[str]]:
        """Input function: one file of every run of every fold, after its last training."""

        def files(wildcards: Wildcards) -> list[str]:
            return self._detecting(self._runs(wildcards), wildcards, file)

        return files

    def _detecting(self, runs: Sequence[Run], wildcards: Wildcards, file: str) -> list[str]:
        """A file of the last training of runs."""
        if self.hard_negatives(wildcards) is None:
            return [paths.model(run, file) for run in runs]
        if is_transferred(wildcards.init):
            return [paths.retrained(run, file) for run in runs]
        init = self._study.retrained_as(wildcards.init)
        return [paths.retrained(replace(run, init=init), file) for run in runs]

    def hard_negatives(self, wildcards: Wildcards) -> dict[str, Any] | None:
        """How the hard negatives of a model are found; None if it is trained only once."""
        settings = self._config["detection"]["hard_negatives"]
        return self._study.changes(wildcards.init).get("hard_negatives", settings)

    def runs_of_model(self, file: str) -> Callable[[Wildcards], list[str]]:
        """Input function: one file of every run of every fold."""

        def files(wildcards: Wildcards) -> list[str]:
            return [paths.model(run, file) for run in self._runs(wildcards)]

        return files

    def runs(self, wildcards: Wildcards) -> list[dict[str, int]]:
        """Fold that every run of a model is tested on, and its number."""
        return [{"fold": fold, "run": number} for fold, number, _ in self._tests(wildcards)]

    def _of_fold(self, wildcards: Wildcards) -> list[Run]:
        return [run for fold, _, run in self._tests(wildcards) if fold == int(wildcards.fold)]

    def _runs(self, wildcards: Wildcards) -> list[Run]:
        return [run for _, _, run in self._tests(wildcards)]

    def _tests(self, wildcards: Wildcards) -> list[tuple[int, int, Run]]:
        return self._study.tests(wildcards.dataset, wildcards.backbone, wildcards.init)

    def mapped_shards(self, wildcards: Wildcards) -> list[int]:
        """Shards of the images store whose images are mapped in one job."""
        shards, jobs = self._shards(wildcards.dataset), len(self._map_jobs(wildcards.dataset))
        found = [shard for shard in range(shards) if shard * jobs // shards == int(wildcards.shard)]
        if not found:
            raise ValueError(f"shard: expected one of {jobs} map jobs, from 0, got {wildcards.shard}")
        return found

    def mapped_stores_to_fetch(self, wildcards: Wildcards) -> list[str]:
        """As `stores_to_fetch`, of the images that are mapped in one job."""
        if self._shared:
            return []
        return [paths.store(wildcards.dataset, shard) for shard in self.mapped_shards(wildcards)]

    def _map_jobs(self, dataset: str) -> range:
        """Numbers of the jobs that map a fold; each takes whole shards of the images store."""
        return range(min(self._config["detection"]["shards"], self._shards(dataset)))

    def maps(self, wildcards: Wildcards) -> list[str]:
        """Maps of every fold, in order."""
        return self.of_shards(paths.mpm, self._mapped(wildcards))

    def detections(self, wildcards: Wildcards) -> list[str]:
        """Detections of every fold, in order."""
        return self.of_shards(paths.detections, self._mapped(wildcards))

    def of_shards(self, path: Callable[[str, int, int], str], chain: str) -> list[str]:
        """A file of a model for every shard of every fold, in order."""
        dataset = chain.partition("/")[0]
        jobs = self._map_jobs(dataset)
        return [path(chain, fold, shard) for fold in self._study.folds(dataset) for shard in jobs]

    def described(self, wildcards: Wildcards) -> list[str]:
        """Candidates of every shard of the fold, in order, before they are scored."""
        chain = f"{wildcards.dataset}/{wildcards.backbone}/{wildcards.init}"
        fold = int(wildcards.fold)
        return [paths.described(chain, fold, shard) for shard in self._map_jobs(wildcards.dataset)]

    def map_with_given_scores(self, wildcards: Wildcards) -> list[str]:
        """Maps that record which run detects, if scores come with the model."""
        if not self.given_scores(wildcards):
            return []
        return [paths.mpm(self._mapped(wildcards), int(wildcards.fold), 0)]

    def candidates(self, wildcards: Wildcards) -> list[str]:
        """Candidates of every fold, in order."""
        chain = self._scored(wildcards)
        return [paths.candidates(chain, fold) for fold in self.folds(wildcards)]

    def _scored(self, wildcards: Wildcards) -> str:
        init = self._study.scored_as(wildcards.init)
        return f"{wildcards.dataset}/{wildcards.backbone}/{init}"

    def scores(self, wildcards: Wildcards) -> list[str]:
        """Scores of the candidates of every fold, in order."""
        chain = self._scored(wildcards)
        return [paths.score(chain, fold) for fold in self.folds(wildcards)]

    def drawn_boxes(self, wildcards: Wildcards) -> list[str]:
        """Boxes of every fold, in order, of the kind that is drawn on mammograms."""
        drawn = self._config["detection"]["drawn"]
        return self.candidates(wildcards) if drawn == "candidate" else self.detections(wildcards)

    def map_of_shard(self, wildcards: Wildcards) -> str:
        """Maps of a shard of the fold."""
        return paths.mpm(self._mapped(wildcards), int(wildcards.fold), int(wildcards.shard))

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
        """Which networks, views and magnifications a model's maps are the mean of."""
        changes, settings = self._study.changes(wildcards.init), self._config["detection"]["ensemble"]
        ensemble = {key: changes.get(key, value) for key, value in settings.items()}
        return ensemble | {"magnifications": sorted(ensemble["magnifications"])}

    def candidate_settings(self, wildcards: Wildcards) -> dict[str, Any]:
        """How the candidates of a model are found."""
        changes, settings = self._study.changes(wildcards.init), self._config["detection"]["candidates"]
        keys = ("smoothing", "fractions", "overlap", "containment")
        return {key: changes.get(key, settings[key]) for key in keys}

    def scoring(self, wildcards: Wildcards) -> str:
        """How the candidates of a model are scored."""
        settings = self._config["detection"]["candidates"]
        return self._study.changes(wildcards.init).get("scoring", settings["scoring"])

    def learning(self, wildcards: Wildcards) -> dict[str, Any]:
        """Images whose maps a score of candidates is learnt from; none if the model brings its score."""
        settings = self._config["detection"]["candidates"]["learning"]
        return settings | {"parts": []} if self.given_scores(wildcards) else settings

    def learnt_from(self, wildcards: Wildcards) -> list[str]:
        """Roles of the images from which a learnt score of candidates is learnt."""
        parts = self._config["detection"]["candidates"]["learning"]["parts"]
        return parts if self.scoring(wildcards) == "learnt" else []

    def own_scale(self, wildcards: Wildcards) -> list[float]:
        """Sizes at which the networks of a model see each of its candidates, for a learnt score."""
        settings = self._config["detection"]["candidates"]
        wanted = self._study.changes(wildcards.init).get("own_scale", settings["own_scale"])
        return wanted if self.scoring(wildcards) == "learnt" else []

    def weights_at_own_scale(self, wildcards: Wildcards) -> list[str]:
        """Weights of every run of the fold, if networks see candidates at their own scale."""
        return self.runs_of_fold("model.weights.h5")(wildcards) if self.own_scale(wildcards) else []

    def evaluation(self, wildcards: Wildcards) -> dict[str, Any]:
        """Definition of a detection for a model."""
        settings = self._config["detection"]["evaluation"]
        return settings | {"iou": self._study.changes(wildcards.init).get("iou", settings["iou"])}

    def gpus(self, wildcards: Wildcards) -> int:
        """GPUs that a training of a network asks for."""
        return self._study.training_of(wildcards.backbone)["gpus"]

    def training_data(self, wildcards: Wildcards) -> list[dict[str, Any]]:
        """Data that a model is trained with, in the order of its chain, and their licences."""
        first, *links = wildcards.init.partition("@")[0].split("+")
        datasets = [name for link in links for name in members(link)]
        own = self._config["bundles"]["licences"]
        weights = [] if first == "random" else [(first, licences.of_weights(self._config["weights"][first]))]
        known = weights + [
            (name, licences.of_data(self._config["datasets"][name]))
            for name in [*datasets, wildcards.dataset]
        ]
        return [licences.entry(name, licence, own) for name, licence in known]

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
        """For each run, the test probabilities of its model, and its record."""
        return {
            "classifications": [paths.classification(run) for run in runs],
            "metadata": [paths.model(run, "model.json") for run in runs],
        }

    def of_chains(self, chains: Sequence[str], **files: str) -> dict[str, list[str]]:
        """FROC tables of models, by the names that their script knows them by."""
        return {name: [paths.froc(chain, file) for chain in chains] for name, file in files.items()}

    def of_transfers(self) -> dict[str, list[str]]:
        """What the models of experiment 4 reach, and the model files whose thresholds are carried over."""
        chains = [each.chain for each in self._study.transfers]
        tested = [run for chain in chains for _, _, run in self._study.tests(*chain.split("/"))]
        return {
            **self.of_chains(chains, operating_points="operating-points.csv", pooled="pooled.csv"),
            "classifications": [f"results/classification/{chain}.csv" for chain in chains],
            "metadata": list(dict.fromkeys(paths.model(run, "model.json") for run in tested)),
            "bundles": [paths.bundle(source) for source in self.transfer_sources()],
        }

    def transfer_sources(self) -> list[str]:
        """Chains of the model files whose thresholds are carried over in experiment 4."""
        return list(dict.fromkeys(each.source for each in self._study.transfers if each.source))

    def transfers(self) -> list[dict[str, Any]]:
        """The models of experiment 4, each with its runs and their records."""
        described = []
        for each in self._study.transfers:
            dataset, backbone, init = each.chain.split("/")
            tests = self._study.tests(dataset, backbone, init)
            key = {"dataset": dataset, "backbone": backbone, "init": init}
            described.append(
                asdict(each)
                | {
                    "runs": [{**key, "fold": fold, "run": number} for fold, number, _ in tests],
                    "metadata": [paths.model(run, "model.json") for _, _, run in tests],
                }
            )
        return described

    def shown_candidates(self) -> list[str]:
        """Candidates of the shown model for every fold."""
        study = self._study
        return [paths.candidates(study.shown_chain, fold) for fold in study.folds(study.detection_dataset)]
