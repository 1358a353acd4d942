"""What the documentation names exists: commands, targets, keys, tables, alarms, files."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_ingest.contracts.config import Config
from dicom_ingest.contracts.outcomes import Outcome
from local.__main__ import build_parser as local_parser
from ops.__main__ import build_parser as ops_parser

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "local/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXT = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
SQL = "\n".join(path.read_text() for path in (ROOT / "dicom_ingest/db/migrations").glob("*.sql"))


@pytest.mark.parametrize("page", TEXT)
def test_modules_that_are_run_exist(page: str) -> None:
    for module in set(re.findall(r"python -m ([a-z_.]+)", TEXT[page])):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("page", TEXT)
def test_make_targets_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", TEXT[page], flags=re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", TEXT)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT[page]):
        assert (folder / target).exists(), target


@pytest.mark.parametrize("page", TEXT)
def test_tables_in_sql_exist(page: str) -> None:
    for table in re.findall(r"\bFROM (\w+)", TEXT[page]):
        assert re.search(rf"CREATE (TABLE|VIEW) {table.lower()}\b", SQL), table


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Command lines of ours as they are printed: in code, in a shell or through make; `VERB` is none."""
    typed = re.findall(r"python -m (ops|local) ([a-z][^`#|)\n]*)", text)
    made = re.findall(r"make (ops|local) ARGS=(?:\"([^\"]*)\"|'([^']*)')", text)
    for room, words in [*typed, *((room, double or single) for room, double, single in made)]:
        if "…" not in words:
            yield room, shlex.split(words)


@pytest.mark.parametrize("page", sorted(TEXT.keys() - {"README.md"}))
def test_commands_are_understood_by_their_own_parsers(page: str) -> None:
    parsers = {"ops": ops_parser(), "local": local_parser()}
    for room, words in commands(TEXT[page]):
        numbers = ["7" if word in ("TICKET", "SLOTS") else word for word in words]
        try:
            parsers[room].parse_args(numbers)
        except SystemExit:
            pytest.fail(f"{room} {shlex.join(words)} is not understood")


def test_every_configuration_key_is_in_the_readme() -> None:
    for key in Config.model_fields:
        assert f"`{key}" in TEXT["README.md"], key


def test_every_outcome_is_explained() -> None:
    for outcome in Outcome:
        assert outcome.value in TEXT["docs/architecture.md"], outcome
