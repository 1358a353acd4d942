"""The local runtime wires what the stack wires: names, environment, limits, substitutions, patterns."""

from __future__ import annotations

import inspect

from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import FUNCTIONS
from local.parts import resources
from local.run.wiring import Names, endpoints, function_table, substitutions
from tests.infrastructure.template import Template

NAMES = Names("dicom-ingest")


def test_a_function_is_told_the_same_here_and_there(default: Template) -> None:
    # What leads the SDK to this machine exists here only.
    here_only = set(endpoints("http://127.0.0.1:1", "http://127.0.0.1:2"))
    for function in function_table(NAMES, "postgresql:///", "0" * 32, endpoints("http://127.0.0.1:1")):
        name = function.name.removeprefix("dicom-ingest-")
        cloud = default.properties("AWS::Lambda::Function", f"pipeline/functions/{name}")
        assert cloud["FunctionName"] == function.name
        assert cloud["Handler"] == function.handler
        assert (cloud["Timeout"], cloud["MemorySize"]) == (function.timeout_seconds, function.memory_mb)
        there = cloud["Environment"]["Variables"]
        assert set(function.environment) - here_only == set(there)
        assert function.environment["STACK"] == there["STACK"]


def test_the_state_machine_gets_the_same_substitutions(default: Template) -> None:
    machine = default.properties("AWS::StepFunctions::StateMachine")
    assert set(substitutions(NAMES)) == set(machine["DefinitionSubstitutions"])
    assert NAMES.state_machine_arn.endswith(f":{machine['StateMachineName']}")


def test_rule_archive_and_bus_have_the_same_names_and_pattern(default: Template) -> None:
    rule = default.properties("AWS::Events::Rule", "pipeline/bus/series-complete")
    assert (rule["Name"], rule["EventPattern"]) == (NAMES.rule, wiring.SERIES_COMPLETE_PATTERN)
    assert default.properties("AWS::Events::EventBus")["Name"] == NAMES.bus
    assert default.properties("AWS::Events::Archive")["ArchiveName"] == NAMES.archive
    assert "contract.SERIES_COMPLETE_PATTERN" in inspect.getsource(resources)


def test_the_local_bucket_is_named_as_operators_know_the_clouds(default: Template) -> None:
    (logical_id,) = [id_ for id_, path in default.paths.items() if path == "data/bucket"]
    assert f"dicom-ingest-{logical_id.lower()}" == NAMES.bucket


def test_both_know_all_functions(default: Template) -> None:
    there = {
        path.rpartition("/")[2]
        for path in default.resources("AWS::Lambda::Function")
        if path.startswith("pipeline/functions/")
    }
    here = {f.name.removeprefix("dicom-ingest-") for f in function_table(NAMES, "", "", {})}
    assert here == there == {spec.name for spec in FUNCTIONS}
