"""Makes model files, with weights that are none or random ones of a small network."""

import json
from pathlib import Path

from mammoflow.bundles import manifest, model_card, model_file

WINDOW = 48


def point(fpi, threshold):
    """An operating point of a manifest."""
    return {
        "fpi": fpi,
        "threshold": threshold,
        "tpr_validation": 0.5,
        "fpi_validation": fpi,
        "tpr_test": 0.4,
        "fpi_test": None,
    }


def facts(**changes):
    """A manifest without its members."""
    return {
        "format": manifest.FORMAT,
        "version": manifest.VERSION,
        "model": "digital/compact/natural+film",
        "fold": 1,
        "folds": 3,
        "runs": [0],
        "network": {
            "backbone": "compact",
            "window": WINDOW,
            "normalization": "gcn",
            "classes": ["no mass", "mass"],
        },
        "input": {
            "acquisition": "digital",
            "resolution": {"mm": 0.5},
            "grey_scale": "as they are",
            "spacing_mm": 0.14,
        },
        "maps": {
            "maps": "windows",
            "stride": 12,
            "edge": "centred",
            "mirrored": False,
            "magnifications": [1],
            "precision": "float32",
        },
        "boxes": {
            "levels": 100,
            "smoothing": 0.6,
            "fractions": [0.3, 0.5, 0.7],
            "overlap": 0.2,
            "containment": 0.6,
            "own_scale": [],
        },
        "scoring": "peak",
        "operating_points": {"candidate": [point(0.5, 0.4)], "paper": [point(0.5, 0.3)]},
        "thresholds_from": {
            "dataset": "digital",
            "part": "validation",
            "images": 10,
            "images_with_masses": 4,
            "masses": 5,
            "patients": 5,
            "score_learnt_from": ["train"],
        },
        "evaluation": {
            "hit": "iou-above",
            "iou": 0.2,
            "duplicates": "ignore",
            "lesions": "merged",
            "fpi_over": "all",
            "images": 9,
            "masses": 4,
        },
        "training": [
            {"name": "film", "data": "CBIS-DDSM", "terms": "CC BY 3.0", "share": True},
            {"name": "digital", "data": "INbreast", "terms": "may not be passed on", "share": False},
        ],
        "versions": {"mammoflow": "0"},
        **changes,
    }


def write(path, weights=b"none", **changes):
    """Write a model file and return its path."""
    known = facts(**changes)
    members = {
        manifest.SCORE: json.dumps({"features": ["peak"]}).encode(),
        manifest.FROC: b"fpi,tpr\n",
        manifest.CARD: model_card.card(known).encode(),
        **{manifest.weights(run): weights for run in known["runs"]},
    }
    model_file.write(path, known, members)
    return Path(path)


def random_weights(folder, backbone="compact", window=WINDOW):
    """Bytes of the weights of a network that was never trained."""
    import keras

    from mammoflow.networks import backbones

    keras.utils.set_random_seed(3)
    path = Path(folder, "random.weights.h5")
    backbones.build(backbone, window).save_weights(path)
    return path.read_bytes()
