"""Everything about the emulator that can be set; defaults are AWS's documented values.

`Behaviour` names each point that AWS does not document: the README says why its default was chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Frozen):
    """A token bucket: sustained calls per second and burst."""

    per_second: float = Field(gt=0)
    burst: float = Field(ge=1)


def _rates(per_second: float, burst: float, *operations: str) -> dict[str, Rate]:
    return dict.fromkeys(operations, Rate(per_second=per_second, burst=burst))


AWS_RATES: dict[str, Rate] = {
    **_rates(1, 2, "StartDICOMImportJob"),
    **_rates(25, 50, "GetDICOMImportJob", "SearchImageSets", "GetImageSet", "ListImageSetVersions"),
    **_rates(10, 20, "ListDICOMImportJobs", "GetDatastore"),
    **_rates(10, 20, "TagResource", "UntagResource", "ListTagsForResource"),
    **_rates(0.085, 1, "CreateDatastore", "DeleteDatastore"),
    **_rates(5, 10, "ListDatastores"),
    **_rates(50, 100, "GetImageSetMetadata", "GetDICOMInstance", "GetDICOMInstanceMetadata"),
    **_rates(50, 100, "GetDICOMInstanceFrames", "GetDICOMSeriesMetadata"),
    **_rates(1000, 2000, "GetImageFrame"),
    **_rates(0.25, 1, "UpdateImageSetMetadata", "CopyImageSet", "DeleteImageSet"),
}


class Limits(_Frozen):
    """Service quotas (General Reference, "AWS HealthImaging endpoints and quotas")."""

    concurrent_import_jobs: int = Field(default=100, ge=1)
    """Per data store; 20 in ap-southeast-2."""
    files_per_job: int = 5_000
    bytes_per_job: int = 10_000_000_000
    bytes_per_file: int = 10_000_000_000
    """An older page, without the London Region, says 4 GB."""
    folders_per_job: int = 10_000
    metadata_bytes_per_import: int = 50_000_000
    """Of one image set in one import, copy or update."""
    datastores: int = 100
    concurrent_writes: int = 100
    """UpdateImageSetMetadata, CopyImageSet, DeleteImageSet: each, per data store."""
    frames_per_copy: int = 1_000
    update_bytes: int = 10_240
    rates: dict[str, Rate] = Field(default_factory=lambda: dict(AWS_RATES))
    """An operation that is not listed is not throttled."""


class Timing(_Frozen):
    """How long asynchronous work takes, in seconds; an import takes at least the sum of its parts."""

    datastore: float = Field(default=0, ge=0)
    submitted: float = Field(default=0.5, ge=0)
    import_base: float = Field(default=2.5, ge=0)
    import_per_file: float = Field(default=0.005, ge=0)
    import_per_byte: float = Field(default=0, ge=0)
    manifest_delay: float = Field(default=0, ge=0)
    """How long the output is missing after the job was COMPLETED."""
    write: float = Field(default=0.5, ge=0)
    """UpdateImageSetMetadata, CopyImageSet, DeleteImageSet: while the image set is LOCKED."""


class Behaviour(_Frozen):
    """Switches for what AWS does not document."""

    mismatched_parameters: Literal["conflict", "validation", "first_answer"] = "conflict"
    client_token_retention_seconds: float = 8 * 3600
    input_prefix: Literal["append_slash", "as_sent"] = "append_slash"
    empty_prefix: Literal["COMPLETED", "FAILED"] = "COMPLETED"
    missing_bucket: Literal["failed_job", "validation"] = "failed_job"
    write_empty_outputs: bool = False
    event_output_uri: Literal["job_folder", "as_sent"] = "job_folder"
    merge_event: Literal["Image Set Updated", "Image Set Created"] = "Image Set Updated"
    conflict_scope: Literal["study", "series"] = "study"
    normalised_levels: Literal["newest", "first"] = "newest"
    update_primary: Literal["refuse_patient_and_series", "allow"] = "refuse_patient_and_series"
    list_jobs: Literal["newest_first", "oldest_first"] = "newest_first"
    frame_size: Literal["encoded", "decoded"] = "encoded"
    pixel_data_key: Literal["absent", "null"] = "absent"
    search_delay_seconds: float = Field(default=0, ge=0)


class Settings(_Frozen):
    """The emulator's settings."""

    region: str = "us-east-1"
    account: str = Field(default="123456789012", pattern=r"^\d{12}$")
    state_dir: Path | None = None
    """None: a temporary folder, gone when the emulator is closed."""
    workers: int = Field(default=2, ge=1)
    """Imports whose files are read at the same time; the others wait their turn, IN_PROGRESS."""
    frames: Literal["auto", "raw"] = "auto"
    """auto: the store's lossless format when imagecodecs is installed, else raw."""
    credentials: dict[str, str] = Field(default_factory=dict)
    """Secret access keys by access key. With any, DICOMweb checks Signature Version 4 as the service does."""
    require_authorization: bool = False
    """True: a request without an AWS Signature V4 header for medical-imaging is refused with 403."""
    limits: Limits = Limits()
    timing: Timing = Timing()
    behaviour: Behaviour = Behaviour()

    @classmethod
    def fast(cls, **changes: object) -> Settings:
        """AWS's quotas but no throttling and no waiting: for tests."""
        fields: dict[str, object] = {
            "limits": Limits(rates={}),
            "timing": Timing(submitted=0, import_base=0, import_per_file=0, write=0),
        }
        return cls.model_validate({**fields, **changes})
