"""The workflow as the console draws it, without an execution in it."""

from __future__ import annotations

import re

from console.workflow.drawing import draw
from console.workflow.graph import read
from docs.generate.pictures.svg import document

STYLE = """<style>
.graph text { fill: var(--text); } .graph rect { fill: var(--card); stroke: var(--line); }
.graph .way { fill: none; stroke: var(--line); stroke-width: 1.5; }
.graph .way.error { stroke: var(--trouble); stroke-dasharray: 4 3; }
.graph #error path { fill: var(--trouble); }
.graph .succeed rect { fill: var(--end); } .graph .fail rect { stroke: var(--trouble); }
</style>"""


def workflow() -> str:
    """As SVG: states, their order, and where an error leads."""
    graph = read()
    drawn = str(draw(graph, None))
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    if size is None:
        raise LookupError("the drawing has no size")
    inside = re.sub(r"<title id=[^>]*>.*?</title>", "", drawn[drawn.index(">") + 1 : drawn.rindex("</svg>")])
    states = ", ".join(node.name for node in sorted(graph.nodes.values(), key=lambda node: node.rank))
    body = inside.replace("<path", "\n<path").replace("<g", "\n<g")
    return document(
        "The workflow of a series",
        f"States from top to bottom: {states}. Dashed ways are errors",
        (float(size[1]), float(size[2])),
        [STYLE, f'<g class="graph">{body}</g>'],
    )
