"""What the edge answers: statuses, rejections and reasons, by the names they have in its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from docs.generate.markdown import table
from edge_component.dimse import admission, statuses
from edge_component.dimse.admission import Rejection
from edge_component.dimse.statuses import SUCCESS, Status
from edge_component.records import commitment

STORE = {
    "out_of_resources": (
        "Refused: out of resources",
        "The spool is above its watermark, or the disk could not store the instance. Try again later.",
    ),
    "does_not_match": (
        "Error: data set does not match SOP class",
        "SOP Class UID or SOP Instance UID in the data set differ from the command's.",
    ),
    "cannot_understand": (
        "Error: cannot understand",
        "The data set ends inside an element, is not encoded as negotiated, or lacks a Study, Series or "
        "SOP Instance UID, or a UID is unusable.",
    ),
    "class_not_supported": (
        "Refused: SOP class not supported",
        "The presentation context was negotiated for another SOP class.",
    ),
    "processing_failure": ("Failed: processing failure", "The journal could not store the instance."),
}
"""By the function that makes the status: its name in the standard, and when it is given."""
REJECTIONS = {
    "CALLING": "not among `calling_aes`",
    "CALLED": "not among `called_aes`",
    "TOO_MANY": "`max_associations` are established",
    "TOO_MANY_OF_PEER": "`max_associations_per_peer` are established from this address",
    "CONGESTED": "the spool is above its watermark",
    "CONGESTED_BULK": "a `bulk` sender, and the spool is above `watermark_bulk_refuse_percent`",
    "DRAINING": "the edge is shutting down",
}
RESULTS = {1: "rejected permanent", 2: "rejected transient"}
SOURCES = {1: "service user", 2: "service provider (ACSE)", 3: "service provider (presentation)"}
DIAGNOSTICS = {
    (1, 1): "no reason given",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
ACTIONS = {
    "INVALID_ARGUMENT": "Transaction UID or a reference is missing or unusable, or no instance is named",
    "NO_SUCH_OBJECT": "not the well-known SOP instance",
    "NO_SUCH_ACTION": "another action type",
    "PROCESSING_FAILURE": "the journal could not store the request",
}
REASONS = {
    "PROCESSING_FAILURE": "it could not be uploaded, or was not in S3 when the patience ended",
    "NO_SUCH_INSTANCE": "the edge does not know it, or no longer knows it",
    "CLASS_INSTANCE_CONFLICT": "known under another SOP class",
    "DUPLICATE_TRANSACTION": "another request under this Transaction UID is open",
}


def store_makers() -> dict[str, Callable[[str], Status]]:
    """The functions that make a status for a C-STORE."""
    return {
        name: function
        for name, function in inspect.getmembers(statuses, inspect.isfunction)
        if function.__module__ == statuses.__name__ and not name.startswith("_")
    }


def rejections() -> dict[str, Rejection]:
    """The ways an association is rejected."""
    return {name: value for name, value in vars(admission).items() if isinstance(value, Rejection)}


def store_statuses() -> str:
    """The table of C-STORE."""
    rows = [
        (
            _code(SUCCESS.code),
            "Success",
            "File and journal row are on the disk. The sender may delete its copy.",
        )
    ]
    made = {name: make("") for name, make in store_makers().items()}
    for name, status in sorted(made.items(), key=lambda item: item[1].code, reverse=True):
        rows.append((_code(status.code), *STORE[name]))
    return table(("status", "name", "when"), rows)


def rejection_table() -> str:
    """The table of rejections."""
    return table(
        ("when", "result", "source", "reason"),
        (
            (
                REJECTIONS[name],
                f"{why.result} {RESULTS[why.result]}",
                f"{why.source} {SOURCES[why.source]}",
                f"{why.diagnostic} {DIAGNOSTICS[why.source, why.diagnostic]}",
            )
            for name, why in rejections().items()
        ),
    )


def action_statuses() -> str:
    """The table of N-ACTION."""
    rows = [(_code(0), "the request is on the disk"), *_of_commitment(ACTIONS)]
    return table(("status", "when"), rows)


def failure_reasons() -> str:
    """The table of failure reasons (PS3.3 C.14.1.1)."""
    return table(("failure reason (0008,1197)", "when"), _of_commitment(REASONS))


def _of_commitment(words: dict[str, str]) -> list[tuple[str, str]]:
    return [(_code(getattr(commitment, name)), meaning) for name, meaning in words.items()]


def _code(code: int) -> str:
    return f"0x{code:04X}"
