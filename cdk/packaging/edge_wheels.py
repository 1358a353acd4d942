"""Wheels for devices without a package index: every platform and Python that an edge may have."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

from cdk.packaging.slices import publish
from cdk.packaging.wheels import Lock

PIP = "pip==25.3"
AT_ONCE = 4
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = {
    "x86_64-manylinux_2_28": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "aarch64-manylinux_2_28": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "windows": ("win_amd64",),
}
"""uv's name of a platform -> pip's tags."""


def wheels(
    lock: Lock, group: str, platforms: Collection[str] = tuple(PLATFORMS), pythons: Collection[str] = PYTHONS
) -> Path:
    """A folder with a group's locked wheels for these platforms, and their requirements.txt.

    Raises:
        DependencyError: not cached, and uv is missing or the package index is out of reach.
    """
    words = "-".join([*platforms, *pythons])
    target = lock.cache / f"{group}-wheels-{lock.fingerprint()}-{sha256(words.encode()).hexdigest()[:8]}"
    if target.exists():
        return target
    return publish(target, lambda folder: _download(lock, group, folder, platforms, pythons))


def _download(
    lock: Lock, group: str, folder: Path, platforms: Collection[str], pythons: Collection[str]
) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(lock.requirements(group), encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(AT_ONCE) as pool:
        kinds = list(product(platforms, pythons))
        places = [Path(temporary) / f"{platform}-{python}" for platform, python in kinds]
        list(pool.map(partial(_download_for, lock, requirements), kinds, places))
        for wheel in (wheel for place in places for wheel in place.glob("*.whl")):
            shutil.move(
                wheel, folder / wheel.name
            )  # what is pure Python comes with every kind, always the same


def _download_for(lock: Lock, requirements: Path, kind: tuple[str, str], place: Path) -> None:
    platform, python = kind
    place.mkdir()
    # pip judges markers by the Python it runs on; uv leaves only the lines that hold on the device.
    chosen = place / "chosen.txt"
    lock.uv(
        *("pip", "compile", str(requirements), "--quiet", "--no-deps", "--generate-hashes"),
        *("--python-platform", platform, "--python-version", python, "-o", str(chosen)),
    )
    tags = [word for tag in PLATFORMS[platform] for word in ("--platform", tag)]
    lock.uv(
        *("tool", "run", "--quiet", "--from", PIP, "pip", "download", "--quiet", "--no-deps"),
        *("--require-hashes", "--only-binary=:all:", "--implementation", "cp", "--python-version", python),
        *(*tags, "--dest", str(place), "-r", str(chosen)),
    )
