"""The tables of the edge: receiving, uploading, the line."""

from __future__ import annotations

from typing import Any

from benchmarks.published.markdown import table

IN_USE = (*(f"{name} / storescp tuned" for name in ("edge", "limit", "limit, one sync")),)


def _cpu(receivers: dict[str, Any]) -> Any:
    """Processor time an instance, all processes of the edge to storescp's."""
    if "storescp tuned" not in receivers:
        return "-"
    edge = receivers["edge"]
    return round((edge["cpu_ms"] + edge["apart_cpu_ms"]) / receivers["storescp tuned"]["cpu_ms"], 3)


def receiving(results: dict[str, Any]) -> str:
    rows = []
    for cell in results["kept"].values():
        ratios, receivers = cell["ratios"], cell["receivers"]
        of_storescp = [
            ratios.get(f"{name} / storescp tuned", "-")
            for name in ("edge", "pynetdicom", "limit", "limit, one sync")
        ]
        of_edge = receivers["edge"]
        edge = [ratios["edge / limit, one sync"], _cpu(receivers)]
        worker = round(of_edge["apart_cpu_ms"] / of_edge["cpu_ms"], 2)
        where = f"{cell['corpus']} ×{cell['associations']}"
        rows.append(
            [where, *of_storescp, *edge, worker, round(of_edge["pss"]), round(of_edge["accept_ms"], 1)]
        )
    head = (
        "",
        "edge",
        "pynetdicom",
        "limit",
        "limit, one sync",
        "edge / limit, one sync",
        "CPU",
        "worker's CPU",
        "MiB",
        "accept, ms",
    )
    in_use = [
        [
            f"{cell['corpus']} ×{cell['associations']}",
            *(cell["ratios"].get(name, "-") for name in IN_USE),
            _cpu(cell["receivers"]),
        ]
        for cell in results["in_use"].values()
    ]
    head_in_use = ("files are removed all the time", "edge", "limit", "limit, one sync", "CPU")
    return f"{table(head, rows)}\n\n{table(head_in_use, in_use)}"


def uploading(results: dict[str, Any]) -> str:
    rows = [
        [cell["objects"], cell["in_flight"], way, ratio["rate"], ratio["per_core"]]
        for cell in results["cells"]
        for way, ratio in cell["ratios"].items()
    ]
    ways = table(("objects", "in flight", "way", "rate", "objects per second of processor time"), rows)
    receiving = [
        (f"{cell['objects']} ×{cell['associations']}", cell["rate"], cell["cpu"])
        for cell in results.get("while_receiving", [])
    ]
    if not receiving:
        return ways
    return f"{ways}\n\n{table(('receiving while uploading', 'rate', 'CPU'), receiving)}"


def line(results: dict[str, Any]) -> str:
    rows = [
        [
            *(row["way"], f"{row['received_bytes'] / 1e6:.0f} MB", f"{row['line_bytes'] / 1e6:.0f} MB"),
            *(row["upload_seconds"], row["mbit"], row["day_hours"]),
            *(row["stat_seconds"], row["stat_line_seconds"], row["stat_quiet_seconds"]),
        ]
        for row in results["ways"]
    ]
    head = (
        *("migration", "received", "on the line", "upload, s", "Mbit/s", "a day of 10 GB, h"),
        *("STAT announced after, s", "of it on the line, s", "of it quiet time, s"),
    )
    alone = [(row["connections"], row["mbit"]) for row in results["alone"]]
    beside = [(row["way"], row["per_second"], row["ratio"]) for row in results["beside"]]
    return "\n\n".join(
        (
            table(head, rows),
            table(("connections that only take bytes", "Mbit/s"), alone),
            table(("while another sender's CT goes", "received CT/s", "ratio"), beside),
        )
    )
