"""`python -m cdk.app`: what `cdk synth` and `cdk deploy` run.

Settings come from `config.yaml`; `-c config=FILE` names another one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aws_cdk import App, Environment

from cdk.packaging.build import ROOT, Builder
from cdk.packaging.wheels import DependencyError
from cdk.stack import IngestStack
from dicom_ingest.contracts.configuration.config import Config, ConfigError, load_config

CONTEXT = {
    # A template that CloudFormation would refuse is an error here, not on deploy.
    "@aws-cdk/core:validateAgainstDefaultRules": True,
    "@aws-cdk/aws-ec2:uniqueImdsv2TemplateName": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "aws:cdk:enable-path-metadata": True,
}


def build(config: Config, builder: Builder, outdir: Path) -> App:
    """The app with its one stack, not yet synthesised."""
    app = App(outdir=str(outdir), context=CONTEXT, analytics_reporting=False)
    IngestStack(app, config, builder, _environment())
    return app


def _environment() -> Environment | None:
    """Account and region as the CDK's command line found them; without any the stack fits everywhere."""
    account, region = os.environ.get("CDK_DEFAULT_ACCOUNT"), os.environ.get("CDK_DEFAULT_REGION")
    return Environment(account=account, region=region) if account and region else None


def main() -> int:
    """Synthesise the stack of the configuration."""
    try:
        path = Path(App().node.try_get_context("config") or ROOT / "config.yaml")
        outdir = Path(os.environ.get("CDK_OUTDIR", ROOT / "cdk.out"))  # set by the CDK's command line
        config = load_config(path)
        build(config, Builder(compression=config.compresses), outdir).synth()
    except (ConfigError, DependencyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
