"""`python -m cdk.install_edge NAME --region REGION`: print what makes a device the edge NAME of the stack.

The script goes to standard output, how to run it to standard error. Credentials are in neither: they are
borrowed for an hour, and the script asks for them or finds them in its environment.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from cdk.device import ProxyError, install_script
from cdk.interpreter import python
from cdk.packaging.build import ROOT
from dicom_ingest.contracts.config import Config, ConfigError, load_config

HOW = """\
# 1. Write the script for the device. It holds no credentials:
{command} >{thing}.sh
# 2. Borrow credentials that may register devices of this stack, for one hour:
account="$(aws sts get-caller-identity --query Account --output text)"
aws sts assume-role --role-arn "arn:aws:iam::$account:role/{role}" \\
  --role-session-name {thing} --duration-seconds 3600 \\
  --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text
# 3. Run it on the device. sudo may ask for your password; the script asks for the line that step 2 printed:
scp {thing}.sh DEVICE:
ssh -t DEVICE sudo bash {thing}.sh
"""


class UnknownEdgeError(ValueError):
    """A name that is not in `edge_config`, or of an edge that installs itself."""


def script_for(config: Config, name: str, region: str, proxy: str | None = None) -> str:
    """The script for the device that becomes this edge.

    Raises:
        UnknownEdgeError, ProxyError: the message says what is allowed.
    """
    local = [edge.name for edge in config.edge_config if edge.device_type == "LOCAL"]
    if name not in local:
        allowed = ", ".join(local) or "none"
        raise UnknownEdgeError(
            f"edge {name!r} is not a device to install; LOCAL edges of config.yaml: {allowed} "
            "(an EC2 edge is installed by the stack)"
        )
    return install_script(config.cdk_app_name, config.edge_name(name), region, proxy=proxy)


def main(arguments: list[str] | None = None) -> int:
    """Print the script and how to run it."""
    parser = argparse.ArgumentParser(prog="python -m cdk.install_edge", description=__doc__)
    parser.add_argument("name", help="as in edge_config")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    parser.add_argument("--region", default=region, required=region is None, help="the stack's region")
    parser.add_argument("--proxy", metavar="URL", help="http://[user:password@]host:port, for all traffic")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
        script = script_for(config, options.name, options.region, options.proxy)
    except (ConfigError, UnknownEdgeError, ProxyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    typed = arguments if arguments is not None else sys.argv[1:]
    how = HOW.format(
        command=f"{python()} -m cdk.install_edge {shlex.join(typed)}",
        role=f"{config.cdk_app_name}-GGInstallerRole",
        thing=config.edge_name(options.name),
    )
    sys.stderr.write(how)
    sys.stdout.write(script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
