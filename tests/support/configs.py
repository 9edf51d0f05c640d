"""The configs of the project, read as Snakemake reads them."""

import copy
from pathlib import Path

import pytest
import yaml

from mammoflow.study import configuration

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "workflow" / "scripts"
SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.json"


def laid_over(base, other):
    """Merge as Snakemake merges a --configfile into the configfile."""
    merged = copy.deepcopy(base)
    for key, value in other.items():
        merged[key] = (
            laid_over(merged[key], value)
            if isinstance(value, dict) and isinstance(merged.get(key), dict)
            else value
        )
    return merged


def load(*names):
    config = {}
    for name in names:
        config = laid_over(config, yaml.safe_load((REPOSITORY / "config" / name).read_text()))
    return config


def refusal(config):
    with pytest.raises(configuration.ConfigurationError) as caught:
        configuration.check(config, SCHEMA)
    message = str(caught.value)
    assert "\n" not in message
    return message
