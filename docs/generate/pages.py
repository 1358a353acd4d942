"""Everything that is made from the code, by its path in the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generate.conformance import facts

ROOT = Path(__file__).parents[2]
Page = Callable[[], str]


def pages() -> dict[str, Page]:
    """What renders each of them."""
    return {
        "docs/conformance-statement.md": facts.render,
    }
