"""What a user needs before they may use the project: a licence, a version, how to report a vulnerability."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import tomllib

import edge_component

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("name", ["LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_a_page_that_users_look_for_exists(name: str) -> None:
    assert (ROOT / name).stat().st_size > 500


def test_the_licence_is_the_one_that_the_project_names() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text


def test_the_edge_reports_the_projects_version() -> None:
    assert PROJECT["version"] == edge_component.VERSION


def test_the_bill_of_materials_lists_every_locked_package(tmp_path: Path) -> None:
    uv = ROOT / ".local/uv/bin/uv"
    if not uv.exists():
        pytest.skip("uv is not installed by this project's make here")
    target = tmp_path / "sbom.cdx.json"
    options = ["--quiet", "--preview", "--frozen", "--all-groups", "--format", "cyclonedx1.5"]
    subprocess.run([uv, "export", *options, "-o", str(target)], cwd=ROOT, check=True, capture_output=True)
    listed = {component["name"] for component in json.loads(target.read_text())["components"]}
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    assert locked - listed <= {PROJECT["name"]}
