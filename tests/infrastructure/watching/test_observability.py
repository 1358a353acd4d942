"""Alarms, the topic they go to, the dashboard, and the heartbeats behind them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dicom_ingest.contracts.messages import events
from dicom_ingest.contracts.platform import wiring
from dicom_ingest.workflow import metrics
from tests.infrastructure.conftest import ROOT
from tests.infrastructure.template import Template


def test_every_alarm_reaches_the_one_encrypted_topic(default: Template) -> None:
    topic = default.properties("AWS::SNS::Topic")
    assert default.text(topic["KmsMasterKeyId"]) == "<data/key.Arn>"
    alarms = default.resources("AWS::CloudWatch::Alarm")
    assert len(alarms) >= 12
    for path, alarm in alarms.items():
        actions = [default.text(action) for action in alarm["Properties"]["AlarmActions"]]
        assert actions == ["<observability/alarms/topic>"], path


def test_alarms_may_publish_to_the_topic(default: Template) -> None:
    policy = default.properties("AWS::SNS::TopicPolicy")["PolicyDocument"]
    (allowed,) = [s for s in default.statements(policy) if s.effect == "Allow"]
    assert (allowed.principals, allowed.actions) == (("cloudwatch.amazonaws.com",), ("sns:Publish",))
    assert allowed.conditions == {"StringEquals": {"aws:SourceAccount": "<AccountId>"}}


def test_the_configured_addresses_are_told(template: Callable[[str], Template]) -> None:
    subscription = template("full").properties("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "pacs@hospital.example")
    assert not template("default").resources("AWS::SNS::Subscription")


def test_an_edge_that_says_nothing_raises_an_alarm(template: Callable[[str], Template]) -> None:
    edges = template("edges")
    alarms = edges.resources("AWS::CloudWatch::Alarm")
    silent = [alarm["Properties"] for path, alarm in alarms.items() if path.endswith("-silent")]
    stats = [alarm["Metrics"][0]["MetricStat"] for alarm in silent]
    assert {stat["Metric"]["Dimensions"][0]["Value"] for stat in stats} == {
        "clinic-edge1",
        "clinic-edge10",
        "clinic-cloud",
    }
    assert {stat["Period"] for stat in stats} == {300}
    assert {(alarm["TreatMissingData"], alarm["EvaluationPeriods"]) for alarm in silent} == {("breaching", 3)}


def test_a_sender_that_falls_silent_raises_its_edges_alarm(template: Callable[[str], Template]) -> None:
    edges = template("edges")
    filters = {
        f["Properties"]["MetricTransformations"][0]["MetricName"]: f["Properties"]
        for f in edges.resources("AWS::Logs::MetricFilter").values()
    }
    counted = filters["EdgeSilentSenders"]["MetricTransformations"][0]["MetricValue"]
    assert counted.removeprefix("$.detail.") in events.EdgeHeartbeat.model_fields
    alarms = edges.resources("AWS::CloudWatch::Alarm")
    quiet = [alarm["Properties"] for path, alarm in alarms.items() if path.endswith("-quiet-sender")]
    assert {alarm["Threshold"] for alarm in quiet} == {1}
    watched = [alarm["Metrics"][0]["MetricStat"]["Metric"] for alarm in quiet]
    assert {metric["MetricName"] for metric in watched} == {"EdgeSilentSenders"}
    of = {metric["Dimensions"][0]["Value"] for metric in watched}
    assert of == {"clinic-edge1", "clinic-edge10", "clinic-cloud"}


def test_a_certificate_that_nears_its_end_raises_its_edges_alarm(template: Callable[[str], Template]) -> None:
    alarms = template("edges").resources("AWS::CloudWatch::Alarm")
    expiring = [alarm["Properties"] for path, alarm in alarms.items() if path.endswith("-certificate")]
    assert {(alarm["Threshold"], alarm["ComparisonOperator"]) for alarm in expiring} == {
        (30, "LessThanThreshold")
    }
    # An edge without TLS says nothing of one, and nobody is to be called for it.
    assert {alarm["TreatMissingData"] for alarm in expiring} == {"notBreaching"}
    stats = [alarm["Metrics"][0]["MetricStat"] for alarm in expiring]
    assert {(stat["Metric"]["MetricName"], stat["Stat"]) for stat in stats} == {
        ("EdgeCertificateDaysLeft", "Minimum")
    }
    of = {stat["Metric"]["Dimensions"][0]["Value"] for stat in stats}
    assert of == {"clinic-edge1", "clinic-edge10", "clinic-cloud"}


def test_heartbeats_become_metrics_of_their_edge(default: Template) -> None:
    rule = default.properties("AWS::Events::Rule", "observability/metrics/heartbeats/rule")
    assert rule["EventPattern"] == wiring.HEARTBEAT_PATTERN
    assert default.text(rule["EventBusName"]) == "<pipeline/bus/bus>"
    filters = default.resources("AWS::Logs::MetricFilter").values()
    transformations = [f["Properties"]["MetricTransformations"][0] for f in filters]
    assert {t["MetricNamespace"] for t in transformations} == {wiring.METRICS_NAMESPACE}
    assert all(t["Dimensions"] == [{"Key": "edge", "Value": "$.detail.edge"}] for t in transformations)
    assert "$.detail.spool_instances" in {t["MetricValue"] for t in transformations}


def test_what_is_taken_from_a_heartbeat_is_named_in_its_pattern(default: Template) -> None:
    """Else CloudWatch does not find the value: the metric would stay empty, its alarm silent."""
    beat = json.loads((ROOT / "tests" / "events" / "edge_heartbeat.line.v1.json").read_text())["detail"]
    for path, one in default.resources("AWS::Logs::MetricFilter").items():
        pattern = one["Properties"]["FilterPattern"]
        (made,) = one["Properties"]["MetricTransformations"]
        for taken in [made["MetricValue"], *(dimension["Value"] for dimension in made["Dimensions"])]:
            if taken.startswith("$"):
                assert f"({taken} = *)" in pattern, path
                assert taken.removeprefix("$.detail.") in beat, path


def test_no_alarm_adds_metrics_up(template: Callable[[str], Template]) -> None:
    """Where one of the terms has no data there is no sum, and nothing rings."""
    for path, alarm in template("edges").resources("AWS::CloudWatch::Alarm").items():
        assert not [m for m in alarm["Properties"].get("Metrics", ()) if "Expression" in m], path


def test_heartbeats_are_not_archived(default: Template) -> None:
    assert "Edge Heartbeat" not in json.dumps(default.properties("AWS::Events::Archive"))


def test_the_dashboard_shows_what_the_functions_count(default: Template) -> None:
    body = default.text(default.properties("AWS::CloudWatch::Dashboard")["DashboardBody"])
    names = {value for name, value in vars(wiring).items() if name.isupper() and isinstance(value, str)}
    names -= {wiring.METRICS_NAMESPACE, events.SERIES_COMPLETE, events.EDGE_HEARTBEAT, events.EDGE_SOURCE}
    names -= {events.EDGE_HOLDINGS}
    for name in (
        *names,
        "MatchedEvents",
        "EdgeSpoolInstances",
        "EdgeOldestUnsentSeconds",
        "EdgeFailingSeconds",
        "EdgeInstancesWithProblem",
        "EdgeInstancesMissing",
        "EdgeSilentSenders",
        "EdgeCertificateDaysLeft",
    ):
        assert f'"{name}"' in body, name


def test_without_import_nobody_is_alarmed_about_slots(template: Callable[[str], Template]) -> None:
    names = {path.rpartition("/")[2] for path in template("no-import").resources("AWS::CloudWatch::Alarm")}
    assert not {"gate-closed", "oldest-waiter", "slots-reclaimed"} & names
    assert "undelivered-events" in names


def _watched(node: Any) -> set[tuple[str, tuple[str, ...]]]:
    """Name and dimensions of every metric of ours that the alarms look at, without the edges'."""
    found = set()
    if isinstance(node, dict):
        if node.get("Namespace") == wiring.METRICS_NAMESPACE and "MetricName" in node:
            dimensions = tuple(sorted(dimension["Name"] for dimension in node["Dimensions"]))
            found.add((node["MetricName"], dimensions))
        node = list(node.values())
    for one in node if isinstance(node, list) else []:
        found |= _watched(one)
    return {(name, dimensions) for name, dimensions in found if "edge" not in dimensions}


def test_what_the_alarms_look_at_is_what_the_functions_emit(
    default: Template, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CloudWatch takes a metric with one dimension more for another metric: the alarm would never ring."""
    watched = _watched(list(default.resources("AWS::CloudWatch::Alarm").values()))
    assert len(watched) >= 6
    monkeypatch.setenv("STACK", "dicom-ingest")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "record_image_sets")  # as on Lambda
    for name, dimensions in sorted(watched):
        metrics.count(name, 1, **{dimension: "any" for dimension in dimensions if dimension != "stack"})
    emitted = [
        json.loads(line)["_aws"]["CloudWatchMetrics"][0] for line in capsys.readouterr().out.splitlines()
    ]
    assert {(e["Metrics"][0]["Name"], tuple(sorted(e["Dimensions"][0]))) for e in emitted} == watched
    assert {e["Namespace"] for e in emitted} == {wiring.METRICS_NAMESPACE}
