"""Error lines of the functions' logs: in CloudWatch, or in the files of a local run."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from dicom_ingest.contracts.platform.functions import FUNCTIONS
from dicom_ingest.contracts.platform.wiring import function_name
from dicom_ingest.operators.read.index import Row

ERRORS = ("ERROR", "CRITICAL")


def errors_in_groups(logs: Any, stack: str, since: datetime) -> list[Row]:
    """Of a stack's functions, since this moment."""
    found: list[Row] = []
    for function in FUNCTIONS:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function_name(stack, function.name)}",
            startTime=int(since.timestamp() * 1000),
            filterPattern='{ $.level = "ERROR" || $.level = "CRITICAL" }',
        )
        for page in pages:
            found += [{"function": function.name, **_parsed(entry["message"])} for entry in page["events"]]
    return found


def errors_in_files(folder: Path, since: datetime) -> list[Row]:
    """Of the files that were written to since this moment."""
    found: list[Row] = []
    for path in sorted(folder.glob("*.log")):
        if path.stat().st_mtime < since.timestamp():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [
            {"function": path.stem, **line} for line in map(_parsed, lines) if line.get("level") in ERRORS
        ]
    return found


def _parsed(text: str) -> Row:
    """A line of a log; what is no JSON object says nothing of its level."""
    try:
        line = json.loads(text)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}
