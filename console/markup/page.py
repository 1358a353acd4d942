"""What every page has: head, name of the run, ways to the other pages, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from console.markup.html import join, tag
from console.markup.words import text

PAGES = {
    "/": "Series",
    "/slots": "Slots",
    "/edges": "Edges",
    "/modalities": "Modalities",
    "/ledger": "Ledger",
}
DOCTYPE = Markup("<!doctype html>\n")


def page(title: str, run: str, here: str, note: str, *content: Any) -> Markup:
    """A whole page. `note`: what its foot says."""
    return DOCTYPE + tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"{title} – {run}"),
            tag("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
            tag("link", rel="stylesheet", href="/static/console.css"),
            [tag("script", src=f"/static/{name}.js", defer=True) for name in ("console", "viewer")],
        ),
        tag(
            "body",
            tag("a", "Skip to the content", href="#content", class_="skip"),
            tag("header", tag("a", run, href="/", class_="run"), _ways(here), class_="top"),
            tag("p", id="away", role="status", class_="trouble"),
            tag("main", *content, id="content"),
            tag("footer", note),
        ),
        lang="en",
    )


def _ways(here: str) -> Markup:
    links = [
        tag("a", name, href=path, aria_current="page" if path == here else None)
        for path, name in PAGES.items()
    ]
    return tag("nav", links, aria_label="Pages")


def table(caption: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any], empty: str) -> Markup:
    """A table. `columns`: by heading, the name of a row's value or a function of the row.

    An empty column is left out.
    """
    if not rows:
        return tag("section", tag("h2", caption), tag("p", empty, class_="empty card"))
    cells = {heading: [_cell(row, column) for row in rows] for heading, column in columns.items()}
    told = {heading: values for heading, values in cells.items() if any(v not in (None, "") for v in values)}
    heads = [tag("th", heading, scope="col") for heading in told]
    body = [tag("tr", [tag("td", value) for value in line]) for line in zip(*told.values(), strict=True)]
    return wide(caption, tag("thead", tag("tr", heads)), tag("tbody", body))


def wide(caption: str, *parts: Any, class_: str | None = None) -> Markup:
    """A table that scrolls by itself where the window is narrow, by keyboard, too."""
    return tag(
        "div",
        tag("table", tag("caption", caption), *parts, class_=class_),
        class_="wide",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def _cell(row: Mapping[str, Any], column: Any) -> Any:
    return column(row) if callable(column) else text(row.get(column))


def definitions(values: Mapping[str, Any]) -> Markup:
    """Names and values; what has no value is left out."""
    return tag(
        "dl",
        join(
            (tag("dt", name), tag("dd", text(value) if not isinstance(value, Markup) else value))
            for name, value in values.items()
            if value not in (None, "")
        ),
        class_="facts",
    )
