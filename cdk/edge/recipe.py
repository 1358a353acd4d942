"""The component's recipe: `edge_component/recipe.yaml` with our values in its placeholders.

A placeholder is a lower-case name in braces; `{work:path}` and its like are Greengrass's own and stay.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dicom_ingest.contracts.configuration.config import Config

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_MAXIMUM = 1_000_000
"""Greengrass takes version numbers up to 999,999."""


class RecipeError(ValueError):
    """A recipe that names a placeholder we do not know, or is no recipe."""


def render_recipe(text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with every placeholder filled in; one that stands alone takes a value of any kind.

    Raises:
        RecipeError: an unknown placeholder, or text that is not a YAML mapping.
    """
    recipe = yaml.safe_load(text)
    if not isinstance(recipe, dict):
        raise RecipeError("recipe.yaml: a mapping is expected")
    return {_filled(key, values): _filled(value, values) for key, value in recipe.items()}


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        return {_filled(key, values): _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    if not isinstance(node, str):
        return node
    if alone := PLACEHOLDER.fullmatch(node):
        return _value(alone, values)
    return PLACEHOLDER.sub(lambda found: str(_value(found, values)), node)


def _value(found: re.Match[str], values: Mapping[str, Any]) -> Any:
    name = found[1]
    if name not in values:
        raise RecipeError(f"recipe.yaml: {{{name}}} is not known; known are {', '.join(sorted(values))}")
    return values[name]


def recipe_settings(config: Config) -> dict[str, Any]:
    """What of `config.yaml` is in the recipe, and so in its version: the rest is no edge's business."""
    senders = [sender.model_dump(mode="json", exclude_none=True) for sender in config.senders]
    edges = {edge.name: line for edge in config.edge_config if (line := edge.line)}
    return {"stack": config.cdk_app_name, "senders": senders, "edges": edges}


def component_version(pyproject: Path, *content: str) -> str:
    """`major.minor.{content}`: the project's version with a number for what is really inside.

    A component version is immutable: equal content must give an equal version, new content a new one.
    """
    declared = re.search(r'^version = "(\d+)\.(\d+)\.', pyproject.read_text(encoding="utf-8"), re.MULTILINE)
    if declared is None:
        raise RecipeError(f'{pyproject.name}: version = "major.minor.patch" is expected')
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()
    return f"{declared[1]}.{declared[2]}.{int(digest[:12], 16) % _MAXIMUM}"
