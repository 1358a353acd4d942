"""Write the tables of the pages from benchmarks/results: ``python -m benchmarks.published.tables``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.published import edge
from benchmarks.published.markdown import table

RESULTS = Path(__file__).parents[1] / "results"
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
PAGES = (PAGE, ROOT / "healthimaging-emulator" / "README.md")


def main() -> int:
    """Write the pages again."""
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def render(page: str) -> str:
    """The page with its tables written again; each is between ``<!-- name -->`` and ``<!-- /name -->``."""
    for name, made in TABLES.items():
        if f"<!-- {name} -->" not in page:
            continue
        results = json.loads((RESULTS / f"{name.partition(' ')[0]}.json").read_text(encoding="utf-8"))
        text = f"<!-- {name} -->\n{_measured(results)}\n\n{made(results)}\n<!-- /{name} -->"
        before, _, rest = page.partition(f"<!-- {name} -->")
        page = before + text + rest.partition(f"<!-- /{name} -->")[2]
    return page


def _measured(results: dict[str, Any]) -> str:
    """By which command, when, on what; cases are measured one by one."""
    cases = [case for group in results.values() if isinstance(group, dict) for case in group.values()]
    measured = [case for case in cases if isinstance(case, dict) and "machine" in case] or [results]
    machines = [each["machine"] for each in measured]
    commands = sorted({f"`.venv/bin/{each['command']}`" for each in measured}, key=len)
    words = [" and ".join(commands), _range([found["measured_at"][:10] for found in machines])]
    if "load_average" in machines[0]:
        loads = _range([found["load_average"] for found in machines])
        words += [f"{machines[0]['cores']} cores", f"load average {loads}"]
    return ", ".join(words)


def _range(values: list[Any]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _indexing(results: dict[str, Any]) -> str:
    rows = [
        [row[name] for name in ("instances", "seconds", "cpu_seconds", "database_cpu_seconds")]
        + [row["statements"], row["GET"], row["LIST"], round(row["peak_mebibytes"])]
        for row in results["series"]
    ]
    head = ("instances", "s", "processor s", "of the database", "SQL statements", "GET", "LIST", "peak MiB")
    return table(head, rows)


def _cold_start(results: dict[str, Any]) -> str:
    rows = [
        [
            *(f"`{name}`", round(row["cpu_ms"]), row["modules"], ", ".join(row["unwanted"]) or "none"),
            ", ".join(f"{package} {round(ms)}" for package, ms in row["most"].items()),
        ]
        for name, row in results["functions"].items()
    ]
    head = ("function", "processor ms", "modules", "of pydicom, numpy, tracer", "most of it, ms")
    return table(head, rows)


def _semaphore(results: dict[str, Any]) -> str:
    ways = results["ways"]
    rows = [
        [f"{name.replace('_', ' ')} (violations)", *(way["violations"][name] for way in ways.values())]
        for name in next(iter(ways.values()))["violations"]
    ]
    for name, words in (
        ("series_ended", "series that ended"),
        ("grants", "slots granted"),
        ("grants_a_second_of_one_connection", "slots granted a second, one connection"),
        ("database_ms_a_series", "database ms a series"),
    ):
        rows.append([words, *(way[name] for way in ways.values())])
    rows += [
        [f"{step}, ms", *(_median_and_p99(way[f"{step}_ms"]) for way in ways.values())]
        for step in ("acquire", "start", "release")
    ]
    waiting = next(iter(ways.values()))["waiting"]
    return table((f"{waiting:,} waiting", *(SHARING[way["bundles"]] for way in ways.values())), rows)


SHARING = {True: "shared", False: "one a series"}


def _median_and_p99(spread: dict[str, float]) -> str:
    return f"median {spread['median']}, p99 {spread['p99']}"


def _migrations(results: dict[str, Any]) -> str:
    rows = [
        [
            *(row["archive"], row["seconds_a_file"], SHARING[row["bundles"]]),
            *(row["series_a_start"], row["series_a_second"], row["starts_a_second"]),
            *(row["days_for_10_million"], row["transitions_a_series"], row["reads_a_second"]),
        ]
        for row in results["migrations"].values()
    ]
    head = (
        *("archive", "assumed s a file", "imports", "series a start", "series/s", "starts/s"),
        *("days for 10 million", "transitions a series", "GetDICOMImportJob/s"),
    )
    return table(head, rows)


def _days(results: dict[str, Any]) -> str:
    rows = [
        [
            *(row["seconds_a_file"], row["hours"], "yes" if row["migration_behind"] else "no"),
            *(row["live_series"], row["latency_seconds"]["median"], row["latency_seconds"]["p99"]),
            *(row["series_a_start"], row["migrated_series"]),
        ]
        for row in results["days"].values()
    ]
    head = (
        *("assumed s a file", "hours", "migration behind", "live series", "latency, s, median", "p99"),
        *("live series a start", "migrated series of 500"),
    )
    return table(head, rows)


def _size(results: dict[str, Any]) -> str:
    rows = [(row["name"], row["server_ms"], row["ms"]) for row in results["statements"]]
    head = f"{results['series']:,} series, {results['instances']:,} instances, {results['waiting']:,} waiting"
    return table((head, "server, ms", "until answered, ms"), rows)


def _pipeline(results: dict[str, Any]) -> str:
    stages = list(results["median_seconds_by_stage"].items())
    used = [
        (f"{part}: processor ms a series", spent)
        for part, spent in results["processor_milliseconds_a_series"].items()
    ]
    seen = [
        ("transitions, median", results["transitions"]["median"]),
        ("history events, median", results["history_events"]["median"]),
    ]
    for seconds, words in (("600", "ten-minute"), ("3600", "one-hour"), ("86400", "one-day")):
        cost = results["by_import_seconds"][seconds]
        seen.append((f"transitions of a {words} import, at most", cost["transitions"]))
        seen.append((f"history events of a {words} import, at most", cost["history_events"]))
    head = (f"{results['series']} series of 4, {results['seconds']} s", "median seconds")
    return table(head, stages) + "\n\n" + table(("", ""), used + seen)


def _migration(results: dict[str, Any]) -> str:
    rows = [
        [
            *(group, SHARING[name == "shared"], row["series"], row["imports"]),
            *(row["seconds_from_first_start_to_last_end"], row["seconds"]),
        ]
        for group, ways in results.items()
        if group.endswith("a second")
        for name, row in ways.items()
    ]
    return table(
        ("allowed", "imports", "series", "imports started", "first start to last end, s", "in all, s"), rows
    )


def _costs(results: dict[str, Any]) -> str:
    measured, long = (
        results["dollars_per_1000_series"],
        results["dollars_per_1000_series_with_ten_minute_imports"],
    )
    shared = results["dollars_per_1000_series_with_shared_imports"]
    return table(
        (
            *("$ per 1,000 series of 100 instances", "imports of seconds", "imports of ten minutes"),
            f"shared by {results['series_that_share_a_start']:.0f}",
        ),
        [(item, measured[item], long[item], shared[item]) for item in measured],
    )


def _limits(results: dict[str, Any]) -> str:
    return table(("quota", "most series a second"), results["most_series_per_second"].items())


def _scenarios(results: dict[str, Any]) -> str:
    rows = [
        [
            *(name, row["series_per_second"], f"{row['share_of_start_quota']:.1%}"),
            *(row["longest_held_seconds_with_100_slots"], row["megabits_per_second"]),
            *(row["aurora_capacity_units"], row["for"]),
            *(f"{row['dollars']:,}", f"{row['dollars_a_month_to_keep_it']:,}"),
        ]
        for name, row in results["scenarios"].items()
    ]
    head = (
        *("", "series/s", "of the start quota", "a slot may be held, s", "Mbit/s", "ACU"),
        *("for", "$ in that time", "$ a month to keep it"),
    )
    return table(head, rows)


def _emulator(results: dict[str, Any]) -> str:
    rows = [
        [
            *(name, case["megabytes"], case["seconds"], case["cpu_seconds"], case["peak_mb"]),
            *(case.get(figure, "") for figure in ("frames_per_second", "median_ms", "p99_ms")),
            *(case.get(figure, "") for figure in ("first_search_ms", "newest_100_ms", "one_patient_ms")),
        ]
        for name, case in results["cases"].items()
    ]
    head = (
        *("", "MB", "import, s", "CPU of it, s", "peak memory, MB"),
        *("frames/s", "median, ms", "99 %, ms"),
        *("first search, ms", "newest 100, ms", "one patient, ms"),
    )
    return table(head, rows)


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "receiving": edge.receiving,
    "uploading": edge.uploading,
    "line": edge.line,
    "indexing": _indexing,
    "cold_start": _cold_start,
    "semaphore": _semaphore,
    "starts migrations": _migrations,
    "starts days": _days,
    "size": _size,
    "pipeline": _pipeline,
    "migration": _migration,
    "costs": _costs,
    "costs limits": _limits,
    "costs scenarios": _scenarios,
    "emulator": _emulator,
}

if __name__ == "__main__":
    sys.exit(main())
