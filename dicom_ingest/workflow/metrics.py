"""Counts for the dashboard and its alarms, in CloudWatch's embedded metric format."""

from __future__ import annotations

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from dicom_ingest.contracts.platform import wiring
from dicom_ingest.db.semaphore.operator import Pressure
from dicom_ingest.runtime.step import NAMESPACE, STACK, logger, metrics


def count(name: str, value: float = 1, *, correlation_id: str | None = None, **dimensions: str) -> None:
    """Emit one count with the stack as its first dimension.

    `correlation_id`, by default that of the invocation, is beside it in the log: as a dimension it would
    make a metric of every series.
    """
    correlation_id = correlation_id or logger.get_current_keys().get("correlation_id")
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        metric.service = ""  # else Powertools adds it as a dimension, and no alarm finds the metric
        metric.add_dimension(name="stack", value=STACK)
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)
        if correlation_id:
            metric.add_metadata(key="correlation_id", value=correlation_id)


def gauge_queue(pressure: Pressure, troubled: int) -> None:
    """What the alarms of the queue watch, as counted now: one line at the end of the invocation."""
    for name, value in (
        (wiring.SERIES_WAITING, pressure.waiting),
        (wiring.SLOTS_HELD, pressure.held),
        (wiring.GATE_CLOSED, int(pressure.gate_closed)),
        (wiring.OUT_OF_ORDER, pressure.out_of_order),
        (wiring.TICKETS_STRANDED, pressure.stranded),
        (wiring.LEFTOVERS_TROUBLED, troubled),
    ):
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    for name, seconds in (
        (wiring.OLDEST_WAITER_SECONDS, pressure.oldest_waiter_seconds),
        (wiring.OLDEST_UNDELIVERED_SECONDS, pressure.oldest_undelivered_seconds),
        (wiring.OLDEST_IMPORT_SECONDS, pressure.oldest_import_seconds),
    ):
        metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=seconds)
