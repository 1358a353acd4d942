"""Pages of the documentation, and the sources that they are held against."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edge_component.settings import Settings

ROOT = Path(__file__).parents[3]
SOURCES = (".py", ".sql", ".json", ".yaml", ".toml", ".sh", ".js", ".css", "Makefile", "Dockerfile")


@dataclass(frozen=True)
class Page:
    """A page of the documentation."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """Without the blocks of code."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.MULTILINE)

    @property
    def spans(self) -> set[str]:
        """What stands between backticks in the prose."""
        return set(re.findall(r"`([^`\n]+)`", self.prose))

    @property
    def anchors(self) -> set[str]:
        """Headings as GitHub's links name them."""
        return {_anchor(heading) for heading in re.findall(r"^#+ (.+)$", self.text, flags=re.MULTILINE)}


def pages() -> list[Page]:
    """Every page; what pages are made of is none."""
    found = (path for path in _files(".md") if ROOT / "docs/generate" not in path.parents)
    return [Page(path, path.read_text(encoding="utf-8")) for path in found]


@cache
def corpus() -> str:
    """All that runs: the sources, without tests and without what makes the documentation."""
    apart = {ROOT / "tests", ROOT / "docs"}
    found = (path for path in _files(*SOURCES) if not apart & set(path.parents))
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


@cache
def room_sources(room: str) -> str:
    """The Python of one room."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / room).rglob("*.py")))


@cache
def words() -> frozenset[str]:
    """Every word of the sources."""
    settings = {f"EDGE_{name.upper()}" for name in Settings.model_fields}
    return frozenset(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", corpus())) | settings


@cache
def tables() -> dict[str, str]:
    """What the migrations make: tables and views, in lower case, with their definitions."""
    sql = "\n".join(path.read_text() for path in sorted((ROOT / "dicom_ingest/db/migrations").glob("*.sql")))
    made: dict[str, str] = {}
    verb = r"(?:CREATE (?:OR REPLACE )?|ALTER )(?:TABLE|VIEW) (?:\w+\.)?"
    for name, definition in re.findall(rf"{verb}(\w+)(.*?);\n", sql, flags=re.DOTALL):
        made[name.lower()] = made.get(name.lower(), "") + definition
    return made


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _files(*endings: str) -> Iterator[Path]:
    """What people keep here: nothing hidden, nothing that a build has left."""
    for top in sorted(ROOT.iterdir()):
        if not top.name.startswith(".") and top.name != "cdk.out":
            below = sorted(top.rglob("*")) if top.is_dir() else [top]
            yield from (path for path in below if path.name.endswith(endings) and path.is_file())
