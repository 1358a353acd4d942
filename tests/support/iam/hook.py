"""Loaded as `sitecustomize` by every process of a run: writes down what botocore is asked to call.

It stands alone: nothing of ours or of botocore is imported before the process itself does.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

TOLD = (
    "Bucket",
    "Key",
    "Prefix",
    "stateMachineArn",
    "executionArn",
    "datastoreId",
    "QueueUrl",
    "FunctionName",
    "SecretId",
)
"""Parameters that decide about a resource or a condition."""


def principal() -> str | None:
    """Which of the stack's principals this process is."""
    if function := os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return function.rpartition("-")[2]
    argv = " ".join(sys.orig_argv)
    known = {
        "local.aws.server": "workflow",
        "edge_component": "edge",
        "healthimaging_emulator": "import-role",
    }
    return next((name for module, name in known.items() if module in argv), None)


class Log:
    """One line per different call of this process."""

    def __init__(self, path: Path, who: Callable[[], str | None] = principal) -> None:
        self._path = path
        self._who = who
        self._seen: set[str] = set()

    def write(self, service: str, operation: str, parameters: dict[str, Any]) -> None:
        """Append it; short lines of several processes do not mix."""
        who = self._who()
        if who is None:
            return
        told = {name: str(parameters[name]) for name in TOLD if name in parameters}
        if "datastoreId" in told:
            # Imports run on in a data store that was replaced: a function asks about those, too.
            configured = told["datastoreId"] == os.environ.get("DATASTORE_ID")
            told["datastoreId"] = "configured" if configured else "replaced"
        for entry in parameters.get("Entries", []):
            told |= {name: entry[name] for name in ("Source", "EventBusName") if name in entry}
        line = json.dumps([who, service, operation, told])
        if line not in self._seen:
            self._seen.add(line)
            with self._path.open("a") as log:
                log.write(line + "\n")


def watch_clients(log: Log) -> Callable[[ModuleType], None]:
    """For `botocore.client`: every call of every client."""

    def changed(module: ModuleType) -> None:
        original = module.BaseClient._make_api_call

        def call(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
            log.write(self.meta.service_model.service_name, operation, parameters)
            return original(self, operation, parameters)

        module.BaseClient._make_api_call = call

    return changed


def watch_direct_put(log: Log) -> Callable[[ModuleType], None]:
    """For the edge's own PutObject, which botocore only prepares."""

    def changed(module: ModuleType) -> None:
        original = module.Template.head

        def head(self: Any, key: str, *rest: Any) -> Any:
            bucket = self.path.strip("/") or self.origin.split("//")[1].split(".")[0]
            log.write("s3", "PutObject", {"Bucket": bucket, "Key": key})
            return original(self, key, *rest)

        module.Template.head = head

    return changed


class _Loaded:
    """Calls back when a module has been loaded; a finder of `sys.meta_path`."""

    def __init__(self, hooks: dict[str, Callable[[ModuleType], None]]) -> None:
        self._hooks = hooks

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """The usual finder's spec, with its loader wrapped."""
        hook = self._hooks.get(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if hook else None
        if spec is None or spec.loader is None or hook is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            hook(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install(path: Path) -> None:
    """Write to this file from now on."""
    log = Log(path)
    hooks = {
        "botocore.client": watch_clients(log),
        "edge_component.sending.direct_put.template": watch_direct_put(log),
    }
    sys.meta_path.insert(0, _Loaded(hooks))
