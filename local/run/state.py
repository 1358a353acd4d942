"""A run's folder: one owner at a time, and a file that tells other terminals where everything is."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from local.run.options import Options

STATE = "state.json"
MARK = ".run"
"""In every run's folder: what lacks it is not ours to empty."""


class AlreadyRunningError(RuntimeError):
    """A run of this name is under way."""


class ForeignFolderError(RuntimeError):
    """The folder that a run would empty is not a run's."""


class NotRunningError(RuntimeError):
    """No run to talk to; the message says how to start one."""


class EdgeState(BaseModel):
    """One edge of a run. `name`: as in config.yaml; `edge`: with the stack's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    edge: str
    pid: int
    dicom_port: int | None
    tls_port: int | None
    health_port: int


class RunState(BaseModel):
    """Where the parts of a run are. Other terminals read it; it may hold the caller's database password."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    pid: int
    started_at: datetime
    folder: Path
    stack: str
    edge: str
    bucket: str
    aws_url: str
    healthimaging_url: str
    datastore_id: str
    database_url: str
    state_machine_arn: str
    dead_letters_url: str
    dicom_host: str | None = None
    dicom_port: int | None = None
    health_port: int | None = None
    parts: dict[str, int] = {}
    viewer_url: str | None = None
    edges: list[EdgeState] = []
    """All of them; the fields above are those of the first."""

    def write(self) -> None:
        """Publish it, for the same user only."""
        path = self.folder / STATE
        aside = path.with_suffix(".new")
        aside.touch(mode=0o600)
        aside.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        aside.replace(path)


@contextmanager
def own_folder(options: Options) -> Iterator[Path]:
    """The run's folder, emptied: a run starts empty. The lock goes with its owner, however that ends.

    Raises:
        AlreadyRunningError: somebody else owns it.
        ForeignFolderError: it holds something else than a run.
    """
    options.runs.mkdir(parents=True, exist_ok=True)
    with _lock_file(options.runs, options.name).open("a") as lock:
        if not _locked(lock):
            raise AlreadyRunningError(
                f"a run named {options.name!r} is under way in {options.folder}: stop it, "
                "or choose another --run"
            )
        if options.folder.exists():
            if not (options.folder / MARK).exists():
                raise ForeignFolderError(f"{options.folder} is not a run's folder: choose another --run")
            shutil.rmtree(options.folder)
        options.folder.mkdir()
        (options.folder / MARK).touch()
        yield options.folder
        (options.folder / STATE).unlink(missing_ok=True)


def find_run(runs: Path, name: str | None = None) -> RunState:
    """The run of this name, or the only one under way.

    Raises:
        NotRunningError: there is none, or more than one and no name.
    """
    found = [state for state in _under_way(runs) if name in (None, state.name)]
    if not found:
        wanted = f"no active run is named {name!r}" if name else "no local run is active"
        raise NotRunningError(f"{wanted}: start one with `make up`")
    if len(found) > 1:
        names = ", ".join(state.name for state in found)
        raise NotRunningError(f"several runs are under way ({names}): choose one with --run")
    return found[0]


def _under_way(runs: Path) -> Iterator[RunState]:
    for path in sorted(runs.glob(f"*/{STATE}")):
        with _lock_file(runs, path.parent.name).open("a") as lock:
            if not _locked(lock):
                yield RunState.model_validate_json(path.read_text(encoding="utf-8"))


def _lock_file(runs: Path, name: str) -> Path:
    return runs / f"{name}.lock"


def _locked(lock: IO[str]) -> bool:
    """Take the lock, if it is free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
