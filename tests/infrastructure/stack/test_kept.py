"""How long anything is kept or tried: a new period has to be written into the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.infrastructure.template import Template

DAY = 24 * 3600
PERIOD = re.compile(r"Retention|Expir|Days|Visibility|MaximumEventAge|maxReceive|Pause|BatchingWindow")
KEPT = {
    "data/access-log.Rules.ExpirationInDays": 365,
    "data/access-log.Rules.NoncurrentVersionExpiration.NoncurrentDays": 30,
    "data/bucket.Rules[results/].ExpirationInDays": 90,
    "data/bucket.Rules.NoncurrentVersionExpiration.NoncurrentDays": 30,
    "data/bucket.Rules.AbortIncompleteMultipartUpload.DaysAfterInitiation": 7,
    "data/database/cluster.BackupRetentionPeriod": 14,
    "data/database/cluster.PerformanceInsightsRetentionPeriod": 7,
    "data/database/cluster.ServerlessV2ScalingConfiguration.SecondsUntilAutoPause": 20 * 60,
    "data/database/cluster/writer.PerformanceInsightsRetentionPeriod": 7,
    # Two weeks: a person has to come back from a holiday and find them.
    "pipeline/bus/undelivered.MessageRetentionPeriod": 14 * DAY,
    "pipeline/functions/failed.MessageRetentionPeriod": 14 * DAY,
    "pipeline/bus/archive/Archive.RetentionDays": 365,
    "pipeline/bus/series-complete.RetryPolicy.MaximumEventAgeInSeconds": DAY,
    # Six times the function's time limit: AWS's advice for Lambda and SQS.
    "pipeline/upkeep/status-changes.VisibilityTimeout": 6 * 300,
    "pipeline/upkeep/status-changes.RedrivePolicy.maxReceiveCount": 5,
    "pipeline/upkeep/status-change-batches.MaximumBatchingWindowInSeconds": 20,
}
OTHERWISE: dict[str, dict[str, int | None]] = {
    "dev": {"data/database/cluster.BackupRetentionPeriod": 1},
    "full": {
        "pipeline/bus/archive/Archive.RetentionDays": 0,
        "data/database/cluster.ServerlessV2ScalingConfiguration.SecondsUntilAutoPause": None,
    },
}


def _periods(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for one in value:
            prefix = f"[{one['Prefix']}]" if isinstance(one, dict) and "Prefix" in one else ""
            yield from _periods(one, path + prefix)
    elif isinstance(value, dict):
        for name, inner in value.items():
            # What only holds others is left out of the name.
            here = path if name in ("LifecycleConfiguration", "Targets") else f"{path}.{name}"
            if PERIOD.search(name) and not isinstance(inner, dict | list):
                yield here, inner
            yield from _periods(inner, here)


@pytest.mark.parametrize("variant", ["default", "dev", "edges", "full"])
def test_everything_is_kept_as_long_as_the_table_says(
    variant: str, template: Callable[[str], Template]
) -> None:
    stack = template(variant)
    found = {
        name: value
        for id_, resource in stack.body["Resources"].items()
        if resource["Type"] != "AWS::Logs::LogGroup"  # of config.yaml: test_pipeline.py
        for name, value in _periods(resource.get("Properties", {}), stack.paths[id_])
    }
    expected = {**KEPT, **OTHERWISE.get(variant, {})}
    assert found == {name: value for name, value in expected.items() if value is not None}
