"""Print the custody of a study, or verify that no manifest of an edge was removed or altered.

The document of a study shows for every instance who sent it, when it was received, its hashes, when it was
stored, announced, indexed and imported, with which verdict and version.

Each manifest of an edge names the SHA-256 of the one before it. --verify compares the manifests in S3 with
that chain and with the index. A manifest that a lifecycle rule of the bucket may have removed is not missing.

examples:
  ops custody 1.2.840.113619.2.1 --json
  ops custody --verify
  ops custody --verify --edge dicom-ingest-edge1 --since 2026-11-01
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from functools import partial
from typing import Any

from dicom_ingest.operators.custody.chain import Report, Verification
from dicom_ingest.operators.custody.document import INTACT, custody
from dicom_ingest.operators.custody.manifests import edges_of, expired_before, manifests_of
from dicom_ingest.operators.read.custody import edges, elsewhere, manifests
from dicom_ingest.operators.read.index import Row
from ops.errors import OperatorError
from ops.moments import day
from ops.output import Output, plain
from ops.targets.target import Target

HELP = (
    "who sent each instance of a study, its hashes and its way; --verify: no manifest was removed or altered"
)
TRANSFER = (
    "edge", "series_instance_uid", "transfer_id", "sealed_at", "announced_at", "indexed_at", "over_at",
    "outcome", "manifest", "manifest_sha256", "link",
)  # fmt: skip
INSTANCE = (
    "sop_instance_uid", "calling_ae", "peer", "received_at", "stored_at", "imported_at", "verdict",
    "image_set_id", "image_set_version", "object", "file_sha256", "stored_sha256", "not_sent", "message",
)  # fmt: skip
SUMS = (
    "edge", "manifests", "chained", "chains", "before_the_chain", "without_chain", "withdrawn", "expired",
    "on_their_way",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("study", nargs="?", metavar="STUDY_UID", help="its Study Instance UID")
    parser.add_argument("--verify", action="store_true", help="verify the chain of manifests")
    parser.add_argument("--edge", help="with --verify: this edge only, {stack}-{name} or its name")
    parser.add_argument(
        "--since", type=day, metavar="YYYY-MM-DD", help="with --verify: sealed on this day or later (UTC)"
    )


def run(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    """0: all of it is intact; 1: something is absent, altered or forked, or the study is not known.

    Raises:
        OperatorError: neither a study nor --verify, or both.
    """
    if bool(arguments.study) == arguments.verify:
        raise OperatorError("give either a STUDY_UID, or --verify")
    if arguments.study:
        return _document(arguments.study, target, output)
    return _verified(arguments, target, output)


def _document(study: str, target: Target, output: Output) -> int:
    found = custody(target.index, target.client("s3"), study)
    if not found:
        sys.stderr.write(f"error: the index of {target.name} has no study {study}\n")
        return 1
    if output.as_json:
        output.data({"study_instance_uid": study, "pipeline": target.name, "series_transfers": found})
    else:
        for transfer in found:
            output.table("Series transfer", [{**transfer, "link": _link(transfer["chain"])}], TRANSFER)
            output.table("Instances", transfer["instances"], INSTANCE)
    return 0 if all(_whole(transfer) for transfer in found) else 1


def _whole(transfer: Row) -> bool:
    objects = (one.get("object", "stored") for one in transfer["instances"])
    return transfer["manifest"] == INTACT and all(state == "stored" for state in objects)


def _link(chain: dict[str, Any] | None) -> str:
    return f"{chain['number']} of chain {chain['chain_id']}" if chain else "none: before the chain began"


def _verified(arguments: argparse.Namespace, target: Target, output: Output) -> int:
    s3, now = target.client("s3"), datetime.now(timezone.utc)
    names = _edges(arguments.edge, target, s3)
    expired = {edge: expired_before(s3, target.bucket, edge, now.date()) for edge in names}
    reports = [
        Verification(
            edge, now, arguments.since, expired[edge], partial(elsewhere, target.index, edge)
        ).verify(manifests_of(s3, target.bucket, edge, arguments.since), manifests(target.index, edge))
        for edge in names
    ]
    whole = all(report.whole for report in reports)
    if output.as_json:
        rows = [
            {**plain(report), "whole": report.whole, "expired_before": expired[report.edge]}
            for report in reports
        ]
        output.data({"whole": whole, "edges": rows})
    else:
        _show(reports, output)
    return 0 if whole else 1


def _edges(name: str | None, target: Target, s3: Any) -> list[str]:
    """The edges to look at.

    Raises:
        OperatorError: there is none of this name.
    """
    known = sorted({*edges(target.index), *edges_of(s3, target.bucket, target.stack)})
    if name is None:
        return known
    found = [edge for edge in known if edge in (name, f"{target.stack}-{name}")]
    if not found:
        raise OperatorError(f"no edge {name} has sent anything; there is {', '.join(known) or 'none'}")
    return found


def _show(reports: list[Report], output: Output) -> None:
    output.table("Chains of manifests", [plain(report) for report in reports], SUMS)
    for report in reports:
        for note in report.notes:
            output.line(f"{report.edge}: {note}")
        if report.whole:
            output.line(f"{report.edge}: nothing is absent, altered or forked")
            continue
        first = report.findings[0]
        output.line(f"{report.edge}: the first broken link: {first.kind}: {first.words}", "red")
        output.table("Findings", [plain(finding) for finding in report.findings])
