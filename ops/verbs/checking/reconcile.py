"""Compare a PACS's own list of studies with the index: did everything arrive?

FILE.csv has a study UID, the number of its series and the number of its instances in each line. A header,
the order of its columns, the delimiter (, ; tab |) and the encoding are recognised.
Exit code 0: everything arrived; 1: there are differences; 2: the file cannot be used.

examples:
  ops reconcile pacs-2019.csv
  ops reconcile pacs-2019.csv --stack dicom-ingest --json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.arrived import arrived
from dicom_ingest.operators.read.state.attention import counted
from ops import filters
from ops.output import Output
from ops.pacs_list import Listed, read_list
from ops.targets.target import Target

HELP = "compare a PACS's list of studies (CSV) with what was imported"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="study UID, series, instances")
    filters.add_limit(parser, "differences shown", 200)


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: everything arrived; 1: there are differences."""
    listed = read_list(arguments.file)
    found = arrived(target.index, [study.study_instance_uid for study in listed])
    differences = [
        row for study in listed if (row := _difference(study, found.get(study.study_instance_uid)))
    ]
    sums = {
        "studies": len(listed),
        "instances": sum(study.instances for study in listed),
        "studies_arrived": len(listed) - len(differences),
        "instances_imported": sum(row["imported"] for row in found.values()),
        "differences": len(differences),
    }
    if output.as_json:
        output.data({"sums": sums, "differences": differences})
        return 1 if differences else 0
    output.line(
        f"{target.name}: {sums['studies_arrived']} of {sums['studies']} studies arrived, "
        f"{sums['instances_imported']} of {sums['instances']} instances are imported"
    )
    if differences:
        output.table("Differences", differences[: arguments.limit])
    if len(differences) > arguments.limit:
        output.line(f"{len(differences) - arguments.limit} more differences: --limit, or --json for all")
    return 1 if differences else 0


def _difference(listed: Listed, found: Row | None) -> Row | None:
    """What differs, and what to do; None: nothing does."""
    row = found or {"series_received": 0, "series_imported": 0, "received": 0, "imported": 0}
    differs = _words(listed, row)
    if differs is None:
        return None
    return {
        "study_instance_uid": listed.study_instance_uid,
        "series": listed.series,
        "instances": listed.instances,
        **{name: row[name] for name in ("series_received", "series_imported", "received", "imported")},
        "difference": differs,
    }


def _words(listed: Listed, row: Row) -> str | None:
    received, imported = row["received"], row["imported"]
    if not received:
        return "nothing was received: send it" if listed.instances else None
    if received < listed.instances:
        return f"{counted(listed.instances - received, 'instance')} not received: send it again"
    if imported < listed.instances:
        return f"{counted(received - imported, 'instance')} received and not imported: see where"
    if received > listed.instances:
        return f"{counted(received - listed.instances, 'instance')} more than listed"
    if row["series_received"] != listed.series:
        return f"{row['series_received']} series and not {listed.series}, with the same instances"
    return None
