"""Stored as sent: any storage SOP class, any transfer syntax, bit by bit."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from edge_component.records.part10 import part10_head
from edge_component.spool.folder import Spool
from tests.support.edge.aws import EdgeCloud
from tests.support.edge.dicom import encoded, instance, send, uid
from tests.support.edge.network.wire import EXPLICIT, IMPLICIT, Wire, fragment, store_command, wire
from tests.support.edge.process import EdgeProcess, in_spool, peak_memory
from tests.support.machine.waiting import wait_until

BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
JPEG_2000, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
JPEG_BASELINE, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
CT, PRIVATE = "1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.3680043.9.1.1"


@pytest.fixture(scope="module")
def scp(tmp_path_factory: pytest.TempPathFactory, _cloud: EdgeCloud) -> Iterator[EdgeProcess]:
    away = {**_cloud.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}  # files stay in the spool
    with EdgeProcess(tmp_path_factory.mktemp("scp"), away) as process:
        yield process


def store(peer: Wire, ds: Dataset, data: bytes) -> None:
    peer.send(
        fragment(1, store_command(str(ds.SOPClassUID), str(ds.SOPInstanceUID)), command=True, last=True)
    )
    pieces = [data[at : at + 10_001] for at in range(0, len(data), 10_001)]
    for number, piece in enumerate(pieces, start=1):
        peer.send(fragment(1, piece, command=False, last=number == len(pieces)))
    assert peer.status()[0] == 0


def stored(scp: EdgeProcess, sop: str) -> bytes:
    """The Part 10 file."""
    [row] = [row for row in in_spool(scp.spool) if row.sop_instance_uid == sop]
    with Spool(scp.spool).read(row.file, row.bytes) as file:
        return file.read()


def encapsulated(ds: Dataset) -> bytes:
    """Two fragments behind an empty offset table."""
    pixels = ds.PixelData
    del ds.PixelData
    head = encoded(ds)
    items = b"\xfe\xff\x00\xe0" + bytes(4)
    for piece in (pixels[:256], pixels[256:]):
        items += b"\xfe\xff\x00\xe0" + len(piece).to_bytes(4, "little") + piece
    items += b"\xfe\xff\xdd\xe0" + bytes(4)
    return head + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + items


def oddly_explicit(ds: Dataset) -> bytes:
    """A group length, a private element and an odd VR, as old devices write them."""
    data = encoded(ds)
    length = b"\x08\x00\x00\x00UL\x04\x00" + (1234).to_bytes(4, "little")
    private = b"\x09\x00\x10\x00LO\x04\x00ACME\x09\x00\x01\x10XX\x04\x00\1\2\3\4"
    at = data.index(b"\x10\x00\x10\x00PN")
    return length + data[:at] + private + data[at:]


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (IMPLICIT, encoded),
        (EXPLICIT, encoded),
        (BIG_ENDIAN, encoded),
        (DEFLATED, encoded),
        (JPEG_2000, encapsulated),
        (RLE, encapsulated),
        (EXPLICIT, oddly_explicit),
    ],
)
@pytest.mark.parametrize("sop_class", [CT, PRIVATE, "1.2.840.10008.5.1.4.1.1.88.11"])
def test_a_data_set_is_stored_bit_by_bit(
    scp: EdgeProcess, syntax: str, encode: object, sop_class: str
) -> None:
    ds = instance(sop_class=sop_class, syntax=syntax, pixels=20_480)
    data = encode(ds)  # type: ignore[operator]
    with wire(scp.dicom_port) as peer:
        peer.associate([(1, sop_class, [syntax])])
        store(peer, ds, data)
    assert (
        stored(scp, str(ds.SOPInstanceUID)) == part10_head(sop_class, str(ds.SOPInstanceUID), syntax) + data
    )


@pytest.mark.parametrize(
    ("proposed", "accepted"),
    [
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([IMPLICIT, JPEG_2000, EXPLICIT], JPEG_2000),
        ([EXPLICIT, IMPLICIT], EXPLICIT),
        ([IMPLICIT], IMPLICIT),
    ],
)
def test_the_senders_first_syntax_that_is_not_implicit_is_accepted(
    scp: EdgeProcess, proposed: list[str], accepted: str
) -> None:
    with wire(scp.dicom_port) as peer:
        answer = peer.associate([(1, CT, proposed)])
    found = [s for s in {*proposed} if b"\x40\0" + len(s).to_bytes(2, "big") + s.encode() in answer]
    assert found == [accepted]


def test_a_deflated_bomb_takes_no_memory(scp: EdgeProcess) -> None:
    """A hundred kilobytes that hold a hundred megabytes: inflated piece by piece, and stored as they came."""
    ds, before = instance(syntax=EXPLICIT), memory_of_readers(scp)
    squeeze = zlib.compressobj(wbits=-15)
    bomb = squeeze.compress(encoded(ds) + bytes(100 * 1024 * 1024)) + squeeze.flush()
    with wire(scp.dicom_port) as peer:
        peer.associate([(1, CT, [DEFLATED])])
        store(peer, ds, bomb)
    assert memory_of_readers(scp) - before < 50 * 1024


def memory_of_readers(scp: EdgeProcess) -> int:
    """Peak kilobytes of the largest of them."""
    return max(map(peak_memory, scp.status()["reader_pids"]))


@pytest.mark.skipif(shutil.which("storescu") is None, reason="DCMTK's storescu is not installed")
@pytest.mark.parametrize("option", ["-xe", "-xi", "-xb", "-xd"])
def test_dcmtk_sends(edge: EdgeProcess, tmp_path: Path, option: str) -> None:
    folder, series, study = tmp_path / "dcm", uid(), uid()
    folder.mkdir()
    for number in range(5):
        ds = instance(study, series)
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    command = ["storescu", option, "+sd", "127.0.0.1", str(edge.dicom_port), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    wait_until(lambda: edge.status()["instances_announced"] == 5, "the series is announced")


@pytest.mark.parametrize(("calling_ae", "accepted"), [("US1", JPEG_LOSSLESS), ("US2", JPEG_BASELINE)])
def test_a_sender_that_proposes_lossy_first_is_asked_for_lossless_where_its_profile_says_so(
    tmp_path: Path, cloud: EdgeCloud, calling_ae: str, accepted: str
) -> None:
    profiles = [{"calling_ae": "US1", "prefer": "lossless"}]
    ds = instance(syntax=accepted, pixels=1024)
    ds.PixelData = encapsulate([ds.PixelData])
    ds["PixelData"].VR = "OB"
    proposed = [JPEG_BASELINE, JPEG_LOSSLESS, EXPLICIT, IMPLICIT]
    with EdgeProcess(tmp_path, cloud.environment, senders=profiles) as edge:
        assert send(edge.dicom_port, [ds], syntaxes=proposed, calling_ae=calling_ae) == [0]
        wait_until(lambda: edge.status()["series_announced"], "the series is announced")
        [requested] = edge.log_lines("association requested")
    assert requested["transfer_syntaxes"] == [EXPLICIT, accepted]  # the former for C-ECHO
    [event] = cloud.announcements()
    assert [i.transfer_syntax_uid for i in cloud.manifest(event["detail"]).instances] == [accepted]
