"""What a page prints for a person to type is a command, with an interpreter that has our packages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.machine.programs import require
from tests.support.pages.documentation import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "local" / "README.md",
    ROOT / "edge_component" / "container" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"(<!-- printed: [^>]+-->\n)?^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
WORDS = ("python -m ops", "python -m cdk", "python -m local", "python -m benchmarks")


def typed(page: Path) -> list[str]:
    """Blocks of commands: those that say no language, or a shell's, and are not what a command printed."""
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    return [
        text
        for printed, language, text in blocks
        if not printed and (language in ("sh", "bash") or (not language and COMMANDS.search(text)))
    ]


COMMANDS = re.compile(
    r"^(\.venv/bin/python|make|aws|curl|docker|git|sudo|ssh|storescu|python) ", re.MULTILINE
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_of_commands_is_understood_by_bash(page: Path) -> None:
    require("bash")
    for block in typed(page):
        checked = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), block


def test_there_are_blocks_to_look_at() -> None:
    assert sum(len(typed(page)) for page in PAGES) >= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_our_commands_name_the_interpreter_of_the_environment(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    bare = [word for word in WORDS if re.search(rf"(?<![\w./]){re.escape(word)}", text)]
    assert bare == [], f"{page.name}: a machine's own `python` does not have our packages"
