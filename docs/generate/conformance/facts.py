"""The facts of the statement, by the name that they have in `statement.md`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from string import Template

from pydicom.uid import UID
from pynetdicom.ae import ApplicationEntity

from dicom_ingest.contracts import preflight
from docs.generate.conformance import settings, sop_classes, statuses
from docs.generate.markdown import table
from edge_component import VERSION
from edge_component.assembling.quiet import DEFAULT_QUIET_SECONDS, SLOW_MODALITIES, SLOW_QUIET_SECONDS
from edge_component.compressing.part10 import COMPRESSIBLE
from edge_component.dimse import limits, negotiation, tls
from edge_component.dimse.statuses import COMMENT_LENGTH
from edge_component.records import commitment, part10
from edge_component.settings import Settings

STATEMENT = Path(__file__).with_name("statement.md")
MIB = 1024 * 1024


def render() -> str:
    """The whole page.

    Raises:
        KeyError: the prose names a fact that does not exist.
    """
    return Template(STATEMENT.read_text(encoding="utf-8")).substitute(facts())


def facts() -> dict[str, str]:
    """All of them, as Markdown."""
    return {
        **_identity(),
        **_services(),
        **_answers(),
        **_times(),
        "settings": settings.edge_settings(),
        "senders": settings.sender_settings(),
        "uplink": settings.uplink_rules(),
        "implicit": UID(negotiation.IMPLICIT_VR_LITTLE_ENDIAN).name,
        "ciphers": tls.CIPHERS,
    }


def default(name: str) -> float:
    """The default of a setting of the edge."""
    value = Settings.model_fields[name].get_default()
    return float(value)


def _identity() -> dict[str, str]:
    return {
        "version": VERSION,
        "pynetdicom": version("pynetdicom"),
        "pydicom": version("pydicom"),
        "implementation_class_uid": part10.IMPLEMENTATION_CLASS_UID,
        "implementation_version_name": part10.IMPLEMENTATION_VERSION_NAME,
    }


def _services() -> dict[str, str]:
    verification, push = UID("1.2.840.10008.1.1"), UID(commitment.SOP_CLASS)
    known = sop_classes.storage_classes()
    syntaxes = sop_classes.transfer_syntaxes()
    return {
        "overview": table(
            ("service", "SOP classes", "user (SCU)", "provider (SCP)"),
            [
                ("Verification", verification.name, "no", "yes"),
                ("Storage", "all, including private and unknown ones (8.1)", "no", "yes"),
                ("Storage commitment", push.name, "no", "yes"),
            ],
        ),
        "sop_classes": table(
            ("SOP class", "UID", "role of the edge", "transfer syntaxes"),
            [
                (verification.name, f"`{verification}`", "SCP", "uncompressed"),
                ("Storage SOP classes", "see 8.1", "SCP", "any (8.2)"),
                (push.name, f"`{push}`", "SCP", "uncompressed"),
            ],
        ),
        "storage_count": str(len(known)),
        "storage_classes": _classes(known),
        "refused_classes": _classes(sop_classes.refused_classes()),
        "syntax_count": str(len(syntaxes)),
        "transfer_syntaxes": table(
            ("transfer syntax", "UID", "lossless", "stored as", "HealthImaging has frames", "retired"),
            (
                (
                    name,
                    f"`{uid}`",
                    "yes" if uid in negotiation.LOSSLESS else "",
                    "received, or HTJ2K" if uid in COMPRESSIBLE else "received",
                    "yes" if uid in preflight.SUPPORTED else "",
                    "R" if retired else "",
                )
                for uid, name, retired in syntaxes
            ),
        ),
        "foretold": table(
            ("code", "HealthImaging", "what"),
            (
                (
                    f"`{code}`",
                    rule.consequence + (f" ({rule.warning})" if rule.warning else ""),
                    f"[{rule.words}]({rule.source})",
                )
                for code, rule in preflight.RULES.items()
            ),
        ),
    }


def _classes(known: list[sop_classes.SopClass]) -> str:
    rows = ((each.name, f"`{each.uid}`", "R" if each.retired else "") for each in known)
    return table(("SOP class", "UID", "retired"), rows)


def _answers() -> dict[str, str]:
    return {
        "association": _association(),
        "rejections": statuses.rejection_table(),
        "statuses": statuses.store_statuses(),
        "action_statuses": statuses.action_statuses(),
        "failure_reasons": statuses.failure_reasons(),
        "comment_length": str(COMMENT_LENGTH),
        "action_type": str(commitment.REQUEST_ACTION),
        "commitment_instance": commitment.SOP_INSTANCE,
        "all_stored": str(commitment.ALL_STORED),
        "failures_exist": str(commitment.FAILURES_EXIST),
        "max_command": f"{limits.Limits.command_bytes // 1024} KiB",
        "max_other": f"{limits.Limits.message_bytes // MIB} MiB",
    }


def _association() -> str:
    return table(
        ("policy", "as acceptor", "as initiator (reports)"),
        [
            ("application context", "1.2.840.10008.3.1.1.1", "the same"),
            ("associations at once", f"{default('max_associations'):g}, per address "
             f"{default('max_associations_per_peer'):g}; configurable", "1"),
            ("largest PDU received", f"{default('max_pdu_bytes'):,.0f} bytes; configurable",
             f"{ApplicationEntity('EDGE').maximum_pdu_size:,} bytes"),
            ("asynchronous operations", "not supported: one at a time", "not proposed"),
            ("SCP/SCU role selection", "storage commitment", "storage commitment, as SCP"),
            ("SOP class extended negotiation", "ignored", "not proposed"),
            ("user identity", "ignored", "not proposed"),
            ("time-out of A-ASSOCIATE", f"{default('association_timeout'):g} s; configurable", "the same"),
            ("time-out of a silent peer", f"{default('network_timeout'):g} s; configurable, then A-ABORT",
             "the same"),
        ],
    )  # fmt: skip


def _times() -> dict[str, str]:
    hours = default("commitment_patience_seconds") / 3600
    slow = ", ".join(SLOW_MODALITIES)
    return {
        "quiet": f"{DEFAULT_QUIET_SECONDS:g} s; {SLOW_QUIET_SECONDS:g} s for {slow}",
        "commitment_patience": f"{hours:g} h",
        "duplicates": f"{default('duplicate_seconds') / 3600:g} h",
        "receipts": f"{default('receipt_days'):g} days",
    }
