"""What a folder holds: DICOM instances to send, and every other file with the reason why it is not sent."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

UNDEFINED_LENGTH = 0xFFFFFFFF
SHOWN = 5
"""Names of files in one line."""


@dataclass(frozen=True)
class InstanceFile:
    """One file that can be sent as it is."""

    path: Path
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class OtherFile:
    """A file that is not sent, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class DicomFolder:
    """A folder sorted into what is sent and what is not."""

    instances: list[InstanceFile]
    others: list[OtherFile]

    def others_by_reason(self) -> list[str]:
        """A line per reason with the names of its files."""
        reasons = dict.fromkeys(other.reason for other in self.others)
        names = {why: [other.path.name for other in self.others if other.reason == why] for why in reasons}
        return [f"{len(files)} not sent, {why}: {_some(files)}" for why, files in names.items()]


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


class EmptyFolderError(ValueError):
    """The folder does not exist, or has no DICOM instance. The message names it."""


class _NotSendableError(ValueError):
    """Why a file cannot be sent."""


def read_folder(folder: Path) -> DicomFolder:
    """Sort a folder, and all below it.

    Raises:
        EmptyFolderError: there is nothing to send.
    """
    if not folder.exists():
        raise EmptyFolderError(f"{folder} does not exist")
    paths = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    found = DicomFolder([], [])
    for path in paths:
        try:
            found.instances.append(_read(path))
        except _NotSendableError as error:
            found.others.append(OtherFile(path, str(error)))
    if not found.instances:
        reasons = "; ".join(found.others_by_reason()) or "it is empty"
        raise EmptyFolderError(f"{folder} has no DICOM instance: {reasons}")
    return found


def study_folders(folder: Path) -> list[Path]:
    """The folders directly under this one that have `.dcm` files."""
    return sorted({folder / path.relative_to(folder).parts[0] for path in folder.glob("*/**/*.dcm")})


def read_folders(folders: Sequence[Path]) -> DicomFolder:
    """Several folders as one; see `read_folder`."""
    found = [read_folder(folder) for folder in folders]
    return DicomFolder(
        [file for folder in found for file in folder.instances],
        [file for folder in found for file in folder.others],
    )


def _read(path: Path) -> InstanceFile:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ds = pydicom.dcmread(path)
        except InvalidDicomError:
            raise _NotSendableError("not DICOM") from None
        except (OSError, EOFError, ValueError, NotImplementedError) as error:
            raise _NotSendableError(f"damaged: {error}") from error
    if any("End of file" in str(warning.message) for warning in caught) or _cut_short(ds):
        raise _NotSendableError("truncated")
    if ds.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise _NotSendableError("a DICOMDIR, not an instance")
    wanted = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    lacking = [keyword for keyword in wanted if not ds.get(keyword)]
    if not ds.file_meta.get("TransferSyntaxUID"):
        lacking.append("TransferSyntaxUID")
    if lacking:
        raise _NotSendableError(f"truncated or incomplete: no {', '.join(lacking)}")
    study, series, sop, sop_class = (str(ds[keyword].value) for keyword in wanted)
    return InstanceFile(path, study, series, sop, sop_class, str(ds.file_meta.TransferSyntaxUID))


def _cut_short(ds: pydicom.Dataset) -> bool:
    """pydicom takes a last value that is shorter than its length for the value."""
    tags = list(ds.keys())
    last = ds.get_item(tags[-1]) if tags else None
    return (
        isinstance(last, RawDataElement)
        and last.length != UNDEFINED_LENGTH
        and len(last.value or b"") < last.length
    )
