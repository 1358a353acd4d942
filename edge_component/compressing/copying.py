"""One compressed copy: made, read again, and compared with what was received. Needs imagecodecs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from edge_component.compressing.codec import HTJ2K_LOSSLESS_RPCL
from edge_component.compressing.errors import DiffersError, NotCompressibleError
from edge_component.compressing.part10 import compress
from edge_component.compressing.proof import prove
from edge_component.spool.folder import Spool
from edge_component.spool.hashing import AlteredError, Stored, compared


def answer(spool: Spool, request: dict[str, Any]) -> dict[str, Any]:
    """What the copy is that a request wants; `refused` and `reason`: the instance goes as it was received."""
    try:
        return _copy(spool, request)
    except NotCompressibleError as error:
        return {"refused": "not_compressible", "reason": str(error)}
    except DiffersError as error:
        return {"refused": "differs", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a strange instance does to a parser
        return {"refused": "error", "reason": f"{type(error).__name__}: {error}"}


def _copy(spool: Spool, request: dict[str, Any]) -> dict[str, Any]:
    with spool.read(request["file"], request["bytes"]) as stream:
        received = memoryview(stream.read())
    try:
        found = compared((received,), Stored(request["file"], request["bytes"], request["file_crc32"]))
    except AlteredError as error:
        raise NotCompressibleError("the spool file was altered") from error
    with Path(request["copy"]).open("w+b") as file:
        compress(received, file)
        file.seek(0)
        stored = file.read()
    prove(received, memoryview(stored))
    return {
        "received_sha256": found.sha256,
        "transfer_syntax_uid": HTJ2K_LOSSLESS_RPCL,
        "bytes": len(stored),
        "sha256": hashlib.sha256(stored).hexdigest(),
    }
