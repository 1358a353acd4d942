"""What the edge says of its ways to AWS: since when one fails, the cloud's words, what waits for it."""

from __future__ import annotations

from typing import Any

from edge_component.journal.channels import ANNOUNCEMENT, UPLOAD, Channel
from edge_component.line.timetable import Limit
from edge_component.running.outage import Way
from edge_component.running.problem import Problem, text_of
from edge_component.settings import Settings

SEE = "nothing-gets-out"
WAITS = {UPLOAD: ("instance", "instances"), ANNOUNCEMENT: ("series", "series")}


def way_of(channel: Channel) -> Way:
    """Times and words, without what waits."""
    words = (
        f"{channel.code}: {channel.words}"
        if channel.words and channel.words != channel.code
        else channel.code
    )
    return Way(channel.last_success_at, channel.failing_since, words, channel.tries)


def problem_of(channel: Channel, now: float) -> Problem | None:
    """Why nothing gets through, and how much waits; None: it does, or has failed only for a moment."""
    one, many = WAITS[channel.name]
    waiting = f"{channel.waiting} {one if channel.waiting == 1 else many} waiting"
    if channel.oldest_at is not None:
        waiting += f", the oldest since {text_of(channel.oldest_at)}"
    return way_of(channel).problem(channel.name, SEE, waiting, now)


def held_back(channel: Channel, limit: Limit, settings: Settings, now: float) -> bool:
    """Whether a pause of the line, which holds or has just ended, is why nothing was tried of late.

    Then what failed before it says nothing.
    """
    lately = 2 * (settings.backoff_cap_seconds + settings.aws_timeout)
    paused = limit.mbit == 0 or (limit.since is not None and now - limit.since <= lately)
    untried = channel.failed_at is not None and now - channel.failed_at > lately
    return channel.name == UPLOAD and paused and untried


def fields_of(channel: Channel) -> dict[str, Any]:
    """For JSON."""
    oldest = None if channel.oldest_at is None else text_of(channel.oldest_at)
    return {**way_of(channel).fields(), "waiting": channel.waiting, "oldest_at": oldest}
