"""The viewer of one series: a picture and the sliders that choose it."""

from __future__ import annotations

from markupsafe import Markup

from console.markup.html import tag
from console.markup.words import address
from console.pictures.frames import Frame
from dicom_ingest.operators.read.index import Row


def viewer(row: Row, frames: list[Frame], window: tuple[float, float] | str | None, shown: int) -> Markup:
    """The slices: a slider scrolls, two more set the window; without a script the links do.

    `window` is a text where the pictures cannot be shown: the reason.
    """
    if not frames:
        return tag(
            "section", tag("h2", "Pictures"), tag("p", "There are none (yet).", class_="empty"), class_="card"
        )
    base, last = f"{address(row)}/frames", len(frames)
    number = min(max(shown, 1), last)
    return tag(
        "section",
        tag("h2", "Pictures"),
        tag(
            "figure",
            tag("img", src=f"{base}/{number}.png", alt=f"Frame {number} of {last}", id="picture"),
            tag("figcaption", f"Frame {number} of {last}", id="frame-caption", aria_live="polite"),
        ),
        _range("frame", "Frame", 1, last, number),
        _windows(window) if isinstance(window, tuple) else window and tag("p", window, class_="empty"),
        tag(
            "p",
            tag("a", "Previous", href=f"?frame={max(1, number - 1)}"),
            " ",
            tag("a", "Next", href=f"?frame={min(last, number + 1)}"),
            class_="without-script",
        ),
        class_="card viewer",
        id="viewer",
        data_base=base,
        data_last=last,
    )


def _windows(window: tuple[float, float]) -> list[Markup]:
    center, width = window
    reach = max(1000.0, width * 2)
    return [
        _range("center", "Window center", round(center - reach), round(center + reach), round(center)),
        _range("width", "Window width", 1, round(reach * 2), round(width)),
    ]


def _range(name: str, label: str, low: int, high: int, value: int) -> Markup:
    field = tag("input", type="range", id=name, min=low, max=high, value=value, step=1)
    shown = tag("output", value, for_=name, id=f"{name}-value")
    return tag("div", tag("label", label, for_=name), field, shown, class_="slider")
