"""Tags, reports and documents, read from the files in S3 through an S3 client."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from console.pages.viewing.instance import content, instance
from console.pages.viewing.report import report
from console.pictures.files import HEADER_BYTES, LONGEST, Files, UnreadableError, document, tags, text
from local.cli.demo import DCMDATA

ROW = {"transfer_id": "t", "series_instance_uid": "1.2.3"}
PDF = b"%PDF-1.4 made here"
REPORT = next((DCMDATA / "dx-chest" / "2-report").glob("*.dcm"))
IMAGE = next((DCMDATA / "ct-torso" / "2-axial-soft-tissue").glob("*.dcm"))


class OneObject:
    """An S3 that has one object, and answers ranges."""

    def __init__(self, body: bytes) -> None:
        self.body, self.asked = body, 0

    def get_object(self, *, Bucket: str, Key: str, Range: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        self.asked += 1
        if Key != "there":
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": f"{Bucket} has none"}}, "GetObject")
        return {"Body": io.BytesIO(self.body[: int(Range.rpartition("-")[2]) + 1])}


def files(body: bytes) -> tuple[Files, OneObject]:
    s3 = OneObject(body)
    return Files(cast("Any", s3), "bucket"), s3


def with_document(size: int = 0) -> bytes:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientID = EncapsulatedPDFStorage, "1.2.3.4", "P-1"
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Letter", "application/pdf"
    ds.EncapsulatedDocument = PDF + bytes(size + (len(PDF) + size) % 2)
    ds.EncapsulatedDocumentLength = len(PDF) + size
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_every_element_is_told_those_of_sequences_too_and_pixels_are_not_read() -> None:
    held, _ = files(IMAGE.read_bytes())
    found = [*tags(held.header("there"))]
    names = {each.name: each for each in found}
    assert names["Modality"].value == "CT"
    assert names["SOP Class UID"].value.endswith("(CT Image Storage)")
    assert "Transfer Syntax UID" in names
    assert "Pixel Data" not in names
    nested = [*tags(dcmread(REPORT))]
    assert max(each.depth for each in nested) > 1


def test_a_long_value_is_cut_and_bytes_are_counted() -> None:
    ds = Dataset()
    ds.ImageComments = "x" * (LONGEST + 50)
    ds.EncapsulatedDocument = bytes(1234)
    comment, held = (each.value for each in tags(ds))
    assert comment.endswith(f"… ({LONGEST + 50} characters)")
    assert held == "1,234 bytes"


def test_the_tags_can_be_searched_without_a_script() -> None:
    ds = dcmread(IMAGE)
    whole, some = ("".join(instance(ROW, "1.2", ds, term)) for term in ("", "pixel spacing"))
    assert whole.count("<tr>") > 30
    assert some.count("<tr>") == 2  # the heading and the one
    assert "Pixel Spacing" in some


def test_a_report_is_a_tree_of_names_and_values() -> None:
    shown = str(report(dcmread(REPORT)))
    assert shown.count("<li>") > 3
    assert "<ul>" in shown
    assert "<script" not in shown


def code(meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeMeaning = meaning
    return [item]


def test_a_measurement_has_its_name_its_value_and_its_unit() -> None:
    ds, item, measured = Dataset(), Dataset(), Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "17.5", code("millimeter")
    item.ValueType, item.ConceptNameCodeSequence = "NUM", code("Length")
    item.MeasuredValueSequence = [measured]
    ds.ContentSequence = [item]
    assert "<b>Length</b>: 17.5 millimeter" in str(report(ds))


def test_a_documents_bytes_are_those_that_were_put_in_without_the_padding() -> None:
    held, _ = files(with_document())
    assert document(held.whole("there")) == (PDF, "application/pdf")
    shown = str(content(ROW, "1.2.3.4", held.header("there")))
    assert "<iframe" in shown
    assert "/series/t/1.2.3/instances/1.2.3.4/document" in shown
    assert content(ROW, "1", dcmread(IMAGE, stop_before_pixels=True)) is None
    other = held.header("there")
    other.MIMETypeOfEncapsulatedDocument = "model/stl"
    shown = str(content(ROW, "1.2.3.4", other))
    assert "<iframe" not in shown
    assert "The document is model/stl, which is not shown here." in shown
    assert "Open the document" in shown


def test_the_header_of_a_large_file_is_read_from_its_first_part() -> None:
    held, s3 = files(with_document(HEADER_BYTES * 3))
    assert held.header("there").PatientID == "P-1"
    found = document(held.whole("there"))
    assert found is not None
    assert len(found[0]) == len(PDF) + 3 * HEADER_BYTES
    assert s3.asked <= 3


def test_a_value_that_the_first_part_cuts_off_is_read_whole() -> None:
    held, s3 = files(with_document(HEADER_BYTES * 3))
    found = {each.name: each.value for each in tags(held.header("there"))}
    assert found["Encapsulated Document"] == f"{len(PDF) + 3 * HEADER_BYTES:,} bytes"
    assert s3.asked == 2


def test_a_file_that_is_no_dicom_is_not_asked_for_twice() -> None:
    held, s3 = files(b"not DICOM")
    with pytest.raises(UnreadableError):
        held.header("there")
    assert s3.asked == 1


def test_a_file_that_is_too_large_says_so() -> None:
    held = Files(cast("Any", OneObject(with_document(5000))), "bucket", most=4000)
    with pytest.raises(UnreadableError, match="4,000 bytes or more"):
        held.whole("there")


def with_a_wrong_length() -> Dataset:
    """A file with an unsigned short of three bytes."""
    ds = dcmread(io.BytesIO(with_document()))
    ds.Rows = 7
    body = io.BytesIO()
    ds.save_as(body, enforce_file_format=True)
    right, wrong = b"US\x02\x00\x07\x00", b"US\x03\x00\x07\x00\x00"
    assert body.getvalue().count(right) == 1
    return dcmread(io.BytesIO(body.getvalue().replace(right, wrong)))


def test_a_value_that_breaks_the_rules_of_its_vr_says_so_and_the_others_are_shown() -> None:
    ds = with_a_wrong_length()
    found = [*tags(ds)]
    (bad,) = [each for each in found if "cannot be read" in each.value]
    assert (bad.vr, bad.name) == ("US", "Rows")
    assert len(found) == len(ds) + len(ds.file_meta)
    page = str(instance(ROW, "1.2.3.4", ds, ""))
    assert "cannot be read" in page
    assert "P-1" in page
    assert "cannot be read" in text(ds, "Rows")


def test_a_report_with_a_wrong_number_or_a_tag_of_another_kind_is_still_read() -> None:
    ds, measured = Dataset(), Dataset()
    measured.add_new("NumericValue", "LO", "1,75")
    item = Dataset()
    item.ValueType, item.MeasuredValueSequence = "NUM", [measured]
    item.add_new("ConceptNameCodeSequence", "LO", "no sequence")
    ds.ContentSequence = [item]
    assert "1,75" in str(report(ds))


@pytest.mark.parametrize("kind", ["text/html\r\nX: y", "<script>", ""])
def test_a_media_type_that_is_none_is_bytes(kind: str) -> None:
    ds = dcmread(io.BytesIO(with_document()))
    ds.add_new("MIMETypeOfEncapsulatedDocument", "LO", kind)
    assert document(ds) == (PDF, "application/octet-stream")


@pytest.mark.parametrize(
    ("body", "key", "words"),
    [(b"", "gone", "S3 does not give the file"), (b"not DICOM", "there", "cannot be read as DICOM")],
)
@pytest.mark.parametrize("how", [Files.header, Files.whole])
def test_a_file_that_cannot_be_read_says_why(
    how: Callable[[Files, str], Dataset], body: bytes, key: str, words: str
) -> None:
    with pytest.raises(UnreadableError, match=words):
        how(files(body)[0], key)
