"""A mistake in ``config.yaml`` in words: the key, what is allowed, the value."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from dicom_ingest.contracts.configuration.edges import EdgeConfig
from dicom_ingest.contracts.configuration.senders import CommitmentPeer, SenderConfig
from dicom_ingest.contracts.configuration.services import DatabaseConfig, HealthImagingConfig
from dicom_ingest.contracts.configuration.uplink import UplinkRule
from dicom_ingest.contracts.messages.model import StrictModel

_WORDS = {
    "missing": "is required",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "list_type": "must be a list",
    "string_type": "must be text",
}


def mistake(found: ErrorDetails, whole: type[StrictModel]) -> str:
    """One line: the key, what is allowed, the value. `whole`: the model of the whole file."""
    where, value = ".".join(str(part) for part in found["loc"] if part != "[key]"), found["input"]
    if found["type"] == "extra_forbidden":
        return f"{where}: no such key; allowed here: {', '.join(_allowed(found['loc'], whole))}"
    if found["type"] in ("too_long", "too_short"):
        bound = "at most" if found["type"] == "too_long" else "at least"
        limit = found["ctx"].get("max_length", found["ctx"].get("min_length"))
        return f"{where}: {bound} {limit} must be given, not {len(value)}"
    words = _WORDS.get(
        found["type"], found["msg"].removeprefix("Value error, ").replace("Input should", "must")
    )
    shown = found["type"] != "missing" and isinstance(value, str | int | float | None)
    return (f"{where}: " if where else "") + words + (f", not {_short(value)}" if shown else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def _allowed(location: tuple[int | str, ...], whole: type[StrictModel]) -> list[str]:
    """The keys that the model allows beside the unknown one at this place."""
    models: dict[str, type[StrictModel]] = {
        "edge_config": EdgeConfig,
        "uplink": UplinkRule,
        "ahli_config": HealthImagingConfig,
        "db_config": DatabaseConfig,
        "senders": SenderConfig,
        "commitment": CommitmentPeer,
    }
    parents = [models[str(part)] for part in location[:-1] if str(part) in models]
    return sorted((parents[-1] if parents else whole).model_fields)
