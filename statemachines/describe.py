"""README.md of this folder, from the definition; `make docs` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DEFINITION = FOLDER / "ingest_series.asl.json"

INTRODUCTION = """# The workflow

`cdk deploy` ships `ingest_series.asl.json`, and the local runtime executes it. It is one file in
JSONPath without intrinsic functions. `make docs` generates this page and its picture from it, and a
test compares them.

A function receives `Payload` as its request and returns its reply
(`dicom_ingest/contracts/messages/steps.py`).
After IndexSeries the state is `series_transfer, import_needed, reason, slot, import, outcome, error`.
Each step owns one key of it. Expected answers are replies. An error always means trouble. The error
names are the leaves of `dicom_ingest/errors.py`. Every task also retries Lambda's own errors for a day:
throttling, inactive functions and network interfaces, time-outs, crashes.

## The picture

Round shapes are choices, waits and ends. Dashed arrows are errors.

![The states from IndexSeries to SeriesIngested, and where errors lead](../docs/pictures/workflow.svg)

## The choices
"""


def definition() -> dict[str, Any]:
    """The state machine's definition, placeholders and all."""
    loaded: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))
    return loaded


def render() -> str:
    """The whole page."""
    states: dict[str, Any] = definition()["States"]
    return "\n".join([INTRODUCTION, *_choices(states), "", "## The states", "", *_table(states)])


def _choices(states: dict[str, Any]) -> list[str]:
    lines = ["| at | where | on to |", "|---|---|---|"]
    for name, state in states.items():
        if state["Type"] == "Choice":
            lines += [f"| {name} | {words} | {target} |" for target, words in _transitions(state)]
    return lines


def _transitions(state: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        *((choice["Next"], _condition(choice)) for choice in state["Choices"]),
        (state["Default"], "otherwise"),
    ]


def _condition(rule: dict[str, Any]) -> str:
    if "Or" in rule:
        return " or ".join(_condition(part).split(" = ")[-1] for part in rule["Or"])
    if "And" in rule:
        return _condition(rule["And"][-1])
    name = rule["Variable"].removeprefix("$.")
    if rule.get("IsPresent") is False:
        return f"there is no {name}"
    if rule.get("IsNull") is True:
        return f"{name} is null"
    value = next(value for key, value in rule.items() if key not in ("Variable", "Next"))
    if "NumericGreaterThan" in rule:
        return f"{name} > {value}"
    return f"{name} = {json.dumps(value) if isinstance(value, bool) else value}"


def _table(states: dict[str, Any]) -> list[str]:
    lines = [
        "| state | what it does | reads | writes | retried errors | gives up after |",
        "|---|---|---|---|---|---|",
    ]
    for name, state in states.items():
        if state["Type"] == "Task":
            lines.append(_task_row(name, state))
        else:
            lines.append(f"| {name} | {state['Type']}: {state['Comment']} | {_reads(state)} | | | |")
    return [*lines, ""]


def _task_row(name: str, state: dict[str, Any]) -> str:
    payload = state["Parameters"]["Payload"]
    reads = ", ".join(f"`{path}`" for path in payload.values())
    writes = state.get("ResultPath", "$" if "OutputPath" in state else "") or "nothing"
    names = [[name for name in retry["ErrorEquals"] if "." not in name] for retry in state["Retry"]]
    retried = "<br>".join(", ".join(own) for own in names)
    limit = _duration(state["TimeoutSeconds"])
    return f"| {name} | {state['Comment']} | {reads} | `{writes}` | {retried} | {limit} |"


def _reads(state: dict[str, Any]) -> str:
    paths = [state[key] for key in ("TimestampPath", "SecondsPath", "ErrorPath", "InputPath") if key in state]
    paths += [choice["Variable"] for choice in state.get("Choices", []) if "Variable" in choice]
    return ", ".join(f"`{path}`" for path in paths)


def _duration(seconds: int) -> str:
    return f"{seconds // 86400} days" if seconds >= 86400 else f"{seconds} s a try"
