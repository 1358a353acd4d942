"""Frames: extracted one at a time, stored as HealthImaging would store them, with CRC32 of the pixels."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from . import warning_codes
from .codecs import EXPLICIT_LITTLE_ENDIAN, Encoder, little_endian
from .metadata import elements
from .p10 import UNDEFINED_LENGTH, Part10
from .transfer_syntaxes import RETAINED, SUPPORTED, VIDEO

_PIXEL_DATA = 0x7FE00010
UNDECODABLE = (
    ValueError, RuntimeError, AttributeError, KeyError, TypeError, IndexError, NotImplementedError, EOFError,
    OSError, MemoryError, struct.error, AssertionError,
)  # fmt: skip
"""What decoding broken pixel data with pydicom and its plugins was seen to raise."""


@dataclass(frozen=True)
class Frame:
    """A stored frame: where it lies in its blob, and what the metadata says of it."""

    id: str
    offset: int
    length: int
    transfer_syntax: str
    described: dict[str, Any]


@dataclass
class Extracted:
    """The frames of an instance in one blob file; no blob when there are none."""

    blob: str | None = None
    transfer_syntax: str | None = None
    retained: bool = False
    """Frames are as they came, and so are their checksums."""
    frames: list[Frame] = field(default_factory=list)
    warnings: list[warning_codes.Reason] = field(default_factory=list)


@dataclass(frozen=True)
class _Encoded:
    data: bytes
    transfer_syntax: str
    checksum: int
    decoded_size: int
    lowest: float | None = None
    highest: float | None = None
    retained: bool = False


def extract(part10: Part10, encoder: Encoder, folder: Path, *, decoded_size: bool = False) -> Extracted:
    """Stores an instance's frames below `folder`; what cannot be extracted is a warning."""
    found = Extracted()
    if not part10.has_pixel_data:
        return found
    if part10.transfer_syntax not in SUPPORTED:
        found.warnings.append(warning_codes.UNSUPPORTED_TRANSFER_SYNTAX)
        return found
    found.blob = uuid.uuid4().hex
    with (folder / found.blob).open("wb") as file:
        for encoded in _readable(_encoded_frames(part10, encoder), part10, found):
            found.frames.append(_store(file, encoded, part10, decoded_size))
            found.retained = encoded.retained
    if found.warnings or not found.frames:
        (folder / found.blob).unlink()
        return Extracted(warnings=found.warnings or [warning_codes.FRAMES_EXTRACTION_FAILURE])
    found.transfer_syntax = found.frames[0].transfer_syntax
    if part10.transfer_syntax not in VIDEO and len(found.frames) != _declared_frames(part10):
        found.warnings.append(warning_codes.FRAME_NUMBER_MISMATCH)
    return found


def _readable(frames: Iterator[_Encoded], part10: Part10, found: Extracted) -> Iterator[_Encoded]:
    """The frames up to one that cannot be decoded, which becomes a warning."""
    while True:
        try:
            encoded = next(frames)
        except StopIteration:
            return
        except UNDECODABLE:
            kept = part10.transfer_syntax in RETAINED
            reason = warning_codes.FRAMES_EXTRACTION_FAILURE if kept else warning_codes.TRANSCODING_EXCEPTION
            found.warnings.append(reason)
            return
        yield encoded


def _declared_frames(part10: Part10) -> int:
    text = part10.attribute("NumberOfFrames")
    return int(text) if text and text.isdecimal() else 1


def _encoded_frames(part10: Part10, encoder: Encoder) -> Iterator[_Encoded]:
    if part10.transfer_syntax in VIDEO:
        yield _as_stored(b"".join(_encapsulated(part10)), part10)
    elif part10.transfer_syntax in RETAINED or not _can_decode(part10.transfer_syntax):
        for data in _encapsulated(part10):
            yield _as_stored(data, part10)
    elif _is_binary(part10):
        for bits in _binary_frames(part10):
            yield _as_bits(bits)
    else:
        for pixels in _decoded(part10):
            yield _encoded(pixels, encoder)


def _can_decode(transfer_syntax: str) -> bool:
    """Without a codec the frames are kept as they came: the service could transcode them, we cannot."""
    try:
        return bool(get_decoder(UID(transfer_syntax)).is_available)
    except NotImplementedError:
        return False


def _as_stored(data: bytes, part10: Part10) -> _Encoded:
    return _Encoded(data, part10.transfer_syntax, zlib.crc32(data), len(data), retained=True)


def _encoded(pixels: Any, encoder: Encoder) -> _Encoded:
    decoded = little_endian(pixels)
    data, transfer_syntax = encoder.encode(pixels)
    lowest, highest = pixels.min().item(), pixels.max().item()
    return _Encoded(data, transfer_syntax, zlib.crc32(decoded), len(decoded), lowest, highest)


def _is_binary(part10: Part10) -> bool:
    element = elements(part10.dataset).get(_PIXEL_DATA)
    native = element is not None and element.length != UNDEFINED_LENGTH
    return native and part10.attribute("BitsAllocated") == "1"


def _binary_frames(part10: Part10) -> Iterator[Any]:
    """Frames of one bit per pixel; in the file they follow each other without regard to bytes."""
    import numpy

    raw = numpy.frombuffer(part10.read_value(elements(part10.dataset)[_PIXEL_DATA]), "u1")
    size = int(part10.rendered.instance["Rows"]) * int(part10.rendered.instance["Columns"])
    bits = numpy.unpackbits(raw, bitorder="little")
    for number in range(min(_declared_frames(part10), len(bits) // size)):
        yield bits[number * size : (number + 1) * size]


def _as_bits(bits: Any) -> _Encoded:
    """Kept as one bit per pixel, each frame beginning at a byte."""
    import numpy

    data = numpy.packbits(bits, bitorder="little").tobytes()
    lowest, highest = int(bits.min()), int(bits.max())
    return _Encoded(data, EXPLICIT_LITTLE_ENDIAN, zlib.crc32(data), len(data), lowest, highest)


def _decoded(part10: Part10) -> Iterator[Any]:
    """Pixels frame by frame, without colour conversion; only a deflated file is held as a whole."""
    if part10.dataset.file_meta.TransferSyntaxUID.is_deflated:
        yield from iter_pixels(part10.dataset, raw=True)
        return
    part10.file.seek(0)
    yield from iter_pixels(part10.file, raw=True)


def _encapsulated(part10: Part10) -> Iterator[bytes]:
    element = elements(part10.dataset)[_PIXEL_DATA]
    if element.length != UNDEFINED_LENGTH:
        raise ValueError("compressed pixel data is not encapsulated")
    part10.file.seek(element.value_tell)
    yield from generate_frames(part10.file, number_of_frames=_declared_frames(part10))


def _store(file: BinaryIO, encoded: _Encoded, part10: Part10, decoded_size: bool) -> Frame:
    offset = file.tell()
    file.write(encoded.data)
    frame_id = uuid.uuid4().hex
    described = {
        "ID": frame_id,
        "PixelDataChecksumFromBaseToFullResolution": [
            {
                "Width": part10.rendered.instance.get("Columns"),
                "Height": part10.rendered.instance.get("Rows"),
                "Checksum": encoded.checksum,
            }
        ],
        "MinPixelValue": encoded.lowest,
        "MaxPixelValue": encoded.highest,
        "FrameSizeInBytes": encoded.decoded_size if decoded_size else len(encoded.data),
    }
    return Frame(frame_id, offset, len(encoded.data), encoded.transfer_syntax, described)
