"""An edge without Greengrass: one file that carries code, wheels and unit, and installs them as a service."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cdk.device import checked_proxy, exports, script

HELPER = "/usr/local/bin/aws_signing_helper"
"""AWS's program for IAM Roles Anywhere, which a person puts there."""


@dataclass(frozen=True)
class RolesAnywhere:
    """Three ARNs. Certificate and key of the device are files beside its settings."""

    trust_anchor: str
    profile: str
    role: str

    @property
    def command(self) -> str:
        """https://docs.aws.amazon.com/rolesanywhere/latest/userguide/credential-helper.html"""
        return (
            f"{HELPER} credential-process"
            " --certificate /etc/dicom-edge/certificate.pem --private-key /etc/dicom-edge/private-key.pem"
            f" --trust-anchor-arn {self.trust_anchor} --profile-arn {self.profile} --role-arn {self.role}"
        )


def service_script(
    settings: Mapping[str, Any],
    region: str,
    artifact: Path,
    *,
    credential_process: str | None = None,
    proxy: str | None = None,
) -> bytes:
    """The file for one device. `settings`: of `edge_component.settings`; `artifact`: a folder with wheels.

    Raises:
        ProxyError: the message says what is allowed.
    """
    payload = _packed(artifact)
    unit = (Path(__file__).parent / "edge.service").read_text(encoding="utf-8")
    values = {
        "RELEASE": hashlib.sha256(payload).hexdigest()[:12],
        "STACK_YAML": yaml.safe_dump(dict(settings), sort_keys=False).strip(),
        "AWS_REGION": region,
        "UNIT": unit.strip(),
    }
    if credential_process:
        values["AWS_CONF"] = f"[default]\ncredential_process = {credential_process}"
    if proxy:
        values["PROXY"] = checked_proxy(proxy)
    text = "\n".join(["#!/bin/bash", exports(values), script("common"), script("service")])
    return text.encode() + payload


def _packed(artifact: Path) -> bytes:
    """Equal content, equal bytes: an upgrade to the same release changes nothing."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(artifact.rglob("*")):
            entry = tarfile.TarInfo(path.relative_to(artifact).as_posix())
            entry.mode = 0o755 if path.is_dir() else 0o644
            if path.is_dir():
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                content = path.read_bytes()
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
