"""The page of the edges: what they say of themselves, and what the index has of them."""

from __future__ import annotations

from markupsafe import Markup

from console.markup.html import tag
from console.markup.page import definitions, table
from console.markup.words import size, time
from dicom_ingest.operators.read.index import Index, Row
from dicom_ingest.operators.read.state.attention import counted
from dicom_ingest.operators.read.state.edges import HOURS, RECENT_DAYS, edges, senders
from dicom_ingest.operators.read.state.line import bulk_senders, forecast, uplink


def the_edges(index: Index, edges_say: list[Row]) -> list[Markup]:
    """What the edges say, what the index has, and whom it heard."""
    said = [edge for edge in edges_say if "trouble" not in edge]
    silent = [f"Edge {edge['edge']} {edge['trouble']}" for edge in edges_say if "trouble" in edge]
    return [
        tag("h1", "Edges"),
        tag(
            "div",
            [tag("p", words, class_="card trouble") for words in silent],
            [_said(edge) for edge in said],
            table(
                f"Senders of the last {RECENT_DAYS} days",
                senders(index),
                {
                    "AE title": "calling_ae",
                    "Edge": "edge",
                    "Series": "series",
                    "Last heard": lambda row: time(row["last_received_at"]),
                    "Rhythm": lambda row: _silence(row, said),
                },
                "No sender has sent anything yet.",
            ),
            table(
                f"From the index: received in the last {HOURS} hours",
                edges(index),
                {
                    "Edge": "edge",
                    "Transfers": "transfers",
                    "Series": "series",
                    "Instances": "instances",
                    "Size": lambda row: size(row["bytes"]),
                    "Under way": "under_way",
                    "Failed": "failed",
                    "Aborted associations": "aborted",
                    "Last received": lambda row: time(row["last_received_at"]),
                    "Last announced": lambda row: time(row["last_announced_at"]),
                },
                "Nothing was announced yet.",
            ),
            id="edges",
            data_live="/edges",
        ),
    ]


def _said(said: Row) -> Markup:
    """An edge's status or heartbeat, in the order in which people ask."""
    return tag(
        "section",
        tag("h2", said["edge"]),
        _problems(said.get("problems", [])),
        definitions(
            {
                "Said at": _moment(said.get("heartbeat_at")),
                "Version": f"{said['version']}, since {_moment(said['started_at'])}",
                "Associations": _counts(said, open_associations="open"),
                "Received": _counts(
                    said,
                    instances_received="instances",
                    instances_duplicate="duplicates",
                    instances_refused="refused",
                    quarantined="in quarantine",
                    instances_quarantined="in quarantine",
                ),
                "Uploaded": _counts(
                    said,
                    instances_uploaded="instances",
                    upload_retries="retries",
                    aside="set aside",
                    instances_aside="set aside",
                ),
                "Announced": _counts(said, series_announced="series", series_open="open"),
                "In the spool": _spool(said),
                "Oldest unsent": _moment(said.get("oldest_unsent_at")) or "none",
                "Disk free": _disk(said),
                "Uplink": uplink(said),
                "Forecast": forecast(said),
                "Bulk senders": bulk_senders(said),
                "Certificate until": said.get("certificate_expires_at"),
                "Silent": ", ".join(said.get("silent_aes", [])),
                "Last association": _last_associations(said.get("senders", {})),
            }
        ),
        class_="card",
    )


def _counts(said: Row, **words: str) -> str:
    """Each count that the edge says, with its word."""
    return ", ".join(f"{said[name]} {word}" for name, word in words.items() if said.get(name) is not None)


def _spool(said: Row) -> str:
    return f"{counted(said['spool_instances'], 'instance')}, {size(said['spool_bytes'])}"


def _disk(said: Row) -> str:
    return f"{size(said['disk_free_bytes'])} of {size(said['disk_total_bytes'])}, {said['watermark']}"


def _moment(text: str | None) -> str | None:
    return text[:19].replace("T", " ") if text else None


def _problems(found: list[Row]) -> Markup | None:
    """What is wrong, since when, and the line of the runbook."""
    if not found:
        return None
    lines = [
        tag("li", tag("b", f"{problem['level']}: "), f"{problem['reason']} ", tag("code", problem["see"]))
        for problem in found
    ]
    return tag("ul", lines, class_="trouble")


def _silence(sender: Row, said: list[Row]) -> Markup | None:
    """The edge judges whom it heard by the same hours of the weeks before."""
    for edge in said:
        if sender["edge"] == edge["edge"] and sender["calling_ae"] in edge.get("silent_aes", []):
            return tag("span", "silent, unlike in the weeks before", class_="place person")
    return None


def _last_associations(said: dict[str, str] | list[Row]) -> Markup | None:
    """By AE title; a heartbeat lists them."""
    known = (
        {each["calling_ae"]: each["last_association_at"] for each in said} if isinstance(said, list) else said
    )
    shown = [tag("li", tag("b", ae), f" {_moment(at)}") for ae, at in sorted(known.items())]
    return tag("ul", shown) if shown else None
