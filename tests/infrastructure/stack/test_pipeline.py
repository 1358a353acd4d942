"""Functions, workflow, bus and upkeep."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from dicom_ingest.contracts.messages.steps import MigrationProperties
from dicom_ingest.contracts.platform import wiring
from dicom_ingest.contracts.platform.functions import FUNCTIONS, WORKFLOW_FUNCTIONS, FunctionSpec
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template

SPECS = pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.name)


def _function(template: Template, name: str) -> Any:
    return template.properties("AWS::Lambda::Function", f"pipeline/functions/{name}")


@SPECS
def test_a_function_is_told_exactly_what_it_reads(spec: FunctionSpec, default: Template) -> None:
    variables = _function(default, spec.name)["Environment"]["Variables"]
    powertools = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "LOG_LEVEL"}
    assert set(variables) == {*spec.environment, *powertools}
    assert variables["STACK"] == "dicom-ingest"
    assert variables["POWERTOOLS_SERVICE_NAME"] == spec.name


@SPECS
def test_a_function_has_its_contracts_limits(spec: FunctionSpec, default: Template) -> None:
    function = _function(default, spec.name)
    assert function["Handler"] == f"functions.{spec.name}.handler.handler"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert (function["Timeout"], function["MemorySize"]) == (spec.timeout_seconds, spec.memory_mb)
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert ("VpcConfig" in function) is spec.opens_database
    assert "ReservedConcurrentExecutions" not in function


def test_each_function_signs_in_to_the_database_as_itself_over_verified_tls(default: Template) -> None:
    host = "<data/database/cluster.Endpoint.Address>"
    for spec in FUNCTIONS:
        if not spec.opens_database:
            continue
        url = default.text(_function(default, spec.name)["Environment"]["Variables"]["DATABASE_URL"])
        assert url.endswith("&sslmode=verify-full")
        if spec.name == "migrate_database":
            secret = "<data/database/secret>"
            assert url.startswith(f"postgresql://@{host}:5432/dicomindex?auth=secret&secret_arn={secret}")
        else:
            assert url.startswith(f"postgresql://{spec.name}@{host}:5432/dicomindex?auth=iam&")


def test_without_import_the_data_store_id_is_empty(template: Callable[[str], Template]) -> None:
    for spec in FUNCTIONS:
        if "DATASTORE_ID" in spec.environment:
            variables = _function(template("no-import"), spec.name)["Environment"]["Variables"]
            assert variables["DATASTORE_ID"] == ""


def test_another_endpoint_of_healthimaging_reaches_the_functions_that_call_it(
    template: Callable[[str], Template],
) -> None:
    name = "AWS_ENDPOINT_URL_MEDICAL_IMAGING"
    told = {
        spec.name: _function(template("full"), spec.name)["Environment"]["Variables"].get(name)
        for spec in FUNCTIONS
    }
    assert {function for function, value in told.items() if value == "https://imaging.example"} == {
        spec.name for spec in FUNCTIONS if "DATASTORE_ID" in spec.environment
    }


def test_reservations_are_the_users_connection_limits(template: Callable[[str], Template]) -> None:
    full = template("full")
    (resource,) = full.resources("AWS::CloudFormation::CustomResource").values()
    limits = {u["name"]: u["connection_limit"] for u in resource["Properties"]["database_users"]}
    for spec in FUNCTIONS:
        reserved = _function(full, spec.name).get("ReservedConcurrentExecutions")
        assert reserved == limits.get(spec.name), spec.name


def test_every_placeholder_of_the_state_machine_is_a_function(default: Template) -> None:
    text = (ROOT / "statemachines" / "ingest_series.asl.json").read_text()
    machine = default.properties("AWS::StepFunctions::StateMachine")
    assert machine["DefinitionString"] == text
    substitutions = {k: default.text(v) for k, v in machine["DefinitionSubstitutions"].items()}
    assert substitutions == {n: f"<pipeline/functions/{n}.Arn>" for n in WORKFLOW_FUNCTIONS}
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(WORKFLOW_FUNCTIONS)


def test_the_state_machine_may_invoke_the_functions_it_names(default: Template) -> None:
    invoked = {
        resource
        for s in default.granted("pipeline/workflow/role")
        for action, resource in s.pairs
        if action == "lambda:InvokeFunction"
    }
    assert invoked == {f"<pipeline/functions/{name}.Arn>" for name in WORKFLOW_FUNCTIONS}


def test_the_state_machine_is_traced_encrypted_and_logs_no_data(default: Template) -> None:
    machine = default.properties("AWS::StepFunctions::StateMachine")
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert default.text(machine["EncryptionConfiguration"]["KmsKeyId"]) == "<data/key.Arn>"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_the_archive_holds_series_complete_and_nothing_else(default: Template) -> None:
    archive = default.properties("AWS::Events::Archive")
    pattern = archive["EventPattern"]
    assert {key: pattern[key] for key in wiring.SERIES_COMPLETE_PATTERN} == wiring.SERIES_COMPLETE_PATTERN
    assert archive["RetentionDays"] == 365


def test_a_series_starts_an_execution_with_the_whole_event(default: Template) -> None:
    rule = default.properties("AWS::Events::Rule", "pipeline/bus/series-complete")
    assert rule["EventPattern"] == wiring.SERIES_COMPLETE_PATTERN
    (target,) = rule["Targets"]
    assert not {"Input", "InputPath", "InputTransformer"} & set(target)
    assert default.text(target["Arn"]) == "<pipeline/workflow/ingest_series>"
    assert default.text(target["DeadLetterConfig"]["Arn"]) == "<pipeline/bus/undelivered.Arn>"
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


def test_the_rule_may_start_executions_of_this_state_machine_only(default: Template) -> None:
    granted = default.granted("pipeline/bus/role")
    pairs = {pair for s in granted for pair in s.pairs if not pair[0].startswith("kms:")}
    assert pairs == {("states:StartExecution", "<pipeline/workflow/ingest_series>")}


RULES = {
    # rule: (bus, what it catches or when, where to, where what fails goes)
    "pipeline/bus/series-complete": (
        "<pipeline/bus/bus>",
        wiring.SERIES_COMPLETE_PATTERN,
        "<pipeline/workflow/ingest_series>",
        "<pipeline/bus/undelivered.Arn>",
    ),
    "observability/metrics/heartbeats/rule": (
        "<pipeline/bus/bus>",
        wiring.HEARTBEAT_PATTERN,
        "arn:<Partition>:logs:<Region>:<AccountId>:log-group:/aws/events/dicom-ingest-heartbeats",
        "<pipeline/bus/undelivered.Arn>",
    ),
    "pipeline/upkeep/reclaim": (
        "default",
        "rate(2 minutes)",
        "<pipeline/functions/reclaim_import_slots.Arn>",
        "<pipeline/functions/failed.Arn>",
    ),
    "pipeline/upkeep/audit": (
        "default",
        "cron(17 3 * * ? *)",
        "<pipeline/functions/audit_uploads.Arn>",
        "<pipeline/functions/failed.Arn>",
    ),
    "pipeline/upkeep/executions": (
        "default",
        wiring.execution_status_pattern(
            "arn:<Partition>:states:<Region>:<AccountId>:stateMachine:dicom-ingest-ingest-series"
        ),
        "<pipeline/upkeep/status-changes.Arn>",
        "<pipeline/functions/failed.Arn>",
    ),
    "pipeline/upkeep/imports": (
        "default",
        wiring.import_status_pattern("<data/image-store/datastore.DatastoreId>"),
        "<pipeline/upkeep/status-changes.Arn>",
        "<pipeline/functions/failed.Arn>",
    ),
}


def test_every_rule_catches_what_it_is_for_and_sends_it_where_it_belongs(default: Template) -> None:
    found = {}
    for path, rule in default.resources("AWS::Events::Rule").items():
        properties = rule["Properties"]
        (target,) = properties["Targets"]
        found[path] = (
            default.text(properties.get("EventBusName", "default")),
            properties.get("ScheduleExpression") or default.plain(properties["EventPattern"]),
            default.text(target["Arn"]),
            default.text(target["DeadLetterConfig"]["Arn"]),
        )
        assert properties["State"] == "ENABLED" if "State" in properties else True, path
    assert found == RULES


def test_what_an_event_pattern_says_is_what_aws_sends() -> None:
    executions = wiring.execution_status_pattern("the-arn")
    assert executions == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": ["the-arn"], "status": ["FAILED", "TIMED_OUT", "ABORTED"]},
    }
    assert wiring.import_status_pattern("a-store") == {
        "source": ["aws.medical-imaging"],
        "detail-type": ["Import Job Completed", "Import Job Failed"],
        "detail": {"datastoreId": ["a-store"]},
    }


def test_status_changes_reach_reclaiming_in_batches(default: Template) -> None:
    source = default.properties("AWS::Lambda::EventSourceMapping")
    assert default.text(source["EventSourceArn"]) == "<pipeline/upkeep/status-changes.Arn>"
    assert default.text(source["FunctionName"]) == "<pipeline/functions/reclaim_import_slots>"
    assert (source["BatchSize"], source["ScalingConfig"]) == (100, {"MaximumConcurrency": 2})
    redrive = default.properties("AWS::SQS::Queue", "pipeline/upkeep/status-changes")["RedrivePolicy"]
    assert default.text(redrive["deadLetterTargetArn"]) == "<pipeline/functions/failed.Arn>"


def test_nothing_asynchronous_is_without_a_dead_letter_queue(default: Template) -> None:
    for path, rule in default.resources("AWS::Events::Rule").items():
        for target in rule["Properties"]["Targets"]:
            assert "DeadLetterConfig" in target, path
    for name in ("reclaim_import_slots", "audit_uploads"):
        assert "DeadLetterConfig" in _function(default, name)
    queues = default.resources("AWS::SQS::Queue")
    last = {p for p, q in queues.items() if "RedrivePolicy" not in q["Properties"]}
    assert last == {"pipeline/bus/undelivered", "pipeline/functions/failed"}


@pytest.mark.parametrize("name", ["reclaim_import_slots", "audit_uploads"])
def test_a_failed_event_can_be_encrypted_for_its_dead_letter_queue(name: str, default: Template) -> None:
    """Lambda sends it as the function's role; a role that may not use the key loses the event."""
    granted = default.granted(f"pipeline/functions/{name}-role")
    sending = {resource for s in granted for action, resource in s.pairs if action == "sqs:SendMessage"}
    assert sending == {"<pipeline/functions/failed.Arn>"}
    (key,) = [
        s for s in granted if s.conditions.get("StringEquals", {}).get("kms:ViaService", "")[:4] == "sqs."
    ]
    assert key.actions == ("kms:Decrypt", "kms:GenerateDataKey")
    assert key.resources == ("<data/key.Arn>",)


