"""Times as they cross walls: RFC 3339 in UTC with ``Z``."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer


def rfc3339(moment: datetime) -> str:
    """``2026-11-22T10:15:30.123456Z``; the fraction only where there is one."""
    text = moment.astimezone(timezone.utc).isoformat()
    return text.replace("+00:00", "Z")


def whole_second(moment: datetime) -> datetime:
    """Rounded up: a Wait state's timestamp must not come early."""
    return datetime.fromtimestamp(math.ceil(moment.timestamp()), tz=timezone.utc)


Timestamp = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
