"""What keeps an edge from starting: one line that names the thing, and a non-zero exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager


class StartError(RuntimeError):
    """The edge cannot start; the message names the setting, its value, and why."""


@contextmanager
def naming(setting: str, value: object) -> Iterator[None]:
    """Errors of the system within it become a `StartError` that names this setting.

    Raises:
        StartError: the system refused.
    """
    try:
        yield
    except OSError as error:
        known = error.errno is not None and error.errno in errno.errorcode
        words = os.strerror(error.errno or 0) if known else str(error)
        other = error.filename if error.filename not in (None, value, str(value)) else None
        raise StartError(
            f"EDGE_{setting.upper()} {value}: {other or ''}{': ' if other else ''}{words}"
        ) from error
