"""What ``config.yaml`` says of HealthImaging and of the database."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from dicom_ingest.contracts.configuration.values import Acu, matches
from dicom_ingest.contracts.messages.model import StrictModel

AUTO_PAUSE_MINUTES = range(5, 1441)
"""Aurora Serverless v2: 300 to 86,400 seconds."""


class HealthImagingConfig(StrictModel):
    """The import side."""

    ahli_enabled: bool = True
    ahli_endpoint: Annotated[str, matches(r"https?://\S+", "a URL such as https://host")] | None = None
    ahli_concurrent_imports: int = Field(default=50, ge=1, le=1000)
    start_rate: float = Field(default=1.0, gt=0, le=100)
    """Imports started a second; AWS's default quota is 1."""
    start_burst: int = Field(default=2, ge=1, le=200)
    bundles: bool = True
    """Let the series of one transfer share an import while others wait: one start for all of them."""
    bundle_patience_seconds: int = Field(default=600, ge=0, le=3600)
    """How long a series of a `bulk` sender waits for the rest of its transfer before it goes alone."""


class DatabaseConfig(StrictModel):
    """The index in Aurora PostgreSQL Serverless v2."""

    db_name: Annotated[
        str, matches(r"[a-z][a-z0-9_]{0,62}", "1 to 63 of a-z, 0-9 and _, beginning with a letter")
    ] = "dicomindex"
    db_engine_pause: int = 20
    """Minutes without a connection before Aurora pauses; 0 never."""
    min_acu_capacity: Acu = 0
    max_acu_capacity: Acu = 16

    @field_validator("db_engine_pause")
    @classmethod
    def _pause(cls, value: int) -> int:
        if value != 0 and value not in AUTO_PAUSE_MINUTES:
            raise ValueError("must be 0 (never) or from 5 to 1440 minutes")
        return value

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.max_acu_capacity < 1 or self.max_acu_capacity < self.min_acu_capacity:
            raise ValueError("max_acu_capacity must be at least 1 and not below min_acu_capacity")
        return self
