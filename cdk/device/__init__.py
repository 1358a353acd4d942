"""What makes a device an edge: printed by `cdk.install_edge`, run by Systems Manager on EC2."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

NUCLEUS_VERSION = "2.15.0"
"""Of the Greengrass nucleus; the deployment names the same, so that no update comes by surprise."""
NUCLEUS_SHA256 = "650b4bbee368d5bdb8c5a89ef6b76c08c508050ead594360681d760a299f33ef"
"""Of its zip, as AWS's layer for Yocto pins it (aws4embeddedlinux/meta-aws, greengrass-bin_2.15.0.bb)."""

_PROXY = re.compile(r"https?://([\w.~%!$&'()*+,;=-]+(:[\w.~%!$&'()*+,;=-]*)?@)?[\w.-]+:\d{1,5}/?")
_HERE = Path(__file__).parent


class ProxyError(ValueError):
    """A proxy that Greengrass and apt would not understand."""


def settings(stack: str, thing: str, region: str) -> dict[str, str]:
    """What install.sh expects in its environment, beside credentials."""
    return {
        "THING": thing,
        "GROUP": f"{stack}-IEP-devices",
        "POLICY": f"{thing}-GG-Policy",
        "ROLE_ALIAS": f"{thing}-GG-Role-Alias",
        "AWS_REGION": region,
        "NUCLEUS": NUCLEUS_VERSION,
        "NUCLEUS_SHA256": NUCLEUS_SHA256,
    }


def install_script(
    stack: str, thing: str, region: str, *, own_volume: bool = False, proxy: str | None = None
) -> str:
    """The whole script for one device; no secret of AWS is in it. `own_volume`: the spool has its disk."""
    values = settings(stack, thing, region) | ({"PROXY": checked_proxy(proxy)} if proxy else {})
    parts = ["spool_volume", "common", "install"] if own_volume else ["common", "install"]
    return "\n".join(["#!/bin/bash", exports(values), *map(script, parts)])


def exports(values: Mapping[str, str]) -> str:
    """These variables, set in a shell script."""
    return "\n".join(f"export {name}={_quoted(value)}" for name, value in values.items())


def checked_proxy(url: str) -> str:
    """The address of a proxy, as curl, apt and Greengrass take it.

    Raises:
        ProxyError: the message says what is allowed.
    """
    if not _PROXY.fullmatch(url):
        raise ProxyError(f"--proxy must be http://[user:password@]host:port, not {url!r}")
    return url


def script(name: str) -> str:
    """A shell script of this folder."""
    return (_HERE / f"{name}.sh").read_text(encoding="utf-8")


def _quoted(value: str) -> str:
    """For the shell; a region that CloudFormation fills in stays as it is."""
    return value if "${Token" in value else shlex.quote(value)
