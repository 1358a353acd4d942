"""Idempotency by clientToken: the same call again gets the first call's answer."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from ..service import errors
from .core import Answer, Core, Request


@dataclass(frozen=True)
class Token:
    """A client token in its scope (an operation, and a data store where there is one)."""

    scope: str
    value: str
    fingerprint: str

    @classmethod
    def of(cls, scope: str, request: Request) -> Token:
        """The token of a request, with a fingerprint of its other parameters."""
        others = {name: value for name, value in request.items() if name != "clientToken"}
        return cls(scope, request["clientToken"], json.dumps(others, sort_keys=True))


def earlier_answer(core: Core, db: sqlite3.Connection, token: Token) -> Answer | None:
    """The answer this token got before; what happens when other parameters came with it is a switch."""
    behaviour = core.settings.behaviour
    oldest = core.clock.now() - behaviour.client_token_retention_seconds
    db.execute("DELETE FROM client_token WHERE used_at < ?", (oldest,))
    row = db.execute(
        "SELECT fingerprint, answer FROM client_token WHERE scope = ? AND token = ?",
        (token.scope, token.value),
    ).fetchone()
    if row is None:
        return None
    mismatch = behaviour.mismatched_parameters
    if row["fingerprint"] != token.fingerprint and mismatch != "first_answer":
        message = "The clientToken was used before with different parameters"
        raise (errors.conflict if mismatch == "conflict" else errors.validation)(message)
    answer: Answer = json.loads(row["answer"])
    return answer


def remember(core: Core, db: sqlite3.Connection, token: Token, answer: Answer) -> None:
    """Keeps the answer for the same token to come."""
    db.execute(
        "INSERT INTO client_token VALUES (?, ?, ?, ?, ?)",
        (token.scope, token.value, token.fingerprint, json.dumps(answer), core.clock.now()),
    )
