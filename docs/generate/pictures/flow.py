"""From the sender to the image set: who does what, and in which file."""

from __future__ import annotations

from docs.generate.pictures.svg import Arrow, Box, picture

BOXES = (
    Box("sender", ("PACS, VNA, modality",), (0, 0), "end"),
    Box("receiver", ("stores, then answers", "edge_component/receiving/store.py"), (1, 0)),
    Box("spool and journal", ("one behind the other", "edge_component/spool/folder.py"), (2, 0), "store"),
    Box("assembler", ("which transfer; complete?", "edge_component/assembling/rules.py"), (3, 0)),
    Box("uploader", ("file as received", "edge_component/sending/uploader.py"), (2, 1)),
    Box("announcer", ("manifest, then event", "edge_component/announcing/announcer.py"), (3, 1)),
    Box("S3", ("instances, manifests,", "results"), (2, 2), "store"),
    Box("EventBridge", ("bus, archive, replay",), (3, 3), "store"),
    Box("index and queue", ("PostgreSQL",), (1, 4), "store"),
    Box("IndexSeries", ("manifest and objects agree",), (3, 4)),
    Box("AcquireImportSlot", ("ticket, slot, start time",), (3, 5)),
    Box("StartImport, CheckImport", ("one import, polled",), (2, 5)),
    Box("RecordImageSets", ("verdict per instance",), (1, 5)),
    Box("HealthImaging", ("imports, merges",), (2, 6), "store"),
    Box("image sets", ("who asks, finds them", "in the index"), (0, 5), "end"),
)
ARROWS = (
    Arrow("sender", "receiver", "C-STORE", shift=-8),
    Arrow("receiver", "sender", "0x0000", shift=12),
    Arrow("receiver", "spool and journal", "sync"),
    Arrow("spool and journal", "assembler"),
    Arrow("spool and journal", "uploader"),
    Arrow("assembler", "announcer", "sealed"),
    Arrow("uploader", "S3", "PUT, checksum"),
    Arrow("announcer", "S3", "manifest", route="vh"),
    Arrow("announcer", "EventBridge", "Series Complete", shift=40),
    Arrow("EventBridge", "IndexSeries", "one execution a series"),
    Arrow("S3", "IndexSeries", "GET, LIST", route="vh"),
    Arrow("IndexSeries", "index and queue", "rows", shift=16),
    Arrow("IndexSeries", "AcquireImportSlot", "claimed"),
    Arrow("AcquireImportSlot", "StartImport, CheckImport", "slot"),
    Arrow("StartImport, CheckImport", "HealthImaging", "start, poll"),
    Arrow("StartImport, CheckImport", "RecordImageSets", "over"),
    Arrow("RecordImageSets", "index and queue", "image sets", shift=20),
    Arrow("RecordImageSets", "image sets"),
)


def flow() -> str:
    """As SVG."""
    return picture(
        "From the sender to the image set",
        "The edge stores, uploads and announces; a workflow indexes, waits for a slot, imports and records",
        BOXES,
        ARROWS,
    )
