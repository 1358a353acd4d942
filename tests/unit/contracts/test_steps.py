"""Executions wait for weeks: functions of today take what the release before sent, and say what it read.

The samples are what Step Functions passed to each function of that release, and what came back.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel, TypeAdapter

from dicom_ingest.contracts.messages.steps import Slot
from dicom_ingest.contracts.platform.functions import WORKFLOW_FUNCTIONS

SAMPLES = sorted((Path(__file__).parents[2] / "events" / "steps").glob("*.json"))


def function_of(sample: Path) -> str:
    return sample.name.split(".")[0]


def messages(function: str) -> tuple[type[BaseModel], Any]:
    """What the function takes and answers; to AcquireImportSlot the answer is the slot, by its task token."""
    module = importlib.import_module(f"functions.{function}.handler")
    hints = get_type_hints(getattr(module, function))
    return hints["request"], Slot if function == "acquire_import_slot" else hints["return"]


def test_there_is_a_sample_of_every_step() -> None:
    assert {function_of(sample) for sample in SAMPLES} == set(WORKFLOW_FUNCTIONS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_released_request_is_accepted(sample: Path) -> None:
    request, _ = messages(function_of(sample))
    request.model_validate(json.loads(sample.read_text())["request"])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_reply_of_today_has_every_field_that_an_older_definition_reads(sample: Path) -> None:
    _, reply = messages(function_of(sample))
    released = json.loads(sample.read_text())["reply"]
    today = TypeAdapter(reply).validate_python(released).model_dump(mode="json", by_alias=True)
    assert today.items() >= released.items()