def test_no_role_of_a_function_uses_the_key_but_through_a_service(
    template: Callable[[str], Template],
) -> None:
    using = [
        (role, s.conditions)
        for role, s in template("edges").all_statements()
        if role.startswith(("pipeline/functions", "edge")) and any(a.startswith("kms:") for a in s.actions)
    ]
    assert using
    assert [role for role, conditions in using if "kms:ViaService" not in str(conditions)] == []


def test_the_schema_waits_for_every_way_that_its_function_takes(default: Template) -> None:
    (schema,) = default.resources("AWS::CloudFormation::CustomResource").values()
    before = {default.paths[id_] for id_ in schema["DependsOn"]}
    for kind in ("VPCEndpoint", "SecurityGroup", "SecurityGroupIngress", "SecurityGroupEgress", "Subnet"):
        assert set(default.resources(f"AWS::EC2::{kind}")) <= before, kind
    assert set(default.resources("AWS::RDS::DBInstance")) <= before
    assert set(default.resources("AWS::SecretsManager::SecretTargetAttachment")) <= before


def _senders(template: Template, queue: str) -> set[str]:
    """Who may send to a queue on whose behalf: the `aws:SourceArn` of every statement that allows."""
    policy = template.properties("AWS::SQS::QueuePolicy", f"{queue}/Policy")["PolicyDocument"]
    allowed = [s for s in template.statements(policy) if s.effect == "Allow"]
    assert {p for s in allowed for p in s.principals} == {"events.amazonaws.com"}
    return {s.conditions["ArnEquals"]["aws:SourceArn"] for s in allowed}


