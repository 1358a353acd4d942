"""A function of the workflow that goes wrong when told to: before, during or after its real work.

A fault is a file `{FAULT_FOLDER}/{function}.{transfer id}`; its content says what happens, once.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FAULT_FOLDER"])
MODULE, _, NAME = os.environ["REAL_HANDLER"].rpartition(".")
FUNCTION = MODULE.split(".")[1]
REAL = getattr(importlib.import_module(MODULE), NAME)


class OwnFault(Exception):  # noqa: N818 - the name that the state machine sees
    """A mistake in a function: nothing that the state machine would retry."""


def handler(event: dict[str, Any], context: Any) -> Any:
    """The real handler, with what was armed for this transfer."""
    fault = _take(event)
    if fault == "dies":
        os._exit(1)
    if fault == "hangs":
        threading.Event().wait()
    if fault == "fails":
        raise OwnFault(FUNCTION)
    if fault == "waits":
        (FOLDER / f"{FUNCTION}.{_transfer(event)}.waiting").touch()
        threading.Event().wait(3)  # the execution is stopped meanwhile; this Lambda goes on, as in the cloud
    reply = REAL(event, context)
    if fault == "loses":
        os._exit(1)
    return reply


def _transfer(event: dict[str, Any]) -> str:
    text = json.dumps(event)
    start = text.index('"transfer_id": "') + len('"transfer_id": "')
    return text[start : start + 36]


def _take(event: dict[str, Any]) -> str | None:
    try:
        armed = FOLDER / f"{FUNCTION}.{_transfer(event)}"
        fault = armed.read_text()
        armed.unlink()
    except (FileNotFoundError, ValueError):
        return None
    return fault
