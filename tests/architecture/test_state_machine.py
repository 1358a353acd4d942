"""The state machine against the rooms it joins: folders, messages, errors. One name everywhere."""

from __future__ import annotations

import importlib
import inspect
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from botocore.session import get_session
from pydantic import BaseModel

from dicom_ingest import errors
from dicom_ingest.contracts.messages.outcomes import FAILURES, Outcome
from dicom_ingest.contracts.messages.steps import IndexSeriesReply, OutcomeState, Slot, WorkflowState
from dicom_ingest.contracts.platform.functions import BY_NAME, FUNCTIONS, WORKFLOW_FUNCTIONS
from dicom_ingest.db.server.connection import RESUME_SECONDS
from dicom_ingest.runtime import clients
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
    assert task["Catch"]


DAY = 24 * 3600
RETRIED = {error.__name__ for error in errors.RetryableError.__subclasses__()} - {"ResultsNotYetWrittenError"}
OF_THE_REQUEST = {
    *("InvalidParameterValueException", "InvalidRequestContentException", "RequestTooLargeException"),
    *(
        "SerializedRequestEntityTooLargeException",
        "UnsupportedMediaTypeException",
        "ModeNotSupportedException",
    ),
}
NOT_USED = ("EFS", "S3Files", "SnapStart", "CodeArtifact", "Durable", "NoPublished", "Runtime", "Recursive")
CRASHES = ("Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "Runtime.ImportModuleError")


def lambdas_own() -> list[str]:
    """Errors of Invoke that are nobody's but Lambda's, as Step Functions names them."""
    operation = get_session().get_service_model("lambda").operation_model("Invoke")
    names = {shape.name for shape in operation.error_shapes} - OF_THE_REQUEST
    sdk = ("AWSLambdaException", "SdkClientException", "ClientExecutionTimeoutException", "Unknown")
    return [f"Lambda.{name}" for name in sorted({*names, *sdk}) if not name.startswith(NOT_USED)]


def patience(state: str, error: str) -> float:
    """How long this task tries again after this error, on average: of full jitter, half of every bound."""
    for retry in TASKS[state]["Retry"]:
        if error in retry["ErrorEquals"]:
            delays = (
                retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"])
            )
            return float(sum(min(delay, retry["MaxDelaySeconds"]) for delay in delays)) / 2
    return 0


def raised(state: str) -> set[str]:
    """What its function says that it raises."""
    return set(re.findall(r"\w+Error", typed_function(snake(state)).__doc__))


@pytest.mark.parametrize("state", list(TASKS))
def test_nothing_that_is_not_the_series_fault_ends_a_series_within_a_day(state: str) -> None:
    names = [*lambdas_own(), *CRASHES, *sorted(raised(state) & RETRIED)]
    if state != "AcquireImportSlot":  # whose time-out is the end of its wait for a slot
        names.append("States.Timeout")
    assert {name: patience(state, name) >= DAY for name in names} == dict.fromkeys(names, True)


@pytest.mark.parametrize("state", list(TASKS))
def test_what_the_series_is_to_blame_for_is_not_tried_again(state: str) -> None:
    names = leaves(errors.SeriesError)
    assert {name: patience(state, name) for name in names} == dict.fromkeys(names, 0)


def test_a_wait_for_a_slot_that_timed_out_is_not_tried_again() -> None:
    assert patience("AcquireImportSlot", "States.Timeout") == 0


@pytest.mark.parametrize("state", list(TASKS))
def test_a_call_that_is_not_answered_fits_into_the_function_and_the_function_into_its_state(
    state: str,
) -> None:
    spec = BY_NAME[snake(state)]
    waits = clients.LONGEST_CALL_SECONDS
    assert waits >= clients.ATTEMPTS * (clients.CONNECT_SECONDS + clients.READ_SECONDS)
    if spec.opens_database:  # one that died, one that resumes, one statement that is not answered
        waits = 2 * RESUME_SECONDS + max(waits, RESUME_SECONDS)
    assert waits < spec.timeout_seconds
    assert spec.timeout_seconds < TASKS[state]["TimeoutSeconds"]


def test_retries_of_a_whole_execution_fit_into_its_history() -> None:
    """25,000 events are allowed; a try that fails writes three. A second attempt starts once more."""
    tries = {state: sum(retry["MaxAttempts"] for retry in task["Retry"]) for state, task in TASKS.items()}
    twice = ("AcquireImportSlot", "StartImport")
    assert 3 * (sum(tries.values()) + sum(tries[state] for state in twice)) < 25_000


@pytest.mark.parametrize("state", list(TASKS))
def test_what_is_caught_is_recorded_and_the_slot_given_back(state: str) -> None:
    (catch,) = TASKS[state]["Catch"]
    then = {"RecordFailure": "ReleaseImportSlot", "ReleaseImportSlot": "LeftToReclaim"}
    assert catch["Next"] == then.get(state, "RecordFailure")
    assert catch["ResultPath"] == "$.error"
    everything = "States.TaskFailed" if state == "AcquireImportSlot" else "States.ALL"
    assert catch["ErrorEquals"] == [everything]


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


def end_of(outcome: str) -> str:
    """Where `Ingested?` leads with this outcome."""
    for rule in STATES["Ingested?"]["Choices"]:
        names = [part.get("StringEquals") for part in rule.get("Or", [rule])]
        if outcome in names:
            return str(rule["Next"])
    return str(STATES["Ingested?"]["Default"])


def test_each_outcome_ends_where_it_belongs() -> None:
    ends = {outcome: end_of(outcome.value) for outcome in Outcome}
    assert {outcome for outcome, end in ends.items() if STATES[end]["Type"] == "Fail"} == FAILURES
    assert {outcome for outcome, end in ends.items() if end == "SeriesIngested"} == {
        *(Outcome.COMPLETED, Outcome.PARTIAL, Outcome.NON_PRIMARY)
    }
    assert ends[Outcome.IN_PROGRESS_ELSEWHERE] == "OwnedElsewhere"
    assert end_of("AN_OUTCOME_TO_COME") == "SeriesIngested"


def test_without_an_outcome_an_execution_never_ends_well() -> None:
    absent, null, *_ = STATES["Ingested?"]["Choices"]
    assert absent == {"Variable": "$.outcome", "IsPresent": False, "Next": "LeftToReclaim"}
    assert null == {"Variable": "$.outcome", "IsNull": True, "Next": "LeftToReclaim"}


def test_an_import_that_is_not_needed_is_neither_waited_for_nor_recorded() -> None:
    started = {rule["StringEquals"]: rule["Next"] for rule in STATES["ImportStarted?"]["Choices"]}
    assert STATES["StartImport"]["Next"] == "ImportStarted?"
    assert started["NOT_NEEDED"] == "ImportNotNeeded"
    assert STATES["ImportNotNeeded"]["Next"] == "ReleaseImportSlot"
    assert started["QUEUE_AGAIN"] == "AcquireImportSlot"


def test_the_workflow_reads_like_its_sentence() -> None:
    sentence = (
        "IndexSeries",
        "ImportNeeded?",
        "AcquireImportSlot",
        "WaitForStart",
        "StartImport",
        "ImportStarted?",
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
