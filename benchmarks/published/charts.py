"""Bars and curves as SVG text, in the style of the other pictures; readable in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from docs.generate.pictures.svg import document

COLOURS = ("--accent", "--trouble", "--line", "--quiet", "--text", "--end")
WIDTH, LEFT, RIGHT, TOP, MARGIN = 760, 230, 90, 64, 20
BAR, GAP, GROUP_GAP = 13, 3, 12
HEIGHT = 260
"""Of a curve's field."""


@dataclass(frozen=True)
class Group:
    """One thing and its values, one for each name of the legend; None where it was not measured."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Mark:
    """A line that the values are compared with."""

    value: float
    words: str


def bars(
    title: str, description: str, legend: Sequence[str], groups: Sequence[Group], mark: Mark | None = None
) -> str:
    """Horizontal bars, group by group; a mark is a line through all of them."""
    most = max([value or 0 for group in groups for value in group.values] + [mark.value if mark else 0])
    scale = (WIDTH - LEFT - RIGHT) / (most or 1)
    lines, y = _head(title, legend), float(TOP)
    for group in groups:
        tall = len(group.values) * (BAR + GAP)
        lines.append(_text(LEFT - 8, y + tall / 2 + 4, group.name, "end"))
        for number, value in enumerate(group.values):
            lines += _bar(y + number * (BAR + GAP), value, scale, _colour(number, legend))
        y += tall + GROUP_GAP
    if mark is not None:
        x = LEFT + mark.value * scale
        lines.append(f'<path d="M{x:g} {TOP - 6} V{y:g}" style="stroke:var(--text);stroke-dasharray:4 3"/>')
        lines.append(_text(x, y + 10, mark.words, "middle"))
    return document(title, description, (WIDTH, y + MARGIN + 4), lines)


def curves(title: str, description: str, legend: Sequence[str], points: Sequence[Group], unit: str) -> str:
    """A line for each name of the legend over the groups' names, which are numbers."""
    at = [float(group.name.replace(",", "")) for group in points]
    most = max(value or 0 for group in points for value in group.values)
    across, up = (WIDTH - 2 * 60) / max(at), HEIGHT / most
    floor = TOP + HEIGHT
    lines = _head(title, legend)
    lines.append(f'<path d="M60 {floor} H{WIDTH - 60}" style="stroke:var(--line)"/>')
    for x, group in zip(at, points, strict=True):
        lines.append(_text(60 + x * across, floor + 18, f"{group.name}", "middle"))
    lines.append(_text(WIDTH / 2, floor + 36, unit, "middle"))
    for number in range(len(legend)):
        line = [
            (60 + x * across, floor - (group.values[number] or 0) * up, group.values[number] or 0)
            for x, group in zip(at, points, strict=True)
        ]
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y, _ in line)
        lines.append(
            f'<path d="{path}" style="fill:none;stroke:var({_colour(number, legend)});stroke-width:2"/>'
        )
        lines += [_text(x, y - 7, f"{value:.2g}", "middle") for x, y, value in line if y < floor - 30]
    return document(title, description, (WIDTH, floor + 52), lines)


def _head(title: str, legend: Sequence[str]) -> list[str]:
    lines, x = [f'<text class="name" x="{MARGIN}" y="24">{escape(title)}</text>'], float(MARGIN)
    for number, name in enumerate(legend if len(legend) > 1 else ()):
        lines.append(
            f'<rect x="{x:g}" y="36" width="10" height="10" style="fill:var({_colour(number, legend)})"/>'
        )
        lines.append(_text(x + 15, 45, name, "start"))
        x += 36 + 6.2 * len(name)
    return lines


def _bar(y: float, value: float | None, scale: float, colour: str) -> list[str]:
    if value is None:
        return [_text(LEFT + 4, y + BAR - 2, "not measured", "start")]
    wide = value * scale
    return [
        f'<rect x="{LEFT}" y="{y:g}" width="{wide:.1f}" height="{BAR}" style="fill:var({colour})"/>',
        _text(LEFT + wide + 5, y + BAR - 2, f"{value:,.3g}", "start"),
    ]


def _colour(number: int, legend: Sequence[str]) -> str:
    return COLOURS[number % min(len(COLOURS), max(len(legend), 1))]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text class="quiet" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
