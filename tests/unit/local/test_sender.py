"""The sender is a real SCU: what arrives is what lies on disk, bit by bit."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import CTImageStorage

from local.sending.dicom_folder import read_folder
from local.sending.sender import MAX_CONTEXTS, SendError, send
from tests.support.local.dicom import instance, write_series


@contextmanager
def scp(handler: Any, *sop_classes: Any) -> Iterator[int]:
    """A C-STORE SCP with this handler that takes these SOP classes only; its port."""
    # A setting of pynetdicom's whole process, which an edge in the same test worker may have changed.
    unrestricted, _config.UNRESTRICTED_STORAGE_SERVICE = _config.UNRESTRICTED_STORAGE_SERVICE, False
    entity = AE(ae_title="EDGE_AE")
    for sop_class in sop_classes or (CTImageStorage,):
        entity.add_supported_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handler)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        _config.UNRESTRICTED_STORAGE_SERVICE = unrestricted


def data_set(path: Path) -> bytes:
    """The encoded data set of a Part 10 file, without its group 0002."""
    meta = read_file_meta_info(path)
    return path.read_bytes()[144 + meta.FileMetaInformationGroupLength :]


def test_the_data_set_on_the_wire_is_the_one_on_disk(tmp_path: Path) -> None:
    write_series(tmp_path, 3)
    received: dict[str, tuple[str, bytes]] = {}

    def keep(event: Any) -> int:
        syntax = str(event.context.transfer_syntax)
        received[event.request.AffectedSOPInstanceUID] = (syntax, event.request.DataSet.getvalue())
        return 0x0000

    files = read_folder(tmp_path).instances
    with scp(keep) as port:
        sent = send(files, "127.0.0.1", port)
    assert sent.accepted == files
    for file in files:
        assert received[file.sop_instance_uid] == (file.transfer_syntax_uid, data_set(file.path))


def test_a_refused_instance_is_reported_with_its_status_and_the_others_go_on(tmp_path: Path) -> None:
    write_series(tmp_path, 3)
    files = read_folder(tmp_path).instances
    unwanted = files[1].sop_instance_uid

    def handle(event: Any) -> int:
        return 0xA700 if event.request.AffectedSOPInstanceUID == unwanted else 0x0000

    with scp(handle) as port:
        sent = send(files, "127.0.0.1", port)
    assert [file.sop_instance_uid for file, _ in sent.refused] == [unwanted]
    assert sent.refused[0][1] == "0xA700"
    assert len(sent.accepted) == 2


def test_a_kind_of_file_that_the_edge_does_not_take_is_reported(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", 1)
    write_series(tmp_path / "mr", 1, sop_class=pydicom.uid.MRImageStorage)
    with scp(lambda _: 0x0000) as port:
        sent = send(read_folder(tmp_path).instances, "127.0.0.1", port)
    assert len(sent.accepted) == 1
    assert "presentation context" in sent.refused[0][1]


def test_more_kinds_than_an_association_can_propose_take_several_associations(tmp_path: Path) -> None:
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts][: MAX_CONTEXTS + 2]
    study, series = generate_uid(), generate_uid()
    for number, sop_class in enumerate(classes):
        ds = instance(number, study, series, sop_class)
        ds.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    with scp(lambda _: 0x0000, *classes) as port:
        sent = send(read_folder(tmp_path).instances, "127.0.0.1", port)
    assert sent.associations == 2
    assert len(sent.accepted) == len(classes)


# pynetdicom 3.0.4 leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_there_is_one_clear_error(tmp_path: Path) -> None:
    write_series(tmp_path, 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SendError, match=f"EDGE_AE at 127.0.0.1:{port} does not answer"):
        send(read_folder(tmp_path).instances, "127.0.0.1", port)


def test_an_instance_is_named_by_its_data_set_where_the_file_meta_information_differs(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    ds = instance(1, generate_uid(), generate_uid())
    ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(path, enforce_file_format=True)
    named: list[str] = []

    def keep(event: Any) -> int:
        named.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    with scp(keep) as port:
        sent = send(read_folder(path).instances, "127.0.0.1", port)
    assert (len(sent.accepted), named) == (1, [ds.SOPInstanceUID])
