"""What makes a device an edge: printed by `cdk.install_edge`, run by Systems Manager on EC2."""

from __future__ import annotations

import shlex
from pathlib import Path

NUCLEUS_VERSION = "2.15.0"
"""Of the Greengrass nucleus; the deployment names the same, so that no update comes by surprise."""

_HERE = Path(__file__).parent


def settings(stack: str, thing: str, region: str) -> dict[str, str]:
    """What install.sh expects in its environment, beside credentials."""
    return {
        "THING": thing,
        "GROUP": f"{stack}-IEP-devices",
        "POLICY": f"{thing}-GG-Policy",
        "ROLE_ALIAS": f"{thing}-GG-Role-Alias",
        "AWS_REGION": region,
        "NUCLEUS": NUCLEUS_VERSION,
    }


def install_script(stack: str, thing: str, region: str, *, own_volume: bool = False) -> str:
    """The whole script for one device; it holds no secret. `own_volume`: the spool has its own disk."""
    lines = [f"export {name}={_quoted(value)}" for name, value in settings(stack, thing, region).items()]
    bodies = [script(part) for part in (["spool_volume", "install"] if own_volume else ["install"])]
    return "\n".join(["#!/bin/bash", *lines, *bodies])


def script(name: str) -> str:
    """A shell script of this folder."""
    return (_HERE / f"{name}.sh").read_text(encoding="utf-8")


def _quoted(value: str) -> str:
    """For the shell; a region that CloudFormation fills in stays as it is."""
    return value if "${Token" in value else shlex.quote(value)
