"""Functions for notebooks and other programs; they call the code of the workflow."""

import importlib

_MODULES = {
    "froc": "mammoflow.library.scoring",
    "tpr_at": "mammoflow.library.scoring",
    "wafroc": "mammoflow.library.scoring",
    "boxes_of_map": "mammoflow.library.pictures",
    "breast_region": "mammoflow.library.pictures",
    "split_patients": "mammoflow.library.patients_apart",
}


def public(name: str) -> object:
    """A public function of `mammoflow`, or for ``__all__`` the list of their names.

    A module is imported when one of its functions is asked for.

    Raises
    ------
    AttributeError
        When there is no such function.
    """
    if name == "__all__":
        return list(_MODULES)
    if name not in _MODULES:
        raise AttributeError(f"module 'mammoflow' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)
