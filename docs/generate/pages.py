"""Everything that is made from the code, by its path in the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generate import decisions, schema
from docs.generate.conformance import facts
from docs.generate.pictures import flow, lives, rooms, workflow
from statemachines import describe

ROOT = Path(__file__).parents[2]
Page = Callable[[], str]


def pages() -> dict[str, Page]:
    """What renders each of them."""
    return {
        "docs/conformance-statement.md": facts.render,
        "docs/decisions/README.md": decisions.index,
        "docs/pictures/flow.svg": flow.flow,
        "docs/pictures/instance-life.svg": lives.instance_life,
        "docs/pictures/rooms.svg": rooms.rooms,
        "docs/pictures/ticket-life.svg": lives.ticket_life,
        "docs/pictures/workflow.svg": workflow.workflow,
        "docs/schema.sql": schema.render,
        "statemachines/README.md": describe.render,
    }
