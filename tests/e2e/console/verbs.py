"""A verb of `ops` against the run, as tests type it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Ops = Callable[..., tuple[int, str, str]]
"""Exit code, output and errors of a verb."""


def answer(ops: Ops, *arguments: str) -> Any:
    """The JSON of a verb that has nothing to complain of."""
    code, out, err = ops(*arguments, "--json")
    assert err == "", err
    assert code in (0, 1)
    return json.loads(out)
