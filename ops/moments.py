"""Days and moments as an operator types them."""

from __future__ import annotations

import argparse
import re
from datetime import date, datetime, timedelta, timezone

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def day(value: str) -> date:
    """A day.

    Raises:
        argparse.ArgumentTypeError: the text is none.
    """
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r}: a day such as 2026-11-22 is allowed") from error


def moment(value: str) -> datetime:
    """``2026-11-22T09:00:00Z``, or ``30m``, ``2h``, ``1d`` ago; UTC unless it says otherwise.

    Raises:
        argparse.ArgumentTypeError: neither.
    """
    if match := _AGO.fullmatch(value):
        return datetime.now(timezone.utc) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r}: RFC 3339, or 30m, 2h, 1d are allowed") from error
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
