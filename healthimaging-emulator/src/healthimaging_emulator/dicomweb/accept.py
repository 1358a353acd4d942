"""Content negotiation (PS3.18 8.7): which of the wanted representations is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..dicom.pixels.codecs import EXPLICIT_LITTLE_ENDIAN
from .call import DICOM_JSON, NotAcceptable

_FAMILY = "1.2.840.10008.1.2.4."
MEDIA_TYPES = {
    EXPLICIT_LITTLE_ENDIAN: "application/octet-stream",
    _FAMILY + "50": "image/jpeg",
    _FAMILY + "90": "image/jp2",
    _FAMILY + "91": "image/jp2",
    _FAMILY + "112": "image/jxl",
    _FAMILY + "202": "image/jphc",
    _FAMILY + "203": "image/jphc",
}
"""Of a frame, by its transfer syntax; what is not listed is `application/octet-stream`."""
BYTES, ANY = "application/octet-stream", "*/*"


@dataclass(frozen=True)
class Wanted:
    """One media range of an Accept header; a multipart's is that of its parts."""

    media_type: str
    parameters: dict[str, str] = field(default_factory=dict)
    is_multipart: bool = False

    @property
    def transfer_syntax(self) -> str | None:
        """As asked for: a UID, `*`, or none."""
        return self.parameters.get("transfer-syntax")

    @property
    def quality(self) -> float:
        """0 to 1; 1 where it is not given or no number."""
        try:
            return float(self.parameters.get("q", "1"))
        except ValueError:
            return 1.0


def wanted(header: str | None) -> list[Wanted]:
    """The media ranges, most wanted first; without a header anything is."""
    found = [_range(each) for each in _split(header or ANY) if each.strip()]
    return sorted((each for each in found if each.quality > 0), key=lambda each: -each.quality)


def _split(text: str, separator: str = ",") -> list[str]:
    """At separators outside quotes."""
    parts, quoted = [""], False
    for character in text:
        quoted ^= character == '"'
        if character == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _range(text: str) -> Wanted:
    """Unquoted values may have a slash here: clients send `type=image/jphc`."""
    media_type, *options = (part.strip() for part in _split(text, ";"))
    pairs = (option.partition("=") for option in options)
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    if media_type.lower() == "multipart/related":
        return Wanted(parameters.get("type", BYTES).lower(), parameters, is_multipart=True)
    return Wanted(media_type.lower(), parameters)


def require_json(header: str | None) -> None:
    """Search and metadata are DICOM JSON only; a second media type is refused, as the service does.

    Raises:
        NotAcceptable: another media type is wanted.
    """
    allowed = {DICOM_JSON, "application/json", "application/*", ANY}
    others = [each.media_type for each in wanted(header) if each.media_type not in allowed]
    if others:
        raise NotAcceptable(f"{', '.join(others)} is not supported; {DICOM_JSON} is")


def instance_syntax(header: str | None, stored: str, *, can_decode: bool) -> str:
    """The transfer syntax of GetDICOMInstance's answer.

    Raises:
        NotAcceptable: none of the wanted ones can be given.
    """
    fitting = [
        each
        for each in wanted(header)
        if not each.is_multipart and each.media_type in ("application/dicom", "application/*", ANY)
    ]
    for each in fitting:
        if (chosen := _chosen(each.transfer_syntax, stored, can_decode=can_decode)) is not None:
            return chosen
    raise _refusal(header, stored)


def frame_syntax(header: str | None, stored: str, *, can_decode: bool) -> tuple[str, str]:
    """Transfer syntax and media type of the parts of GetDICOMInstanceFrames' answer.

    Raises:
        NotAcceptable: none of the wanted ones can be given.
    """
    for each in wanted(header):
        if each.media_type in (BYTES, "application/*", ANY):
            chosen = _chosen(each.transfer_syntax, stored, can_decode=can_decode)
            if chosen is not None:
                return chosen, BYTES
        elif each.media_type == MEDIA_TYPES.get(stored) and each.transfer_syntax in (None, "*", stored):
            return stored, each.media_type
    raise _refusal(header, stored)


def _chosen(asked: str | None, stored: str, *, can_decode: bool) -> str | None:
    if asked in ("*", stored):
        return stored
    if asked in (None, EXPLICIT_LITTLE_ENDIAN) and can_decode:
        return EXPLICIT_LITTLE_ENDIAN
    return None


def _refusal(header: str | None, stored: str) -> NotAcceptable:
    return NotAcceptable(
        f"Accept {header or ANY} cannot be met: the instance is stored as {stored}. "
        "transfer-syntax=* takes it as it is"
    )
