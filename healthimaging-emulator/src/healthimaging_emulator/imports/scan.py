"""The first half of an import: list the prefix, read every object, stage what it holds.

One file is held at a time, large ones on disk; everything read goes to the store at once.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from ..datastores.datastores import find
from ..dicom import p10, warning_codes
from ..dicom.identities import Identity
from ..dicom.originals import header, keep_whole
from ..dicom.pixels import codecs
from ..dicom.pixels.frames import Extracted, extract
from ..state.core import Core
from ..state.faults import RefuseInstance
from ..state.store import Row, pack, unpack_text
from ..state.uris import S3Location

log = logging.getLogger(__name__)

IN_MEMORY = 8 << 20
_SERVER_ERROR = "InternalServerException"
_VALID_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*")


class JobFailed(Exception):  # noqa: N818 - an outcome: the job ends FAILED with this message
    """A job-level failure."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"DICOM import job has failed. {reason}")


@dataclass(frozen=True)
class InputObject:
    """One object below the input prefix."""

    key: str
    size: int


def scan(core: Core, job: Row, refuse_all: str | None) -> list[InputObject]:
    """Reads all input of a job into `staged` and `refused`; raises JobFailed."""
    location = S3Location.parse(job["input_uri"])
    if core.settings.behaviour.input_prefix == "append_slash":
        location = location.with_slash()
    found = _listed(core, location, _metadata_keys(job, location))
    encoder = encoder_of(core, job["datastore_id"])
    for each in found:
        core.background.check()
        if refuse_all is not None:
            _refuse(core, job["id"], each.key, p10.Refused(refuse_all))
            continue
        try:
            _read(core, job["id"], location.bucket, each, encoder)
        except p10.Refused as refusal:
            _refuse(core, job["id"], each.key, refusal)
        except Exception:
            log.exception("file not imported", extra={"object_key": each.key})
            _refuse(core, job["id"], each.key, p10.Refused("INTERNAL_SERVER_ERROR", _SERVER_ERROR))
    return found


def encoder_of(core: Core, datastore_id: str) -> codecs.Encoder:
    """Encodes frames as the data store keeps them."""
    lossless = json.loads(find(core, datastore_id)["details"]).get("losslessStorageFormat", "HTJ2K")
    return codecs.encoder(lossless, core.settings.frames)


def _metadata_keys(job: Row, location: S3Location) -> frozenset[str]:
    """The JSON files that importConfiguration names below the prefix: they describe, and are not imported."""
    configuration = json.loads(job["configuration"] or "{}").get("dicomJsonMetadataImportConfiguration", {})
    mappings = configuration.get("dicomMetadataMappings", [])
    return frozenset(location.with_slash().key + each["metadataFilePath"].lstrip("/") for each in mappings)


def _refuse(core: Core, job_id: str, key: str, refusal: p10.Refused) -> None:
    core.store.execute(
        "INSERT INTO refused VALUES (?, ?, ?, ?)", job_id, key, refusal.exception_type, refusal.message
    )


def _listed(core: Core, location: S3Location, apart: frozenset[str]) -> list[InputObject]:
    """All objects but those `apart`, in key order, without the empty objects that stand for folders."""
    limits = core.settings.limits
    found: list[InputObject] = []
    folders: set[str] = set()
    for each in _objects(core, location):
        if each.key in apart:
            continue
        found.append(each)
        folders.add(each.key.rpartition("/")[0])
        if len(found) > limits.files_per_job:
            raise JobFailed("FILE_COUNTS_LIMIT_EXCEEDED")
        if len(folders) > limits.folders_per_job:
            raise JobFailed("FOLDER_COUNTS_LIMIT_EXCEEDED")
    if sum(each.size for each in found) > limits.bytes_per_job:
        raise JobFailed("TOTAL_SIZE_LIMIT_EXCEEDED")
    if not found and core.settings.behaviour.empty_prefix == "FAILED":
        raise JobFailed("NO_FILES_FOUND")
    return found


def _objects(core: Core, location: S3Location) -> Iterator[InputObject]:
    pages = core.s3.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.key)
    for page in pages:
        for entry in page.get("Contents", []):
            if not (entry["Key"].endswith("/") and entry["Size"] == 0):
                yield InputObject(entry["Key"], entry["Size"])


def _read(core: Core, job_id: str, bucket: str, each: InputObject, encoder: codecs.Encoder) -> None:
    if each.size > core.settings.limits.bytes_per_file:
        raise p10.Refused(f"The file exceeds the maximum size of {core.settings.limits.bytes_per_file} bytes")
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spooled:
        file = cast(BinaryIO, spooled)
        _fetch(core, bucket, each.key, file)
        stage_file(core, job_id, each.key, file, encoder)


