"""The steps of a series transfer's way, from rows: what happened when, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dicom_ingest.operators.read.index import Row

SEAL_WORDS = {
    "quiet": "no instance for the quiet time and every association closed",
    "inactive": "no instance for long, although an association stays open",
    "instances": "as many instances as one import may have",
    "bytes": "as many bytes as one import may have",
    "hard_cap": "open for as long as a series may be",
    "drain": "an operator drained the edge",
}
PRIORITY_WORDS = {-1: "raised", 0: "live", 1: "bulk"}


@dataclass(frozen=True)
class Step:
    """One step. `at`: None where it has not happened; `words`: what there is to say of it."""

    name: str
    at: datetime | None
    words: str = ""


def steps(
    transfer: Row,
    tickets: list[Row],
    image_sets: list[Row],
    verdicts: dict[str, int],
    actions: list[Row] | None = None,
) -> list[Step]:
    """In the order of the workflow; steps to come stand at the end without a time."""
    found = [*_at_the_edge(transfer), *_indexed(transfer)]
    for ticket in tickets:
        found += _through_the_queue(ticket)
    found += _recorded(image_sets, verdicts)
    found += _released(transfer, tickets)
    found += [Step(f"{row['action']} by {row['who']}", row["at"], row["reason"]) for row in actions or []]
    happened = sorted((step for step in found if step.at is not None), key=_when)
    return happened + ([] if transfer["state"] == "OVER" else [step for step in found if step.at is None])


def _when(step: Step) -> float:
    # Whole seconds: what one transaction wrote, and a bus that tells no fractions, keep the workflow's order.
    return step.at.timestamp() // 1 if step.at else float("inf")


def _at_the_edge(transfer: Row) -> Iterator[Step]:
    sender = f"{transfer['calling_ae']} to {transfer['called_ae']} at {transfer['edge']}"
    count = transfer["instance_count"]
    received = f"{count} {'instance' if count == 1 else 'instances'}, {transfer['total_bytes']:,} bytes"
    if transfer["aborted"]:
        received += "; the association was aborted"
    reason = transfer["seal_reason"]
    yield Step("first received", transfer["first_received_at"], sender)
    yield Step("last received", transfer["last_received_at"], received)
    yield Step("sealed", transfer["sealed_at"], f"{reason}: {SEAL_WORDS.get(reason, reason)}")
    yield Step("announced", transfer["announced_at"], f"transfer {transfer['transfer_id']}")


def _indexed(transfer: Row) -> Iterator[Step]:
    found, claimed = transfer["objects_found"], transfer["claimed_at"]
    if claimed and (transfer["indexed_at"] is None or claimed <= transfer["indexed_at"]):
        yield Step("indexing began", claimed, "its execution has claimed it")
    objects = "object" if found == 1 else "objects"
    yield Step(
        "indexed",
        transfer["indexed_at"],
        f"{found} {objects} found in S3" if found is not None else "",
    )


def _through_the_queue(ticket: Row) -> Iterator[Step]:
    number, held = ticket["ticket_id"], ticket["granted_at"]
    priority = PRIORITY_WORDS.get(ticket["priority"], str(ticket["priority"]))
    yield Step("ticket queued", ticket["created_at"], f"ticket {number}, priority {priority}")
    if ticket["state"] == "CANCELLED":
        yield Step("ticket cancelled", ticket["over_at"], ticket["message"] or f"ticket {number}")
        return
    yield Step("slot granted", held, f"start paced to {ticket['start_at']:%H:%M:%S} UTC" if held else "")
    for earlier in ticket["earlier_imports"] or []:
        words = ", ".join(f"{key} {value}" for key, value in earlier.items())
        yield Step("earlier import", held, words)
    if ticket["starting_at"]:
        yield Step("import asked for", ticket["starting_at"], ticket["job_name"] or "")
    job = f"job {ticket['import_id']}, attempt {ticket['attempt']}" if ticket["import_id"] else ""
    yield Step("import started", ticket["running_at"], job + _shared(ticket))
    yield Step("import over", ticket["import_over_at"], ticket["import_status"] or "")
    if ticket["orphaned_at"] is not None:
        yield Step("execution gone", ticket["orphaned_at"], "reclaim_import_slots watches the import")


def _shared(ticket: Row) -> str:
    """Whose import it shares, and with how many."""
    if not ticket["import_id"] or ticket["bundle"] is None:
        return ""
    led = "this ticket" if ticket["leader"] == ticket["ticket_id"] else f"ticket {ticket['leader']}"
    return f", shared by {ticket['shared_by']} series, led by {led}"


def _recorded(image_sets: list[Row], verdicts: dict[str, int]) -> Iterator[Step]:
    """An import again makes image sets again, of its own ticket; verdicts are said of the last."""
    tickets = list(dict.fromkeys(row["ticket_id"] for row in image_sets))
    if not tickets:
        yield Step("image sets recorded", None)
    for ticket in tickets:
        mine = [row for row in image_sets if row["ticket_id"] == ticket]
        words = [f"image set {row['image_set_id']} version {row['version']}" for row in mine]
        if ticket == tickets[-1]:
            words += [f"{count} {verdict}" for verdict, count in verdicts.items()]
        yield Step("image sets recorded", min(row["created_at"] for row in mine), ", ".join(words))


def _released(transfer: Row, tickets: list[Row]) -> Iterator[Step]:
    if tickets and tickets[-1]["state"] == "DONE":
        yield Step("slot released", tickets[-1]["over_at"], f"ticket {tickets[-1]['ticket_id']}")
    over = transfer["over_at"] if transfer["state"] == "OVER" else None
    said = f": {transfer['outcome_detail']}" if transfer["outcome_detail"] else ""
    yield Step("over", over, f"{transfer['outcome'] or 'without an outcome'}{said}" if over else "")
