"""`python -m cdk.cleanup`: print the script that removes the stack. It says what is kept and why.

`environment: dev` keeps nothing. `prod` keeps the bucket, the data store, the key and a snapshot of the
database. `--edge NAME` removes one device only. Run it before you take the edge out of `config.yaml`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cdk.device import script
from cdk.packaging.build import ROOT
from cdk.workstation.interpreter import python
from dicom_ingest.contracts.configuration.config import Config, ConfigError, load_config

_HEAD = ("#!/bin/bash", "set -euo pipefail", script("remove"))
_OUTPUT = """\
output() {{
  aws cloudformation describe-stacks --stack-name {stack} \\
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}}
"""
_EMPTY_STORE = """\
# A data store with image sets cannot be deleted.
store="$(output DataStore)"
while :; do
  sets="$(aws medical-imaging search-image-sets --datastore-id "$store" \\
    --query 'imageSetsMetadataSummaries[].imageSetId' --output text)"
  [ -n "$sets" ] || break
  for set in $sets; do
    aws medical-imaging delete-image-set --datastore-id "$store" --image-set-id "$set" >/dev/null || true
  done
  sleep 10
done
"""
_UNPROTECT = """\
# Production is protected twice: the stack, and the database in it.
aws cloudformation update-termination-protection --stack-name {stack} --no-enable-termination-protection
aws rds modify-db-cluster --db-cluster-identifier "$(output DatabaseCluster)" \\
  --no-deletion-protection --apply-immediately
"""
_UNPROTECT_INSTANCE = """\
instance="$(aws ec2 describe-instances --filters Name=tag:Name,Values={thing} \\
  --query 'Reservations[].Instances[].InstanceId' --output text)"
aws ec2 modify-instance-attribute --instance-id "$instance" --no-disable-api-termination
"""
_KEPT = """\
# Kept, because they hold patients' data: buckets, data store, key, a final snapshot of the database,
# and the spool volumes of EC2 edges.
# To delete the images as well, first every version in the bucket (an S3 lifecycle rule does it in a day):
#   aws s3api put-bucket-lifecycle-configuration --bucket BUCKET --lifecycle-configuration '{"Rules": [
#     {"ID": "empty", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1},
#      "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]}'
# then `aws s3 rb`, `aws medical-imaging delete-datastore`, `aws kms schedule-key-deletion`.
"""


def cleanup_script(config: Config) -> str:
    """The whole script for this configuration."""
    stack, prod = config.cdk_app_name, config.environment == "prod"
    lines = [*_HEAD, f"{python()} -c 'import cdk.cli' # nothing is deleted where the last step cannot run"]
    lines += [f"remove_edge {config.edge_name(edge.name)}" for edge in config.edge_config]
    lines.append(_OUTPUT.format(stack=stack))
    if prod:
        cloud = [config.edge_name(edge.name) for edge in config.edge_config if edge.device_type == "EC2"]
        lines.append(_UNPROTECT.format(stack=stack))
        lines += [_UNPROTECT_INSTANCE.format(thing=thing) for thing in cloud]
    elif config.ahli_config.ahli_enabled:
        lines.append(_EMPTY_STORE)
    lines.append(f"{python()} -m cdk.cli destroy --force {stack}")
    return "\n".join([*lines, _KEPT if prod else ""])


def removal_script(config: Config, name: str) -> str:
    """The script for one edge."""
    return "\n".join([*_HEAD, f"remove_edge {config.edge_name(name)}\n"])


def main(arguments: list[str] | None = None) -> int:
    """Print the script."""
    parser = argparse.ArgumentParser(prog="python -m cdk.cleanup", description=__doc__)
    parser.add_argument("--edge", help="remove only this edge, as named in edge_config")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml", help="default: config.yaml")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(removal_script(config, options.edge) if options.edge else cleanup_script(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
