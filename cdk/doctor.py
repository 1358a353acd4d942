"""`python -m cdk.doctor device|account|firewall`: check a device or an account before you deploy.

`device` and `account` print shell scripts that change nothing. Their last line is the verdict, and the exit
code says the same. `firewall` prints the hosts and ports that a device uses.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cdk.device import ProxyError, checked_proxy, exports, script
from cdk.device.hosts import Names, firewall_list, hosts
from cdk.limits import BOOTSTRAP_VERSION, TRANSITIONS_PER_SERIES, interface_endpoints, reservations
from cdk.packaging.build import ROOT
from cdk.packaging.edge_wheels import PYTHONS
from cdk.workstation.account import names_in_aws
from cdk.workstation.interpreter import python
from dicom_ingest.contracts.configuration.config import Config, ConfigError, load_config


def account_script(config: Config, region: str) -> str:
    """The checks of the account."""
    imports = config.ahli_config
    values = {
        "STACK": config.cdk_app_name,
        "PYTHON": python(),
        "BOOTSTRAP": str(BOOTSTRAP_VERSION),
        "RESERVED": str(reservations(config)),
        "IMPORTS": str(imports.ahli_concurrent_imports if imports.ahli_enabled else 0),
        "START_RATE": f"{imports.start_rate:g}",
        "ZONES": " ".join(config.availability_zones),
        "ENDPOINTS": " ".join(interface_endpoints(config)),
        "PER_SERIES": str(TRANSITIONS_PER_SERIES),
    }
    return _script("account", {**_region(region), **values})


def device_script(region: str, names: Names, *, proxy: str | None = None, greengrass: bool = True) -> str:
    """The checks of a device.

    Raises:
        ProxyError: the message says what is allowed.
    """
    values = {
        **_region(region),
        "PYTHONS": f"{PYTHONS[0]} {PYTHONS[-1]}",
        "URLS": " ".join(host.url for host in hosts(region, names, greengrass=greengrass)),
    }
    return _script("device", values | ({"PROXY": checked_proxy(proxy)} if proxy else {}))


def _region(region: str) -> dict[str, str]:
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def _script(subject: str, values: dict[str, str]) -> str:
    return "\n".join(["#!/bin/bash", exports(values), script("checks"), script(f"doctor_{subject}")])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the script, or the list."""
    parser = argparse.ArgumentParser(prog="python -m cdk.doctor", description=__doc__)
    parser.add_argument("subject", choices=["device", "account", "firewall"], help="what to check or list")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    parser.add_argument("--region", default=region, required=region is None, help="the stack's region")
    parser.add_argument("--proxy", metavar="URL", help="the proxy that the device will use")
    parser.add_argument(
        "--without-greengrass", action="store_true", help="the edge runs as a systemd service"
    )
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml", help="default: config.yaml")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(_printed(options, load_config(options.config)))
    except (ConfigError, ProxyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _printed(options: argparse.Namespace, config: Config) -> str:
    if options.subject == "account":
        return account_script(config, options.region)
    names, greengrass = names_in_aws(config, options.region), not options.without_greengrass
    if options.subject == "firewall":
        return firewall_list(options.region, names, greengrass=greengrass)
    return device_script(options.region, names, proxy=options.proxy, greengrass=greengrass)


if __name__ == "__main__":
    sys.exit(main())
