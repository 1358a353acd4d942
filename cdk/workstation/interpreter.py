"""How a person types this interpreter: printed commands run as they are printed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from cdk.packaging.build import ROOT


def python(executable: str = sys.executable, root: Path = ROOT) -> str:
    """`.venv/bin/python` in the repository's own environment, else the whole path."""
    path = Path(executable)
    return shlex.quote(str(path.relative_to(root) if path.is_relative_to(root) else path))
