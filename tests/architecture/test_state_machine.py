"""The state machine against the rooms it joins: folders, messages, errors. One name everywhere."""

from __future__ import annotations

import importlib
import inspect
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from dicom_ingest import errors
from dicom_ingest.contracts.functions import FUNCTIONS, WORKFLOW_FUNCTIONS
from dicom_ingest.contracts.outcomes import FAILURES, Outcome
from dicom_ingest.contracts.steps import IndexSeriesReply, OutcomeState, Slot, WorkflowState
from statemachines.describe import definition

ROOT = Path(__file__).parents[2]
STATES: dict[str, Any] = definition()["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
AWS_ERRORS = re.compile(r"(Lambda|States|Sandbox|Runtime)\.\w+")


def leaves(base: type[Exception] = errors.IngestError) -> set[str]:
    found = base.__subclasses__()
    return {base.__name__} if not found else {name for child in found for name in leaves(child)}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def typed_function(name: str) -> Any:
    module = importlib.import_module(f"functions.{name}.handler")
    return getattr(module, name)


def messages(name: str) -> tuple[type[BaseModel], type[BaseModel]]:
    hints = get_type_hints(typed_function(name))
    return hints["request"], hints["return"]


def test_states_folders_and_placeholders_have_one_name() -> None:
    placeholders = [re.fullmatch(r"\$\{(\w+)\}", t["Parameters"]["FunctionName"]) for t in TASKS.values()]
    named = [match[1] for match in placeholders if match]
    assert named == [snake(name) for name in TASKS]
    assert sorted(named) == sorted(WORKFLOW_FUNCTIONS)
    folders = {path.name for path in (ROOT / "functions").iterdir() if (path / "handler.py").exists()}
    assert folders == {function.name for function in FUNCTIONS}


@pytest.mark.parametrize("function", [function.name for function in FUNCTIONS])
def test_a_handler_is_one_typed_function(function: str) -> None:
    module = importlib.import_module(f"functions.{function}.handler")
    assert callable(module.handler)
    source = inspect.getsource(module).rstrip().splitlines()
    assert source[-1] == f"handler = step({function})"
    request, reply = messages(function)
    assert issubclass(request, BaseModel)
    assert issubclass(reply, BaseModel)


@pytest.mark.parametrize("state", list(STATES))
def test_every_state_says_what_it_is_for(state: str) -> None:
    assert STATES[state]["Comment"]


@pytest.mark.parametrize("state", list(TASKS))
def test_every_task_times_out_retries_with_jitter_and_catches(state: str) -> None:
    task = TASKS[state]
    assert task["TimeoutSeconds"] > 0
    assert task["Retry"]
    for retry in task["Retry"]:
        assert retry["JitterStrategy"] == "FULL"
        assert retry["MaxDelaySeconds"] <= 300
        assert "States.Timeout" not in retry["ErrorEquals"]
    assert task["Catch"]


@pytest.mark.parametrize("state", list(TASKS))
def test_an_index_that_is_away_for_hours_is_waited_for(state: str) -> None:
    """With full jitter a wait is half of its bound on average: half a day of outage is waited out."""
    retries = [r for r in TASKS[state]["Retry"] if "DatabaseAwayError" in r["ErrorEquals"]]
    if state == "CheckImport":
        assert retries == [], "it opens no database"
        return
    (retry,) = retries
    bounds = [
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** n, retry["MaxDelaySeconds"])
        for n in range(retry["MaxAttempts"])
    ]
    assert sum(bounds) / 2 >= 12 * 3600


@pytest.mark.parametrize("state", list(TASKS))
def test_error_names_are_leaves_of_ours_or_awss_own(state: str) -> None:
    names = [n for rule in TASKS[state]["Retry"] + TASKS[state]["Catch"] for n in rule["ErrorEquals"]]
    assert [n for n in names if n not in leaves() and not AWS_ERRORS.fullmatch(n)] == []


