"""Names of experiments for display.

`labels` is always the study's ``{"datasets": ..., "weights": ..., "backbones": ..., "external": ...}``, each
a mapping from the name in config and paths to the displayed name.

A model is identified by its chain ``dataset/backbone/init``, or by ``dataset/external/name`` for boxes of an
external system.
"""

from collections.abc import Mapping

from mammoflow.evaluation.definitions import is_external

Labels = Mapping[str, Mapping[str, str]]


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
    return " → ".join([labels["weights"][first], *(labels["datasets"][name] for name in rest)])


def cascade(dataset: str, init: str, labels: Labels) -> str:
    """Chain of initialisations and the data set that it ends on, as in table 3 of the paper.

    Examples
    --------
    >>> labels = {"weights": {"imagenet": "ImageNet"}, "datasets": {"inbreast": "INbreast"}}
    >>> cascade("inbreast", "imagenet@shallow", labels)
    'ImageNet → INbreast (shallow)'
    """
    chain, _, ablation = init.partition("@")
    words = f"{initialization(chain, labels)} → {labels['datasets'][dataset]}"
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
