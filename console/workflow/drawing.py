"""The workflow graph as SVG: where an execution was, where it is, and how else it could have gone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from markupsafe import Markup

from console.markup.html import tag
from console.workflow.executions import Execution
from console.workflow.graph import Graph, Node, Way

WIDTH, HEIGHT = 156, 30
ACROSS, DOWN = 186, 50
LEFT, TOP = 44, 8
BUS = 9
"""Between two lines that run side by side."""


def draw(graph: Graph, execution: Execution | None) -> Markup:
    """The picture with its text alternative; the current state is lit, those passed are filled."""
    visited = [visit.state for visit in execution.visits] if execution else []
    went = set(pairwise(visited))
    failed = execution is not None and execution.status not in ("RUNNING", "SUCCEEDED")
    columns = 1 + max(node.column for node in graph.nodes.values())
    ranks = 1 + max(node.rank for node in graph.nodes.values())
    width, height = LEFT + columns * ACROSS, TOP * 2 + (ranks - 1) * DOWN + HEIGHT
    ways = sorted(enumerate(graph.ways), key=lambda numbered: _key(numbered[1]) in went)
    return tag(
        "svg",
        tag("title", _summary(execution), id="graph-title"),
        _arrowheads(),
        [_line(graph, way, number, _key(way) in went) for number, way in ways],
        [_state(node, execution, visited, failed=failed) for node in graph.nodes.values()],
        class_="graph",
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby="graph-title",
        data_now=(execution.now if execution else None) or "",
    )


def _summary(execution: Execution | None) -> str:
    if execution is None:
        return "The workflow; Step Functions knows no execution of this series transfer"
    passed = ", ".join(dict.fromkeys(visit.state for visit in execution.visits))
    where = f"now in {execution.now}" if execution.now else execution.status.lower()
    return f"The workflow: {where}; passed {passed}"


def _key(way: Way) -> tuple[str, str]:
    return way.source, way.target


def _state(node: Node, execution: Execution | None, visited: list[str], *, failed: bool) -> Markup:
    x, y = _corner(node)
    classes = ["state", node.type.lower()]
    if node.name in visited:
        classes.append("passed")
    if execution and execution.now == node.name:
        classes.append("now")
    if failed and visited and node.name in (visited[-1], "RecordFailure") and node.name in visited:
        classes.append("failed")
    return tag(
        "g",
        tag("title", f"{node.name} ({node.type}): {node.comment}"),
        tag("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=HEIGHT // 2 if node.type != "Task" else 6),
        tag("text", node.name, x=x + WIDTH / 2, y=y + HEIGHT / 2 + 4, text_anchor="middle"),
        class_=" ".join(classes),
    )


def _corner(node: Node) -> tuple[int, int]:
    return LEFT + node.column * ACROSS, TOP + node.rank * DOWN


def _line(graph: Graph, way: Way, number: int, went: bool) -> Markup:
    source, target = graph.nodes[way.source], graph.nodes[way.target]
    path = " ".join(_path(source, target, way, number, straight=_nothing_between(graph, source, target)))
    classes = " ".join(name for name, holds in {"error": way.error, "went": went}.items() if holds)
    head = "went" if went else "error" if way.error else "way"
    return tag("path", d=path, class_=f"way {classes}".strip(), marker_end=f"url(#{head})")


def _nothing_between(graph: Graph, source: Node, target: Node) -> bool:
    between = range(source.rank + 1, target.rank)
    taken = any(node.column == source.column and node.rank in between for node in graph.nodes.values())
    return target.rank > source.rank and not taken


def _path(source: Node, target: Node, way: Way, number: int, *, straight: bool) -> Iterator[str]:
    """Right angles only: down its own column, else along a line between the columns."""
    (x, y), (to_x, to_y) = _corner(source), _corner(target)
    middle, to_middle = y + HEIGHT / 2, to_y + HEIGHT / 2
    if source.column == target.column and straight:
        yield f"M{x + WIDTH / 2} {y + HEIGHT} V{to_y - 2}"
    elif source.column == target.column and not way.error:
        bus = LEFT - BUS * (1 + number % 4)
        yield f"M{x} {middle - 4} H{bus} V{to_middle + 4} H{to_x - 2}"
    elif target.column > source.column and way.error:
        bus = to_x - 2 * BUS
        yield f"M{x + WIDTH} {middle + 5} H{bus} V{to_middle} H{to_x - 2}"
    elif target.column > source.column:
        yield f"M{x + WIDTH} {middle - 5} H{to_x + WIDTH / 2} V{to_y - 2}"
    elif target.rank > source.rank:
        yield f"M{x + WIDTH / 2} {y + HEIGHT} V{to_middle} H{to_x + WIDTH + 2}"
    else:
        yield f"M{x + WIDTH / 4} {y} V{to_middle - 5} H{to_x + WIDTH + 2}"


def _arrowheads() -> Markup:
    return tag(
        "defs",
        [
            tag(
                "marker",
                tag("path", d="M0 0 L8 4 L0 8 z"),
                id=name,
                class_=f"head {name}",
                viewBox="0 0 8 8",
                refX=7,
                refY=4,
                markerWidth=6,
                markerHeight=6,
                orient="auto",
            )
            for name in ("way", "error", "went")
        ],
    )
