"""A series transfer's event once more, straight to the workflow: as a replay would bring it."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from dicom_ingest.contracts.events import EDGE_SOURCE, SERIES_COMPLETE, SeriesComplete, SeriesCompleteEvent
from dicom_ingest.contracts.keys import KeyFormatError, SeriesPrefix, parse_manifest_key
from dicom_ingest.contracts.manifest import ManifestFormatError, decode_manifest
from dicom_ingest.db.read_index import Row
from dicom_ingest.db.read_places import where
from dicom_ingest.db.read_timeline import timeline
from ops.errors import OperatorError
from ops.target import Target

PRIORITIES = {0: "live", 1: "bulk"}


def event_of_row(target: Target, term: str) -> list[SeriesComplete]:
    """The events of the series transfers that a search term means.

    Raises:
        OperatorError: the index knows none.
    """
    found = [timeline(target.index, row["pk"], most=0) for row in where(target.index, term)]
    events = [detail_of(each.series_transfer) for each in found if each is not None]
    if not events:
        raise OperatorError(
            f"{target.name} does not know {term}: what the index never saw is reprocessed by --manifest KEY, "
            "see `audit`"
        )
    return events


def detail_of(transfer: Row) -> SeriesComplete:
    """The event's detail, from the row that it was registered with."""
    known = {name: transfer[name] for name in SeriesComplete.model_fields if name in transfer}
    return SeriesComplete.model_validate({**known, "priority": PRIORITIES.get(transfer["priority"], "live")})


def event_of_manifest(target: Target, key: str) -> SeriesComplete:
    """The event that announced a manifest.

    Raises:
        OperatorError: the key is not a manifest's, there is none, or it cannot be read.
    """
    try:
        parse_manifest_key(key)
        body = target.client("s3").get_object(Bucket=target.bucket, Key=key)["Body"].read()
        manifest = decode_manifest(body)
    except (KeyFormatError, ManifestFormatError) as error:
        raise OperatorError(f"--manifest {key}: {error}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        raise OperatorError(f"--manifest {key}: there is no such object in {target.bucket}") from error
    transfer = manifest.transfer
    prefix = SeriesPrefix(
        transfer.edge, transfer.transfer_id, transfer.study_instance_uid, transfer.series_instance_uid
    )
    shared = SeriesComplete.model_fields.keys() & transfer.__class__.model_fields.keys()
    return SeriesComplete.model_validate(
        {
            **transfer.model_dump(include=set(shared)),
            "bucket": target.bucket,
            "prefix": str(prefix),
            "manifest_key": key,
            "manifest_sha256": hashlib.sha256(zlib.decompress(body, wbits=31)).hexdigest(),
            "calling_ae": transfer.calling_aes[0],
            "called_ae": transfer.called_aes[0],
        }
    )


def start(target: Target, detail: SeriesComplete, *, force: bool = False) -> dict[str, Any]:
    """Start an execution with the whole event; `force`: under a replay name that imports again."""
    event = SeriesCompleteEvent(
        id=str(uuid4()),
        source=EDGE_SOURCE,
        detail_type=SERIES_COMPLETE,
        time=datetime.now(timezone.utc),
        replay_name=f"force-{uuid4().hex[:12]}" if force else None,
        detail=detail,
    )
    answer = target.client("stepfunctions").start_execution(
        stateMachineArn=target.state_machine_arn,
        name=event.id,
        input=event.model_dump_json(by_alias=True, exclude_none=True),
    )
    return {
        "series_instance_uid": detail.series_instance_uid,
        "transfer_id": detail.transfer_id,
        "execution": answer["executionArn"],
    }
