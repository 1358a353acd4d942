"""A slice of the repository: paths inside the artifact equal paths in the repository."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Files = Mapping[str, Path]
"""Name inside the artifact -> file here."""

_NEVER = {"__pycache__"}


def files_below(root: Path, *places: str, under: str = "") -> dict[str, Path]:
    """All files of these files and folders of the repository, without caches; `under` begins their names.

    Raises:
        FileNotFoundError: a place does not exist.
    """
    found: dict[str, Path] = {}
    for place in places:
        start = root / place
        if not start.exists():
            raise FileNotFoundError(f"{place} belongs to an artifact and does not exist in {root}")
        for path in sorted(_walk(start)):
            found[f"{under}{path.relative_to(root).as_posix()}"] = path
    return found


def _walk(start: Path) -> Iterable[Path]:
    if start.is_file():
        return [start]
    return [p for p in start.rglob("*") if p.is_file() and not _NEVER & set(p.parts)]


def content_hash(files: Files) -> str:
    """SHA-256 of names and bytes: equal content, equal artifact, on any machine."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def stage(files: Files, below: Path) -> Path:
    """Copy the files into a folder named for their content; a second call finds it there."""
    target = below / content_hash(files)[:32]
    return target if target.exists() else publish(target, lambda folder: _copy(files, folder))


def _copy(files: Files, folder: Path) -> None:
    for name, source in files.items():
        destination = folder / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
        destination.chmod(0o644)


def publish(target: Path, fill: Callable[[Path], None]) -> Path:
    """Fill a folder under another name and rename it, so that `target` is always complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".building-"))
    try:
        fill(aside)
        aside.chmod(0o755)
        _rename(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _rename(aside: Path, target: Path) -> None:
    try:
        aside.rename(target)
    except OSError:
        if not target.is_dir():  # else somebody was quicker, with the same content
            raise
