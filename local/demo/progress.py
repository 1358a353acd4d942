"""How far the series of a run are, counted at the edge and in the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from dicom_ingest.db.server.connection import Connection
from local.clients.edge import edge_status
from local.demo.index_queries import stages


@dataclass(frozen=True)
class Progress:
    """Instances at the edge, series transfers after it."""

    received: int = 0
    uploaded: int = 0
    indexed: int = 0
    waiting: int = 0
    importing: int = 0
    imported: int = 0

    @classmethod
    def read(cls, health_port: int, connection: Connection) -> Progress:
        """Ask the edge and the index."""
        edge, series = edge_status(health_port), stages(connection)
        return cls(
            received=edge["instances_received"],
            uploaded=edge["instances_uploaded"],
            indexed=series["indexed"],
            waiting=series["waiting"],
            importing=series["importing"],
            imported=series["over"],
        )


UNITS = {
    "received": "instances",
    "uploaded": "instances",
    "indexed": "series",
    "waiting": "series",
    "importing": "series",
    "imported": "series",
}
REFRESH_SECONDS = 0.25
PLAIN_SECONDS = 2.0


class Display:
    """Shows progress: redrawn in place on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, instances: int, series: int) -> None:
        self._console = console
        self._totals = {"instances": instances, "series": series}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._last: Progress | None = None
        self._spoke_at = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """On the terminal while the block runs."""
        if self._live is None:
            yield
            return
        with self._live:
            yield

    def update(self, progress: Progress) -> None:
        """Show this."""
        if self._live is not None:
            self._live.update(self._bars(progress), refresh=True)
        elif progress != self._last and (
            self._done(progress) or time.monotonic() - self._spoke_at >= PLAIN_SECONDS
        ):
            self._spoke_at = time.monotonic()
            counts = "  ".join(f"{name} {count}" for name, count in asdict(progress).items())
            self._console.print(counts, highlight=False)
        self._last = progress

    def _done(self, progress: Progress) -> bool:
        return progress.imported >= self._totals["series"]

    def _bars(self, progress: Progress) -> Table:
        grid = Table.grid(padding=(0, 2))
        for name, count in asdict(progress).items():
            total = self._totals[UNITS[name]]
            bar = ProgressBar(total=max(total, count, 1), completed=count, width=40)
            grid.add_row(name, bar, f"{count} of {total} {UNITS[name]}")
        return grid


def in_background(work: threading.Thread) -> Iterator[None]:
    """Take turns while a thread works."""
    while work.is_alive():
        yield
        work.join(REFRESH_SECONDS)
