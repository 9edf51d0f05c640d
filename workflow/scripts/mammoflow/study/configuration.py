"""Checks a config before any job starts."""

import difflib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

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
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(config))
    if error is not None:
        raise ConfigurationError(_sentence(error))
    for problem in problems(Study(config)):
        raise ConfigurationError(problem)


def adapt(config: dict[str, Any], schema: Path) -> None:
    """Read texts as YAML, in place, where the schema takes no text.

    Of ``--config 'detection={stride: 8}'`` Snakemake makes a mapping in which every value is a text.

    Parameters
    ----------
    config : dict
        The merged config.
    schema : Path
        Its JSON schema.
    """
    for place in list(_refused_texts(_validator(schema).iter_errors(config))):
        *above, last = place
        holder = config
        for key in above:
            holder = holder[key]
        if isinstance(holder[last], str):
            holder[last] = _value(holder[last])


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


def _validator(schema: Path) -> jsonschema.Draft202012Validator:
    rules = json.loads(schema.read_text())
    rules["$defs"]["backbone"] |= {
        "description": f"One of the networks {', '.join(architectures.names())}.",
        "enum": architectures.names(),
    }
    return jsonschema.Draft202012Validator(rules)


def _refused_texts(errors: Iterable[jsonschema.ValidationError]) -> Iterator[tuple[str | int, ...]]:
    """Places of texts that the schema refuses, those that only one of several alternatives refuses too."""
    for error in errors:
        if isinstance(error.instance, str):
            yield tuple(error.absolute_path)
        else:
            yield from _refused_texts(error.context)


def _value(text: str) -> bool | int | float | str | list | dict | None:
    """What a text stands for in YAML; the text itself where that is nothing a config can hold.

    Examples
    --------
    >>> [_value(text) for text in ("8", "0.5", "1e-3", "null", "true", "[1, 2]", "paper", "nan")]
    [8, 0.5, 0.001, None, True, [1, 2], 'paper', 'nan']
    """
    try:
        value = yaml.safe_load(text)
        if isinstance(value, str):  # YAML 1.1 wants a point in 1e-3
            value = float(value)
    except (yaml.YAMLError, ValueError):
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value if isinstance(value, bool | int | float | list | dict | None) else text


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
