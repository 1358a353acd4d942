"""The worker's three owners in this process, over a real journal and a real spool, crashed at will."""

from __future__ import annotations

import io
import json
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from dicom_ingest.contracts.messages.manifest import Manifest, decode_manifest
from edge_component.announcing.announcer import Announcer
from edge_component.assembling.adoption import adopt, end_epochs
from edge_component.assembling.assembly import Assembly
from edge_component.compressing.compressor import Compressor, Encoder
from edge_component.journal.database import open_journal, transaction
from edge_component.journal.instances import insert_instances
from edge_component.journal.releases import seal
from edge_component.receiving.datasets.header import read_header
from edge_component.receiving.datasets.preflight import noted
from edge_component.records.receipt import HEAD, encode_receipt, of_place
from edge_component.records.rows import AssociationRow, InstanceRow
from edge_component.sending.uploader import Uploader
from edge_component.spool.files import Files
from edge_component.spool.folder import Spool
from tests.support.edge.dicom import encoded, instance
from tests.support.edge.stand_ins import Clock, ImmediatePool, StandInBus, StandInS3, settings

EXPLICIT = "1.2.840.10008.1.2.1"


class Crash(BaseException):
    """The process is gone at this point."""


class Bench:
    """An edge without a network, driven step by step."""

    def __init__(self, root: Path, files: Files | None = None, **changes: Any) -> None:
        self.settings = settings(root, **changes)
        self.clock = Clock()
        self.s3 = StandInS3()
        self.bus = StandInBus()
        self.encoder: Callable[[], Encoder] | None = None
        """None: a real process."""
        self._root, self._files = root, files
        self.start()

    def start(self) -> None:
        """As a new process: everything it knows is on the disk."""
        self.spool = Spool(self._root, self._files, spares=3)
        self.spool.prepare()
        self.spool.segments.sealed = self._seal
        self.journal = open_journal(self.spool.journal)
        end_epochs(self.journal, self.clock())
        with transaction(self.journal) as journal:
            self.epoch = (
                journal.execute("INSERT INTO epoch (started_at) VALUES (?)", (self.clock(),)).lastrowid or 0
            )
        adopt(self.journal, self.spool, self.epoch, self.clock)
        monotonic = self.clock.monotonic
        self.assembly = Assembly(self.journal, self.spool, self.settings, self.clock, monotonic=monotonic)
        self.uploader = Uploader(
            self.journal, self.spool, self.settings, self.s3, ImmediatePool(), monotonic, wall=self.clock
        )
        self.compressor = Compressor(self.journal, self.spool, self.settings, self.clock, self.encoder)
        self.announcer = Announcer(
            self.journal, self.spool, self.settings, self.s3, self.bus, self.clock, monotonic
        )

    def crash(self) -> None:
        """kill -9, and a new start."""
        self.journal.close()
        self.start()

    def associate(self, calling_ae: str = "SENDER") -> AssociationRow:
        """A new association."""
        return AssociationRow(uuid.uuid4().hex, calling_ae, "DICOM-INGEST", "127.0.0.1", self.clock())

    def receive(
        self,
        sender: AssociationRow,
        study: str,
        series: str,
        sop: str,
        content: int = 0,
        modality: str = "CT",
        pixels: int = 256,
    ) -> None:
        """An acknowledged instance."""
        ds = instance(study, series, sop, modality=modality, pixels=pixels, InstanceNumber=content)
        self.take(sender, ds, content)

    def take(self, sender: AssociationRow, ds: Dataset, content: int = 0) -> None:
        """This instance, acknowledged."""
        study, series = str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)
        sop, modality, syntax = str(ds.SOPInstanceUID), str(ds.Modality), str(ds.file_meta.TransferSyntaxUID)
        file = self.spool.receive(str(ds.SOPClassUID), sop, syntax)
        file.write(encoded(ds))
        row = InstanceRow(
            sender.association,
            file.place,
            self.clock(),
            study,
            series,
            sop,
            str(ds.SOPClassUID),
            syntax,
            modality,
            file.bytes,
            file.file_crc32,
            "[]",
            json.dumps({"00200013": {"vr": "IS", "Value": [content]}}),
            noted(read_header(io.BytesIO(encoded(ds)), syntax).foretold, file.bytes),
        )
        file.keep(encode_receipt(sender, row))
        with transaction(self.journal) as journal:
            insert_instances(journal, self.epoch, [(sender, row)])
        file.let_go()

    def segment_of(self, sop: str) -> Path:
        """The file in which an instance lies."""
        return self.spool.segment(of_place(self.place_of(sop))[0])

    def place_of(self, sop: str) -> str:
        """Where an instance lies that was not announced."""
        query = "SELECT file FROM instance WHERE sop_instance_uid = ?"
        return str(self.journal.execute(query, (sop,)).fetchone()["file"])

    def alter(self, place: str, at: int = 468) -> None:
        """A bit of an instance's file flips, on the disk."""
        segment, start = of_place(place)
        path = self.spool.segment(segment)
        content = bytearray(path.read_bytes())
        content[start + HEAD.size + at] ^= 1
        path.write_bytes(content)

    def written(self, run: str = "") -> list[str]:
        """Segments that take room."""
        return [name for name in self.spool.segment_names(run) if self.spool.segment(name).stat().st_size]

    def stored(self) -> list[str]:
        """The places of all instances that lie in the spool."""
        return [record.row.file for name in self.spool.segment_names() for record in self.spool.records(name)]

    def close(self, sender: AssociationRow, *, aborted: bool = False) -> None:
        """The association is over."""
        with transaction(self.journal) as journal:
            journal.execute(
                "UPDATE association SET closed_at = ?, aborted = ? WHERE association = ?",
                (self.clock(), aborted, sender.association),
            )

    def _seal(self, segment: str, records: int) -> None:
        with transaction(self.journal) as journal:
            seal(journal, segment, records)

    def step(self) -> bool:
        """Each owner once."""
        self.spool.segments.seal_idle(0.0)
        assembled = self.assembly.run_once()
        assembled = self.compressor.run_once() or assembled
        uploaded = self.uploader.run_once()
        uploaded = self.uploader.run_once() or uploaded  # what came of it
        return self.announcer.run_once() or assembled or uploaded

    def settle(self, rounds: int = 1000) -> None:
        """Let time pass until nothing is left to do."""
        for _ in range(rounds):
            busy = self.step()
            if not busy and self.unsent() == 0:
                return
            self.clock.now += 20.0
        raise AssertionError(f"{self.unsent()} instances are still unsent")

    def unsent(self) -> int:
        """Instances that were acknowledged and not announced."""
        found: int = self.journal.execute("SELECT count(*) FROM instance").fetchone()[0]
        return found

    def counters(self) -> dict[str, int]:
        """Cumulative counts."""
        return dict(self.journal.execute("SELECT name, value FROM counter").fetchall())

    def manifests(self) -> list[Manifest]:
        """Announced manifests, once each, in order of sequence."""
        found = {}
        for detail in self.bus.details():
            manifest = decode_manifest(self.s3.objects[detail["manifest_key"]], detail["manifest_sha256"])
            found[detail["sequence"]] = manifest
        return [found[sequence] for sequence in sorted(found)]


def rows(journal: sqlite3.Connection, sql: str) -> list[dict[str, Any]]:
    """For looking behind the scenes."""
    return [dict(row) for row in journal.execute(sql)]
