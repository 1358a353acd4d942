"""The component's recipe and version."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cdk.edge.recipe import RecipeError, component_version, recipe_settings, render_recipe
from dicom_ingest.contracts.configuration.config import parse_config
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template

PYPROJECT = ROOT / "pyproject.toml"


def test_placeholders_are_filled_in_and_greengrass_keeps_its_own() -> None:
    text = "ComponentName: '{component_name}'\nRun: '{work:path}/run {bucket} {configuration:/senders}'\n"
    assert render_recipe(text, {"component_name": "x-DIMSEtoS3", "bucket": "b"}) == {
        "ComponentName": "x-DIMSEtoS3",
        "Run": "{work:path}/run b {configuration:/senders}",
    }


def test_a_placeholder_that_stands_alone_takes_a_value_of_any_kind() -> None:
    assert render_recipe("senders: '{senders}'", {"senders": [{"calling_ae": "CT1"}]}) == {
        "senders": [{"calling_ae": "CT1"}]
    }


def test_a_value_cannot_break_the_recipe() -> None:
    assert render_recipe("a: '{bucket}'", {"bucket": "x: y\n- {z}"}) == {"a": "x: y\n- {z}"}


def test_an_unknown_placeholder_is_named() -> None:
    with pytest.raises(RecipeError, match=r"\{bukket\} is not known; known are bucket"):
        render_recipe("a: '{bukket}'", {"bucket": "b"})


def test_c17_the_version_follows_the_content() -> None:
    version = component_version(PYPROJECT, "artifact", "recipe")
    assert component_version(PYPROJECT, "artifact", "recipe") == version
    assert component_version(PYPROJECT, "artifact", "recipe, changed") != version
    assert component_version(PYPROJECT, "artifac", "trecipe") != version


def test_the_version_is_one_that_greengrass_takes() -> None:
    for content in map(str, range(50)):
        version = component_version(PYPROJECT, content)
        assert re.fullmatch(r"\d{1,6}\.\d{1,6}\.\d{1,6}", version)


def test_a_project_without_a_version_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(RecipeError, match="major"):
        component_version(tmp_path / "pyproject.toml", "content")


def test_what_no_edge_reads_gives_no_edge_a_new_version(template: Callable[[str], Template]) -> None:
    """Tags, capacity, database, retention, `environment`: a deployment to every hospital for nothing."""
    said = {
        name: template(name).outputs()["EdgeComponent"] for name in ("default", "dev", "no-import", "full")
    }
    assert len(set(said.values())) == 1, said


@pytest.mark.parametrize("change", [{"cdk_app_name": "clinic"}, {"senders": [{"calling_ae": "CT1"}]}])
def test_what_an_edge_reads_is_in_its_version(change: dict[str, object]) -> None:
    assert recipe_settings(parse_config(change)) != recipe_settings(parse_config({}))


def test_every_setting_of_the_configuration_in_the_recipe_is_in_its_version() -> None:
    """The others are the artifact, or names that CloudFormation makes from the stack's own."""
    placeholders = set(re.findall(r"\{([a-z_]+)\}", (ROOT / "edge_component" / "recipe.yaml").read_text()))
    made = {
        "component_name",
        "component_version",
        "artifact_uri",
        "artifact_name",
        "bucket",
        "event_bus",
        "region",
    }
    assert placeholders - made == set(recipe_settings(parse_config({})))
