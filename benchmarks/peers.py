"""What the benchmarks compare with, installed where that is ours to do: ``python -m benchmarks.peers``.

What cannot be installed is named; the cells that need it say that they were not measured, the others run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

DEBIAN = {"storescp": "dcmtk"}
"""Debian's and Ubuntu's package by program."""
APT = "apt-get"
Run = Callable[[Sequence[str]], int]


def main() -> int:
    """Never an error: a benchmark without its peer is still worth running."""
    for words in install(_missing(), _run, may_install=os.geteuid() == 0 and shutil.which(APT) is not None):
        sys.stderr.write(f"{words}\n")
    return 0


def install(missing: Sequence[str], run: Run, *, may_install: bool) -> list[str]:
    """Install the packages of these programs; what a person must do where that does not work."""
    packages = sorted({DEBIAN[program] for program in missing})
    if not packages:
        return []
    command = [APT, "install", "--yes", "--no-install-recommends", *packages]
    if may_install and (run(command) == 0 or (run([APT, "update"]) == 0 and run(command) == 0)):
        return []
    who = "" if may_install else "sudo "
    return [
        f"Not installed: {', '.join(missing)}. On Debian or Ubuntu: {who}apt install {' '.join(packages)}"
    ]


def _missing() -> list[str]:
    return [program for program in DEBIAN if shutil.which(program) is None]


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False).returncode  # noqa: S603 - the commands above


if __name__ == "__main__":
    sys.exit(main())
