"""README.md of this folder, from the definition: ``python -m statemachines.describe --write``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DEFINITION = FOLDER / "ingest_series.asl.json"
README = FOLDER / "README.md"

INTRODUCTION = """# The workflow

`ingest_series.asl.json` is what `cdk deploy` ships and what the local runtime executes: one file,
JSONPath, no intrinsic functions. This page is made from it (`python -m statemachines.describe --write`);
a test compares the two.

A function gets `Payload` as its request and answers with its reply (`dicom_ingest/contracts/steps.py`).
After IndexSeries the state is `series_transfer, import_needed, reason, slot, import, outcome, error`;
each step owns one key of it. Expected answers are replies; an error always means trouble. Error names
are the leaves of `dicom_ingest/errors.py`.
"""


def definition() -> dict[str, Any]:
    """The state machine's definition, placeholders and all."""
    loaded: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))
    return loaded


def render() -> str:
    """The whole page."""
    states: dict[str, Any] = definition()["States"]
    return "\n".join(
        [INTRODUCTION, "## The picture", "", _picture(states), "", "## The states", "", *_table(states)]
    )


def _picture(states: dict[str, Any]) -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_id(next(iter(states)))}"]
    for name, state in states.items():
        if name != _id(name):
            lines.append(f'    state "{name}" as {_id(name)}')
        for target, words in _transitions(state):
            lines.append(f"    {_id(name)} --> {_id(target)}" + (f" : {words}" if words else ""))
        if state["Type"] in ("Succeed", "Fail"):
            lines.append(f"    {_id(name)} --> [*]")
    return "\n".join([*lines, "```"])


def _id(name: str) -> str:
    return name.rstrip("?")


def _transitions(state: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(choice["Next"], _condition(choice)) for choice in state.get("Choices", [])]
    found += [(state["Default"], "otherwise")] if "Default" in state else []
    found += [(state["Next"], "")] if "Next" in state else []
    found += [(catch["Next"], "error") for catch in state.get("Catch", [])]
    return found


def _condition(rule: dict[str, Any]) -> str:
    if "Or" in rule:
        return " or ".join(_condition(part).split(" = ")[-1] for part in rule["Or"])
    if "And" in rule:
        last = rule["And"][-1]
        return "any other outcome" if "IsNull" in last else _condition(last)
    name = rule["Variable"].removeprefix("$.")
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
    own = [retry for retry in state["Retry"] if not retry["ErrorEquals"][0].startswith("Lambda.")]
    retried = "<br>".join(", ".join(retry["ErrorEquals"]) for retry in own)
    limit = _duration(state["TimeoutSeconds"])
    return f"| {name} | {state['Comment']} | {reads} | `{writes}` | {retried} | {limit} |"


def _reads(state: dict[str, Any]) -> str:
    paths = [state[key] for key in ("TimestampPath", "SecondsPath", "ErrorPath") if key in state]
    paths += [choice["Variable"] for choice in state.get("Choices", []) if "Variable" in choice]
    return ", ".join(f"`{path}`" for path in paths)


def _duration(seconds: int) -> str:
    return f"{seconds // 86400} days" if seconds >= 86400 else f"{seconds} s a try"


if __name__ == "__main__":
    if "--write" in sys.argv:
        README.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write(render())
