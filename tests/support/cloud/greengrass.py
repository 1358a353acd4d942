"""What the Greengrass nucleus does with a component on Linux, in a temporary root, with real processes.

Read from the nucleus' source, v2.15.0: `Permissions.setArtifactPermission`, `UnixPlatform.SudoDecorator`,
`TokenExchangeService`.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdk.edge.recipe import render_recipe

COMPONENT = "dicom-ingest-DIMSEtoS3"
THING = "dicom-ingest-edge1"
SECURE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REMOVED = re.compile(
    r"IFS|CDPATH|LOCALDOMAIN|RES_OPTIONS|HOSTALIASES|NLSPATH|PATH_LOCALE|LD_.*|_RLD.*|TERMINFO.*|TERMPATH|TERMCAP"
    r"|ENV|BASH_ENV|PS4|GLOBIGNORE|BASHOPTS|SHELLOPTS|JAVA_TOOL_OPTIONS|PERLIO_DEBUG|PERLLIB|PERL5LIB|PERL5OPT"
    r"|PERL5DB|FPATH|NULLCMD|READNULLCMD|ZDOTDIR|TMPPREFIX|PYTHONHOME|PYTHONPATH|PYTHONINSPECT|PYTHONUSERBASE"
    r"|RUBYLIB|RUBYOPT"
)
"""What `sudo -E` does not hand on: `env_delete` of `sudo -V`, 1.9.13."""
OURS = ("AWS_", "PIP_", "PYTHON", "EDGE_", "VIRTUAL_ENV", "COV_", "UV_")


def sudo_works() -> bool:
    """Whether this user may use sudo without a password."""
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


@dataclass
class Nucleus:
    """One device. `python`: the folder of its `python3`; None: the system's, through sudo as another user."""

    root: Path
    python: Path | None
    settings: Mapping[str, Any]
    variables: dict[str, str] = field(default_factory=dict)
    """What Greengrass gives every component: credentials' address, proxies."""

    def __post_init__(self) -> None:
        self.user = "nobody" if self.by_sudo and os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.group = grp.getgrgid(pwd.getpwnam(self.user).pw_gid).gr_name
        self.work = self.root / "work" / COMPONENT
        self.work.mkdir(parents=True)
        self._owned(self.work)

    @property
    def by_sudo(self) -> bool:
        """Scripts are started through sudo itself, not through what it leaves of the environment."""
        return self.python is None

    def deploy(self, artifact: Path, version: str) -> None:
        """Take a version: its artifact unpacked, owned and made read-only as the nucleus does it."""
        self._unpacked = self.root / "packages" / "artifacts-unarchived" / COMPONENT / version
        self._artifact = artifact.stem
        target = self._unpacked / artifact.stem
        with zipfile.ZipFile(artifact) as archive:
            archive.extractall(target)
        for path in [target, *target.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o400)
            self._owned(path)

    def run(self, step: str) -> subprocess.CompletedProcess[str]:
        """A step to its end, in the time that the recipe gives it."""
        seconds = self.lifecycle()[step]["Timeout"]
        return subprocess.run(
            **self._started(step), capture_output=True, text=True, check=False, timeout=seconds
        )

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        """The Run step."""
        with log.open("ab") as out:
            return subprocess.Popen(**self._started("Run"), stdout=out, stderr=out)

    def ready(self) -> dict[str, int]:
        """Ports and pid of the component."""
        found: dict[str, int] = json.loads((self.work / "ready.json").read_text())
        return found

    def _started(self, step: str) -> dict[str, Any]:
        lifecycle = self.lifecycle()
        given = {name: self._filled(value) for name, value in lifecycle[step].get("Setenv", {}).items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        pip = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_COMPILE": "1"}
        environment = inherited | pip | {"PYTHONPATH": str(self.root)} | self.variables | given
        command = ["sh", "-c", self._filled(lifecycle[step]["Script"])]
        if self.by_sudo:
            command = ["sudo", "-n", "-E", "-H", "-u", self.user, "-g", self.group, "--", *command]
        else:
            kept = {name: value for name, value in environment.items() if not REMOVED.fullmatch(name)}
            environment = kept | {"PATH": f"{self.python}{os.pathsep}{SECURE_PATH}"}
        return {"args": command, "cwd": self.work, "env": environment}

    def _owned(self, path: Path) -> None:
        if self.by_sudo and os.geteuid() == 0:
            shutil.chown(path, self.user, self.group)

    def _recipe(self) -> dict[str, Any]:
        text = (Path(__file__).parents[3] / "edge_component" / "recipe.yaml").read_text(encoding="utf-8")
        values = {
            "component_name": COMPONENT,
            "component_version": "0.1.7",
            "artifact_uri": f"s3://assets/{self._artifact}.zip",
            "artifact_name": self._artifact,
            "stack": "dicom-ingest",
            "bucket": "dicom",
            "event_bus": "ingest",
            "region": "eu-west-1",
            "senders": [{"calling_ae": "CT'1"}],
            "edges": {THING.rpartition("-")[2]: {"time_zone": "Europe/Zurich", "uplink": [{"mbit": 1000}]}},
        }
        recipe = render_recipe(text, values)
        recipe["ComponentConfiguration"]["DefaultConfiguration"]["edge"] |= self.settings
        return recipe

    def lifecycle(self) -> dict[str, Any]:
        """The steps of the Linux manifest."""
        (manifest,) = [m for m in self._recipe()["Manifests"] if m["Platform"]["os"] == "linux"]
        steps: dict[str, Any] = manifest["Lifecycle"]
        return steps

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(\w+):([^}]*)\}", lambda found: self._value(found[1], found[2]), text)

    def _value(self, namespace: str, name: str) -> str:
        if namespace == "configuration":
            value: Any = self._recipe()["ComponentConfiguration"]["DefaultConfiguration"]
            for part in name.strip("/").split("/"):
                value = value[part]
            return value if isinstance(value, str) else json.dumps(value)
        return {
            ("work", "path"): str(self.work),
            ("artifacts", "decompressedPath"): str(self._unpacked),
            ("iot", "thingName"): THING,
        }[namespace, name]
