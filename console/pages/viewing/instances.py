"""The instances of one series transfer, each with its verdict and its first picture."""

from __future__ import annotations

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import table
from console.markup.words import address, size, time, verdict
from console.pages.series import primary, uid
from console.pages.viewing.instance import instance_address
from console.pictures.frames import Frame
from dicom_ingest.operators.read.index import Row
from dicom_ingest.operators.read.series.timeline import Timeline


def instances(found: Timeline, frames: list[Frame]) -> Markup:
    """Every instance, those with a word to say first."""
    counts = ", ".join(f"{count} {name}" for name, count in found.verdicts.items()) or "none indexed yet"
    numbers = {frame.sop_instance_uid: number for number, frame in reversed([*enumerate(frames, start=1)])}
    base = f"{address(found.series_transfer)}/frames"
    return table(
        f"Instances: {counts}",
        found.instances,
        {
            "Picture": lambda row: _picture(base, numbers.get(row["sop_instance_uid"])),
            "Number": "instance_number",
            "Verdict": lambda row: verdict(row["verdict"]),
            "SOP Instance UID": lambda row: tag(
                "a",
                uid(row["sop_instance_uid"]),
                href=instance_address(found.series_transfer, row["sop_instance_uid"]),
                title="DICOM tags",
            ),
            "Words": "message",
            "Image set": _image_set,
            "Size": lambda row: size(row["bytes"]) if row["bytes"] is not None else "",
            "Received": lambda row: time(row["received_at"]),
            "Imported": lambda row: time(row["imported_at"]),
        },
        "No instance is indexed yet.",
    )


def _picture(base: str, number: int | None) -> Markup | None:
    if number is None:
        return None
    source = f"{base}/{number}.png?small=yes"
    picture = tag(
        "img", src=source, alt=f"Frame {number}", loading="lazy", width=44, height=44, class_="thumbnail"
    )
    return tag("a", picture, href=f"?frame={number}#viewer", data_frame=number)


def _image_set(row: Row) -> str:
    return f"version {row['image_set_version']}{primary(row)}" if row["image_set_id"] else ""
