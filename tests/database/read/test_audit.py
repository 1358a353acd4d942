"""The audit: no gap, a budget, and one edge or key that is wrong hides no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, cast
from uuid import uuid4

from dicom_ingest.contracts.messages.steps import AuditUploadsReply
from dicom_ingest.db.server.connection import Database
from dicom_ingest.upkeep import audit
from tests.support.workflow.series import STACK, Announced, new_uid
from tests.support.workflow.stand_ins import S3
from tests.support.workflow.workers import index_series

NOW = datetime.now(timezone.utc)
LAST_WEEK = NOW - timedelta(days=7)


def compare(database: Database, s3: S3, **how: Any) -> AuditUploadsReply:
    s3.written_at = NOW - timedelta(days=2)
    return audit.compare(database, cast("Any", s3), "dicom", STACK, days=3, now=NOW, **how)


def test_a_lost_event_of_an_edge_that_was_cut_off_for_a_week_is_found(database: Database) -> None:
    seen = Announced(received_at=LAST_WEEK)
    lost = replace(seen, series_instance_uid=new_uid(), sop_instance_uids=(new_uid(),))
    s3 = S3()
    for series in (seen, lost):
        s3.put_series(series)
    index_series(database, seen)
    (finding,) = compare(database, s3).findings
    assert finding.subject == str(lost.prefix)


def test_what_there_is_no_time_for_is_said_and_another_night_begins_with_others(database: Database) -> None:
    s3 = S3()
    for _ in range(3):
        s3.put_series(Announced(received_at=LAST_WEEK))
    reply = compare(database, s3, seconds=0)
    assert (reply.findings, reply.not_looked_at) == ([], 3)
    names = [uuid4().hex for _ in range(20)]
    nights = {tuple(audit._of_the_day(names, NOW + timedelta(days=day))) for day in range(3)}
    assert len(nights) == 3


def test_an_edge_that_cannot_be_read_hides_no_other_and_counts(database: Database) -> None:
    good, bad = (Announced(edge=f"{STACK}-{name}", received_at=LAST_WEEK) for name in ("good", "bad"))
    s3 = S3(refused=f"{bad.edge}/")
    for series in (good, bad):
        s3.put_series(series)
    reply = compare(database, s3)
    assert [finding.edge for finding in reply.findings] == [good.edge]
    assert reply.found == 2


def test_a_key_that_is_no_manifest_stops_nothing(database: Database) -> None:
    lost = Announced(received_at=NOW - timedelta(days=2))
    s3 = S3()
    s3.put_series(lost)
    day = lost.manifest_key.sealed_on.isoformat()
    s3.objects[f"manifests/{lost.edge}/{day}/readme.txt"] = b""
    assert [finding.kind for finding in compare(database, s3).findings] == ["manifest_without_row"]
