"""The manifest of a model file: everything that is needed to repeat what the study did with an image.

`manifest.schema.json` lists its entries.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

FORMAT, VERSION = "mammoflow model", 1

# Names of the members of a model file, besides the weights of its runs.
MANIFEST, SCORE, FROC, CARD = "manifest.json", "score.json", "froc.csv", "MODEL-CARD.md"


def weights(run: int) -> str:
    """Name of the weights of a run in a model file."""
    return f"weights/run-{run}.weights.h5"


def members(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the members that a model file with this manifest has, the manifest excepted."""
    return [SCORE, FROC, CARD, *map(weights, manifest["runs"])]


def parse(content: bytes, origin: str) -> dict[str, Any]:
    """Manifest from the bytes of its JSON, checked.

    Parameters
    ----------
    content : bytes
        JSON in UTF-8.
    origin : str
        The model file, for the message.

    Raises
    ------
    ValueError
        When it is no manifest, or one of another version.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{origin}: expected a manifest in JSON, got {type(error).__name__}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{origin}: expected a manifest of the format '{FORMAT}', got another one")
    if found.get("version") != VERSION:
        raise ValueError(
            f"{origin}: expected a model file of version {VERSION}, which this mammoflow reads, got version "
            f"{str(found.get('version'))[:20]}; install the mammoflow that wrote it"
        )
    check(found, origin)
    return found


def check(manifest: Mapping[str, Any], origin: str) -> None:
    """Raise `ValueError` unless a manifest agrees with the schema."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(manifest))
    if error is not None:
        place = ".".join(map(str, error.absolute_path)) or "manifest"
        reason = error.message.splitlines()[0][:200]
        raise ValueError(f"{origin}: the manifest is not valid at '{place}': {reason}")
    if sorted(manifest["members"]) != sorted(members(manifest)):
        raise ValueError(
            f"{origin}: expected a manifest that lists {', '.join(members(manifest))}, "
            f"got {len(manifest['members'])} others"
        )


@cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_suffix(".schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)
