"""The pictures of one series: its frames, one of them, and a thumbnail."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from textwrap import wrap
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from console.markup.html import tag
from console.pages.viewing.viewer import Shown, Window
from console.pictures.decoding import UndecodableError
from console.pictures.frames import Frame, Picture
from console.pictures.geometry import geometry, rate, runs
from console.run.sources import Sources
from dicom_ingest.operators.read.index import first
from dicom_ingest.operators.read.series.places import Filter, places
from dicom_ingest.operators.read.series.timeline import Timeline, held

THUMBNAIL = 64
"""Pixels, the longer side."""


class Pictures:
    """Of every series of one run."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def frames(self, transfer: str, series_uid: str) -> list[Frame]:
        """In the order in which a reader scrolls."""
        with self._sources.index() as index:
            image_sets = held(index, transfer, series_uid)
        return self._sources.frames.frames(image_sets.items(), series_uid)

    def look(self, found: Timeline) -> tuple[list[Frame], Shown]:
        """The frames of a series, and how they are shown; or the reason why there is none."""
        row = found.series_transfer
        try:
            frames = self.frames(row["transfer_id"], row["series_instance_uid"])
        except (BotoCoreError, ClientError) as error:
            return [], Shown(trouble=f"No picture: HealthImaging does not give the image set. {error}")
        return frames, self.shown(frames) if frames else Shown(trouble=why_none(found))

    def shown(self, frames: list[Frame]) -> Shown:
        """Window, geometry and pace of these frames; `trouble` where the first cannot be shown."""
        where = runs(geometry(frame.header) for frame in frames)
        pace = rate(frames[0].header)
        try:
            window, whole = self._sources.frames.windows(frames[0])
        except (UndecodableError, BotoCoreError, ClientError) as error:
            return Shown(len(frames), trouble=str(error), geometry=where, rate=pace)
        return Shown(len(frames), window, whole, geometry=where, rate=pace)

    def frame(self, transfer: str, series_uid: str, number: int, wanted: Mapping[str, str]) -> Response:
        """One of them, with the window that is wanted (`center`, `width`), small where `small` is.

        A frame that cannot be decoded here is a picture of the reason: a broken one would hide it.

        Raises:
            NotFound: there is no such frame.
        """
        frames = self.frames(transfer, series_uid)
        if not 1 <= number <= len(frames):
            raise NotFound(f"Frame {number}: 1 to {len(frames)} are there.")
        try:
            most = THUMBNAIL if "small" in wanted else None
            return _shown(self._sources.frames.picture(frames[number - 1], _window(wanted), most))
        except (UndecodableError, BotoCoreError, ClientError) as error:
            return Response(_notice(f"Frame {number} cannot be shown. {error}"), mimetype="image/svg+xml")

    def thumbnail(self, transfer: str, series_uid: str) -> Response:
        """The middle frame, small; the modality as a word where there is no picture to show (yet)."""
        try:
            frames = self.frames(transfer, series_uid)
            if frames:
                return _shown(self._sources.frames.picture(frames[len(frames) // 2], None, THUMBNAIL))
        except (UndecodableError, BotoCoreError, ClientError):
            return self._word(transfer, series_uid)
        return self._word(transfer, series_uid)

    def _word(self, transfer: str, series_uid: str) -> Response:
        with self._sources.index() as index:
            row = first(places(index, Filter(transfer=transfer, series=series_uid)))
        if row is None:
            raise NotFound(f"The index has no series {series_uid} of transfer {transfer}.")
        return Response(_tile(row["modality"] or "?"), mimetype="image/svg+xml")


def why_none(found: Timeline) -> str:
    """Why a series has no picture, in one sentence."""
    row = found.series_transfer
    if row["state"] != "OVER":
        waits = f" It waits for {found.waits_for.words}." if found.waits_for else ""
        return f"No picture yet: the series is not imported.{waits}"
    if row["outcome"] == "INDEXED":
        return "No picture: the series is in the index only. Importing was off."
    if not found.image_sets:
        return f"No picture: the series ended {row['outcome']} and has no image set."
    return f"No picture: the instances of this {row['modality'] or ''} series have no pixels."


def _window(wanted: Mapping[str, Any]) -> Window | None:
    try:
        center, width = float(wanted["center"]), float(wanted["width"])
    except (KeyError, ValueError):
        return None
    return (center, max(1.0, width)) if isfinite(center) and isfinite(width) else None


def _shown(picture: Picture) -> Response:
    return Response(picture.content, mimetype=picture.media_type)


def _notice(words: str) -> Markup:
    """Words as a picture, for the place where a frame would be."""
    lines = wrap(words, 44)
    top = 128 - 10 * (len(lines) - 1)
    text = [
        tag("text", line, x=200, y=top + 20 * number, text_anchor="middle", fill="#c9d3dc", font_size=15,
            font_family="system-ui, sans-serif")
        for number, line in enumerate(lines)
    ]  # fmt: skip
    return tag("svg", text, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 400 256")


def _tile(word: str) -> Markup:
    text = tag("text", word, x=32, y=37, text_anchor="middle", fill="#9fb0bf", font_size=17,
               font_family="system-ui, sans-serif")  # fmt: skip
    ground = tag("rect", width=64, height=64, fill="#182028")
    return tag("svg", ground, text, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 64 64")
