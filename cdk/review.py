"""`python -m cdk.review FOLDER`: synthesise the configurations on standard input, with cdk-nag.

Standard input is JSON, name -> configuration; FOLDER gets a folder per name with template and
validation-report.json. The tests read those: a process of its own, because jsii keeps half a gigabyte.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks

from cdk.app import build
from cdk.packaging.build import Builder
from dicom_ingest.contracts.configuration.config import parse_config


def review(configuration: dict[str, Any], folder: Path, builder: Builder) -> None:
    """Template and report of one configuration; findings are in the report."""
    app = build(parse_config(configuration), builder, folder)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), HIPAASecurityChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise


def main(folder: Path) -> None:
    """All configurations."""
    builder = Builder(dependencies=False)
    for name, configuration in json.load(sys.stdin).items():
        review(configuration, folder / name, builder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
