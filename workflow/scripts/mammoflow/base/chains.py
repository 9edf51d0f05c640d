"""Names of models in paths: ``dataset/backbone/init``, where ``init`` is a chain of initialisations.

A chain begins with base weights and goes through data sets: ``imagenet+cbis-ddsm``. Data sets joined by ``&``
train one network at once. An ablation has its name behind ``@``, and so has a model that is tested on a data
set as it is: ``imagenet+cbis-ddsm@transferred``.
"""

TRANSFERRED = "transferred"


def members(dataset: str) -> list[str]:
    """Names of the data sets that a link of a chain stands for.

    Examples
    --------
    >>> members("cbis-ddsm&vindr-mammo")
    ['cbis-ddsm', 'vindr-mammo']
    """
    return dataset.split("&")


def is_transferred(init: str) -> bool:
    """Whether an initialisation is a model that is tested without fine-tuning."""
    return init.endswith(f"@{TRANSFERRED}")


def transferred_from(init: str) -> tuple[str, str]:
    """Data set, or data sets, that such a model was trained on, and its initialisation.

    Examples
    --------
    >>> transferred_from("imagenet+cbis-ddsm@transferred")
    ('cbis-ddsm', 'imagenet')
    """
    before, _, trained = init.removesuffix(f"@{TRANSFERRED}").rpartition("+")
    return trained, before
