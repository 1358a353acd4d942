"""Series of a `bulk` sender through the local pipeline at HealthImaging's pace: shared imports or not."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.kept import Case
from benchmarks.pipeline import send_all, until_over
from dcmdata.generate.load import write_small_series
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform import quotas
from local.run.options import Options
from local.runtime import Runtime

SERIES, SERIES_FULL, INSTANCES = 200, 2_000, 4
CALLING_AE = "CLIENT_AE"
"""The local sender's."""
CLOSED_AFTER_MINUTES = 0.5
"""The transfer takes further studies for this long; by default it is 5 minutes."""


def cases(*, full: bool = False) -> list[Case]:
    """Both ways: at HealthImaging's pace, and at a fifth of it.

    One machine works through some five series a second. At a fifth of the pace the starts are the limit, not
    the machine.
    """
    count = SERIES_FULL if full else SERIES
    return [
        Case(f"{pace} starts a second", name, partial(_run, count, pace, bundles=bundles))
        for pace in (quotas.STARTS_PER_SECOND, quotas.STARTS_PER_SECOND / 5)
        for name, bundles in (("shared", True), ("alone", False))
    ]


def _run(count: int, pace: float, *, bundles: bool) -> dict[str, Any]:
    config = Config.model_validate(
        {
            "senders": [{"calling_ae": CALLING_AE, "priority": "bulk"}],
            "ahli_config": {"bundles": bundles},
        }
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_small_series(folder / "series", series=count, instances=INSTANCES)
        options = Options(
            name="bench",
            config=config,
            runs=folder / "runs",
            quiet_seconds=2.0,
            fast_imports=True,
            import_slots=quotas.IMPORTS_AT_ONCE,
            start_rate=pace,
            start_burst=quotas.START_BURST,
            edge_settings={"EDGE_BULK_TRANSFER_MINUTES": str(CLOSED_AFTER_MINUTES)},
        )
        with Runtime(options) as runtime:
            began = time.perf_counter()
            state = runtime.state
            send_all(folder / "series", str(state.dicom_host), int(state.dicom_port or 0))
            rows = until_over(state.database_url, count)
            seconds = time.perf_counter() - began
    return {
        "series": count,
        "seconds": round(seconds, 1),
        "imports": len({row["import_id"] for row in rows}),
        "seconds_from_first_start_to_last_end": round(
            (max(row["over_at"] for row in rows) - min(row["running_at"] for row in rows)).total_seconds(), 1
        ),
        "outcomes": dict(Counter(row["outcome"] for row in rows)),
    }
