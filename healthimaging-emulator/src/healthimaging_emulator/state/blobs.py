"""Frames' files: removed when no instance needs them any more."""

from __future__ import annotations

from collections.abc import Iterable

from .core import Core


def sweep(core: Core) -> None:
    """Removes files that a process left when it was killed before it recorded them."""
    for path in core.store.frames.iterdir():
        used = core.store.count(
            "SELECT EXISTS (SELECT 1 FROM frame WHERE blob = ?)"
            " OR EXISTS (SELECT 1 FROM instance WHERE blob = ?)",
            path.name, path.name,
        )  # fmt: skip
        if not used:
            path.unlink()


def drop_unused(core: Core, blobs: Iterable[str]) -> None:
    """Removes those of the blobs that neither an instance nor a running import refers to."""
    for blob in blobs:
        with core.store.transaction() as db:
            used = db.execute(
                "SELECT EXISTS (SELECT 1 FROM instance WHERE blob = ?)"
                " OR EXISTS (SELECT 1 FROM staged WHERE blob = ?)",
                (blob, blob),
            ).fetchone()[0]
            if used:
                continue
            db.execute("DELETE FROM frame WHERE blob = ?", (blob,))
        (core.store.frames / blob).unlink(missing_ok=True)
