"""The edge's container file, without a container engine: what it would put together runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from cdk.packaging.build import Builder
from edge_component.settings import PREFIX, Settings
from tests.infrastructure.conftest import BORROWED, ROOT
from tests.support.machine.waiting import wait_until

PLACE = ROOT / "edge_component" / "container"
TEXT = (PLACE / "Containerfile").read_text(encoding="utf-8")
STEPS = [
    (word, rest)
    for line in TEXT.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
    for word, _, rest in [line.partition(" ")]
]
GIVEN = {
    "EDGE_STACK": "dicom-ingest",
    "EDGE_NAME": "edge1",
    "EDGE_BUCKET": "a-bucket",
    "EDGE_EVENT_BUS": "a-bus",
}


def said(word: str) -> list[str]:
    """What follows this instruction, each time."""
    return [rest for found, rest in STEPS if found == word]


ENVIRONMENT = dict(rest.split("=", 1) for rest in said("ENV"))


@dataclass(frozen=True)
class Image:
    """A folder in place of the image's root."""

    root: Path

    def path(self, inside: str) -> str:
        """A path of the image, here."""
        return re.sub(r"^(?=/(app|spool))", str(self.root), inside)

    def command(self, text: str) -> list[str]:
        """A JSON command of the file, with this Python."""
        python, *rest = json.loads(text)
        assert python == "python"
        return [sys.executable, *map(self.path, rest)]

    def environment(self, **more: str) -> dict[str, str]:
        """The image's environment, nothing of ours but the way to installed packages."""
        own = {name: self.path(value) for name, value in ENVIRONMENT.items()}
        return {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "eu-west-1"} | BORROWED | own | more


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """What COPY makes of the repository."""
    for step in said("COPY"):
        source, target = step.split()
        here, there = ROOT / source, tmp_path / target.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(here, there)
    (tmp_path / "spool").mkdir()
    return Image(tmp_path)


@pytest.fixture
def running(image: Image) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The entry point at work, and its health port."""
    (entry,) = said("ENTRYPOINT")
    ready = image.root / "ready.json"
    process = subprocess.Popen(
        [*image.command(entry), "--ready-file", str(ready)],
        cwd=image.path(said("WORKDIR")[0]),
        env=image.environment(
            **GIVEN, EDGE_DICOM_PORT="0", EDGE_HEALTH_PORT="0", EDGE_BIND="127.0.0.1", EDGE_DRAIN_SECONDS="1"
        ),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, "the entry point is ready")
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        yield (
            process,
            next(str(v) for k, v in json.loads(ready.read_text()).items() if k.startswith("health")),
        )
    finally:
        process.kill()
        process.communicate()


def _healthy(image: Image, port: str) -> subprocess.CompletedProcess[str]:
    (check,) = said("HEALTHCHECK")
    command = image.command(check.partition(" CMD ")[2])
    environment = image.environment(EDGE_HEALTH_PORT=port)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_is_copied_starts_is_seen_well_and_ends_on_sigterm(
    image: Image, running: tuple[subprocess.Popen[str], str]
) -> None:
    process, port = running
    before = sorted((image.root / "app").rglob("*"))
    checked = _healthy(image, port)
    assert (checked.returncode, json.loads(checked.stdout)["healthy"]) == (0, True), checked.stdout
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert sorted((image.root / "app").rglob("*")) == before  # it can be read-only
    assert any((image.root / "spool").iterdir())
    checked = _healthy(image, port)
    assert checked.returncode == 1
    assert "refused" in checked.stdout


def test_its_page_never_asks_for_keys_in_the_environment() -> None:
    """They would show in `docker inspect`; a mounted AWS configuration gives credentials that end."""
    page = (PLACE / "README.md").read_text(encoding="utf-8")
    assert not re.search(r"-e AWS_(ACCESS|SECRET|SESSION|…)", page)
    assert "AWS_CONFIG_FILE=/aws/config" in page


def test_everything_that_is_copied_passes_the_ignore_file() -> None:
    lines = (PLACE / "Containerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = [line[1:] for line in lines if line.startswith("!")]
    for step in said("COPY"):
        source = step.split()[0]
        assert (ROOT / source).exists()
        assert any(fnmatch(source, pattern) for pattern in allowed), source


def test_only_locked_packages_with_hashes_are_installed() -> None:
    (install,) = [step for step in said("RUN") if "pip install" in step]
    words = shlex.split(install)
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(words)
    assert words[words.index("-r") + 1] in {step.split()[1] for step in said("COPY")}


def test_its_variables_are_settings_and_its_ports_the_defaults() -> None:
    own = {n.removeprefix(PREFIX).lower() for n in (*ENVIRONMENT, *GIVEN) if n.startswith(PREFIX)}
    assert own <= set(Settings.model_fields)
    required = {name for name, field in Settings.model_fields.items() if field.is_required()}
    assert required <= own
    for name in ("dicom_port", "health_port"):
        assert int(ENVIRONMENT[f"EDGE_{name.upper()}"]) == Settings.model_fields[name].default
    assert said("EXPOSE") == [f"{Settings.model_fields['dicom_port'].default} 2762"]
    assert said("VOLUME") == [json.dumps([ENVIRONMENT["EDGE_SPOOL"]])]


def test_nobody_in_it_is_root_and_its_base_fits_every_processor() -> None:
    user, _, group = said("USER")[0].partition(":")
    assert int(user) > 999
    assert int(group) > 999
    (base,) = said("FROM")
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim", base)
    assert "pin the digest" in TEXT


def test_the_component_on_devices_does_not_carry_it(tmp_path: Path) -> None:
    """Else its change would be a new component version for every hospital."""
    artifact = Path(Builder(build=tmp_path, dependencies=False).edge_artifact)
    assert (artifact / "edge_component" / "__main__.py").is_file()
    assert not (artifact / "edge_component" / "container").exists()
