"""Compares the small networks on validation parts, over seeds, as the network of `config/cpu.yaml` is chosen.

    python benchmarks/networks.py --folder /somewhere --root /films/mini-mias --seeds 1 2 3
    python benchmarks/networks.py --folder /somewhere --dataset phantom-film --seeds 1 2 3

The study is that of `config/mini-mias.yaml`. Every seed divides the patients, begins the trainings and draws
the patches anew, for each network in the same way. Networks are trained after natural photographs, scores of
candidates are learnt from training images alone, and what counts is the mean TPR of the candidates at 0.5, 1,
1.67 and 2.1 false positives per image on the validation part of each fold. Test images are mapped, because
the workflow does, but nothing here reads what was found on them.

`--changes` names a file of settings that every study takes in addition, and `--label` what they are called.
Results are in `networks.csv` in the folder; what is in it is not computed again.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from mammoflow.bundles import model_file

FPI = (0.5, 1, 1.67, 2.1)
KEYS = ["dataset", "seed", "label", "network", "fold"]


def settings(options: argparse.Namespace, seed: int, fold: int) -> dict[str, object]:
    """What differs from ``config/mini-mias.yaml``."""
    own = {
        "seed": seed,
        "workspace": str(options.folder / f"{options.label}-seed-{seed}"),
        "bundles": {"fold": fold},
        "detection": {"candidates": {"learning": {"parts": ["train"]}}},
        "experiments": {
            part: {
                "dataset": options.dataset,
                "backbones": options.networks,
                "initializations": ["natural"],
                "runs": 1,
            }
            for part in ("classification", "detection")
        },
    }
    if options.root:
        own["datasets"] = {"mini-mias": {"root": str(options.root.resolve())}}
    return own


def run(options: argparse.Namespace, seed: int, fold: int) -> list[dict[str, object]]:
    """Train the networks of a fold, and read what they find on its validation part."""
    config = settings(options, seed, fold)
    path = options.folder / f"{options.label}-seed-{seed}-fold-{fold}.yaml"
    path.write_text(yaml.safe_dump(config))
    models = [
        f"results/bundles/{options.dataset}/{network}/natural.mammoflow" for network in options.networks
    ]
    command = [
        sys.executable,
        "-m",
        "snakemake",
        *models,
        "--cores",
        str(options.cores),
        "--rerun-incomplete",
    ]
    configs = [
        REPOSITORY / "config/mini-mias.yaml",
        *([options.changes.resolve()] if options.changes else []),
        path,
    ]
    command += ["--configfile", *map(str, configs)]
    with open(options.folder / f"{options.label}-seed-{seed}.log", "a") as log:
        ran = subprocess.run(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, check=False)
    if ran.returncode:
        sys.exit(f"Snakemake failed: see {log.name}")
    keys = {"dataset": options.dataset, "seed": seed, "label": options.label}
    return [
        keys | {"network": network} | found(Path(config["workspace"]) / model)
        for network, model in zip(options.networks, models, strict=True)
    ]


def found(path: Path) -> dict[str, object]:
    """The fold of a model file, and its TPR on the validation part; 0 where no threshold finds any mass."""
    manifest = model_file.open_model(path).manifest
    points = {point["fpi"]: point["tpr_validation"] for point in manifest["operating_points"]["candidate"]}
    counted = {
        "fold": manifest["fold"],
        "folds": manifest["folds"],
        "masses": manifest["thresholds_from"]["masses"],
    }
    return counted | {f"tpr_at_{fpi}": points.get(fpi, 0) for fpi in FPI}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean TPR of each network, and its difference from the one of the first row, paired by seed and fold.

    The interval is the mean ± 1.96 standard errors of the pairs. Folds of a seed share training films, so it
    is a little too narrow.
    """
    table = table.assign(tpr=table[[f"tpr_at_{fpi}" for fpi in FPI]].mean(axis=1))
    wide = table.pivot(index=["seed", "fold"], columns=["label", "network"], values="tpr")
    difference = wide.sub(wide[tuple(table.iloc[0][["label", "network"]])], axis=0)
    pairs = difference.notna().sum()
    error = 1.96 * difference.std() / np.sqrt(pairs)
    return pd.DataFrame(
        {
            "tpr": wide.mean(),
            "least_seed": wide.groupby("seed").mean().min(),
            "greatest_seed": wide.groupby("seed").mean().max(),
            "difference": difference.mean(),
            "low": difference.mean() - error,
            "high": difference.mean() + error,
            "pairs": pairs,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--root", type=Path, help="of mini-MIAS")
    parser.add_argument("--dataset", choices=["mini-mias", "phantom-film"], default="mini-mias")
    parser.add_argument("--networks", nargs="+", default=["compact", "residual"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--changes", type=Path, help="further settings, as YAML")
    parser.add_argument("--label", default="plain")
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "networks.csv"
    table = (
        pd.read_csv(path, dtype={"label": str}) if path.exists() else pd.DataFrame(columns=[*KEYS, "folds"])
    )
    for seed in options.seeds:
        fold, folds = 0, 1
        while fold < folds:
            own = table.loc[(table[KEYS[:3]] == [options.dataset, seed, options.label]).all(axis=1)]
            done = own[own["fold"] == fold]
            if not set(options.networks) <= set(done["network"]):
                rows = pd.DataFrame(run(options, seed, fold))
                table = pd.concat([table, rows]) if len(table) else rows
                table.drop_duplicates(KEYS, keep="last").to_csv(path, index=False)
                done = rows
            fold, folds = fold + 1, int(done["folds"].iloc[0])
    print(summary(table[table["dataset"] == options.dataset]).round(2).to_string())


if __name__ == "__main__":
    main()
