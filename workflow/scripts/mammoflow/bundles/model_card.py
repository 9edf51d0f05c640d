"""Writes the model card of a model file from its manifest.

References
----------
Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_NAMES = {"candidate": "Fixed candidates", "paper": "The paper's boxes"}
_PAPER = (
    "Agarwal et al., Automatic mass detection in mammograms using deep convolutional neural networks, "
    "Journal of Medical Imaging 6(3), 031409 (2019), doi:10.1117/1.JMI.6.3.031409"
)


def card(manifest: Mapping[str, Any]) -> str:
    """Model card, Markdown.

    Parameters
    ----------
    manifest : mapping
        As in ``manifest.schema.json``; ``members`` may be missing.
    """
    return (
        "\n\n".join(
            [
                f"# {manifest['model']}",
                *_purpose(manifest),
                "## Training data",
                _table(("data", "terms", "may be passed on"), map(_licence, manifest["training"])),
                "## What it does with an image",
                _table(("", ""), _facts(manifest)),
                "## Operating points",
                *_sources(manifest),
                *_rates(manifest["operating_points"]),
                "## Versions",
                _table(("", ""), manifest["versions"].items()),
            ]
        )
        + "\n"
    )


def _purpose(manifest: Mapping[str, Any]) -> list[str]:
    return [
        "Finds masses in mammograms: boxes with scores. It was trained in fold "
        f"{manifest['fold']} of {manifest['folds']} of a study made with mammoflow, after {_PAPER}.",
        "For research. It is no medical device, and nobody has tested it on patients. It does not look for "
        "calcifications, architectural distortions or asymmetries. On images of other devices, other "
        "populations or another spacing its rates may be far from those below.",
    ]


def _licence(data: Mapping[str, Any]) -> tuple[str, ...]:
    return data["data"], data["terms"], "yes" if data["share"] else "only by who may decide it"


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, object]]:
    network, given, maps = manifest["network"], manifest["input"], manifest["maps"]
    resolution = given["resolution"]
    if isinstance(resolution, dict):
        resolution = " ".join(str(part) for item in resolution.items() for part in item)
    spacing = "unknown" if given["spacing_mm"] is None else f"{given['spacing_mm']:g} mm"
    return [
        ("network", f"{network['backbone']}, the mean of {len(manifest['runs'])} run(s)"),
        ("window", f"{network['window']} pixels of the working resolution"),
        ("working resolution", resolution),
        ("spacing of the training images", spacing),
        ("acquisition", given["acquisition"]),
        ("grey values", given["grey_scale"]),
        ("normalisation", network["normalization"]),
        ("map", f"{maps['maps']}, a window every {maps['stride']} pixels, edge {maps['edge']}"),
        ("mirrored windows", "yes" if maps["mirrored"] else "no"),
        ("magnifications", ", ".join(f"{each:g}" for each in maps["magnifications"])),
        ("precision", maps["precision"]),
        ("score of candidates", manifest["scoring"]),
    ]


def _sources(manifest: Mapping[str, Any]) -> list[str]:
    origin, tested = manifest["thresholds_from"], manifest["evaluation"]
    masses = origin["masses"]
    learnt = f"learnt from {' and '.join(origin['score_learnt_from'])} images"
    scores = learnt if origin["score_learnt_from"] else "the height of a peak of the map"
    rule = {"iou-above": f"IoU > {tested['iou']:g}", "iou-at-least": f"IoU ≥ {tested['iou']:g}"}
    return [
        f"Thresholds were chosen on the {origin['images']} validation images of the fold ({masses} masses "
        f"in {origin['images_with_masses']} of them, {origin['patients']} patients), which also decided when "
        f"training stopped; scores of candidates are {scores}. No test image was used "
        f"for a choice. TPR and FPI on test images are those of this model on the {tested['images']} test "
        f"images of its fold ({tested['masses']} masses) at these thresholds. A hit: "
        f"{rule.get(tested['hit'], 'centre in box')}; false positives over {tested['fpi_over']} images."
    ]


def _rates(points: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    columns = ("FPI wanted", "threshold", "TPR, validation", "FPI, validation", "TPR, test", "FPI, test")
    keys = ("fpi", "threshold", "tpr_validation", "fpi_validation", "tpr_test", "fpi_test")
    parts = []
    for mode in ("candidate", "paper"):
        rows = [["–" if row[key] is None else f"{row[key]:.3g}" for key in keys] for row in points[mode]]
        found = _table(columns, rows) if rows else "No threshold: no mass of the validation images was found."
        parts += [f"### {_NAMES[mode]} (`--mode {mode}`)", found]
    return parts


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(content: object) -> str:
    return str(content).replace("|", "\\|").replace("\n", " ")
