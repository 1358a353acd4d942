"""What a function is told by its environment: a frozen, typed model that names what is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dicom_ingest.contracts.messages.steps import ImportState


class SettingsError(ValueError):
    """An environment variable is missing; the message names it."""


@dataclass(frozen=True)
class Settings:
    """A view of the environment; a value is required when first used, so a function needs only its own.

    Which function reads which variable: ``contracts/platform/functions.py``.
    """

    environment: Mapping[str, str]

    def _required(self, name: str) -> str:
        value = self.environment.get(name)
        if not value:
            raise SettingsError(f"environment variable {name} is not set")
        return value

    @property
    def stack(self) -> str:
        """The stack's name, first part of every edge's name."""
        return self._required("STACK")

    @property
    def database_url(self) -> str:
        """``postgresql://user[:password]@host[:port]/name[?auth=iam|secret&...]``, see ``db.connection``."""
        return self._required("DATABASE_URL")

    @property
    def bucket(self) -> str:
        """The one DICOM bucket."""
        return self._required("BUCKET")

    @property
    def datastore_id(self) -> str | None:
        """The HealthImaging data store, or None where importing is switched off."""
        return self.environment.get("DATASTORE_ID") or None

    @property
    def import_role_arn(self) -> str:
        """The role that HealthImaging assumes to read and write S3."""
        return self._required("IMPORT_ROLE_ARN")

    @property
    def state_machine_arn(self) -> str:
        """The workflow."""
        return self._required("STATE_MACHINE_ARN")


def datastore_of(state: ImportState) -> str:
    """Where to ask about an import: the data store may have been replaced since it was started."""
    return state.datastore_id or settings().datastore_id or ""


def settings() -> Settings:
    """The settings of this process."""
    return Settings(os.environ)
