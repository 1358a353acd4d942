"""What can be done with a waiting ticket: raise or move it at once; a cancellation asks first."""

from __future__ import annotations

from markupsafe import Markup

from console.markup.html import tag


def ticket_form(ticket: int, *, stranded: bool, back: str = "") -> Markup:
    """Raise it, or move it if its data store was replaced; or go to the page that asks."""
    value, words = ("move", "Move") if stranded else ("raise", "Raise")
    return tag(
        "div",
        tag(
            "form",
            tag("input", type="hidden", name="ticket", value=ticket),
            tag("input", type="hidden", name="back", value=back),
            tag("button", words, type="submit", name="change", value=value,
                aria_label=f"{words} ticket {ticket}"),
            method="post",
            action="/slots",
        ),
        tag("a", "Cancel…", href=f"/confirm?change=cancel&ticket={ticket}&back={back}",
            aria_label=f"Cancel ticket {ticket}"),
        class_="inline",
    )  # fmt: skip
