"""Identifiers that become paths, keys and rows: checked once, here."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from dicom_ingest.contracts.messages.model import Message
from dicom_ingest.contracts.uids import UnsafeIdentifierError, safe_uid

EDGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,126}[A-Za-z0-9]")
"""``{stack}-{edge}``: an IoT thing name, an S3 key segment and a metric dimension at once."""

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def _uid(value: str) -> str:
    return safe_uid(value)


def _edge(value: str) -> str:
    if not EDGE_NAME.fullmatch(value):
        raise UnsafeIdentifierError(
            f"{value!r} is not an edge name: letters, digits and hyphens after a letter are allowed"
        )
    return value


def _transfer(value: str) -> str:
    if not UUID4.fullmatch(value):
        raise UnsafeIdentifierError(f"{value!r} is not a transfer id: a lower-case UUID4 is allowed")
    return value


Uid = Annotated[str, AfterValidator(_uid)]
EdgeName = Annotated[str, AfterValidator(_edge)]
TransferId = Annotated[str, AfterValidator(_transfer)]
# The edge writes bytes outside ASCII as \xNN, hence more than the 16 characters of PS3.5 §6.2.
AETitle = Annotated[str, StringConstraints(max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SeriesIdentity(Message):
    """Which series transfer something is about: all that must be right to write down what became of it."""

    transfer_id: TransferId
    series_instance_uid: Uid
