"""pytest fixtures: an AWS HealthImaging with its S3. Loaded by itself where the package is installed.

Nothing is imported before a fixture is used: a test run that needs none pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from . import Faults, ImportJob, Settings, Stand


@pytest.fixture(scope="session")
def healthimaging_s3() -> Iterator[S3Client]:
    """The S3 that holds the files: moto's, for the whole run. Override it to bring another."""
    from .moto_s3 import moto_s3

    with moto_s3() as client:
        yield client


@pytest.fixture
def healthimaging_settings() -> Settings:
    """AWS's quotas, no throttling, no waiting. Override it for other limits, timing or behaviour."""
    from . import Settings

    return Settings.fast()


@pytest.fixture
def healthimaging(healthimaging_s3: S3Client, healthimaging_settings: Settings) -> Iterator[Stand]:
    """A running emulator with an empty data store, new for each test."""
    from . import Stand

    with Stand(healthimaging_s3, healthimaging_settings) as stand:
        yield stand


@pytest.fixture
def healthimaging_import(healthimaging: Stand) -> Callable[[Path | str], ImportJob]:
    """Imports a folder of DICOM files: `job = healthimaging_import("scans/")`."""
    return healthimaging.import_folder


@pytest.fixture
def healthimaging_faults(healthimaging: Stand) -> Faults:
    """What goes wrong next: `healthimaging_faults.add(JobFault(effect="fail"))`."""
    return healthimaging.faults


@pytest.fixture
def healthimaging_environment(healthimaging: Stand, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """The running emulator; a plain `boto3.client("medical-imaging")` or `("s3")` reaches it and its S3."""
    environment = {
        "AWS_ENDPOINT_URL_MEDICAL_IMAGING": healthimaging.url,
        "AWS_ENDPOINT_URL_S3": healthimaging.s3.meta.endpoint_url,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return healthimaging
