"""The runbook, docs/operations.md, with an anchor for each heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from console.markup.html import tag

FILE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def runbook() -> list[Markup]:
    """Headings as headings, everything else as it is written."""
    return [*_parts(FILE.read_text(encoding="utf-8"))]


def _parts(text: str) -> Iterator[Markup]:
    numbered = _marked(text.splitlines())
    for _, lines in groupby(numbered, key=lambda each: each[0]):
        told = [line for _, line in lines]
        heading = re.fullmatch(r"(#{1,3}) (.+)", told[0])
        if heading:
            name = heading[2].replace("`", "")
            yield tag(f"h{len(heading[1])}", name, id=slug(name))
            told = told[1:]
        body = "\n".join(told).strip()
        if body:
            yield tag("pre", body, class_="runbook")


def _marked(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each line with the number of its section; a # in a block of code begins none."""
    section, code = 0, False
    for line in lines:
        code ^= line.startswith("```")
        if not code and re.match(r"#{1,3} ", line):
            section += 1
        yield section, line


def slug(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
