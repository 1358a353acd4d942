"""Image decoders stay out of the process: an edge never decodes a pixel, and pydicom loads what it finds."""

from __future__ import annotations

import sys

DECODERS = ("numpy", "PIL", "gdcm", "pylibjpeg", "openjpeg", "libjpeg", "requests")
"""What pydicom imports where it is installed; about 20 MB that an edge has no use for."""


def without_decoders() -> None:
    """Importing one of them fails from now on, as on a device where none is installed."""
    for name in DECODERS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None: not to be found
