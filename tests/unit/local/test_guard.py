"""What a process started does not outlive it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from local.processes.guard import Guard, end_groups


def sleeper(program: str = "import signal; signal.pause()") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", program], start_new_session=True)


def test_closing_the_guard_ends_the_groups_and_removes_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    guard = Guard()
    with sleeper() as process:
        guard.watch_group(process.pid)
        guard.watch_folder(folder)
        closing = threading.Thread(target=guard.close)
        closing.start()
        assert process.wait(30) == -signal.SIGTERM
        closing.join(30)
    assert not folder.exists()


def test_a_group_that_was_forgotten_lives_on() -> None:
    guard = Guard()
    with sleeper() as process:
        guard.watch_group(process.pid)
        guard.forget_group(process.pid)
        guard.close()
        assert process.poll() is None
        process.kill()


def test_what_ignores_its_signal_is_killed() -> None:
    deaf = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", deaf], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end_groups({process.pid: signal.SIGTERM}, grace_seconds=0.1)
        assert process.wait(30) == -signal.SIGKILL


def test_a_group_that_is_gone_already_is_no_error() -> None:
    with sleeper("") as process:
        process.wait(30)
    end_groups({process.pid: signal.SIGTERM})
