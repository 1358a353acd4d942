"""What an edge says of its line to AWS, in words: from its status or its heartbeat, which say the same."""

from __future__ import annotations

from typing import Any

from dicom_ingest.operators.read.index import Row

STEPS = {"slow": "answered slowly", "refuse": "refused for now"}


def uplink(said: Row) -> str | None:
    """The limit of now, since when, what follows, and what is used. None: the edge does not say."""
    line = said.get("uplink")
    if not line:
        return None
    words = _limit(line["limit_mbit"], line["paused"])
    if line.get("since"):
        words += f" since {_moment(line['since'])}"
    if line.get("changes_at"):
        words += f", {_limit(line['next_limit_mbit'], 'bulk')} from {_moment(line['changes_at'])}"
    return f"{words}; uses {line['used_mbit']:g} Mbit/s"


def forecast(said: Row) -> str | None:
    """When the disk will be full and when the backlog will be gone. None: the edge does not say."""
    found = said.get("forecast")
    if not found:
        return None
    rates = f"in {_rate(found['in_bytes_per_second'])}, out {_rate(found['out_bytes_per_second'])}"
    if not found["behind"]:
        return f"{rates}; all goes out as it comes in"
    if found["out_bytes_per_second"] is None:
        return rates
    full, empty = found["disk_full_at"], found["backlog_empty_at"]
    return (
        f"{rates}; disk {f'full at {_moment(full)}' if full else 'not full within two weeks'}, "
        f"backlog {f'gone at {_moment(empty)}' if empty else 'not gone within two weeks'}"
    )


def bulk_senders(said: Row) -> str | None:
    """What is done to `bulk` senders, and how often it was. None: nothing."""
    step = STEPS.get(said.get("bulk_senders", "normal"))
    counts = [
        f"{ae} {number} {words}"
        for name, words in (
            ("bulk_answers_delayed", "answers delayed"),
            ("bulk_associations_rejected", "associations rejected"),
        )
        for ae, number in sorted((said.get(name) or {}).items())
    ]
    return ": ".join(filter(None, (step, ", ".join(counts)))) or None


def _limit(mbit: float | None, paused: str | None) -> str:
    if mbit is None:
        return "no limit"
    if mbit:
        return f"{mbit:g} Mbit/s"
    return "all uploads paused" if paused == "all" else "bulk uploads paused"


def _rate(bytes_a_second: Any) -> str:
    return "not known yet" if bytes_a_second is None else f"{bytes_a_second / 1e6:.1f} MB/s"


def _moment(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"
