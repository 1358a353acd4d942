"""Between assembler and uploader: what a sender's profile wants compressed is compressed before it is sent.

The received bytes stay in the spool until S3 has confirmed the copy and the series is announced. A copy is
journalled when it is whole in the spool: after a crash before that it is made again.
"""

from __future__ import annotations

import os
import queue
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

from edge_component.compressing.process import EncoderProcess
from edge_component.journal import channels, compression
from edge_component.journal.compression import Copy, Wanted
from edge_component.journal.database import transaction
from edge_component.running import logs
from edge_component.running.clock import SYSTEM_CLOCK, Clock
from edge_component.running.task import beat
from edge_component.settings import Settings
from edge_component.spool.folder import PART, Spool

AHEAD_BYTES = 256 * 1024 * 1024
"""Copies that wait for their upload take no more room than this, beside what was received."""
LARGEST_BYTES = 512 * 1024 * 1024
"""An instance is in memory about three times while it is compressed and proved."""
BATCH, BATCH_BYTES = 64, 16 * 1024 * 1024
"""Written to the journal in one transaction: each syncs it, which the receiver needs too."""
BEAT_SECONDS = 5.0
TROUBLE = ("differs", "no_encoder", "crashed")
"""What a person should know; the rest is in the nature of an instance."""

Reply = dict[str, Any]


class Encoder(Protocol):
    """Compresses and proves one instance."""

    def close(self) -> None:
        """End it."""
        ...

    def ask(self, request: Reply) -> Reply:
        """What the copy is, or why there is none."""
        ...


class Compressor:
    """Owned by one thread, which calls `run_once`."""

    def __init__(
        self,
        journal: sqlite3.Connection,
        spool: Spool,
        settings: Settings,
        clock: Clock = SYSTEM_CLOCK,
        encoder: Callable[[], Encoder] | None = None,
    ) -> None:
        self._journal, self._spool, self._clock = journal, spool, clock
        processes = settings.compress_processes
        self._pool = ThreadPoolExecutor(processes, thread_name_prefix="compress")
        self._encoders: queue.SimpleQueue[Encoder] = queue.SimpleQueue()
        for _ in range(processes):
            self._encoders.put(encoder() if encoder else EncoderProcess(spool.root))
        self._swept = False

    def run_once(self) -> bool:
        """Compress what waits, as far as there is room; True: something was done."""
        if not self._swept:
            self._sweep()
        batch = self._batch()
        if not batch:
            return False
        asked = [self._pool.submit(self._ask, one) for one in batch]
        while wait(asked, BEAT_SECONDS).not_done:
            beat()
        replies = [self._kept(one, each.result()) for one, each in zip(batch, asked, strict=True)]
        with transaction(self._journal) as journal:
            for one, reply in zip(batch, replies, strict=True):
                self._write(journal, one, reply)
        return True

    def close(self) -> None:
        """End the encoders that are idle; the others end with this process."""
        while not self._encoders.empty():
            self._encoders.get().close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _batch(self) -> list[Wanted]:
        found = compression.wanted(self._journal, BATCH)
        if not found or compression.bytes_ahead(self._journal) >= AHEAD_BYTES:
            return []
        size = 0
        batch: list[Wanted] = []
        for one in found:
            if batch and size + one.bytes > BATCH_BYTES:
                break
            batch.append(one)
            size += one.bytes
        return batch

    def _ask(self, one: Wanted) -> Reply:
        """In the pool."""
        if one.bytes > LARGEST_BYTES:
            return {"refused": "too_large", "reason": f"{one.bytes} bytes"}
        encoder = self._encoders.get()
        try:
            return encoder.ask(
                {
                    "file": one.file,
                    "bytes": one.bytes,
                    "file_crc32": one.file_crc32,
                    "copy": str(self._part(one)),
                }
            )
        finally:
            self._encoders.put(encoder)

    def _part(self, one: Wanted) -> Path:
        """This process's own: an encoder may outlive the worker that asked it."""
        copy = self._spool.compressed_copy(one.file)
        return copy.with_name(f"{copy.name}.{os.getpid()}{PART}")

    def _kept(self, one: Wanted, reply: Reply) -> Reply:
        """The copy gets its name; what was written of a refused one goes."""
        part = self._part(one)
        try:
            if "refused" in reply:
                self._spool.files.remove(part)
            else:
                self._spool.files.rename(part, self._spool.compressed_copy(one.file))
        except OSError as error:
            return {"refused": "error", "reason": str(error.strerror)}
        return reply

    def _write(self, journal: sqlite3.Connection, one: Wanted, reply: Reply) -> None:
        if "refused" not in reply:
            compression.compressed(journal, one, Copy(**reply))
            return
        why, reason = reply["refused"], reply["reason"]
        compression.as_received(journal, one, why)
        if why in TROUBLE:
            channels.notice(journal, channels.NOT_COMPRESSED, self._clock(), f"{why}: {reason}")
        say = logs.warning if why in TROUBLE else logs.info
        say("sent as received", file=one.file, why=why, reason=reason)

    def _sweep(self) -> None:
        """Copies of an earlier process that will not be sent."""
        wanted = {self._spool.compressed_copy(file).name for file in compression.files(self._journal)}
        for name in list(self._spool.files.names(self._spool.compressed)):
            if name not in wanted:
                self._spool.files.remove(self._spool.compressed / name)
        self._swept = True