@pytest.mark.parametrize("state", list(TASKS))
def test_what_a_function_says_is_retryable_is_retried(state: str) -> None:
    documented = set(re.findall(r"\w+Error\b", inspect.getdoc(typed_function(snake(state))) or ""))
    assert documented <= leaves(), "docstrings name leaves"
    retryable = {name for name in documented if issubclass(getattr(errors, name), errors.RetryableError)}
    retried = {name for retry in TASKS[state]["Retry"] for name in retry["ErrorEquals"]} & leaves()
    assert retried == retryable


@pytest.mark.parametrize("state", list(TASKS))
def test_a_task_sends_what_its_function_takes(state: str) -> None:
    request, _ = messages(snake(state))
    fields = {field.alias or name for name, field in request.model_fields.items()}
    assert {key.removesuffix(".$") for key in TASKS[state]["Parameters"]["Payload"]} == fields


@pytest.mark.parametrize("state", [s for s in TASKS if "ResultSelector" in TASKS[s]])
def test_a_task_keeps_what_its_function_answers(state: str) -> None:
    _, reply = messages(snake(state))
    selector = TASKS[state]["ResultSelector"]
    assert {key.removesuffix(".$") for key in selector} == set(reply.model_fields)
    assert all(path == f"$.Payload.{key.removesuffix('.$')}" for key, path in selector.items())


def test_paths_of_the_state_are_fields_of_its_messages() -> None:
    fields = {field.alias or name for name, field in WorkflowState.model_fields.items()}
    fields |= set(IndexSeriesReply.model_fields)
    inner = {"series_transfer": None, "slot": Slot, "outcome": OutcomeState}
    for path in re.findall(r"\$\.([a-z_.]+)", str(STATES)):
        head, _, tail = path.partition(".")
        assert head in fields, path
        model = inner.get(head)
        assert not tail or model is None or tail in model.model_fields, path


def test_each_outcome_ends_where_it_belongs() -> None:
    ingested = STATES["Ingested?"]["Choices"][0]
    assert ingested["Next"] == "SeriesIngested"
    succeeding = {rule["StringEquals"] for rule in ingested["And"][-1]["Or"]}
    assert succeeding == {outcome.value for outcome in Outcome} - {outcome.value for outcome in FAILURES}


def test_the_workflow_reads_like_its_sentence() -> None:
    sentence = (
        "IndexSeries",
        "ImportNeeded?",
        "AcquireImportSlot",
        "WaitForStart",
        "StartImport",
        "WaitForImport",
        "CheckImport",
        "ImportFinished?",
        "RecordImageSets",
        "ReleaseImportSlot",
        "Ingested?",
        "SeriesIngested",
    )
    for state, following in pairwise(sentence):
        entry = STATES[state]
        targets = [entry.get("Next"), entry.get("Default"), *[c["Next"] for c in entry.get("Choices", [])]]
        assert following in targets, state


CAUGHT = {
    # Whatever goes wrong is written down first; the slot is given back in any case; reclaim does the rest.
    "IndexSeries": [("States.ALL", "RecordFailure")],
    # Not a time-out: such a ticket keeps its place for a redrive.
    "AcquireImportSlot": [("States.TaskFailed", "RecordFailure")],
    "StartImport": [("States.ALL", "RecordFailure")],
    "CheckImport": [("States.ALL", "RecordFailure")],
    "RecordImageSets": [("States.ALL", "RecordFailure")],
    "RecordFailure": [("States.ALL", "ReleaseImportSlot")],
    "ReleaseImportSlot": [("States.ALL", "LeftToReclaim")],
}


def test_every_error_leads_where_it_is_written_down_and_the_slot_given_back() -> None:
    found = {
        name: [(error, catch["Next"]) for catch in task["Catch"] for error in catch["ErrorEquals"]]
        for name, task in TASKS.items()
    }
    assert found == CAUGHT
    assert {catch["ResultPath"] for task in TASKS.values() for catch in task["Catch"]} == {"$.error"}
    assert (TASKS["RecordFailure"]["Next"], TASKS["RecordImageSets"]["Next"]) == ("ReleaseImportSlot",) * 2
