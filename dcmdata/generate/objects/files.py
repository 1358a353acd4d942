"""Writing DICOM files (PS3.10) whose bytes depend on the data set alone."""

from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from dcmdata.generate.objects.uids import uid

# One named encoder each: another one installed beside it would compress to other bytes.
_ENCODERS = {JPEG2000Lossless: "pylibjpeg", RLELossless: "pydicom"}


def write(ds: Dataset, folder: Path, name: str, transfer_syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write `folder`/`name`.dcm, its pixels compressed if the transfer syntax says so."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.dcm"
    path.write_bytes(encode(ds, transfer_syntax))
    return path


def encode(ds: Dataset, transfer_syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The file's bytes; gives the data set its file meta information and compresses its pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if transfer_syntax in _ENCODERS else transfer_syntax
    # pydicom would write its own version here, and the bytes would change with it.
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "DCMDATA_1"
    ds.file_meta = meta
    if transfer_syntax in _ENCODERS:
        encoder = _ENCODERS[transfer_syntax]
        ds.compress(transfer_syntax, encoding_plugin=encoder, generate_instance_uid=False)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
