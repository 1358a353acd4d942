"""What is kept of a received file beside its frames, so that the instance can be built again."""

from __future__ import annotations

import shutil
import uuid
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from .metadata import PIXEL_DATA, elements
from .p10 import Part10

_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})


def header(part10: Part10) -> bytes:
    """The file without its pixel data, byte for byte, zlib-compressed; a deflated one as explicit VR."""
    return zlib.compress(_without_pixels(part10), 1)


def dataset(header: bytes) -> Dataset:
    """The data set of `header`, with its file meta information."""
    return dcmread(BytesIO(zlib.decompress(header)), force=True)


def keep_whole(file: BinaryIO, folder: Path) -> str:
    """Copy a file whose frames cannot be extracted below `folder`; its name."""
    name = uuid.uuid4().hex
    file.seek(0)
    with (folder / name).open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
    return name


def _without_pixels(part10: Part10) -> bytes:
    held = elements(part10.dataset)
    pixel_tags = sorted(tag for tag in held if tag in PIXEL_DATA)
    if part10.transfer_syntax == DeflatedExplicitVRLittleEndian:
        return _inflated(part10.dataset)
    part10.file.seek(0)
    if not pixel_tags:
        return part10.file.read()
    start = _start(held[pixel_tags[0]], part10)
    after = [element for tag, element in sorted(held.items()) if tag > pixel_tags[-1]]
    found = part10.file.read(start)
    if after:
        part10.file.seek(_start(after[0], part10))
        found += part10.file.read()
    return found


def _start(element: DataElement | RawDataElement, part10: Part10) -> int:
    """Where an element's tag is: before its VR and length (PS3.5 7.1)."""
    value = element.value_tell if isinstance(element, RawDataElement) else int(element.file_tell or 0)
    long = not part10.dataset.original_encoding[0] and element.VR in _LONG
    return value - (12 if long else 8)


def _inflated(dataset: Dataset) -> bytes:
    kept = Dataset()
    kept.update({tag: element for tag, element in dataset.items() if int(tag) not in PIXEL_DATA})
    kept.file_meta = dataset.file_meta
    kept.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    dcmwrite(buffer, kept, little_endian=True, implicit_vr=False)
    return buffer.getvalue()
