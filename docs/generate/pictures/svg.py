"""Boxes on a grid with arrows between them, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from xml.sax.saxutils import escape

Kind = Literal["plain", "store", "end"]
"""A step; something that keeps; where it begins or ends."""
Route = Literal["hv", "vh", "left", "right"]
"""Round a corner, first horizontal or first vertical; or along the left or the right side."""

WIDTH, LINE, PAD = 168, 15, 10
ACROSS, DOWN = 236, 100
MARGIN, ASIDE = 20, 22
LETTER = 6.3
"""About as wide as a letter of this size is."""
Point = tuple[float, float]

STYLE = """
svg { --ground: #ffffff; --card: #f4f7fa; --line: #8793a0; --text: #17202a; --quiet: #52606d;
  --accent: #1f6feb; --trouble: #b3431f; --end: #e6f4ea;
  font: 12px system-ui, "Liberation Sans", sans-serif; }
@media (prefers-color-scheme: dark) { svg { --ground: #10151b; --card: #1b2430; --line: #6f7f8f;
  --text: #e6ebf0; --quiet: #a9b7c4; --accent: #6cb0ff; --trouble: #ff9b73; --end: #16301f; } }
.ground { fill: var(--ground); } text { fill: var(--text); } .name { font-weight: 600; }
.quiet { fill: var(--quiet); font-size: 11px; }
.box rect { fill: var(--card); stroke: var(--line); stroke-width: 1.3; }
.store rect { stroke: var(--accent); } .end rect { fill: var(--end); }
.arrow path { fill: none; stroke: var(--line); stroke-width: 1.4; }
.arrow text { fill: var(--quiet); font-size: 11px; }
.trouble path { stroke: var(--trouble); stroke-dasharray: 5 3; } .trouble text { fill: var(--trouble); }
marker path { fill: var(--line); } #trouble path { fill: var(--trouble); stroke: none; }
"""


@dataclass(frozen=True)
class Box:
    """`words`: lines below the name. `at`: column and row; halves are allowed."""

    name: str
    words: tuple[str, ...]
    at: tuple[float, float]
    kind: Kind = "plain"

    @property
    def centre(self) -> tuple[float, float]:
        """Where its middle is."""
        return MARGIN + self.at[0] * ACROSS + WIDTH / 2, MARGIN + self.at[1] * DOWN + DOWN / 2

    @property
    def height(self) -> float:
        """As many lines as it has."""
        return 2 * PAD + LINE * (1 + len(self.words))


@dataclass(frozen=True)
class Arrow:
    """From box to box by name. `shift` moves it aside, so that two arrows do not lie on each other."""

    source: str
    target: str
    words: str = ""
    trouble: bool = False
    route: Route = "hv"
    shift: float = 0


def picture(title: str, description: str, boxes: Sequence[Box], arrows: Sequence[Arrow]) -> str:
    """The whole file; title and description are what a screen reader says."""
    by_name = {box.name: box for box in boxes}
    drawn = [(arrow, _points(arrow, by_name[arrow.source], by_name[arrow.target])) for arrow in arrows]
    labels = [_label(points, arrow.words) for arrow, points in drawn if arrow.words]
    right = max([box.centre[0] + WIDTH / 2 for box in boxes] + [label.right for label in labels])
    size = right + MARGIN, max(box.centre[1] + box.height / 2 for box in boxes) + MARGIN
    lines = [*(_arrow(arrow, points) for arrow, points in drawn), *(_box(box) for box in boxes)]
    return document(title, description, size, lines)


def document(title: str, description: str, size: tuple[float, float], lines: Sequence[str]) -> str:
    """An SVG file with its style, its arrow heads and its text alternative."""
    width, height = (f"{side:g}" for side in size)
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>'
        for name in ("head", "trouble")
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>{STYLE}</style>",
            f"<defs>{heads}</defs>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def _box(box: Box) -> str:
    x, y = box.centre
    top = y - box.height / 2
    round_ = 16 if box.kind == "end" else 5
    lines = [
        f'<g class="box {box.kind}">',
        f'<rect x="{x - WIDTH / 2:g}" y="{top:g}" width="{WIDTH}" height="{box.height:g}" rx="{round_}"/>',
        _text(x, top + PAD + 11, box.name, "name"),
    ]
    lines += [
        _text(x, top + PAD + 11 + LINE * line, words, "quiet")
        for line, words in enumerate(box.words, start=1)
    ]
    return "\n".join([*lines, "</g>"])


def _text(x: float, y: float, words: str, name: str) -> str:
    fit = ""
    if len(words) * (LETTER + (name == "name")) > WIDTH:
        fit = f' textLength="{WIDTH - 12}" lengthAdjust="spacingAndGlyphs"'
    return f'<text class="{name}" x="{x:g}" y="{y:g}" text-anchor="middle"{fit}>{escape(words)}</text>'


def _arrow(arrow: Arrow, points: list[Point]) -> str:
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    kind, head = ("arrow trouble", "trouble") if arrow.trouble else ("arrow", "head")
    label = _label(points, arrow.words).text if arrow.words else ""
    return f'<g class="{kind}"><path d="{path}" marker-end="url(#{head})"/>{label}</g>'


def _points(arrow: Arrow, source: Box, target: Box) -> list[Point]:
    (x, y), (to_x, to_y), shift = source.centre, target.centre, arrow.shift
    right, below = (1 if to_x > x else -1), (1 if to_y > y else -1)
    leave, arrive = below * source.height / 2, below * target.height / 2
    if arrow.route in ("left", "right"):
        side = WIDTH / 2 if arrow.route == "right" else -WIDTH / 2
        far = side + (ASIDE + abs(shift)) * (1 if side > 0 else -1)
        return [(x + side, y), (x + far, y), (x + far, to_y + shift), (to_x + side, to_y + shift)]
    if y == to_y:
        return [(x + right * WIDTH / 2, y + shift), (to_x - right * WIDTH / 2, y + shift)]
    if x == to_x:
        return [(x + shift, y + leave), (x + shift, to_y - arrive)]
    if arrow.route == "hv":
        return [(x + right * WIDTH / 2, y), (to_x + shift, y), (to_x + shift, to_y - arrive)]
    return [(x + shift, y + leave), (x + shift, to_y + shift), (to_x - right * WIDTH / 2, to_y + shift)]


@dataclass(frozen=True)
class _Label:
    text: str
    right: float


def _label(points: list[Point], words: str) -> _Label:
    """In the middle of the longest part: above what is horizontal, beside what is vertical."""
    (x, y), (to_x, to_y) = max(pairwise(points), key=lambda part: math.dist(*part))
    middle_x, middle_y, long = (x + to_x) / 2, (y + to_y) / 2, len(words) * LETTER
    if y == to_y:
        text = f'<text x="{middle_x:g}" y="{middle_y - 5:g}" text-anchor="middle">{escape(words)}</text>'
        return _Label(text, middle_x + long / 2)
    return _Label(
        f'<text x="{middle_x + 6:g}" y="{middle_y + 4:g}">{escape(words)}</text>', middle_x + 6 + long
    )
