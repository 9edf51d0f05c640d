"""Names of experiments for display.

`labels` is always the study's ``{"datasets": ..., "weights": ..., "backbones": ..., "external": ...}``, each
a mapping from the name in config and paths to the displayed name.

A model is identified by its chain ``dataset/backbone/init``, or by ``dataset/external/name`` for boxes of an
external system.
"""

from collections.abc import Mapping

from mammoflow.base.chains import is_transferred, members, transferred_from
from mammoflow.evaluation.definitions import is_external

Labels = Mapping[str, Mapping[str, str]]

# The two kinds of boxes of a map, by the mode of the evaluation.
BOXES = {"paper": "the paper's boxes", "candidate": "fixed candidates"}

# Why results differ between them, for captions.
WHY_BOXES_DIFFER = (
    "The two kinds differ because near a peak of the map the paper's box shrinks to a few pixels, which "
    "overlap a lesion too little for a hit, so that the lesion's own box counts as a false positive at just "
    "the thresholds at which the network is surest, and because each tiny peak is a box too; a candidate is "
    "one box per place with one score."
)


def initialization(init: str, labels: Labels) -> str:
    """Chain of initialisations in print.

    Parameters
    ----------
    init : str
        As in paths, for example ``"imagenet+cbis-ddsm"``.
    labels : mapping
        See the module.

    Examples
    --------
    >>> labels = {"weights": {"imagenet": "ImageNet"}, "datasets": {"cbis-ddsm": "CBIS-DDSM"}}
    >>> initialization("imagenet+cbis-ddsm", labels)
    'ImageNet → CBIS-DDSM'
    """
    first, *rest = init.split("+")
    return " → ".join([labels["weights"][first], *(datasets(link, labels) for link in rest)])


def datasets(link: str, labels: Labels) -> str:
    """Data set in print, or all that are trained on at once.

    Examples
    --------
    >>> datasets("cbis-ddsm&inbreast", {"datasets": {"cbis-ddsm": "CBIS-DDSM", "inbreast": "INbreast"}})
    'CBIS-DDSM & INbreast'
    """
    return " & ".join(labels["datasets"][name] for name in members(link))


def cascade(dataset: str, init: str, labels: Labels) -> str:
    """Chain of initialisations and the data set that its training ends on, as in table 3 of the paper.

    Examples
    --------
    >>> labels = {"weights": {"imagenet": "ImageNet"}, "datasets": {"inbreast": "INbreast"}}
    >>> cascade("inbreast", "imagenet@shallow", labels)
    'ImageNet → INbreast (shallow)'
    """
    if is_transferred(init):
        trained, before = transferred_from(init)
        return cascade(trained, before, labels)
    chain, _, ablation = init.partition("@")
    words = f"{initialization(chain, labels)} → {datasets(dataset, labels)}"
    return f"{words} ({ablation})" if ablation else words


def experiment(chain: str, labels: Labels) -> str:
    """Network and cascade of a chain, or whose boxes they are."""
    dataset, backbone, init = chain.split("/")
    if is_external(chain):
        return labels["external"][init]
    return f"{labels['backbones'][backbone]}, {cascade(dataset, init, labels)}"


def dataset(chain: str, labels: Labels) -> str:
    """Data set in print of a chain."""
    return labels["datasets"][chain.split("/")[0]]


def boxes_at(mode: str, threshold: float) -> str:
    """Kind of boxes of a map, and their threshold, which is infinite where there is none.

    Examples
    --------
    >>> boxes_at("candidate", 0.4)
    'fixed candidates, threshold 0.4'
    """
    at = "no box at any threshold" if threshold == float("inf") else f"threshold {threshold:.3g}"
    return f"{BOXES[mode]}, {at}"
