"""The room's README names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import healthimaging_emulator
import pytest
from healthimaging_emulator import (
    Behaviour,
    EventFault,
    FailCall,
    JobFault,
    RefuseInstance,
    SlowCall,
    pytest_plugin,
)
from healthimaging_emulator.__main__ import arguments
from healthimaging_emulator.control import ROUTES
from healthimaging_emulator.operations import OPERATIONS
from healthimaging_emulator.service.model import operation_names

PACKAGE = Path(healthimaging_emulator.__file__).parent
ROOM = PACKAGE.parents[1]
README = (ROOM / "README.md").read_text(encoding="utf-8")


def named(text: str) -> bool:
    return f"`{text}`" in README


@pytest.mark.parametrize("switch", Behaviour.model_fields)
def test_every_switch_is_explained(switch: str) -> None:
    assert named(switch)


@pytest.mark.parametrize("fault", [EventFault, FailCall, JobFault, RefuseInstance, SlowCall])
def test_every_fault_and_its_fields_are_named(fault: type) -> None:
    (line,) = (line for line in README.splitlines() if line.startswith(f"| `{fault.__name__}`"))
    for field in fault.model_fields:  # type: ignore[attr-defined]
        assert field in ("kind", "times") or f"`{field}`" in line, field


@pytest.mark.parametrize("method_and_name", ROUTES, ids=" ".join)
def test_every_control_route_is_listed(method_and_name: tuple[str, str]) -> None:
    method, name = method_and_name
    pattern = rf"`{method}[`, A-Z]* ?/_control/{name}|`{method} /_control/{name}"
    assert re.search(pattern, README), method_and_name


def test_every_option_is_listed() -> None:
    for option in vars(arguments([])):
        assert named(f"--{option.replace('_', '-')}"), option


def test_every_room_has_its_place() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert rooms > {"dicom", "imports", "server"}
    for room in rooms - {"__init__", "__pycache__"}:
        assert named(room), room


@pytest.mark.parametrize(
    "fixture", [name for name in vars(pytest_plugin) if name.startswith("healthimaging")]
)
def test_every_fixture_is_named(fixture: str) -> None:
    assert f"| `{fixture}` |" in README


def test_every_operation_of_the_model_is_answered() -> None:
    assert OPERATIONS.keys() == set(operation_names())
    assert f"all {len(OPERATIONS)} operations" in README
