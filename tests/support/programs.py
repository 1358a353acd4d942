"""Programs that a test needs and a fresh machine may lack: skipped with the reason, never failed."""

from __future__ import annotations

import shutil

import pytest


def require(*programs: str) -> None:
    """Skip the test where one of these programs is not installed."""
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")
