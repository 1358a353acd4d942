"""The types that mypy reads."""

from __future__ import annotations

import ast
from pathlib import Path

import tomllib

ROOT = Path(__file__).parents[2]
MYPY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]


def test_every_part_of_the_cdk_that_is_used_is_read() -> None:
    """Otherwise all of its names would be `Any`, and nothing would be said."""
    read = {
        name
        for each in MYPY["overrides"]
        if each.get("follow_imports") == "normal"
        for name in each["module"]
    }
    used = set()
    for path in [*(ROOT / "cdk").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "aws_cdk":
                used |= {f"aws_cdk.{name.name}" for name in node.names if name.name.islower()}
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("aws_cdk."):
                used.add(str(node.module))
    assert used <= read
