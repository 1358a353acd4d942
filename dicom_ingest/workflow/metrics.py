"""Counts for the dashboard and its alarms, in CloudWatch's embedded metric format."""

from __future__ import annotations

import os

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from dicom_ingest.contracts import wiring
from dicom_ingest.db.semaphore.operator import Pressure
from dicom_ingest.runtime.step import logger

NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "DicomIngest")


def count(name: str, value: float = 1, *, correlation_id: str | None = None, **dimensions: str) -> None:
    """Emit one count with the stack as its first dimension.

    `correlation_id`, by default that of the invocation, stands beside it in the log: as a dimension it would
    make a metric of every series.
    """
    correlation_id = correlation_id or logger.get_current_keys().get("correlation_id")
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        metric.service = ""  # else Powertools adds it as a dimension, and no alarm finds the metric
        metric.add_dimension(name="stack", value=os.environ.get("STACK", "unknown"))
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)
        if correlation_id:
            metric.add_metadata(key="correlation_id", value=correlation_id)


def gauge_queue(pressure: Pressure) -> None:
    """What the alarms of the queue watch, as counted now."""
    count(wiring.SERIES_WAITING, pressure.waiting)
    count(wiring.OLDEST_WAITER_SECONDS, pressure.oldest_waiter_seconds)
    count(wiring.SLOTS_HELD, pressure.held)
    count(wiring.GATE_CLOSED, int(pressure.gate_closed))
    count(wiring.OUT_OF_ORDER, pressure.out_of_order)
    count(wiring.TICKETS_STRANDED, pressure.stranded)
