"""The workflow's picture is made from the definition: every state stands somewhere, every way is drawn."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from xml.etree import ElementTree

from console.workflow import graph
from console.workflow.drawing import draw
from console.workflow.executions import Execution, Visit, visits

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
WORKFLOW = graph.read()
STATES = json.loads(graph.DEFINITION.read_text())["States"]


def execution(status: str, *states: str) -> Execution:
    return Execution("arn", status, [Visit(state, NOW, NOW) for state in states])


def classes(drawn: str) -> dict[str, set[str]]:
    root = ElementTree.fromstring(drawn)
    return {
        (group.findtext("text") or ""): set(group.attrib["class"].split())
        for group in root.iter("g")
        if "state" in group.attrib.get("class", "")
    }


def test_every_state_has_a_place_of_its_own_below_those_before_it() -> None:
    assert set(WORKFLOW.nodes) == set(STATES)
    places = {(node.rank, node.column) for node in WORKFLOW.nodes.values()}
    assert len(places) == len(STATES)
    for name, state in STATES.items():
        if "Next" in state and name != "WaitForOwner":
            assert WORKFLOW.nodes[state["Next"]].rank > WORKFLOW.nodes[name].rank, name


def test_the_way_without_errors_is_one_column() -> None:
    straight = [
        node.name for node in sorted(WORKFLOW.nodes.values(), key=lambda n: n.rank) if not node.column
    ]
    assert straight[0] == "IndexSeries"
    assert straight[-1] == "SeriesIngested"
    assert "RecordFailure" not in straight
    assert "RecordImageSets" in straight


def test_the_state_an_execution_is_in_is_lit_and_said() -> None:
    drawn = str(draw(WORKFLOW, execution("RUNNING", "IndexSeries", "ImportNeeded?", "AcquireImportSlot")))
    lit = classes(drawn)
    assert "now" in lit["AcquireImportSlot"]
    assert "passed" in lit["IndexSeries"]
    assert "passed" not in lit["StartImport"]
    assert "The workflow: now in AcquireImportSlot; passed IndexSeries" in drawn
    assert drawn.count('class="way went"') == 2


def test_a_failed_execution_shows_where_it_failed() -> None:
    lit = classes(str(draw(WORKFLOW, execution("FAILED", "IndexSeries", "RecordFailure", "IngestFailed"))))
    assert {name for name, has in lit.items() if "failed" in has} == {"RecordFailure", "IngestFailed"}


def test_without_an_execution_the_workflow_is_shown_all_the_same() -> None:
    drawn = str(draw(WORKFLOW, None))
    assert set(classes(drawn)) == set(STATES)
    assert "knows no execution" in drawn


def test_a_history_becomes_stays() -> None:
    found = visits(
        [
            {"timestamp": NOW, "stateEnteredEventDetails": {"name": "A"}},
            {"timestamp": NOW, "taskScheduledEventDetails": {}},
            {"timestamp": NOW, "taskFailedEventDetails": {"error": "DatabaseAwayError"}},
            {"timestamp": NOW, "taskScheduledEventDetails": {}},
            {"timestamp": NOW, "stateExitedEventDetails": {"name": "A"}},
            {"timestamp": NOW, "stateEnteredEventDetails": {"name": "B"}},
        ]
    )
    assert found == [Visit("A", NOW, NOW, ("DatabaseAwayError",)), Visit("B", NOW, None)]
