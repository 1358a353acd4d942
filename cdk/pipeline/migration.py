"""The schema on every deploy: forward only, never a drop; new code comes after it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aws_cdk import CustomResource, custom_resources
from constructs import Construct

from cdk.data import Data
from cdk.limits import CONNECTIONS, OPERATOR
from cdk.pipeline.functions import Functions
from cdk.resources.logs import log_group
from dicom_ingest.contracts.configuration.config import Config
from dicom_ingest.contracts.platform.functions import FUNCTIONS

MIGRATIONS = Path(__file__).parents[2] / "dicom_ingest" / "db" / "migrations"


class Migration(Construct):
    """Runs `migrate_database` with `MigrationProperties` when they or the migrations change."""

    def __init__(self, scope: Construct, config: Config, data: Data, functions: Functions) -> None:
        super().__init__(scope, "migration")
        provider = custom_resources.Provider(
            self,
            "provider",
            on_event_handler=functions.by_name["migrate_database"],
            log_group=log_group(
                self, "log", f"/aws/lambda/{config.cdk_app_name}-migration-provider", config, data.key
            ),
        )
        self.resource = CustomResource(
            self,
            "schema",
            service_token=provider.service_token,
            properties={
                "semaphore": _semaphore(config, data),
                "database_users": _users(data),
                "migrations": _content(MIGRATIONS),
            },
        )
        # The network, too: endpoints and rules of security groups that the function meets on its way.
        self.resource.node.add_dependency(data.database, data.network)


def _semaphore(config: Config, data: Data) -> dict[str, object] | None:
    if data.image_store is None:
        return None
    imports = config.ahli_config
    return {
        "datastore_id": data.image_store.datastore_id,
        "capacity": imports.ahli_concurrent_imports,
        "start_rate": imports.start_rate,
        "start_burst": imports.start_burst,
        "bundles": imports.bundles,
        "bundle_patience": imports.bundle_patience_seconds,
    }


def _users(data: Data) -> list[dict[str, object]]:
    names = [spec.name for spec in FUNCTIONS if spec.opens_database and spec.name in CONNECTIONS]
    users: list[dict[str, object]] = [
        {"name": name, "role": "ingest", "connection_limit": CONNECTIONS[name]} for name in names
    ]
    operator = {"name": OPERATOR, "role": "operator", "connection_limit": CONNECTIONS[OPERATOR]}
    return [*users, operator | {"secret_arn": data.database.operator_secret.secret_arn}]


def _content(folder: Path) -> str:
    """A hash of the migrations, so that a new one makes the deploy run them."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.sql")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
