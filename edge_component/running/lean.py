"""What an edge never uses stays out of its processes: image decoders, and the names of private elements."""

from __future__ import annotations

import sys
from types import ModuleType

DECODERS = ("numpy", "PIL", "gdcm", "pylibjpeg", "openjpeg", "libjpeg", "requests")
"""What pydicom imports where it is installed; about 20 MB. An edge never decodes a pixel."""
PRIVATE_DICTIONARY = "pydicom._private_dict"
"""2 MB in each process. No private element is looked at: to pydicom theirs is an unknown VR (PS3.5 6.2.2)."""


def be_lean() -> None:
    """Before pydicom is imported: a decoder is not to be found, as on a device where none is installed."""
    for name in DECODERS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: not to be found
    empty = ModuleType(PRIVATE_DICTIONARY)
    empty.private_dictionaries = {}  # type: ignore[attr-defined]
    sys.modules.setdefault(PRIVATE_DICTIONARY, empty)
