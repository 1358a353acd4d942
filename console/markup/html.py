"""HTML as function calls: everything that is not markup already is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup, escape

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


def tag(element: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element. `class_` is `class`, `aria_live` is `aria-live`; what is None or False is left out."""
    written = Markup("").join(_attribute(key, value) for key, value in attributes.items())
    if element in VOID:
        return Markup("<{}{}>").format(element, written)
    return Markup("<{0}{1}>{2}</{0}>").format(element, written, join(children))


def join(children: Iterable[Any]) -> Markup:
    """Children in a row; nested lists are flattened, None is nothing."""
    return Markup("").join(
        join(child) if isinstance(child, list | tuple) else escape(child)
        for child in children
        if child is not None
    )


def _attribute(key: str, value: Any) -> Markup:
    if value is None or value is False:
        return Markup("")
    name = key.rstrip("_").replace("_", "-")
    return Markup(" {}").format(name) if value is True else Markup(' {}="{}"').format(name, value)
