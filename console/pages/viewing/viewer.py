"""The viewer of one series: a picture and what chooses, windows, moves and plays it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from console.markup.html import tag
from console.markup.words import address
from dicom_ingest.operators.read.index import Row

Window = tuple[float, float]

PRESETS: dict[str, dict[str, Window]] = {
    "CT": {
        "Soft tissue": (40, 400),
        "Lung": (-600, 1500),
        "Bone": (400, 1800),
        "Brain": (40, 80),
        "Liver": (60, 160),
        "Mediastinum": (50, 350),
    }
}
"""Windows in Hounsfield units: only those of CT are known beforehand."""
KEYS = "Arrow keys choose the frame, plus and minus zoom, I inverts, space plays, 0 resets."

MOUSE = "Drag to change the window, turn the wheel to change the frame."
SIDES = ("left", "right", "top", "bottom")


@dataclass(frozen=True)
class Shown:
    """What there is to see of a series. `trouble`: why the pictures cannot be shown."""

    frames: int = 0
    window: Window | None = None
    whole: Window | None = None
    trouble: str | None = None
    geometry: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    rate: float = 10.0


def viewer(row: Row, shown: Shown, number: int) -> Markup:
    """The slices: sliders scroll and window, dragging does too; without a script the links do."""
    if not shown.frames:
        return tag("section", tag("h2", "Pictures"), tag("p", shown.trouble, class_="empty"), class_="card")
    base, last = f"{address(row)}/frames", shown.frames
    number = min(max(number, 1), last)
    return tag(
        "section",
        tag("h2", "Pictures"),
        _tools(row, shown),
        tag(
            "figure",
            tag(
                "div",
                tag("img", src=f"{base}/{number}.png", alt=f"Frame {number} of {last}", id="picture",
                    draggable="false"),
                [tag("span", class_=f"letter {side}", aria_hidden="true") for side in SIDES],
                tag("span", class_="scale", hidden=True),
                id="stage",
                role="group",
                tabindex=0,
                aria_label=f"Picture. {KEYS}",
            ),
            tag("figcaption", f"Frame {number} of {last}", id="frame-caption", aria_live="polite"),
        ),
        _range("frame", "Frame", 1, last, number),
        _windows(shown.window) if shown.window else None,
        tag("p", shown.trouble, class_="empty") if shown.trouble else None,
        tag(
            "p",
            tag("a", "Previous", href=f"?frame={max(1, number - 1)}"),
            " ",
            tag("a", "Next", href=f"?frame={min(last, number + 1)}"),
            class_="without-script",
        ),
        tag("p", f"{MOUSE} {KEYS}", class_="quiet with-script"),
        class_="card viewer",
        id="viewer",
        data_base=base,
        data_last=last,
        data_rate=f"{shown.rate:g}",
        data_geometry=json.dumps(shown.geometry, separators=(",", ":")),
    )  # fmt: skip


def _tools(row: Row, shown: Shown) -> Markup:
    """Only a script can use them."""
    chosen = {"As stored": shown.window, "Full range": shown.whole, **PRESETS.get(row["modality"] or "", {})}
    presets = [
        tag("option", name, value=f"{window[0]:g},{window[1]:g}")
        for name, window in chosen.items()
        if window is not None
    ]
    return tag(
        "div",
        _select("preset", "Window", presets) if shown.window else None,
        _select(
            "drag", "Drag", [
                tag("option", "window", value="window") if shown.window else None,
                tag("option", "move", value="move"),
            ],
        ),
        tag("button", "Play", type="button", id="play", aria_pressed="false") if shown.frames > 1 else None,
        tag("button", "Invert", type="button", id="invert", aria_pressed="false"),
        tag("button", "+", type="button", id="zoom-in", aria_label="Zoom in"),
        tag("button", "−", type="button", id="zoom-out", aria_label="Zoom out"),
        tag("button", "Reset", type="button", id="reset"),
        class_="tools with-script",
        role="toolbar",
        aria_label="Viewer",
    )  # fmt: skip


def _select(name: str, label: str, options: Sequence[Markup | None]) -> Markup:
    return tag("span", tag("label", label, for_=name), " ", tag("select", options, id=name))


def _windows(window: Window) -> list[Markup]:
    center, width = window
    reach = max(1000.0, width * 2, abs(center))
    return [
        _range("center", "Window center", round(center - reach), round(center + reach), round(center)),
        _range("width", "Window width", 1, round(reach * 2), round(width)),
    ]


def _range(name: str, label: str, low: int, high: int, value: int) -> Markup:
    shown = tag("input", type="range", id=name, min=low, max=high, value=value, step=1)
    said = tag("output", value, for_=name, id=f"{name}-value")
    return tag("div", tag("label", label, for_=name), shown, said, class_="slider")
