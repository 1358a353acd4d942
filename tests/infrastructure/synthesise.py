"""Synthesise every variant below a folder: `python -m tests.infrastructure.synthesise FOLDER`.

A process of its own, because jsii keeps a Node process and half a gigabyte as long as it lives.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cdk  # noqa: F401 - chooses the Node that the imports below start

# isort: split
from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks

from cdk.app import build
from cdk.packaging.build import Builder
from dicom_ingest.contracts.config import parse_config
from tests.infrastructure.variants import VARIANTS

CHECKED = ("default", "edges")
"""Variants that cdk-nag looks at."""


def synthesise(name: str, folder: Path) -> None:
    """Template and validation report of one variant; findings are left to the tests."""
    app = build(parse_config(VARIANTS[name]), Builder(dependencies=False), folder)
    if name in CHECKED:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app), HIPAASecurityChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise


def main(folder: Path) -> None:
    """All variants."""
    for name in VARIANTS:
        synthesise(name, folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