def stage_file(core: Core, job_id: str, key: str, file: BinaryIO, encoder: codecs.Encoder) -> p10.Part10:
    """Read one file into `staged`; raises Refused."""
    part10 = p10.read(file)
    _refuse_on_demand(core, part10)
    decoded_size = core.settings.behaviour.frame_size == "decoded"
    extracted = extract(part10, encoder, core.store.frames, decoded_size=decoded_size)
    if part10.has_pixel_data and extracted.blob is None:
        extracted.blob = keep_whole(file, core.store.frames)
    _stage(core, job_id, key, part10, extracted)
    return part10


def _fetch(core: Core, bucket: str, key: str, file: BinaryIO) -> None:
    """Raise Refused for an object that S3 denies: only this file fails."""
    try:
        answer = core.s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise p10.Refused(f"S3 answered {error.response['Error'].get('Code')} to GetObject") from error
    with closing(answer["Body"]) as body:
        shutil.copyfileobj(body, file, 1 << 20)
    file.seek(0)


def _refuse_on_demand(core: Core, part10: p10.Part10) -> None:
    uid = part10.attribute("SOPInstanceUID")
    fault = core.faults.take(RefuseInstance, lambda f: f.sop_instance_uid == uid)
    if fault is not None:
        raise p10.Refused(fault.message, fault.exception_type)


def _stage(core: Core, job_id: str, key: str, part10: p10.Part10, extracted: Extracted) -> None:
    levels = {name: part10.rendered.levels[name] for name in ("Patient", "Study", "Series")}
    identity = Identity.of(levels)
    reasons = [*_value_warnings(part10), *extracted.warnings]
    document = pack(_document(core, part10, extracted, reasons))
    values = {
        "job_id": job_id,
        "key": key,
        "study_uid": identity.study_uid,
        "series_uid": identity.series_uid,
        "sop_uid": part10.attribute("SOPInstanceUID"),
        "study_identity": identity.study,
        "series_identity": identity.series,
        "levels": pack(levels),
        "document": document,
        "document_size": len(unpack_text(document)),
        "blob": extracted.blob,
        "header": header(part10),
        "warnings": json.dumps([warning_codes.render(reason) for reason in reasons]),
    }
    with core.store.transaction() as db:
        _store_frames(db, extracted)
        db.execute(
            "INSERT INTO staged (job_id, key, study_uid, series_uid, sop_uid, study_identity,"
            " series_identity, levels, document, document_size, blob, header, warnings)"
            " VALUES (:job_id, :key,"
            " :study_uid, :series_uid, :sop_uid, :study_identity, :series_identity, :levels, :document,"
            " :document_size, :blob, :header, :warnings)",
            values,
        )


def _store_frames(db: sqlite3.Connection, extracted: Extracted) -> None:
    rows = [
        (frame.id, extracted.blob, position, frame.offset, frame.length, frame.transfer_syntax)
        for position, frame in enumerate(extracted.frames)
    ]
    db.executemany("INSERT INTO frame VALUES (?, ?, ?, ?, ?, ?)", rows)


def _document(
    core: Core, part10: p10.Part10, extracted: Extracted, reasons: list[warning_codes.Reason]
) -> dict[str, Any]:
    """The instance's part of the image set metadata; WarningReason keeps the first warning's code."""
    document: dict[str, Any] = {"DICOM": part10.rendered.instance, "DICOMVRs": part10.rendered.vrs}
    if core.settings.behaviour.pixel_data_key == "null" and part10.has_pixel_data:
        document["DICOM"]["PixelData"] = None
    if reasons:
        document["DICOM"]["WarningReason"] = reasons[0][0]
    if extracted.transfer_syntax:
        document["StoredTransferSyntaxUID"] = extracted.transfer_syntax
        document["ChecksumType"] = "COMPRESSED" if extracted.retained else "DECOMPRESSED"
    return document | {"ImageFrames": [frame.described for frame in extracted.frames]}


def _value_warnings(part10: p10.Part10) -> list[warning_codes.Reason]:
    found = [warning_codes.INVALID_DICOM_VALUE_LENGTH] if part10.rendered.misfits else []
    uids = [part10.attribute(k) or "" for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    well_formed = all(len(uid) <= 64 and _VALID_UID.fullmatch(uid) for uid in uids)
    return found if well_formed else [warning_codes.INVALID_UID_FORMAT, *found]
