"""WADO-RS: metadata, instances, frames and bulk data (developer guide, "Retrieving DICOM data")."""

from __future__ import annotations

from typing import Any

from ..service import errors
from ..service.wire import HttpAnswer
from ..state.core import Core
from . import multipart
from .accept import frame_syntax, instance_syntax, require_json
from .call import Call, dicom_json
from .instances import Instance, Place, instance, instances
from .json_model import find_bulk_data, of_data_set
from .rebuild import can_decode, frames, part10, stored_frames, undivided

MOST_FRAMES = 1000


def series_metadata(core: Core, call: Call, place: Place) -> HttpAnswer:
    """GetDICOMSeriesMetadata."""
    require_json(call.headers.get("Accept"))
    return dicom_json([_metadata(call, each) for each in instances(core, place)])


def instance_metadata(core: Core, call: Call, place: Place) -> HttpAnswer:
    """GetDICOMInstanceMetadata."""
    require_json(call.headers.get("Accept"))
    return dicom_json([_metadata(call, instance(core, place))])


def _metadata(call: Call, found: Instance) -> dict[str, Any]:
    ds = found.data_set()
    url = call.instance_url(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
    syntax = found.stored_syntax
    own = {
        "00020010": {"vr": "UI", "Value": [syntax]},
        "00083002": {"vr": "UI", "Value": [syntax]},
    }
    return dict(sorted((of_data_set(ds, f"{url}/bulkdata") | own).items()))


def whole_instance(core: Core, call: Call, place: Place) -> HttpAnswer:
    """GetDICOMInstance."""
    found = instance(core, place)
    has_frames = bool(stored_frames(core, found)) or found.row["blob"] is None
    decodes = has_frames and can_decode(found.stored_syntax)
    syntax = instance_syntax(call.headers.get("Accept"), found.stored_syntax, can_decode=decodes)
    content = part10(core, found, syntax)
    return HttpAnswer(200, {"Content-Type": f"application/dicom; transfer-syntax={syntax}"}, content)


def some_frames(core: Core, call: Call, place: Place, numbers: str) -> HttpAnswer:
    """GetDICOMInstanceFrames."""
    wanted = _numbers(numbers)
    found = instance(core, place)
    decodes = can_decode(found.stored_syntax)
    syntax, media_type = frame_syntax(call.headers.get("Accept"), found.stored_syntax, can_decode=decodes)
    if not stored_frames(core, found) and syntax == found.stored_syntax and wanted == [1]:
        whole = undivided(core, found)
        if whole:
            return multipart.answer([whole], media_type, syntax)
    return multipart.answer(frames(core, found, wanted, syntax), media_type, syntax)


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise errors.validation(f"Frames must be numbers from 1, separated by commas, not {text}")
    numbers = [int(part) for part in parts]
    if len(set(numbers)) != len(numbers) or len(numbers) > MOST_FRAMES:
        raise errors.validation(f"Frames must be named once each, {MOST_FRAMES} at most")
    return numbers


def bulk_data(core: Core, place: Place, name: str) -> HttpAnswer:
    """GetDICOMBulkdata."""
    value = find_bulk_data(instance(core, place).data_set(), name)
    if value is None:
        raise errors.not_found(f"Bulk data {name} does not exist")
    return HttpAnswer(200, {"Content-Type": "application/octet-stream"}, value)
