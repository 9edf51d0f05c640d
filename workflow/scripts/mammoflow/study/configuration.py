"""Checks a config before any job starts."""

import difflib
import json
from pathlib import Path
from typing import Any

import jsonschema

from mammoflow.networks import architectures
from mammoflow.study.design import Study
from mammoflow.study.problems import problems


class ConfigurationError(ValueError):
    """A config that cannot be run; the message is one sentence that names the key."""


def check(config: dict[str, Any], schema: Path) -> None:
    """Refuse a config that cannot be run, before any job starts.

    Parameters
    ----------
    config : dict
        The merged config.
    schema : Path
        Its JSON schema.

    Raises
    ------
    ConfigurationError
        For an unknown key, a value of the wrong kind or range, a chain that does not resolve,
        or a data set that is not where its root says.
    """
    rules = json.loads(schema.read_text())
    rules["$defs"]["backbone"] |= {
        "description": f"One of the networks {', '.join(architectures.names())}.",
        "enum": architectures.names(),
    }
    validator = jsonschema.Draft202012Validator(rules)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise ConfigurationError(_sentence(error))
    for problem in problems(Study(config)):
        raise ConfigurationError(problem)


def in_order(settings: dict[str, Any]) -> dict[str, Any]:
    """The same settings with their keys in alphabetical order, those of mappings in them too.

    Examples
    --------
    >>> in_order({"b": 1, "a": {"d": [2, 1], "c": 3}})
    {'a': {'c': 3, 'd': [2, 1]}, 'b': 1}
    """
    return {
        key: in_order(value) if isinstance(value, dict) else value for key, value in sorted(settings.items())
    }


def _sentence(error: jsonschema.ValidationError) -> str:
    """One sentence about the first thing that the schema refuses."""
    key = ".".join(map(str, error.absolute_path))
    place = f"config key '{key}'" if key else "the config"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(name for name in error.instance if name not in known)
        path = f"{key}.{unknown}" if key else unknown
        near = difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the keys there are {', '.join(known)}."
        return f"Unknown config key '{path}': {hint}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{place[0].upper()}{place[1:]} lacks '{missing}': {_described(error, missing)}"
    expected = error.schema.get("description", error.message).rstrip(".")
    return f"{place[0].upper()}{place[1:]}: expected {_lower(expected)}; got {json.dumps(error.instance)}."


def _described(error: jsonschema.ValidationError, key: str) -> str:
    description = error.schema.get("properties", {}).get(key, {}).get("description", "it is required")
    return f"expected {_lower(description)}".rstrip(".") + "."


def _lower(text: str) -> str:
    return text if text[1:2].isupper() else text[0].lower() + text[1:]
