"""Builds the review page of a model: one HTML file that reads data files next to it and needs no network.

The template is `review_page.html.jinja`; styles and scripts are the files next to it. The viewer that zooms
and pans is OpenSeadragon, unchanged, in `vendor/` with its licence.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import jinja2

from mammoflow.evaluation.definitions import MODES, SIZES, Evaluation
from mammoflow.report import naming
from mammoflow.report.naming import Labels

_HERE = Path(__file__)
_VIEWER = _HERE.parent / "vendor" / "openseadragon-6.1.1.min.js"
_VIEWER_SHA256 = "14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad"
_SCRIPTS = ("data", "curve", "gallery", "pane", "main")

_SHOW = {
    "all": "all images",
    "missed": "with a missed mass",
    "found": "with a found mass",
    "false-positives": "with false positives",
    "masses": "with a mass",
    "normal": "without a mass",
    "only-here": "only this model finds",
    "only-there": "only the other model finds",
}
_SORT = {
    "case": "case number",
    "worst-false-positive": "worst false positive first",
    "least-found-mass": "least found mass first",
    "largest-mass": "largest mass first",
}
_KEYS = {
    "← →": "choose a thumbnail; in an open image, the image before or after it",
    "Enter": "open the chosen image",
    "Esc": "all images",
    "[ ]": "higher or lower threshold; { } in steps of 20",
    "m": "the other kind of boxes, at as many false positives per image",
    "v": "both views of the breast side by side",
    "c": "both models side by side",
    "b": "boxes",
    "a": "annotated masses",
    "h": "heat map",
    "i": "inverted grey values",
    "r": "reset grey values",
    "+ - 0": "zoom in, out, whole image; also by wheel, double click and dragging",
    "?": "this list",
}
_NOTE = (
    "Boxes and counts are those of the evaluation at the present threshold. The paper's boxes surround the "
    "parts of the heat map above the threshold: they change with it, so that a mass may be found at a high "
    "threshold and lost at a lower one. Fixed candidates never change; the threshold decides which of them "
    "count. Another model is shown at the threshold where it finds most with at most as many false positives "
    "per image. The address in the browser leads to the same image and threshold. Grey values have 8 bits. "
    "Every breast has the chest wall on the left."
)


def page(
    chain: str,
    models: Sequence[str],
    shards: int,
    folds: Sequence[int],
    words: Mapping[str, Iterable[str]],
    evaluation: Evaluation,
    labels: Labels,
) -> str:
    """The page of a model.

    Parameters
    ----------
    chain : str
        ``dataset/backbone/init``.
    models : sequence of str
        Chains of the same data set that can be shown next to it, itself among them or not.
    shards, folds : int, sequence of int
        Shards and folds of the data set.
    words : mapping of str to iterable of str
        Values to filter by: ``pathology``, ``laterality`` and ``view``; empty ones are left out.
    evaluation : Evaluation
        By which boxes are counted.
    labels : mapping
        As in `naming`.

    Returns
    -------
    str
        HTML, to be written into ``results/review/{dataset}/{backbone}/{init}``.
    """
    others = {other: naming.experiment(other, labels) for other in models if other != chain}
    facts = {
        "chain": chain,
        "models": [{"chain": other, "label": label} for other, label in others.items()],
        "shards": list(range(shards)),
        "definition": asdict(evaluation.definition) | {"modes": list(MODES)},
    }
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    low, high = evaluation.size_strata_cm2
    return environment.from_string(_beside("html.jinja")).render(
        title=f"Review: {naming.experiment(chain, labels)}",
        page=json.dumps(facts).replace("<", r"\u003c"),
        style=_beside("css"),
        scripts=[_viewer(), *(_beside(f"{name}.js") for name in _SCRIPTS)],
        licence=_VIEWER.with_name(_VIEWER.name.replace(".min.js", ".LICENSE.txt")).read_text("utf-8"),
        shards=range(shards),
        modes=naming.BOXES,
        show=_SHOW,
        sort=_SORT,
        folds={"all": "all, pooled", **{str(fold): str(fold) for fold in sorted(folds)}},
        sizes={
            "": "any size",
            **dict(
                zip(SIZES, (f"< {low:g} cm²", f"{low:g} to {high:g} cm²", f"> {high:g} cm²"), strict=True)
            ),
        },
        pathologies=_any(words["pathology"]),
        sides=_any(words["laterality"]),
        views=_any(words["view"]),
        others={"": "none", **others},
        keys=_KEYS,
        note=_NOTE,
    )


def _beside(suffix: str) -> str:
    return _HERE.with_name(f"{_HERE.stem}.{suffix}").read_text(encoding="utf-8")


def _any(values: Iterable[str]) -> dict[str, str]:
    return {"": "any", **{value: value for value in sorted(set(values)) if value}}


def _viewer() -> str:
    """OpenSeadragon's code, without the reference to its source map.

    Raises
    ------
    ValueError
        When the file is not the version that is pinned here.
    """
    content = _VIEWER.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _VIEWER_SHA256:
        raise ValueError(f"{_VIEWER.name}: expected SHA-256 {_VIEWER_SHA256}, got {found}")
    return content.decode().rpartition("//# sourceMappingURL=")[0]
