"""Version of this package."""

from importlib import metadata


def version() -> str:
    """Version of the installed package; of a checkout that is not installed, ``unknown``."""
    try:
        return metadata.version("mammoflow")
    except metadata.PackageNotFoundError:
        return "unknown"
