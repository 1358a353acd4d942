"""The proof that a compressed instance is the received one: every pixel and every element is compared."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from edge_component.compressing.codec import HTJ2K_LOSSLESS_RPCL, decode
from edge_component.compressing.errors import DiffersError
from edge_component.compressing.part10 import split
from edge_component.compressing.pixels import PixelFormat

PIXEL_DATA, PHOTOMETRIC = 0x7FE00010, 0x00280004
COLOURS = {PHOTOMETRIC: (b"RGB ", b"YBR_RCT ")}


def prove(received: memoryview, stored: memoryview) -> None:
    """Decode `stored` and compare it with `received`: pixel by pixel, and every other element.

    Raises:
        DiffersError: they differ; the message says where.
    """
    parts, ours = split(received), dcmread(BytesIO(stored))
    if ours.file_meta.TransferSyntaxUID != HTJ2K_LOSSLESS_RPCL:
        raise DiffersError("its transfer syntax is not HTJ2K Lossless RPCL")
    theirs = dcmread(BytesIO(received))
    pixels = PixelFormat.of(parts.ds)
    _compare(theirs, ours, COLOURS if pixels.samples > 1 else {})
    frames = generate_frames(ours.get_item(PIXEL_DATA).value, number_of_frames=pixels.frames)
    compared = 0
    for codestream in frames:
        if not np.array_equal(decode(codestream), pixels.frame(parts.pixels, compared)):
            raise DiffersError(f"frame {compared + 1} differs")
        compared += 1
    if compared != pixels.frames:
        raise DiffersError(f"it has {compared} frames, not {pixels.frames}")


def _compare(
    theirs: Dataset, ours: Dataset, replaced: dict[int, tuple[bytes, bytes]], where: str = ""
) -> None:
    tags = [tag for tag in theirs.keys() if tag.element]  # noqa: SIM118 - iterating decodes the values
    if tags != list(ours.keys()):
        raise DiffersError(f"other elements in {where or 'the data set'}")
    for tag in tags:
        if tag == PIXEL_DATA:
            continue
        left, right = theirs.get_item(tag), ours.get_item(tag)
        if (left_items := _items(theirs, left)) is not None:
            right_items = _items(ours, right)
            if right_items is None or len(left_items) != len(right_items):
                raise DiffersError(f"{where}{tag} has other items")
            for number, (one, other) in enumerate(zip(left_items, right_items, strict=True)):
                _compare(one, other, {}, f"{where}{tag}[{number}].")
        elif (_value(left), _value(right)) != replaced.get(int(tag), (_value(left), _value(left))):
            raise DiffersError(f"{where}{tag} differs")


def _items(ds: Dataset, element: DataElement | RawDataElement | None) -> list[Dataset] | None:
    if isinstance(element, RawDataElement):
        if (element.VR or "SQ") != "SQ":
            return None
        element = ds[element.tag]
    return list(element.value) if element is not None and element.VR == "SQ" else None


def _value(element: DataElement | RawDataElement | None) -> object:
    return (element.value or b"") if element is not None else None
