"""The text, the document and the tags of an instance, read from its file in S3."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from pydicom import Dataset
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from console.markup.html import tag
from console.pages.viewing.instance import INLINE, content
from console.pictures.files import UnreadableError, document
from console.run.sources import Sources
from dicom_ingest.operators.read.series.timeline import Timeline, object_key


class Texts:
    """Of every instance of one run."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def of_series(self, found: Timeline) -> Markup | None:
        """The report or document of a series without pictures: of its first instance."""
        row = found.series_transfer
        if row["state"] != "OVER" or not found.instances:
            return None
        first = found.instances[0]["sop_instance_uid"]
        try:
            return content(row, first, self._file(row["transfer_id"], row["series_instance_uid"], first))
        except (NotFound, UnreadableError) as error:
            return tag("p", f"The first instance cannot be shown: {error}", class_="card empty")

    def read(self, *named: Any, whole: bool = False) -> Dataset:
        """An instance by transfer, series and SOP instance UID; all of it, or what is before the pixels.

        Raises:
            NotFound: there is none, or it cannot be read.
        """
        try:
            return self._file(*named, whole=whole)
        except UnreadableError as error:
            raise NotFound(str(error)) from error

    def document(self, *named: Any) -> Response:
        """The document in an instance.

        Raises:
            NotFound: it has none.
        """
        held = document(self.read(*named, whole=True))
        if held is None:
            raise NotFound("The instance has no document.")
        answer = Response(held[0], mimetype=held[1])
        if held[1] != INLINE:
            answer.headers["Content-Disposition"] = "attachment"
        return answer

    def _file(self, transfer: Any, series_uid: str, sop_uid: str, *, whole: bool = False) -> Dataset:
        with self._sources.index() as index:
            key = object_key(index, str(transfer), series_uid, sop_uid)
        if key is None:
            raise NotFound(f"The index has no instance {sop_uid} of this series transfer.")
        files = self._sources.files
        return files.whole(key) if whole else files.header(key)
