"""An instance as a Part 10 file, and its frames, in the transfer syntax that was negotiated."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import encapsulate, generate_fragmented_frames, itemize_fragment
from pydicom.uid import UID

from ..dicom import p10
from ..dicom.pixels import decoders, jp2
from ..dicom.pixels.codecs import EXPLICIT_LITTLE_ENDIAN, HTJ2K, JPEG_2000_LOSSLESS, little_endian
from ..dicom.transfer_syntaxes import RETAINED, VIDEO
from ..service import errors
from ..state.core import Core
from .instances import Instance

_DECODED_COLOURS = {
    "YBR_RCT": "RGB",
    "YBR_ICT": "RGB",
    "YBR_FULL_422": "YBR_FULL",
    "YBR_PARTIAL_422": "YBR_FULL",
    "YBR_PARTIAL_420": "YBR_FULL",
}
"""Photometric Interpretation after decoding: transforms undone, samples of all pixels."""


def can_decode(syntax: str) -> bool:
    """Whether pixels can be given as explicit VR little endian."""
    uid = UID(syntax)
    native = not uid.is_compressed or uid.is_deflated
    return syntax not in VIDEO and (native or decoders.can_decode(syntax))


def stored_frames(core: Core, instance: Instance) -> list[bytes]:
    """The frames in their stored transfer syntax; HTJ2K as bare codestreams (PS3.5 A.4.12)."""
    rows = core.store.all("SELECT * FROM frame WHERE blob = ? ORDER BY position", instance.row["blob"])
    if not rows:
        return []
    found = []
    with (core.store.frames / instance.row["blob"]).open("rb") as file:
        for row in rows:
            file.seek(row["offset"])
            found.append(jp2.codestream(file.read(row["length"])))
    return found


def frames(core: Core, instance: Instance, numbers: list[int], syntax: str) -> list[bytes]:
    """Some frames, counted from 1; raises 400 and 404."""
    stored = stored_frames(core, instance)
    if not stored:
        raise errors.validation("The instance has no frames that can be retrieved; use GetDICOMInstance")
    if beyond := [number for number in numbers if not 1 <= number <= len(stored)]:
        raise errors.not_found(f"Frame {beyond[0]} does not exist: the instance has {len(stored)}")
    chosen = [stored[number - 1] for number in numbers]
    if syntax == instance.stored_syntax:
        return chosen
    ds, stored_syntax = instance.data_set(), instance.stored_syntax
    return [little_endian(pixels) for data in chosen for pixels in _decoded(ds, [data], stored_syntax)]


def part10(core: Core, instance: Instance, syntax: str) -> bytes:
    """The whole instance."""
    stored = stored_frames(core, instance)
    if not stored and instance.row["blob"] is not None:
        return _as_received(core, instance)
    ds = instance.data_set()
    if stored and syntax == EXPLICIT_LITTLE_ENDIAN:
        _put_native(ds, stored, instance.stored_syntax)
    elif stored:
        ds.PixelData = _encapsulated(stored, syntax)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        if "PlanarConfiguration" in ds and syntax not in RETAINED:
            ds.PlanarConfiguration = 0
        if ds.get("PhotometricInterpretation") == "RGB" and syntax in (HTJ2K, JPEG_2000_LOSSLESS):
            ds.PhotometricInterpretation = "YBR_RCT"
    elif not instance.is_updated and syntax == ds.file_meta.TransferSyntaxUID:
        return zlib.decompress(instance.row["header"])
    return _written(ds, syntax)


def _as_received(core: Core, instance: Instance) -> bytes:
    """No frame could be extracted: the received pixel data, with the attributes of today."""
    whole: bytes = (core.store.frames / instance.row["blob"]).read_bytes()
    if not instance.is_updated:
        return whole
    received, ds = dcmread(BytesIO(whole), force=True), instance.data_set()
    ds[0x7FE00010] = received[0x7FE00010]
    return _written(ds, str(received.file_meta.TransferSyntaxUID))


def _written(ds: Dataset, syntax: str) -> bytes:
    uid, buffer = UID(syntax), BytesIO()
    ds.file_meta.TransferSyntaxUID = uid
    dcmwrite(
        buffer,
        ds,
        implicit_vr=uid.is_implicit_VR,
        little_endian=uid.is_little_endian,
        enforce_file_format=True,
    )
    return buffer.getvalue()


def _encapsulated(stored: list[bytes], syntax: str) -> bytes:
    if syntax in VIDEO:
        return (
            b"\xfe\xff\x00\xe0"
            + struct.pack("<I", 0)
            + itemize_fragment(stored[0] + b"\0" * (len(stored[0]) % 2))
        )
    return bytes(encapsulate(stored))


def _put_native(ds: Dataset, stored: list[bytes], syntax: str) -> None:
    if int(ds.get("BitsAllocated") or 0) == 1:
        size = int(ds.Rows) * int(ds.Columns)
        bits = [numpy.unpackbits(numpy.frombuffer(data, "u1"), bitorder="little")[:size] for data in stored]
        native = numpy.packbits(numpy.concatenate(bits), bitorder="little").tobytes()
    else:
        native = b"".join(little_endian(pixels) for pixels in _decoded(ds, stored, syntax))
    colours = str(ds.get("PhotometricInterpretation", ""))
    if int(ds.get("SamplesPerPixel") or 1) > 1:
        ds.PhotometricInterpretation = _DECODED_COLOURS.get(colours, colours)
        ds.PlanarConfiguration = 0
    ds.PixelData = native + b"\0" * (len(native) % 2)
    ds["PixelData"].VR = "OB" if int(ds.get("BitsAllocated") or 8) <= 8 else "OW"


def _decoded(ds: Dataset, stored: list[bytes], syntax: str) -> Iterator[Any]:
    """Pixels of frames; raw ones are as they are."""
    if syntax == EXPLICIT_LITTLE_ENDIAN:
        yield from (numpy.frombuffer(data, "u1") for data in stored)
        return
    encoded = Dataset()
    for keyword in _DECODED_BY:
        if keyword in ds:
            encoded[keyword] = ds[keyword]
    if "PlanarConfiguration" in encoded:
        encoded.PlanarConfiguration = 0
    encoded.NumberOfFrames = len(stored)
    encoded.PixelData = encapsulate(stored)
    encoded["PixelData"].is_undefined_length = True
    encoded.file_meta = ds.file_meta.__class__()
    yield from decoders.decoded(p10.read(BytesIO(_written(encoded, syntax))))


_DECODED_BY = (
    *p10.REQUIRED,
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation", "PlanarConfiguration",
)  # fmt: skip


def undivided(core: Core, instance: Instance) -> bytes | None:
    """The whole pixel data of an instance whose frames could not be extracted."""
    if instance.row["blob"] is None:
        return None
    ds = dcmread(core.store.frames / instance.row["blob"], force=True)
    value = bytes(ds.get_item(0x7FE00010).value or b"") if 0x7FE00010 in ds else b""
    if not ds.file_meta.TransferSyntaxUID.is_compressed:
        return value
    return b"".join(fragment for frame in generate_fragmented_frames(value) for fragment in frame)
