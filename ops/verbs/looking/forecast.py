"""Compute how long a migration takes, for three assumptions of what HealthImaging needs for a file.

No pipeline is needed. The slowest of three decides: the line, the starts that HealthImaging allows, and the
imports that it runs at a time.

examples:
  ops forecast --series 1000000 --instances 100000000 --mbit 1000
  ops forecast --series 40000 --instances 900000 --gigabytes 4000 --mbit 200 --slots 50
"""

from __future__ import annotations

import argparse

from dicom_ingest.contracts.platform import quotas
from dicom_ingest.operators.forecast import ASSUMED_SECONDS_A_FILE, Archive, Service, forecast
from ops.errors import OperatorError
from ops.output import Output

HELP = "compute how long a migration takes"
INSTANCE_BYTES = 526_000
"""Of a CT slice: used where --gigabytes is not given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("--series", type=int, required=True, help="series in the archive")
    parser.add_argument("--instances", type=int, required=True, help="instances in the archive")
    parser.add_argument("--mbit", type=float, required=True, help="the line to AWS, megabits a second")
    parser.add_argument("--gigabytes", type=float, help="size of the archive; default: 526 kB an instance")
    parser.add_argument(
        "--slots",
        type=int,
        default=quotas.IMPORTS_AT_ONCE,
        help="ahli_concurrent_imports (default: %(default)s)",
    )
    parser.add_argument(
        "--start-rate",
        type=float,
        default=quotas.STARTS_PER_SECOND,
        help="imports started a second (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds-a-file",
        type=float,
        help="what HealthImaging needed for a file, if you have measured it; default: three assumptions",
    )
    parser.add_argument("--alone", action="store_true", help="as with `bundles: false`: one import a series")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """0.

    Raises:
        OperatorError: a number is impossible.
    """
    for name in ("series", "instances", "mbit", "slots", "start_rate", "gigabytes", "seconds_a_file"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise OperatorError(f"--{name.replace('_', '-')} must be above 0, not {value:g}")
    if arguments.instances < arguments.series:
        raise OperatorError(
            f"--instances must be at least --series ({arguments.series}), not {arguments.instances}"
        )
    size = arguments.instances * INSTANCE_BYTES if arguments.gigabytes is None else arguments.gigabytes * 1e9
    archive = Archive(arguments.series, arguments.instances, int(size))
    service = Service(arguments.slots, arguments.start_rate, bundles=not arguments.alone)
    assumed = [arguments.seconds_a_file] if arguments.seconds_a_file else ASSUMED_SECONDS_A_FILE
    found = [forecast(archive, each, arguments.mbit, service).said(archive.series) for each in assumed]
    if output.as_json:
        output.data({"archive": archive, "service": service, "forecasts": found})
        return 0
    output.line(
        f"{archive.series:,} series, {archive.instances:,} instances, {archive.bytes / 1e9:,.0f} GB, "
        f"{arguments.mbit:g} Mbit/s"
    )
    rows = [row | {f"most_by_{name}": limit for name, limit in row.pop("limits").items()} for row in found]
    output.table("Forecast, series a second", [{k: _shown(v) for k, v in row.items()} for row in rows])
    return 0


def _shown(value: object) -> object:
    return f"{value:,.2f}" if isinstance(value, float) else value