def test_whoever_names_a_dead_letter_queue_may_send_to_it(default: Template) -> None:
    named: dict[str, set[str]] = {"<pipeline/bus/undelivered.Arn>": {"<pipeline/bus/bus.Arn>"}}
    for path, rule in default.resources("AWS::Events::Rule").items():
        for target in rule["Properties"]["Targets"]:
            named.setdefault(default.text(target["DeadLetterConfig"]["Arn"]), set()).add(f"<{path}.Arn>")
    for queue, senders in named.items():
        assert _senders(default, queue.strip("<>").removesuffix(".Arn")) == senders


def test_rules_of_other_accounts_cannot_send_status_changes(default: Template) -> None:
    policy = default.properties("AWS::SQS::QueuePolicy", "pipeline/upkeep/status-changes/Policy")
    denied = [s for s in default.statements(policy["PolicyDocument"]) if s.effect == "Deny"]
    rules = "arn:<Partition>:events:<Region>:<AccountId>:rule/*"
    assert {"ArnNotLike": {"aws:SourceArn": rules}} in [s.conditions for s in denied]


def test_every_queue_is_encrypted_with_our_key(default: Template) -> None:
    for path, queue in default.resources("AWS::SQS::Queue").items():
        assert default.text(queue["Properties"]["KmsMasterKeyId"]) == "<data/key.Arn>", path


