"""Frames: extracted one at a time, stored as HealthImaging would store them, with CRC32 of the pixels."""

from __future__ import annotations

import logging
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .. import warning_codes
from ..metadata import elements
from ..p10 import UNDEFINED_LENGTH, Part10
from ..transfer_syntaxes import NATIVE, RETAINED, SUPPORTED, TRANSCODED, VIDEO
from .codecs import EXPLICIT_LITTLE_ENDIAN, Encoder, little_endian
from .decoders import PIXEL_DATA, can_decode, decoded, encapsulated

log = logging.getLogger(__name__)


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
    if not found.frames:
        found.warnings = found.warnings or [warning_codes.FRAMES_EXTRACTION_FAILURE]
    elif part10.transfer_syntax not in VIDEO and len(found.frames) != part10.declared_frames:
        found.warnings = found.warnings or [warning_codes.FRAME_NUMBER_MISMATCH]
    if found.warnings:  # none of its frames can be retrieved
        (folder / found.blob).unlink()
        return Extracted(warnings=found.warnings)
    found.transfer_syntax = found.frames[0].transfer_syntax
    return found


def _readable(frames: Iterator[_Encoded], part10: Part10, found: Extracted) -> Iterator[_Encoded]:
    """The frames up to one that cannot be decoded, which becomes a warning."""
    while True:
        try:
            encoded = next(frames)
        except StopIteration:
            return
        except Exception:  # arbitrary bytes: pydicom and its plugins may raise anything
            log.info("frames not extracted", exc_info=True)
            is_decoded = part10.transfer_syntax in TRANSCODED - NATIVE
            found.warnings.append(
                warning_codes.TRANSCODING_EXCEPTION if is_decoded else warning_codes.FRAMES_EXTRACTION_FAILURE
            )
            return
        yield encoded


def _encoded_frames(part10: Part10, encoder: Encoder) -> Iterator[_Encoded]:
    if part10.transfer_syntax in VIDEO:
        yield _as_stored(b"".join(encapsulated(part10)), part10)
    elif part10.transfer_syntax in RETAINED or not can_decode(part10.transfer_syntax):
        for data in encapsulated(part10):
            yield _as_stored(data, part10)
    elif _is_binary(part10):
        for bits in _binary_frames(part10):
            yield _as_bits(bits)
    else:
        for pixels in decoded(part10):
            yield _encoded(pixels, encoder)


def _as_stored(data: bytes, part10: Part10) -> _Encoded:
    return _Encoded(data, part10.transfer_syntax, zlib.crc32(data), len(data), retained=True)


def _encoded(pixels: Any, encoder: Encoder) -> _Encoded:
    decoded = little_endian(pixels)
    data, transfer_syntax = encoder.encode(pixels)
    lowest, highest = pixels.min().item(), pixels.max().item()
    return _Encoded(data, transfer_syntax, zlib.crc32(decoded), len(decoded), lowest, highest)


def _is_binary(part10: Part10) -> bool:
    element = elements(part10.dataset).get(PIXEL_DATA)
    native = element is not None and element.length != UNDEFINED_LENGTH
    return native and part10.attribute("BitsAllocated") == "1"


def _binary_frames(part10: Part10) -> Iterator[Any]:
    """Frames of one bit per pixel; in the file they follow each other without regard to bytes."""
    import numpy

    raw = numpy.frombuffer(part10.read_value(elements(part10.dataset)[PIXEL_DATA]), "u1")
    size = int(part10.rendered.instance["Rows"]) * int(part10.rendered.instance["Columns"])
    bits = numpy.unpackbits(raw, bitorder="little")
    for number in range(min(part10.declared_frames, len(bits) // size)):
        yield bits[number * size : (number + 1) * size]


def _as_bits(bits: Any) -> _Encoded:
    """Kept as one bit per pixel, each frame beginning at a byte."""
    import numpy

    data = numpy.packbits(bits, bitorder="little").tobytes()
    lowest, highest = int(bits.min()), int(bits.max())
    return _Encoded(data, EXPLICIT_LITTLE_ENDIAN, zlib.crc32(data), len(data), lowest, highest)


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
