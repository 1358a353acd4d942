"""The pixels of a file's frames: pydicom's decoders first, imagecodecs for what they cannot read."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from ..metadata import elements
from ..p10 import UNDEFINED_LENGTH, Part10

PIXEL_DATA = 0x7FE00010


def can_decode(transfer_syntax: str) -> bool:
    """Whether an installed package decodes it; the service could, so what stays encoded here differs."""
    return _pydicom_decodes(transfer_syntax) or transfer_syntax in _imagecodecs()


def decoded(part10: Part10) -> Iterator[Any]:
    """Pixels frame by frame, without colour conversion; only a deflated file is held as a whole."""
    spare = _imagecodecs().get(part10.transfer_syntax)
    if not _pydicom_decodes(part10.transfer_syntax):
        return _by(spare, part10) if spare else iter(())
    frames = _by_pydicom(part10)
    if spare is None:
        return frames
    try:
        first = next(frames)
    except StopIteration:
        return iter(())
    except Exception:  # noqa: BLE001 - a plugin's opinion: the other decoder may read it, or raises its own
        return _by(spare, part10)
    return chain([first], frames)


def encapsulated(part10: Part10) -> Iterator[bytes]:
    """Encoded frames as they came.

    Raises:
        ValueError: the pixel data is not encapsulated.
    """
    element = elements(part10.dataset)[PIXEL_DATA]
    if element.length != UNDEFINED_LENGTH:
        raise ValueError("compressed pixel data is not encapsulated")
    part10.file.seek(element.value_tell)
    yield from generate_frames(part10.file, number_of_frames=part10.declared_frames)


def _pydicom_decodes(transfer_syntax: str) -> bool:
    try:
        return bool(get_decoder(UID(transfer_syntax)).is_available)
    except NotImplementedError:
        return False


def _by_pydicom(part10: Part10) -> Iterator[Any]:
    if part10.dataset.file_meta.TransferSyntaxUID.is_deflated:
        yield from iter_pixels(part10.dataset, raw=True)
        return
    part10.file.seek(0)
    yield from iter_pixels(part10.file, raw=True)


def _by(decode: Callable[[bytes], Any], part10: Part10) -> Iterator[Any]:
    for data in encapsulated(part10):
        yield _signed(decode(data), part10)


def _signed(pixels: Any, part10: Part10) -> Any:
    """Two's complement of BitsStored where PixelRepresentation says so: JPEG itself knows no sign."""
    if part10.attribute("PixelRepresentation") != "1" or pixels.dtype.kind != "u":
        return pixels
    spare = pixels.dtype.itemsize * 8 - int(part10.attribute("BitsStored") or pixels.dtype.itemsize * 8)
    return (pixels << spare).view(pixels.dtype.str.replace("u", "i")) >> spare


def _imagecodecs() -> dict[str, Callable[[bytes], Any]]:
    """Decoders by transfer syntax; empty where the package is not installed."""
    if importlib.util.find_spec("imagecodecs") is None:
        return {}
    import imagecodecs

    def jpeg(data: bytes) -> Any:
        """Components as they are stored: pydicom, too, is asked for no colour conversion."""
        decoded = imagecodecs.jpeg8_decode(data)
        if decoded.ndim == 2:
            return decoded
        return imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="YCBCR")

    family: tuple[tuple[Callable[[bytes], Any], tuple[str, ...]], ...] = (
        (jpeg, ("51",)),
        (imagecodecs.ljpeg_decode, ("57", "70")),
        (imagecodecs.jpegls_decode, ("80", "81")),
        (imagecodecs.jpeg2k_decode, ("90", "92", "93", "201", "202")),
    )
    return {f"1.2.840.10008.1.2.4.{end}": decode for decode, ends in family for end in ends}
