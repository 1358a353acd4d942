"""STOW-RS: instances in a request, organised as an import organises them (developer guide, "Storing")."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

from pydicom import dcmread

from ..datastores.datastores import find
from ..dicom.p10 import Refused
from ..imports.organise import Locked, organise
from ..imports.report import forget_staged
from ..imports.scan import JobFailed, encoder_of, stage_file
from ..service import errors
from ..service.wire import HttpAnswer
from ..state.core import Core
from ..state.store import unpack
from .call import Call, dicom_json
from .multipart import parts

MOST_BYTES = 1_000_000_000
_CANNOT_UNDERSTAND, _OTHER_STUDY, _PROCESSING = 0xC000, 0xA900, 0x0110
"""Failure Reason (0008,1197), PS3.18 I.2.2."""
_LOCK_RETRY_SECONDS = 0.05
_OTHER = "OtherStudy"
_REASONS = {"ValidationException": _CANNOT_UNDERSTAND, _OTHER: _OTHER_STUDY}


def store(core: Core, call: Call, study: str | None) -> HttpAnswer:
    """StoreDICOM and StoreDICOMStudy: 200; 202 with warnings; 409 when an instance was not stored."""
    find(core, call.datastore_id)
    if len(call.body) > MOST_BYTES:
        raise errors.validation(f"The request is larger than {MOST_BYTES} bytes")
    job_id = f"store-{uuid.uuid4().hex}"
    encoder, failed = encoder_of(core, call.datastore_id), []
    try:
        for number, content in enumerate(_contents(call)):
            try:
                _check_study(content, study)
                stage_file(core, job_id, f"{number:08d}", BytesIO(content), encoder)
            except Refused as refusal:
                failed.append(_failure(content, refusal))
        if not failed and not core.store.count("SELECT count(*) FROM staged WHERE job_id = ?", job_id):
            raise errors.validation("The request has no instance")
        _organise(core, {"id": job_id, "datastore_id": call.datastore_id})
        return _answer(core, call, job_id, failed)
    finally:
        forget_staged(core, job_id)


def _contents(call: Call) -> Iterator[bytes]:
    content_type = call.headers.get("Content-Type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dicom":
        yield call.body
    elif kind == "multipart/related":
        yield from parts(content_type, call.body)
    else:
        raise errors.validation(
            f"Content-Type must be application/dicom or multipart/related, not {content_type or 'missing'}"
        )


def _check_study(content: bytes, study: str | None) -> None:
    if study is None:
        return
    found = None
    with suppress(Exception):  # arbitrary bytes: staging the file gives the reason
        found = str(dcmread(BytesIO(content), stop_before_pixels=True).StudyInstanceUID)
    if found not in (None, study):
        raise Refused(f"StudyInstanceUID is {found}, not {study}", _OTHER)


def _organise(core: Core, job: dict[str, Any]) -> None:
    while True:
        try:
            organise(core, job)  # type: ignore[arg-type]  # a row's two columns are all it reads
        except Locked:
            core.background.wait(_LOCK_RETRY_SECONDS)
        except JobFailed as failure:
            raise errors.quota_exceeded(str(failure)) from failure
        else:
            return


def _failure(content: bytes, refusal: Refused) -> dict[str, Any]:
    reason = _REASONS.get(refusal.exception_type, _PROCESSING)
    found: dict[str, Any] = {"00081197": {"vr": "US", "Value": [reason]}}
    with suppress(Exception):  # arbitrary bytes
        ds = dcmread(BytesIO(content), stop_before_pixels=True)
        found = _reference(str(ds.SOPClassUID), str(ds.SOPInstanceUID)) | found
    return found


def _reference(sop_class: str, sop: str) -> dict[str, Any]:
    return {"00081150": {"vr": "UI", "Value": [sop_class]}, "00081155": {"vr": "UI", "Value": [sop]}}


def _answer(core: Core, call: Call, job_id: str, failed: list[dict[str, Any]]) -> HttpAnswer:
    rows = core.store.all(
        "SELECT s.study_uid, s.series_uid, s.sop_uid, s.warnings,"
        " (SELECT i.document FROM instance i WHERE i.image_set_id = s.image_set_id AND i.sop_uid = s.sop_uid"
        " AND i.until IS NULL) AS document FROM staged s WHERE job_id = ? ORDER BY key",
        job_id,
    )
    stored, warned = [], False
    for row in rows:
        url = call.instance_url(row["study_uid"], row["series_uid"], row["sop_uid"])
        item = _reference(_sop_class(row["document"]), row["sop_uid"])
        item["00081190"] = {"vr": "UR", "Value": [url]}
        if warnings := json.loads(row["warnings"]):
            warned = True
            item["00081196"] = {"vr": "US", "Value": [warnings[0]["warning_reason_code"]]}
        stored.append(item)
    found: dict[str, Any] = {}
    if studies := {row["study_uid"] for row in rows}:
        found["00081190"] = {"vr": "UR", "Value": [f"{call.url}/studies/{min(studies)}"]}
    if failed:
        found["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        found["00081199"] = {"vr": "SQ", "Value": stored}
    return dicom_json(found, 409 if failed else 202 if warned else 200)


def _sop_class(document: bytes | None) -> str:
    return str(unpack(document)["DICOM"].get("SOPClassUID", "")) if document else ""
