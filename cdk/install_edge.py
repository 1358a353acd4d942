"""`python -m cdk.install_edge NAME --region REGION`: print what makes a device the edge NAME of the stack.

The script goes to standard output, how to run it to standard error. Credentials are in neither: they are
borrowed for an hour and reach the device through its environment only.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cdk.device import install_script
from cdk.packaging.build import ROOT
from dicom_ingest.contracts.config import Config, ConfigError, load_config

HOW = """\
# 1. Borrow credentials that may register devices of this stack, for one hour:
account="$(aws sts get-caller-identity --query Account --output text)"
eval "$(aws sts assume-role --role-arn "arn:aws:iam::$account:role/{role}" \\
  --role-session-name {thing} --duration-seconds 3600 \\
  --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text |
  awk '{{print "export AWS_ACCESS_KEY_ID="$1" AWS_SECRET_ACCESS_KEY="$2" AWS_SESSION_TOKEN="$3}}')"
# 2. Run the script on the device; script and credentials travel through standard input, nothing is written:
{{ export -p | grep -E ' AWS_(ACCESS|SECRET|SESSION)'
   python -m cdk.install_edge {name} --region {region}; }} | ssh DEVICE sudo bash -s
# 3. Forget the credentials:
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
"""


class UnknownEdgeError(ValueError):
    """A name that is not in `edge_config`, or of an edge that installs itself."""


def script_for(config: Config, name: str, region: str) -> str:
    """The script for the device that becomes this edge.

    Raises:
        UnknownEdgeError: the message says which names are allowed.
    """
    local = [edge.name for edge in config.edge_config if edge.device_type == "LOCAL"]
    if name not in local:
        allowed = ", ".join(local) or "none"
        raise UnknownEdgeError(
            f"edge {name!r} is not a device to install; LOCAL edges of config.yaml: {allowed} "
            "(an EC2 edge is installed by the stack)"
        )
    return install_script(config.cdk_app_name, config.edge_name(name), region)


def main(arguments: list[str] | None = None) -> int:
    """Print the script and how to run it."""
    parser = argparse.ArgumentParser(prog="python -m cdk.install_edge", description=__doc__)
    parser.add_argument("name", help="as in edge_config")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    parser.add_argument("--region", default=region, required=region is None, help="the stack's region")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
        script = script_for(config, options.name, options.region)
    except (ConfigError, UnknownEdgeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    names = {"role": f"{config.cdk_app_name}-GGInstallerRole", "thing": config.edge_name(options.name)}
    sys.stderr.write(HOW.format(name=options.name, region=options.region, **names))
    sys.stdout.write(script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
