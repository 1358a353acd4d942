"""The artifacts that the stack uploads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cdk.packaging.edge_wheels import wheels
from cdk.packaging.slices import files_below, publish, stage
from cdk.packaging.wheels import LAMBDA_PLATFORM, LAMBDA_PYTHON, Lock

ROOT = Path(__file__).parent.parent.parent
CONTAINER = "edge_component/container/"
"""The edge by another way; not for Greengrass."""
OPERATORS = "python/dicom_ingest/operators/"
"""For the console and the command line; not for Lambda."""


@dataclass(frozen=True)
class Builder:
    """Folders for CDK assets. Without `dependencies` the layer is empty: to look at, not to deploy."""

    root: Path = ROOT
    build: Path = ROOT / ".local" / "cdk"
    dependencies: bool = True
    compression: bool = False
    """A sender asks for it: the edge's artifact has the encoder, 250 MB for all devices."""

    @property
    def lock(self) -> Lock:
        """The lock that dependencies come from."""
        return Lock(self.root, self.build / "dependencies")

    @cached_property
    def code_layer(self) -> str:
        """`dicom_ingest/` where a Lambda looks for packages, without what only operators need."""
        files = files_below(self.root, "dicom_ingest", under="python/")
        files = {name: path for name, path in files.items() if not name.startswith(OPERATORS)}
        return str(stage(files, self.build / "slices"))

    def function(self, name: str) -> str:
        """`functions/__init__.py` and the function's own folder."""
        files = files_below(self.root, "functions/__init__.py", f"functions/{name}")
        return str(stage(files, self.build / "slices"))

    @cached_property
    def dependency_layer(self) -> str:
        """The locked group `functions` for Lambda.

        Raises:
            DependencyError: see Lock.installed.
        """
        if not self.dependencies:
            return str(self._empty())
        installed = self.lock.installed("functions", LAMBDA_PLATFORM, LAMBDA_PYTHON)
        files = files_below(installed, *sorted(p.name for p in installed.iterdir()), under="python/")
        return str(stage(files, self.build / "slices"))

    @cached_property
    def edge_artifact(self) -> str:
        """`edge_component/`, `dicom_ingest/contracts/`, and the wheels they need.

        Raises:
            DependencyError: see edge_wheels.wheels.
        """
        slice_ = files_below(
            self.root, "edge_component", "dicom_ingest/__init__.py", "dicom_ingest/contracts"
        )
        slice_ = {name: path for name, path in slice_.items() if not name.startswith(CONTAINER)}
        if self.dependencies:
            folder = wheels(self.lock, "edge-compression" if self.compression else "edge")
            slice_ |= files_below(folder, *sorted(p.name for p in folder.iterdir()), under="wheels/")
        return str(stage(slice_, self.build / "slices"))

    def _empty(self) -> Path:
        target = self.build / "slices" / "without-dependencies"
        if target.exists():
            return target

        def fill(folder: Path) -> None:
            (folder / "README").write_text("Synthesised without dependencies; not for deployment.\n")

        return publish(target, fill)
