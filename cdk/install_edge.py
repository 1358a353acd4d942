"""`python -m cdk.install_edge NAME --region REGION`: print a script that makes a device the edge NAME.

The script goes to standard output. How to run it goes to standard error. Neither contains credentials: they
are borrowed for an hour, and the script reads them from its environment or asks for them.
With `--without-greengrass` the script contains the whole edge and installs it as a systemd service.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from cdk.device import ProxyError, install_script
from cdk.device.service import RolesAnywhere, service_script
from cdk.edge.recipe import recipe_settings
from cdk.packaging.build import ROOT, Builder
from cdk.packaging.wheels import DependencyError
from cdk.workstation.account import account_id, bucket_name, roles_anywhere_profile
from cdk.workstation.interpreter import python
from dicom_ingest.contracts.configuration.config import Config, ConfigError, load_config
from dicom_ingest.contracts.configuration.edges import EdgeConfig
from dicom_ingest.contracts.platform import wiring

WRITE = """\
# 1. Write the script for the device. It holds no credentials:
{command} >{thing}.sh
"""
BORROW = """\
# 2. Borrow credentials that may register devices of this stack, for one hour:
account="$(aws sts get-caller-identity --query Account --output text)"
aws sts assume-role --role-arn "arn:aws:iam::$account:role/{role}" \\
  --role-session-name {thing} --duration-seconds 3600 \\
  --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text
# 3. Run it on the device. sudo may ask for your password; the script asks for the line that step 2 printed:
"""
RUN = """\
scp {thing}.sh DEVICE:
ssh -t DEVICE sudo bash {thing}.sh
"""
WITH_GREENGRASS = WRITE + BORROW + RUN
WITHOUT_GREENGRASS = WRITE + "# 2. Run it on the device. sudo may ask for your password:\n" + RUN


class EdgeError(ValueError):
    """An edge that cannot be installed so; the message says what is allowed, or what to do."""


def local_edge(config: Config, name: str) -> EdgeConfig:
    """The device of this name.

    Raises:
        EdgeError: it is not in `edge_config`, or installs itself.
    """
    local = {edge.name: edge for edge in config.edge_config if edge.device_type == "LOCAL"}
    if name not in local:
        allowed = ", ".join(local) or "none"
        raise EdgeError(
            f"edge {name!r} is not a device to install; LOCAL edges of config.yaml: {allowed} "
            "(an EC2 edge is installed by the stack)"
        )
    return local[name]


def script_for(config: Config, name: str, region: str, proxy: str | None = None) -> str:
    """The script for the device that becomes this edge.

    Raises:
        EdgeError, ProxyError: the message says what is allowed.
    """
    edge = local_edge(config, name)
    return install_script(config.cdk_app_name, config.edge_name(edge.name), region, proxy=proxy)


def service_for(config: Config, options: argparse.Namespace, builder: Builder) -> bytes:
    """The file for a device without Greengrass.

    Raises:
        EdgeError, ProxyError, DependencyError: the message says what is missing.
    """
    edge = local_edge(config, options.name)
    bucket = options.bucket or bucket_name(config, options.region)
    if bucket is None:
        raise EdgeError(
            "the name of the bucket is not known\nhint: --bucket NAME, the stack's output DicomBucket"
        )
    stack = config.cdk_app_name
    settings = {
        "name": edge.name,
        "bucket": bucket,
        "event_bus": wiring.bus_name(stack),
        **recipe_settings(config),
    }
    return service_script(
        settings,
        options.region,
        Path(builder.edge_artifact),
        credential_process=options.credential_process or _roles_anywhere(config, edge, options.region),
        proxy=options.proxy,
    )


def _roles_anywhere(config: Config, edge: EdgeConfig, region: str) -> str | None:
    """The command that signs in with the device's certificate; None: the edge has no trust anchor."""
    if edge.trust_anchor is None:
        return None
    thing = config.edge_name(edge.name)
    account, profile = account_id(), roles_anywhere_profile(thing, region)
    if account is None or profile is None:
        raise EdgeError(
            f"the profile {thing} of IAM Roles Anywhere is not found\n"
            "hint: deploy the stack, and run this with credentials for its account"
        )
    partition = edge.trust_anchor.split(":")[1]
    role = f"arn:{partition}:iam::{account}:role/{thing}-GG-Role"
    return RolesAnywhere(edge.trust_anchor, profile, role).command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cdk.install_edge", description=__doc__)
    parser.add_argument("name", help="the edge's name in edge_config")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    parser.add_argument("--region", default=region, required=region is None, help="the stack's region")
    parser.add_argument(
        "--proxy", metavar="URL", help="send all traffic through http://[user:password@]host:port"
    )
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml", help="default: config.yaml")
    alone = parser.add_argument_group("without Greengrass")
    alone.add_argument("--without-greengrass", action="store_true", help="install a systemd service")
    alone.add_argument(
        "--bucket", metavar="NAME", help="the stack's output DicomBucket; default: looked up in AWS"
    )
    alone.add_argument(
        "--credential-process",
        metavar="COMMAND",
        help="prints credentials on the device; default: IAM Roles Anywhere if it has a trust_anchor",
    )
    return parser


def main(arguments: list[str] | None = None, builder: Builder | None = None) -> int:
    """Print the script and how to run it."""
    options = _parser().parse_args(arguments)
    try:
        config = load_config(options.config)
        if options.without_greengrass:
            script: str | bytes = service_for(
                config, options, builder or Builder(compression=config.compresses)
            )
        else:
            script = script_for(config, options.name, options.region, options.proxy)
    except (ConfigError, EdgeError, ProxyError, DependencyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    typed = arguments if arguments is not None else sys.argv[1:]
    steps = (WITHOUT_GREENGRASS if options.without_greengrass else WITH_GREENGRASS).format(
        command=f"{python()} -m cdk.install_edge {shlex.join(typed)}",
        role=f"{config.cdk_app_name}-GGInstallerRole",
        thing=config.edge_name(options.name),
    )
    sys.stderr.write(steps)
    if isinstance(script, str):
        sys.stdout.write(script)
    elif not sys.stdout.isatty():  # it is no text for a terminal
        sys.stdout.buffer.write(script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
