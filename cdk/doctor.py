"""`python -m cdk.doctor device|account`: print the checks that say whether a device or an account is ready.

They are shell scripts that change nothing; the last line is the verdict, and the exit code says it, too:
`python -m cdk.doctor device --region R | ssh DEVICE sudo bash -s`
`python -m cdk.doctor account --region R | bash`
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from cdk.device import script
from cdk.packaging.build import ROOT
from dicom_ingest.contracts.config import Config, ConfigError, load_config


def doctor_script(subject: str, config: Config, region: str) -> str:
    """The checks of `device` or `account`."""
    values = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if subject == "account":
        values["IMPORTS"] = str(config.ahli_config.ahli_concurrent_imports)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join(["#!/bin/bash", *exports, script("checks"), script(f"doctor_{subject}")])


def main(arguments: list[str] | None = None) -> int:
    """Print the script."""
    parser = argparse.ArgumentParser(prog="python -m cdk.doctor", description=__doc__)
    parser.add_argument("subject", choices=["device", "account"])
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    parser.add_argument("--region", default=region, required=region is None, help="the stack's region")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(doctor_script(options.subject, config, options.region))
    return 0


if __name__ == "__main__":
    sys.exit(main())
