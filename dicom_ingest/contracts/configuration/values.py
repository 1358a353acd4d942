"""Kinds of values in ``config.yaml``. A mistake is told in words."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field


def _acu(value: Any) -> Any:
    """``ACU_8``, ``8`` and ``0.5`` all mean Aurora capacity units."""
    if isinstance(value, str):
        return value.upper().removeprefix("ACU_")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError("must be a network address such as 10.31.0.0/16") from error


def matches(pattern: str, words: str) -> AfterValidator:
    """Text of this pattern; a mistake is told in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


Network = Annotated[str, AfterValidator(_network)]
Acu = Annotated[float, BeforeValidator(_acu), Field(ge=0, le=256, multiple_of=0.5)]

LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
"""What CloudWatch Logs accepts."""
Email = Annotated[str, matches(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")]
AeTitle = Annotated[
    str,
    Field(min_length=1, max_length=16),
    AfterValidator(str.strip),
    matches(r"[\x20-\x5b\x5d-\x7e]+", "ASCII characters without a backslash, and not blank"),
]
"""PS3.5 6.2, AE: leading and trailing blanks do not count."""
TagKey = Annotated[
    str,
    matches(
        r"(?!(?i:aws:))[\w\s.:/=+@-]{1,128}", "1 to 128 letters, digits, blanks or _.:/=+@-, not 'aws:…'"
    ),
]
TagValue = Annotated[str, matches(r"[\w\s.:/=+@-]{0,256}", "0 to 256 letters, digits, blanks or _.:/=+@-")]
"""https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
AvailabilityZone = Annotated[
    str, matches(r"[a-z]{2}(-[a-z]+)+-[0-9][a-z]", "a zone's name such as us-east-1a")
]


def once(key: str, values: list[str]) -> None:
    """Refuse a value that is given twice.

    Raises:
        ValueError: naming the key and the values.
    """
    if twice := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"{key} must be given once, not twice: {', '.join(twice)}")
