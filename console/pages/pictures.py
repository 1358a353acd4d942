"""The pictures of one series: its frames, one of them, and a thumbnail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from console.markup.html import tag
from console.pictures.frames import Frame
from console.pictures.pixels import UndecodableError
from console.run.sources import Sources
from dicom_ingest.db.read.index import first
from dicom_ingest.db.read.places import Filter, places
from dicom_ingest.db.read.timeline import held

THUMBNAIL = 64
"""Pixels, the longer side."""
Window = tuple[float, float]


class Pictures:
    """Of every series of one run."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def frames(self, transfer: str, series_uid: str) -> list[Frame]:
        """In the order in which a reader scrolls."""
        with self._sources.index() as index:
            image_sets = held(index, transfer, series_uid)
        return self._sources.frames.frames(image_sets.items(), series_uid)

    def window(self, frames: list[Frame]) -> Window | None:
        """The window with which the first is shown; None where there is none, or it cannot be decoded."""
        try:
            return self._sources.frames.window(frames[0]) if frames else None
        except UndecodableError:
            return None

    def frame(self, transfer: str, series_uid: str, number: int, wanted: Mapping[str, str]) -> Response:
        """One of them, with the window that is wanted (`center`, `width`), small where `small` is.

        Raises:
            NotFound: there is no such frame, or it cannot be decoded here.
        """
        frames = self.frames(transfer, series_uid)
        if not 1 <= number <= len(frames):
            raise NotFound(f"Frame {number}: 1 to {len(frames)} are there.")
        try:
            most = THUMBNAIL if "small" in wanted else None
            return _png(self._sources.frames.picture(frames[number - 1], _window(wanted), most))
        except UndecodableError as error:
            raise NotFound(f"Frame {number}: {error}") from error

    def thumbnail(self, transfer: str, series_uid: str) -> Response:
        """The middle frame, small; the modality as a word where there is no picture to show (yet)."""
        frames = self.frames(transfer, series_uid)
        try:
            if frames:
                return _png(self._sources.frames.picture(frames[len(frames) // 2], None, THUMBNAIL))
        except UndecodableError:
            return self._word(transfer, series_uid)
        return self._word(transfer, series_uid)

    def _word(self, transfer: str, series_uid: str) -> Response:
        with self._sources.index() as index:
            row = first(places(index, Filter(transfer=transfer, series=series_uid)))
        if row is None:
            raise NotFound(f"The index has no series {series_uid} of transfer {transfer}.")
        return Response(_tile(row["modality"] or "?"), mimetype="image/svg+xml")


def _window(wanted: Mapping[str, Any]) -> Window | None:
    try:
        return float(wanted["center"]), max(1.0, float(wanted["width"]))
    except (KeyError, ValueError):
        return None


def _png(content: bytes) -> Response:
    return Response(content, mimetype="image/png")


def _tile(word: str) -> Markup:
    text = tag("text", word, x=32, y=37, text_anchor="middle", fill="#9fb0bf", font_size=17,
               font_family="system-ui, sans-serif")  # fmt: skip
    ground = tag("rect", width=64, height=64, fill="#182028")
    return tag("svg", ground, text, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 64 64")
