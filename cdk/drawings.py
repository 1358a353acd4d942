"""`python -m cdk.drawings`: draw the dashboard and the stack from the template, as pictures for the docs."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from docs.generate.pictures.svg import LETTER, LINE, MARGIN, PAD, document

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
Template = dict[str, Any]

UNIT, HIGH = 44, 27
"""Of the dashboard's grid: 24 columns."""
COLUMN, GAP = 250, 14
PATH = re.compile(r"[^/]+/(?P<room>[^/]+)/(?P<construct>[^/]+)")
ROOMS = {
    "data": "what is stored",
    "pipeline": "what happens to a series",
    "edge": "the devices",
    "observability": "what a person sees",
}


def dashboard(template: Template) -> str:
    """Its widgets where they stand, each with its metrics."""
    (body,) = _of_type(template, "AWS::CloudWatch::Dashboard")
    widgets = json.loads(_text(body["Properties"]["DashboardBody"]))["widgets"]
    cards = [
        _card(
            (MARGIN + widget["x"] * UNIT, MARGIN + widget["y"] * HIGH),
            (widget["width"] * UNIT - GAP, widget["height"] * HIGH - GAP),
            widget["properties"]["title"],
            _shown(widget["properties"]),
        )
        for widget in widgets
    ]
    size = (
        2 * MARGIN - GAP + UNIT * max(w["x"] + w["width"] for w in widgets),
        2 * MARGIN - GAP + HIGH * max(w["y"] + w["height"] for w in widgets),
    )
    titles = ", ".join(widget["properties"]["title"] for widget in widgets)
    return document("The dashboard on AWS", f"Graphs: {titles}", size, cards)


def stack(template: Template) -> str:
    """Rooms as columns, a card for each construct with the resources that it makes."""
    made = _constructs(template)
    cards, lowest = [], 0.0
    for column, (room, words) in enumerate(ROOMS.items()):
        x, y = MARGIN + column * (COLUMN + GAP), float(MARGIN)
        cards.append(_card((x, y), (COLUMN, _height(1)), room, [words], kind="end"))
        y += _height(1) + GAP
        for construct, kinds in sorted(made[room].items()):
            lines = [f"{kind} ×{number}" if number > 1 else kind for kind, number in sorted(kinds.items())]
            cards.append(_card((x, y), (COLUMN, _height(len(lines))), construct, lines, kind="store"))
            y += _height(len(lines)) + GAP
        lowest = max(lowest, y)
    size = (2 * MARGIN + len(ROOMS) * (COLUMN + GAP) - GAP, lowest - GAP + MARGIN)
    said = "; ".join(f"{room}: {', '.join(sorted(made[room]))}" for room in ROOMS)
    return document("The stack: rooms, constructs, resources", said, size, cards)


def _constructs(template: Template) -> dict[str, dict[str, Counter[str]]]:
    """Resources by room and construct; what the CDK adds on its own beside the rooms is left out."""
    made: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for resource in template["Resources"].values():
        path = PATH.match(resource.get("Metadata", {}).get("aws:cdk:path", ""))
        if path and path["room"] in ROOMS:
            kind = re.sub(r"^(?:AWS|Custom)::", "", resource["Type"]).replace("::", " ")
            made[path["room"]][path["construct"]][kind] += 1
    return made


def _shown(properties: dict[str, Any]) -> list[str]:
    lines = [_metric(metric) for metric in properties.get("metrics", ())]
    marks = properties.get("annotations", {}).get("horizontal", ())
    return [line for line in lines if line] + [f"— {mark['label']}: {mark['value']}" for mark in marks]


def _metric(metric: list[Any]) -> str:
    """Of `[namespace, name, dimension, value, ..., options]`, or an expression; hidden parts are none."""
    options = metric[-1] if isinstance(metric[-1], dict) else {}
    if not options.get("visible", True):
        return ""
    if "expression" in options:
        return f"{options['label']} = {options['expression']}"
    label = options.get("label") or metric[1]
    return metric[1] if label == metric[1] else f"{metric[1]} · {label}"


def _card(
    at: tuple[float, float], size: tuple[float, float], name: str, lines: Sequence[str], kind: str = "plain"
) -> str:
    (x, y), (width, height) = at, size
    texts = [f'<text class="name" x="{x + PAD:g}" y="{y + PAD + 11:g}">{escape(name)}</text>']
    for number, line in enumerate(lines, start=1):
        fit = ""
        if len(line) * LETTER > width - 2 * PAD:
            fit = f' textLength="{width - 2 * PAD:g}" lengthAdjust="spacingAndGlyphs"'
        below = y + PAD + 11 + number * LINE
        texts.append(f'<text class="quiet" x="{x + PAD:g}" y="{below:g}"{fit}>{escape(line)}</text>')
    box = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>'
    return "\n".join([f'<g class="box {kind}">', box, *texts, "</g>"])


def _height(lines: int) -> float:
    return 2 * PAD + LINE * (1 + lines)


def _of_type(template: Template, kind: str) -> list[Any]:
    return [resource for resource in template["Resources"].values() if resource["Type"] == kind]


def _text(value: Any) -> str:
    """A value as text; what only AWS knows is left blank."""
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_text(part) for part in parts)
    return value if isinstance(value, str) else ""


DRAWN: dict[str, Callable[[Template], str]] = {"dashboard.svg": dashboard, "stack.svg": stack}


def main() -> int:
    """Synthesise the untouched configuration, draw it, and say which pictures have changed."""
    from cdk.app import build  # starts Node; who only draws needs none
    from cdk.packaging.build import Builder
    from dicom_ingest.contracts.configuration.config import parse_config

    with tempfile.TemporaryDirectory() as folder:
        build(parse_config({}), Builder(dependencies=False), Path(folder)).synth()
        (path,) = Path(folder).glob("*.template.json")
        template = json.loads(path.read_text(encoding="utf-8"))
    for name, draw in DRAWN.items():
        target, text = PICTURES / name, draw(template)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            sys.stdout.write(f"docs/pictures/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
