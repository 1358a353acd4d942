"""What the local Lambda service knows of a function, and how its answers look."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

REGION = "us-east-1"
ACCOUNT = "123456789012"
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Request and response, synchronous (Lambda quotas)."""

_NAME = re.compile(
    r"(?:arn:aws:lambda:[a-z0-9-]+:)?(?:\d{12}:)?(?:function:)?(?P<name>[A-Za-z0-9_-]{1,64})(?::[A-Za-z0-9$_-]+)?"
)


class LambdaFunction(BaseModel):
    """One function as deployed: its handler, what its environment tells it, and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    handler: str = Field(pattern=r"^[A-Za-z0-9_.]+\.[A-Za-z0-9_]+$")
    environment: dict[str, str] = {}
    timeout_seconds: float = Field(default=60, gt=0, le=900)
    memory_mb: int = Field(default=512, ge=128, le=10240)
    concurrency: int = Field(default=4, ge=1)
    """How many environments may exist at a time; further invocations wait their turn."""

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return function_arn(self.name)


FUNCTION_TABLE = TypeAdapter(list[LambdaFunction])


def function_arn(name: str) -> str:
    """The ARN that a function of this name has here."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def function_name(name_or_arn: str) -> str | None:
    """The name in a name, a partial or a whole ARN, with or without a qualifier; None: it is neither."""
    match = _NAME.fullmatch(name_or_arn)
    return match["name"] if match else None
