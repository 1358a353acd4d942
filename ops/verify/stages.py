"""The stages of a series' way: what proves each, what its absence means, and the line of the runbook."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from dicom_ingest.contracts.messages.outcomes import Outcome
from dicom_ingest.operators.read.series.timeline import Timeline
from ops.verify.evidence import Evidence


@dataclass(frozen=True)
class Seen:
    """What a look showed. `good` None: not yet."""

    good: bool | None
    words: str


@dataclass(frozen=True)
class Stage:
    """`means`: what is wrong where it fails. `see`: a heading of the documentation."""

    name: str
    look: Callable[[Evidence], Seen]
    means: str
    see: str


def _later(words: str) -> Seen:
    return Seen(None, words)


def _manifest(evidence: Evidence) -> Seen:
    manifest = evidence.manifest()
    if manifest is None:
        return _later("no manifest names the series")
    wanted = {image.sop_instance_uid for image in evidence.study.images}
    if missing := [gone.reason for gone in manifest.missing]:
        return Seen(False, f"{len(missing)} instances are missing: {missing[0]}")
    if {each.sop_instance_uid for each in manifest.instances} != wanted:
        return Seen(False, f"{len(manifest.instances)} of {len(wanted)} instances: the series came in pieces")
    return Seen(True, f"{evidence.manifest_key}")


def _objects(evidence: Evidence) -> Seen:
    manifest = evidence.manifest()
    if manifest is None:
        return _later("no manifest names them")
    for instance in manifest.instances:
        found = evidence.object(instance.key)
        if found is None:
            return Seen(False, f"{instance.key} is not there")
        checksum = b64decode(found.get("ChecksumSHA256", "")).hex()
        if found["ContentLength"] != instance.stored_bytes or checksum not in (
            "",
            instance.stored_sha256,
        ):
            return Seen(False, f"{instance.key} is not what the manifest says")
    encrypted = "" if not found else f", {found.get('ServerSideEncryption', 'not encrypted')}"
    return Seen(True, f"{len(manifest.instances)} objects with the sizes and checksums announced{encrypted}")


def _event(evidence: Evidence) -> Seen:
    found = evidence.transfer()
    if found is None:
        waiting = evidence.undelivered()
        return _later(f"no execution has seen it; {waiting} events are in the dead-letter queue")
    return Seen(True, f"delivered for {found.series_transfer['edge']}")


def _execution(evidence: Evidence) -> Seen:
    execution = evidence.execution()
    if execution is None:
        return _later("none owns the series")
    status = execution["status"]
    words = f"{execution['name']}: {status}"
    return Seen({"RUNNING": None, "SUCCEEDED": True}.get(status, False), words)


def _rows(evidence: Evidence) -> Seen:
    found = evidence.transfer()
    if found is None or found.series_transfer["indexed_at"] is None:
        return _later("not indexed")
    there, wanted = len(found.instances), len(evidence.study.images)
    return Seen(
        there == wanted, f"{there} of {wanted} instances, of patient {found.series_transfer['patient_id']}"
    )


def _import(evidence: Evidence) -> Seen:
    found = evidence.transfer()
    if _not_wanted(found):
        return Seen(True, "importing is off (ahli_enabled)")
    if found is None or not found.tickets or found.tickets[-1]["import_id"] is None:
        waits = f": waits for {found.waits_for.words}" if found and found.waits_for else ""
        return _later(f"not started{waits}")
    ticket = found.tickets[-1]
    status = evidence.job(ticket["datastore_id"], ticket["import_id"])["jobStatus"]
    good = {"COMPLETED": True, "FAILED": False}.get(status)
    return Seen(good, f"{ticket['import_id']}: {status}")


def _image_set(evidence: Evidence) -> Seen:
    found = evidence.transfer()
    if _not_wanted(found):
        return Seen(True, "importing is off (ahli_enabled)")
    if found is None or not found.image_sets:
        return _later("none is recorded")
    held = found.image_sets[-1]
    state = evidence.image_set(held["datastore_id"], held["image_set_id"])["imageSetState"]
    whole = sum(each["matched_instances"] for each in found.image_sets) == len(evidence.study.images)
    words = f"{held['image_set_id']}: {state}, {held['matched_instances']} instances"
    return Seen(state == "ACTIVE" and held["is_primary"] and whole, words)


def _slot(evidence: Evidence) -> Seen:
    found = evidence.transfer()
    if _not_wanted(found):
        return Seen(True, "none was needed")
    if found is None or not found.tickets:
        return _later("there is no ticket")
    ticket = found.tickets[-1]
    good = {"DONE": True, "CANCELLED": False}.get(ticket["state"])
    return Seen(good, f"ticket {ticket['ticket_id']}: {ticket['state']}")


def _ledger(evidence: Evidence) -> Seen:
    row = evidence.ledger()
    if row is None or row["state"] != "OVER":
        return _later("the series is under way")
    counts = (
        f"{row[name]} {name.replace('_', ' ')}" for name in ("announced", "in_s3", "indexed", "imported")
    )
    words = ", ".join(counts)
    balanced = row["balanced"] or row["outcome"] == Outcome.INDEXED
    return Seen(balanced, f"{words}: {row['outcome']}")


def _alarms(evidence: Evidence) -> Seen:
    ringing = evidence.ringing()
    return Seen(not ringing, f"ringing: {', '.join(ringing)}" if ringing else "none rings")


def _logs(evidence: Evidence) -> Seen:
    errors = evidence.errors()
    if errors:
        return Seen(
            False, f"{len(errors)} errors; the first: {errors[0].get('function')}: {errors[0].get('message')}"
        )
    return Seen(True, "no function has logged an error about it")


def _not_wanted(found: Timeline | None) -> bool:
    return found is not None and found.series_transfer["outcome"] == Outcome.INDEXED


SENT = "sent"
SENT_MEANS = "the edge does not take images from here: address, port, AE title, firewall, or its watermark"
SENT_SEE = "docs/aws.md#when-something-is-wrong"
STAGES = (
    Stage(
        "manifest",
        _manifest,
        "the edge has not sent the series: quiet time not over, no credentials, or no connection",
        "docs/operations.md#nothing-gets-out",
    ),
    Stage(
        "objects",
        _objects,
        "the bucket does not hold what was announced: another program writes or deletes there",
        "docs/operations.md#audit-findings",
    ),
    Stage(
        "event",
        _event,
        "the bus does not start executions: its rule, its role, or the key",
        "docs/operations.md#undelivered-events",
    ),
    Stage(
        "rows",
        _rows,
        "index_series fails: database, manifest or role; the execution's history has the error",
        "docs/operations.md#executions-failed",
    ),
    Stage(
        "import",
        _import,
        "no slot is free, the gate is closed, or HealthImaging refuses the import",
        "docs/operations.md#gate-closed",
    ),
    Stage(
        "image set",
        _image_set,
        "the import ended without an image set of the whole series",
        "docs/operations.md#series-partial",
    ),
    Stage(
        "slot",
        _slot,
        "the slot was not given back: reclaim frees it, others wait until then",
        "docs/operations.md#slots-reclaimed",
    ),
    Stage(
        "execution",
        _execution,
        "the workflow did not end well",
        "docs/operations.md#executions-failed",
    ),
    Stage(
        "ledger",
        _ledger,
        "announced, in S3, indexed and imported differ",
        "docs/operations.md#audit-findings",
    ),
)
"""Each is waited for, in this order; those after one that fails are not reached."""
ALWAYS = (
    Stage(
        "alarms",
        _alarms,
        "something is wrong, perhaps since before",
        "docs/operations.md#when-an-alarm-rings",
    ),
    Stage(
        "logs",
        _logs,
        "a function fails, and may have succeeded at another try",
        "docs/operations.md#follow-one-series",
    ),
)
"""Looked at once, at the end, whatever came before."""
