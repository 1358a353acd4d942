"""Artifacts: slices of the repository, and locked dependencies for machines other than this one."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cdk.packaging.build import Builder
from cdk.packaging.slices import content_hash, files_below, publish, stage
from cdk.packaging.wheels import DependencyError, Lock, find_uv
from dicom_ingest.contracts.configuration.config import HEALTHIMAGING_REGIONS
from dicom_ingest.contracts.platform.functions import FUNCTIONS
from tests.infrastructure.conftest import ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository."""
    root = tmp_path / "repository"
    for name in ("a/__init__.py", "a/b.py", "a/__pycache__/b.cpython-313.pyc", "c.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


def test_paths_inside_an_artifact_equal_paths_in_the_repository(repository: Path) -> None:
    assert set(files_below(repository, "a", "c.py")) == {"a/__init__.py", "a/b.py", "c.py"}
    assert set(files_below(repository, "c.py", under="python/")) == {"python/c.py"}


def test_a_place_that_does_not_exist_is_named(repository: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing belongs to an artifact"):
        files_below(repository, "nothing")


def test_equal_content_is_an_equal_artifact_whatever_the_dates(repository: Path, tmp_path: Path) -> None:
    before = stage(files_below(repository, "a"), tmp_path / "staged")
    (repository / "a" / "b.py").touch()
    assert stage(files_below(repository, "a"), tmp_path / "staged") == before
    (repository / "a" / "b.py").write_text("changed = True\n")
    assert stage(files_below(repository, "a"), tmp_path / "staged") != before


def test_moving_a_byte_from_one_file_to_the_next_is_another_artifact(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"ab")
    two.write_bytes(b"c")
    first = content_hash({"x": one, "y": two})
    one.write_bytes(b"a")
    two.write_bytes(b"bc")
    assert content_hash({"x": one, "y": two}) != first


def test_builds_at_the_same_time_end_with_one_whole_folder(tmp_path: Path) -> None:
    both_fill = threading.Barrier(2, timeout=10)

    def fill(folder: Path) -> None:
        (folder / "file").write_text("whole")
        both_fill.wait()

    builds = [threading.Thread(target=publish, args=(tmp_path / "target", fill)) for _ in range(2)]
    for build in builds:
        build.start()
    for build in builds:
        build.join()
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert (tmp_path / "target" / "file").read_text() == "whole"


@pytest.mark.parametrize("name", [spec.name for spec in FUNCTIONS])
def test_a_function_imports_from_its_slice_and_the_layer_alone(name: str, tmp_path: Path) -> None:
    builder = Builder(build=tmp_path, dependencies=False)
    function, layer = Path(builder.function(name)), Path(builder.code_layer)
    assert {path.name for path in (function / "functions").iterdir()} == {"__init__.py", name}
    code = f"""
import importlib.util, sys
sys.path[:0] = [{str(function)!r}, {str(layer / "python")!r}]
for module in ("functions.{name}.handler", "dicom_ingest"):
    print(importlib.util.find_spec(module).origin)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    handler, package = done.stdout.splitlines()
    assert handler.startswith(str(function)), done.stderr
    assert package.startswith(str(layer))


def test_the_layer_carries_migrations_and_the_databases_certificate_authorities(tmp_path: Path) -> None:
    database = Path(Builder(build=tmp_path).code_layer) / "python" / "dicom_ingest" / "db"
    assert list((database / "migrations").glob("*.sql"))
    authorities = str(ssl.create_default_context(cafile=str(database / "global-bundle.pem")).get_ca_certs())
    for region in HEALTHIMAGING_REGIONS:
        assert f"Amazon RDS {region} Root CA RSA2048 G1" in authorities


def test_the_layer_carries_nothing_that_only_operators_need(tmp_path: Path) -> None:
    layer = Path(Builder(build=tmp_path).code_layer) / "python" / "dicom_ingest"
    assert {path.name for path in layer.iterdir()} >= {"contracts", "db", "runtime", "workflow"}
    assert not (layer / "operators").exists()


def test_the_edge_carries_its_component_and_the_contracts_and_nothing_else(tmp_path: Path) -> None:
    artifact = Path(Builder(build=tmp_path, dependencies=False).edge_artifact)
    assert {path.name for path in artifact.iterdir()} == {"edge_component", "dicom_ingest"}
    assert {path.name for path in (artifact / "dicom_ingest").iterdir()} == {"__init__.py", "contracts"}


def test_dependencies_are_arm_binaries_for_python_313_pinned_by_the_lock() -> None:
    layer = Path(Builder().dependency_layer) / "python"
    binaries = {path.name for path in layer.rglob("*.so")}
    assert binaries
    assert all("cpython-313-aarch64-linux-gnu" in name for name in binaries)
    lock = (ROOT / "uv.lock").read_text()
    for metadata in layer.glob("*.dist-info"):
        name, _, version = metadata.name.removesuffix(".dist-info").partition("-")
        assert f'name = "{name.replace("_", "-").lower()}"\nversion = "{version}"' in lock
    size = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    assert size < 100_000_000  # Lambda takes 250 MB unzipped, all layers together


def test_dependencies_that_cannot_be_built_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("this is no lock")
    uv = tmp_path / ".local" / "uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.symlink_to(find_uv(ROOT))
    with pytest.raises(DependencyError, match="the dependencies could not be packaged: `uv export") as raised:
        Lock(tmp_path, tmp_path / "cache").installed("functions", "aarch64-manylinux2014", "3.13")
    assert "once per lock" in str(raised.value)
    assert not list((tmp_path / "cache").iterdir())


def test_without_uv_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="run `make env`, or install uv"):
        find_uv(tmp_path)


def test_what_is_cached_needs_neither_uv_nor_the_index(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("this is no lock, but its hash is known")
    lock = Lock(tmp_path, tmp_path / "cache")
    cached = lock.cache / f"functions-aarch64-manylinux2014-3.13-{lock.fingerprint()}"
    cached.mkdir(parents=True)
    assert lock.installed("functions", "aarch64-manylinux2014", "3.13") == cached
