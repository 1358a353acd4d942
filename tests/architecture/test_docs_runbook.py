"""Every problem that an edge names has its line in the runbook."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ops.verify.stages import ALWAYS, SENT_SEE, STAGES
from tests.support.pages.documentation import ROOT

RUNBOOK = ROOT / "docs" / "operations.md"


def headings(page: Path = RUNBOOK) -> set[str]:
    """As GitHub makes anchors of them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}


def named() -> dict[str, str]:
    """The headings that the edge's code names, each with its file."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "edge_component").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "Problem"
                and len(node.args) > 2
            ):
                texts = [node.args[2]]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("SEE", "JOURNAL"):
                texts = [node.value]
            else:
                continue
            found |= {str(text.value): path.name for text in texts if isinstance(text, ast.Constant)}
    return found


def test_every_problem_of_an_edge_has_its_heading_in_the_runbook() -> None:
    assert len(named()) >= 10
    assert {see: file for see, file in named().items() if see not in headings()} == {}


def test_every_stage_of_verify_has_its_heading_in_the_documentation() -> None:
    for see in {stage.see for stage in (*STAGES, *ALWAYS)} | {SENT_SEE}:
        page, _, anchor = see.partition("#")
        assert anchor in headings(ROOT / page), see
