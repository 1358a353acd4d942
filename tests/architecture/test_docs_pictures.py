"""The pictures show what the code does: every change of state, every room, every file they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomllib

from docs.generate.pages import ROOT, pages
from docs.generate.pictures import flow, lives, rooms
from statemachines.describe import definition

PICTURES = [path for path in pages() if path.endswith(".svg")]
SVG = "{http://www.w3.org/2000/svg}"
CHANGE = re.compile(
    r"UPDATE ahlijob\s+SET state = '(\w+)'.*?\bWHERE\b.*?state (?:= ('\w+')|IN \(([^)]*)\))", re.DOTALL
)
RELEASE = re.compile(r"WHEN state = '(\w+)'[^\n]* THEN '(\w+)'")


def statements(folder: Path) -> Iterator[str]:
    """Every text in the sources of a folder, put together as Python does; what is filled in is left out."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def changes_in_sql() -> set[tuple[str, str]]:
    """From one state of a ticket to another, as the statements have it."""
    found = set()
    for sql in statements(ROOT / "dicom_ingest/db"):
        for target, one, several in CHANGE.findall(sql):
            found |= {(source, target) for source in re.findall(r"'(\w+)'", one or several)}
        if "UPDATE ahlijob SET\n    state = CASE" in sql:
            found |= set(RELEASE.findall(sql))
            ends = re.search(r"OR import_over_at IS NOT NULL THEN '(\w+)'", sql)
            assert ends
            found |= {(holding, ends[1]) for holding in ("STARTING", "RUNNING")}
    return {(source, target) for source, target in found if source != target}


def test_the_life_of_a_ticket_is_what_the_statements_do() -> None:
    found = changes_in_sql() | {("WAITING", "GRANTED")}  # _GRANT goes by the row that ELIGIBLE has locked
    assert {(change.source, change.target) for change in lives.TICKET} == found


def test_the_life_of_an_instance_has_the_states_of_the_journal() -> None:
    drawn = {change.source for change in lives.INSTANCE} | {change.target for change in lives.INSTANCE}
    known = set(lives.instance_states())
    assert known == drawn - {
        lives.ON_THE_WIRE, lives.REFUSED, lives.RECEIPT, lives.ASIDE, lives.COUNTED
    }  # fmt: skip
    for change in lives.INSTANCE:
        if change.target in known - {"received"}:
            assert f"'{change.target}'" in (ROOT / change.module).read_text(encoding="utf-8"), change


@pytest.mark.parametrize("change", [*lives.INSTANCE, *lives.TICKET], ids=lambda c: f"{c.source}-{c.target}")
def test_the_module_that_makes_a_change_exists(change: lives.Change) -> None:
    assert (ROOT / change.module).is_file()


def test_files_and_states_in_the_flow_exist() -> None:
    words = [word for box in flow.BOXES for word in (box.name, *box.words)]
    paths = [word for word in words if "/" in word]
    assert len(paths) > 4
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    states = [state for box in flow.BOXES for state in re.findall(r"\b[A-Z][a-z]+[A-Z]\w+", box.name)]
    services = {"EventBridge", "HealthImaging"}
    assert set(states) - services <= definition()["States"].keys()


def test_every_room_that_import_linter_knows_is_drawn() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(config["root_packages"]) - {"docs"} <= set(rooms.PLACES)  # which draws the picture
    allowed = rooms.allowed()
    assert allowed["edge_component"] == allowed["cdk"] == {rooms.CONTRACTS}
    assert allowed[rooms.CONTRACTS] == allowed[rooms.EMULATOR] == set()


@pytest.mark.parametrize("path", PICTURES)
def test_a_picture_needs_no_network_and_has_a_dark_side_and_a_text(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert re.findall(r"https?://[^\"\s]+", text) == ["http://www.w3.org/2000/svg"]
    assert "prefers-color-scheme: dark" in text
    assert root.findtext(f"{SVG}title")
    assert root.findtext(f"{SVG}desc")


def test_the_workflow_shows_every_state() -> None:
    shown = {text.text for text in ElementTree.parse(ROOT / "docs/pictures/workflow.svg").iter(f"{SVG}text")}
    assert shown == set(definition()["States"])
