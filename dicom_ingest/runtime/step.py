"""What turns a typed function into a Lambda handler: parse, log with the ids that matter, reply."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast, get_type_hints

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from dicom_ingest.contracts.messages.steps import OutcomeState
from dicom_ingest.contracts.platform.wiring import METRICS_NAMESPACE
from dicom_ingest.errors import AwsAwayError, RetryableError
from dicom_ingest.runtime.traces import traced

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)

NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", METRICS_NAMESPACE)
STACK = os.environ.get("STACK", "unknown")

CORRELATION_ID = " || ".join(
    f"{place}.correlation_id"
    for place in ("series_transfer", "event.detail", "state.series_transfer", "state.detail")
)
"""Where a request carries it (JMESPath)."""

SEARCHED = ("transfer_id", "import_id", "bundle", "outcome")
"""What X-Ray is told: annotations, by which traces are searched."""

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "dicom-ingest"), utc=True)
"""One logger; every line carries correlation id, transfer and series of the invocation. UIDs, no names."""
metrics = Metrics(namespace=NAMESPACE, service="")  # a service would be a dimension that no alarm knows
metrics.set_default_dimensions(stack=STACK)
warnings.filterwarnings("ignore", message="No application metrics to publish")  # most steps have none


def step(function: Callable[[Request], Reply]) -> Callable[[dict[str, Any], LambdaContext], dict[str, Any]]:
    """The Lambda handler of this function. Errors are logged once and raised: the state machine decides.

    Raises:
        TypeError: the function does not say what it takes.
    """
    hints = get_type_hints(function)
    request_type = hints.get("request")
    if not (isinstance(request_type, type) and issubclass(request_type, BaseModel)):
        raise TypeError(f"{function.__name__} must take `request`, a message of contracts.messages.steps")

    def answer(event: dict[str, Any]) -> Reply:
        try:
            return function(cast("Request", request_type.model_validate(event)))
        except (ClientError, BotoCoreError) as error:
            # What a function can explain it has explained by now. The rest is a role, a key or an outage of
            # ours: every series would fail alike, so none of them is to blame.
            logger.exception("AWS refused or did not answer")
            raise AwsAwayError(str(error)) from error
        except RetryableError as error:
            logger.warning("step tried again later", error=f"{type(error).__name__}: {error}")
            raise
        except Exception:
            logger.exception("step failed")  # the boundary: logged once, then the state machine's business
            raise

    @logger.inject_lambda_context(correlation_id_path=CORRELATION_ID, clear_state=True)
    @metrics.log_metrics(capture_cold_start_metric=True)
    def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
        known, started = identifiers(event), time.monotonic()
        logger.append_keys(step=function.__name__, **known)
        searched = {name: known[name] for name in SEARCHED if known.get(name)}
        with traced(function.__name__, {"step": function.__name__, **searched}) as annotations:
            reply = answer(event)
            told = outcome(reply) | import_of(dict(reply))
            annotations |= {name: told[name] for name in SEARCHED if name in told}
        logger.info("step done", seconds=round(time.monotonic() - started, 3), **told)
        return reply.model_dump(mode="json", by_alias=True)

    return cast("Callable[[dict[str, Any], LambdaContext], dict[str, Any]]", handler)


def identifiers(event: dict[str, Any]) -> dict[str, Any]:
    """What ties a log line to a series: found wherever a request carries it."""
    state = event.get("state", event)
    source = state.get("series_transfer") or (state.get("event") or state).get("detail") or {}
    names = ("transfer_id", "series_instance_uid")
    found = {name: source.get(name) for name in names} | {"execution_arn": event.get("execution_arn")}
    return found | import_of(state.get("import") or {})


def import_of(state: dict[str, Any]) -> dict[str, Any]:
    """The import that a message names, if it does. Series that share an import have the same ids."""
    return {name: state[name] for name in ("import_id", "bundle") if state.get(name) is not None}


def outcome(reply: BaseModel) -> dict[str, Any]:
    """How a series transfer ended, where this reply ends it: the outcome's name and its counts, no words."""
    found = reply if isinstance(reply, OutcomeState) else getattr(reply, "outcome", None)
    if not isinstance(found, OutcomeState):
        return {}
    counts = {name: getattr(found, name) for name in ("instances", "imported", "failed", "warned")}
    return {"outcome": found.name.value, **counts}
