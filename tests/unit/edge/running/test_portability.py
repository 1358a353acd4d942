"""POSIX first; what replaces it elsewhere. Tried here, not on Windows or macOS."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

import edge_component.running.locks
from edge_component.running.buffers import Bytes
from edge_component.running.locks import LockedError, ProcessLock
from edge_component.spool.files import EARLY_BYTES, OsFiles, sync_data, write_whole


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The module of locks as it is where there is no fcntl."""
    calls: list[tuple[int, int]] = []
    msvcrt = ModuleType("msvcrt")
    vars(msvcrt).update(LK_NBLCK=2, locking=lambda fd, mode, _count: calls.append((fd, mode)))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "fcntl", None)
        patch.setitem(sys.modules, "msvcrt", msvcrt)
        importlib.reload(edge_component.running.locks)
        yield calls
    importlib.reload(edge_component.running.locks)


def test_one_lock_a_spool(tmp_path: Path) -> None:
    first, second = ProcessLock(tmp_path / "lock"), ProcessLock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(LockedError):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_without_fcntl_the_lock_is_msvcrts(tmp_path: Path, windows: list[tuple[int, int]]) -> None:
    lock = edge_component.running.locks.ProcessLock(tmp_path / "lock")
    lock.acquire()
    lock.release()
    assert [mode for _, mode in windows] == [2]


def test_without_fdatasync_it_is_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(os, "fsync", synced.append)
    with (tmp_path / "x").open("wb") as file:
        sync_data(file.fileno())
        assert synced == [file.fileno()]


def test_where_folders_cannot_be_opened_they_are_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    OsFiles().sync_folder(tmp_path / "there is none")


def test_files_are_for_the_edges_user_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = OsFiles().create(tmp_path / "x")
    file.write(0, b"1")
    file.close()
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        OsFiles().create(tmp_path / "x")


@pytest.mark.parametrize("takes", [None, 0, 1, 4, 7])
def test_what_one_call_does_not_write_others_do(tmp_path: Path, takes: int | None) -> None:
    """Windows has no call for several pieces; a signal or a full disk ends it before the end."""

    def some(fd: int, pieces: Sequence[Bytes], at: int) -> int:
        return os.pwrite(fd, b"".join(pieces)[:takes], at)

    with (tmp_path / "x").open("wb", buffering=0) as file:
        for at, pieces in ((3, (b"abc", b"defg")), (1, (b"hi",))):
            write_whole(file.fileno(), at, pieces, None if takes is None else some)
    assert (tmp_path / "x").read_bytes() == b"\0hiabcdefg"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are not advised")
def test_a_large_instance_is_on_its_way_to_the_disk_while_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advised: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _fd, at, size, _advice: advised.append((at, size)))
    file, piece = OsFiles().create(tmp_path / "x"), bytes(EARLY_BYTES // 4)
    for number in range(9):
        file.write(32 + number * len(piece), piece)
    assert advised == [(32, EARLY_BYTES), (32 + EARLY_BYTES, EARLY_BYTES)]
    file.sync()
    for number in range(3):  # what has been synced waits for nothing
        file.write(number * len(piece), piece)
    file.cut(0)
    file.write(0, piece)  # nor does what was cut off
    assert len(advised) == 2
    file.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are not advised")
@pytest.mark.parametrize("refused", [False, True])
def test_advice_changes_no_byte_and_may_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(22, "not on this file system")

    if refused:
        monkeypatch.setattr(os, "posix_fadvise", refuse)
    content = os.urandom(3 * EARLY_BYTES + 7)
    file = OsFiles().create(tmp_path / "x")
    file.write(5, content[:EARLY_BYTES], content[EARLY_BYTES:])
    file.write(0, b"head!")
    file.sync()
    file.close()
    assert (tmp_path / "x").read_bytes() == b"head!" + content
