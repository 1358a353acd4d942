"""The commands of docs/migration.md, run as they are printed, against a run that imported what was sent."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dicom_ingest.contracts.configuration.config import Config
from local.postgres.databases import session
from tests.e2e.console.running import ConsoleRun

CHANGES_THE_RUN = True
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```", PAGE, flags=re.MULTILINE | re.DOTALL)
PRINTED = [line for kind, block in BLOCKS if not kind for line in block.splitlines() if line.strip()]
INLINE = [words for words in re.findall(r"`([^`\n]+)`", PAGE) if words.startswith(".venv/")]
ENDS = {"status --needs-attention": (0, 1)}
"""Exit codes of commands that may find something; all others end with 0."""
_STUDIES = """
SELECT study_instance_uid, count(DISTINCT series_instance_uid) AS series, sum(instance_count) AS instances
FROM series_transfer GROUP BY study_instance_uid ORDER BY study_instance_uid
"""


@pytest.fixture(scope="module")
def checkout(console: ConsoleRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the run is the active one: `ops` looks for runs beside its own folder."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "ops", folder / "ops")
    for name in ("dicom_ingest", "console"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".local").symlink_to(console.runs)
    (folder / ".venv").symlink_to(sys.prefix)
    with session(console.runtime.state.database_url) as connection:
        studies = connection.run(_STUDIES)
    lines = [",".join(str(value) for value in row.values()) for row in studies]
    (folder / "oldpacs.csv").write_text("\n".join(["study,series,instances", *lines]), encoding="utf-8")
    return folder


@pytest.fixture
def typed(checkout: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A line, as a shell takes it."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", line], cwd=checkout, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_the_page_prints_commands() -> None:
    assert len(PRINTED) >= 8
    assert all(line.startswith(".venv/bin/python -m ops ") for line in (*PRINTED, *INLINE))


@pytest.mark.parametrize("line", [*PRINTED, *INLINE])
def test_a_command_does_what_the_page_says(
    line: str, typed: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    ended = typed(line)
    allowed = next((codes for words, codes in ENDS.items() if words in line), (0,))
    assert ended.returncode in allowed, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.strip()


def test_the_configuration_on_the_page_is_understood() -> None:
    (block,) = [block for kind, block in BLOCKS if kind == "yaml"]
    config = Config.model_validate(yaml.safe_load(block))
    assert config.senders[0].priority == "bulk"