def test_the_schema_comes_with_the_deploy_and_before_new_code(default: Template) -> None:
    (resource,) = default.resources("AWS::CloudFormation::CustomResource").values()
    texts = json.loads(json.dumps(resource["Properties"]), object_hook=_as_cloudformation_sends)
    properties = MigrationProperties.model_validate(texts)
    assert properties.semaphore is not None
    assert (properties.semaphore.capacity, properties.semaphore.start_rate) == (50, 1.0)
    assert {user.name for user in properties.database_users} == {
        *(s.name for s in FUNCTIONS if s.opens_database and s.name != "migrate_database"),
        "operator",
    }
    (id_,) = [i for i, r in default.body["Resources"].items() if r is resource]
    for spec in FUNCTIONS:
        function = default.resources("AWS::Lambda::Function")[f"pipeline/functions/{spec.name}"]
        assert (id_ in function.get("DependsOn", [])) is (spec.name != "migrate_database")


def _as_cloudformation_sends(value: dict[str, Any]) -> Any:
    """References resolved, numbers and booleans as text."""
    if set(value) <= {"Ref", "Fn::GetAtt", "Fn::Join"}:
        return "resolved"
    return {k: str(v).lower() if isinstance(v, int | float) else v for k, v in value.items()}


@pytest.mark.parametrize(("variant", "expected"), [("default", (True, 600)), ("full", (False, 30))])
def test_series_share_imports_as_configured(
    template: Callable[[str], Template], variant: str, expected: tuple[bool, float]
) -> None:
    (resource,) = template(variant).resources("AWS::CloudFormation::CustomResource").values()
    texts = json.loads(json.dumps(resource["Properties"]), object_hook=_as_cloudformation_sends)
    semaphore = MigrationProperties.model_validate(texts).semaphore
    assert semaphore is not None
    assert (semaphore.bundles, semaphore.bundle_patience) == expected


def test_without_import_there_is_no_semaphore(template: Callable[[str], Template]) -> None:
    (resource,) = template("no-import").resources("AWS::CloudFormation::CustomResource").values()
    assert "semaphore" not in resource["Properties"]


def test_every_log_group_is_encrypted_and_kept_as_configured(template: Callable[[str], Template]) -> None:
    for name, days in (("default", 90), ("full", 365)):
        groups = template(name).resources("AWS::Logs::LogGroup")
        assert groups
        for path, group in groups.items():
            properties = group["Properties"]
            assert properties["RetentionInDays"] == days, path
            assert template(name).text(properties["KmsKeyId"]) == "<data/key.Arn>", path


@pytest.mark.parametrize("name", ["default", "edges", "dev"])
def test_no_function_makes_a_log_group_of_its_own(name: str, template: Callable[[str], Template]) -> None:
    """The CDK's neither: nothing would encrypt it, end it, or remove it with the stack."""
    for path, function in template(name).resources("AWS::Lambda::Function").items():
        assert function["Properties"].get("LoggingConfig", {}).get("LogGroup"), path
