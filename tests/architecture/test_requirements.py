"""requirements/*.txt, for those who use plain pip, say what the lock says (`make lock` writes them)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).parents[2]
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
VERSIONS: dict[str, set[str]] = {}
for package in LOCK["package"]:
    VERSIONS.setdefault(package["name"], set()).add(package.get("version", ""))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS, OURS = PROJECT["dependency-groups"], set(PROJECT["tool"]["uv"]["sources"])


@pytest.mark.parametrize("group", ["functions", "edge", "edge-compression", "cdk", "ops", "local", "dev"])
def test_exported_requirements_are_the_locks(group: str) -> None:
    text = (ROOT / f"requirements/{group}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, flags=re.MULTILINE)
    assert [(name, version) for name, version in pins if version not in VERSIONS.get(name, set())] == []
    named = {re.split(r"[^A-Za-z0-9-]", entry)[0] for entry in GROUPS[group] if isinstance(entry, str)}
    assert named - OURS <= {name for name, _ in pins}
    assert text.count("--hash=sha256:") > len(pins)
