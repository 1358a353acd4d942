"""The page that asks once before something is changed."""

from __future__ import annotations

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import definitions
from console.run.questions import Question


def confirm(asked: Question) -> list[Markup]:
    """What would change, what follows, the reason, and the way back."""
    optional = "Reason" if asked.needs_reason else "Reason (optional)"
    with_reason = asked.fields["change"] != "capacity"
    return [
        tag("h1", asked.title),
        tag("section", definitions(asked.facts), tag("p", asked.consequence), class_="card"),
        tag(
            "form",
            [tag("input", type="hidden", name=name, value=value) for name, value in asked.fields.items()],
            tag("input", type="hidden", name="token", value=asked.token),
            tag("input", type="hidden", name="back", value=asked.back),
            tag("label", optional, for_="reason") if with_reason else None,
            tag("input", name="reason", id="reason", maxlength=500, size=40, required=asked.needs_reason)
            if with_reason
            else None,
            tag("button", asked.button, type="submit", class_="strong"),
            tag("a", "Back, change nothing", href=asked.back),
            method="post",
            action="/confirm",
            class_="inline card",
        ),
    ]
