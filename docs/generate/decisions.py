"""The index of the decisions, from their titles."""

from __future__ import annotations

from pathlib import Path

from docs.generate.markdown import table

FOLDER = Path(__file__).parents[1] / "decisions"
INTRODUCTION = """# Decisions

What was decided differently than first designed, or had a real alternative, and why. A page is never
rewritten: what replaces it says so. Made by `make docs`.
"""


def index() -> str:
    """The page."""
    rows = (
        (path.stem.partition("-")[0], f"[{_title(path)}]({path.name})")
        for path in sorted(FOLDER.glob("[0-9]*.md"))
    )
    return "\n".join((INTRODUCTION, table(("no.", "decision"), rows), ""))


def _title(path: Path) -> str:
    """The heading, without its number."""
    heading = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#").strip()
    return heading.lstrip("0123456789 ·").strip() or heading
