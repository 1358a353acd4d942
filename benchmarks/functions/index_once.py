"""One invocation of index_series in this process; the request comes on standard input."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

from benchmarks.processes import peak_kibibytes
from dicom_ingest.db.server.connection import database
from functions.index_series.handler import handler


@dataclass
class Context:
    """What the handler asks of Lambda's context."""

    aws_request_id: str = "bench"
    function_name: str = "index_series"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:index_series"


def main() -> int:
    """Measure it, and its memory up to now."""
    request = json.load(sys.stdin)
    began, cpu = time.perf_counter(), time.process_time()
    reply = handler(request, Context())  # type: ignore[arg-type]
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if not reply["import_needed"]:
        raise RuntimeError(f"nothing was indexed: {reply}")
    with database().transaction() as connection:
        statements = connection.statements - 1  # the one that began this transaction
    figures = {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "statements": statements,
        "peak_mebibytes": peak_kibibytes() / 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
