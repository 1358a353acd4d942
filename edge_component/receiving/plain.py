"""Values so plain that their JSON can be told from their bytes: numbers, dates, times, codes.

They are what differs from instance to instance of a series. A value that is not written as its VR says
(PS3.5 §6.2), or of a VR that depends on a character set, is left to somebody who knows all of DICOM.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_CODES = re.compile(rb"[0-9A-Z_.+:][0-9A-Z_.+: -]*")
_INTEGER = re.compile(rb"-?[0-9]{1,9} ?")
_DECIMAL = re.compile(rb"-?[0-9]{1,9}(\.[0-9]{1,9})? ?")
_TWO_BYTES = re.compile(rb"..", re.DOTALL)


def _text(value: bytes) -> str:
    return f'"{value.decode("ascii").rstrip(" ")}"'


_PLAIN: dict[bytes, tuple[re.Pattern[bytes], Callable[[bytes], str]]] = {
    **dict.fromkeys((b"AS", b"CS", b"DA", b"DT", b"TM"), (_CODES, _text)),
    b"IS": (_INTEGER, lambda value: str(int(value))),
    b"DS": (_DECIMAL, lambda value: json.dumps(float(value))),
    b"US": (_TWO_BYTES, lambda value: str(int.from_bytes(value, "little"))),
}


def plain_json(vr: bytes, value: bytes) -> str | None:
    """The element in the DICOM JSON model (PS3.18 F.2); None: it is not plain."""
    if (found := _PLAIN.get(vr)) is None or not found[0].fullmatch(value):
        return None
    return f'{{"Value":[{found[1](value)}],"vr":"{vr.decode("ascii")}"}}'
