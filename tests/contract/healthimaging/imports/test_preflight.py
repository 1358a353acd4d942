"""What the edge foretells from a header is what the import does: every kind of instance, and nothing else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from healthimaging_emulator import Settings
from healthimaging_emulator.dicom import lengths, p10, transfer_syntaxes
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from dicom_ingest.contracts import preflight
from edge_component.receiving.datasets.header import read_header

from ..conftest import MakeStand
from ..stand import Stand, instance, part10

TRANSCODING_EXCEPTION, FRAMES_EXTRACTION_FAILURE = 45312, 45328
"""The service says either where it finds no frames."""
NOT_FOUND_OUT = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
"""Their maximum is 256 characters, and the edge takes 64."""


def with_value(keyword: str, value: Any, charset: str = "ISO_IR 192") -> bytes:
    dataset = instance(SpecificCharacterSet=charset)
    dataset.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE))
    return part10(dataset)


def without(*keywords: str, **more: Any) -> bytes:
    dataset = instance(**more)
    for keyword in keywords:
        del dataset[keyword]
    return part10(dataset)


def in_syntax(syntax: str, frame: bytes) -> bytes:
    dataset = instance(PixelData=encapsulate([frame]))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return part10(dataset)


def not_encapsulated() -> bytes:
    """RLE by its transfer syntax, native by its bytes."""
    return part10(instance()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1)


def replaced(tag: bytes, vr: bytes, value: bytes) -> bytes:
    """A file in which one element has this value, byte by byte."""
    whole = part10(instance(SpecificCharacterSet="ISO_IR 100"))
    start = whole.index(tag + vr)
    length = int.from_bytes(whole[start + 6 : start + 8], "little")
    return whole[: start + 6] + len(value).to_bytes(2, "little") + value + whole[start + 8 + length :]


CASES: dict[str, tuple[bytes, list[str]]] = {
    "nothing wrong": (part10(instance()), []),
    "64 characters": (with_value("StudyDescription", "x" * 64), []),
    "64 characters in more bytes": (with_value("StudyDescription", "ä" * 64), []),
    "65 characters": (with_value("StudyDescription", "x" * 65), ["value_length"]),
    "65 characters in more bytes": (with_value("StudyDescription", "ä" * 65), ["value_length"]),
    "257 characters": (with_value("StudyDescription", "x" * 257), ["over_maximum"]),
    "256 characters": (with_value("PatientID", "x" * 256), ["value_length"]),
    "a name": (with_value("PatientName", "=".join(["Phantom^" + "x" * 56] * 3)), []),
    "a long name": (with_value("PatientName", "Phantom^" + "x" * 57), ["value_length"]),
    "a name of 257": (with_value("PatientName", "x" * 257), ["over_maximum"]),
    "a long sex": (with_value("PatientSex", "x" * 17), ["over_maximum"]),
    "a long birth date": (with_value("PatientBirthDate", "1" * 19), ["over_maximum"]),
    "a date of 10": (with_value("StudyDate", "2026.01.02"), ["value_length"]),
    "a long accession number": (with_value("AccessionNumber", "a" * 17), ["value_length"]),
    "one of several values": (with_value("SoftwareVersions", ["1", "x" * 65]), ["value_length"]),
    "several values": (with_value("SoftwareVersions", ["x" * 64] * 3), []),
    "an element that is not indexed": (with_value("InstitutionName", "x" * 65), ["value_length"]),
    "a long comment": (with_value("ImageComments", "x" * 10_241), ["value_length"]),
    "a comment": (with_value("ImageComments", "x\\" * 5_000), []),
    "a padded decimal": (with_value("RescaleSlope", " 1.000000000000 "), []),
    "a long decimal": (with_value("RescaleSlope", "0.00000000000000012"), ["value_length"]),
    "too many series": (with_value("NumberOfStudyRelatedSeries", "1000001"), ["number_over_maximum"]),
    "many series": (with_value("NumberOfStudyRelatedSeries", "1000000"), []),
    "half a number": (replaced(b"\x28\0\x10\0", b"US", b"\1\0\1"), ["not_a_number"]),
    "a UID with a leading zero": (part10(instance(SOPInstanceUID="1.2.03")), ["uid_format"]),
    "a UID with an empty part": (part10(instance(SeriesInstanceUID="1.2..3")), ["uid_format"]),
    "no Rows": (without("Rows"), ["no_frames"]),
    "no PhotometricInterpretation": (without("PhotometricInterpretation"), ["no_frames"]),
    "no BitsStored": (without("BitsStored"), ["no_frames"]),
    "no PixelRepresentation": (without("PixelRepresentation"), ["no_frames"]),
    "less pixel data than it says": (part10(instance(Rows=8)), ["no_frames"]),
    "fewer frames than it says": (part10(instance(NumberOfFrames=2)), ["no_frames"]),
    "no pixel data": (without("PixelData", "Rows"), []),
    "JPIP": (in_syntax("1.2.840.10008.1.2.4.94", b"abcd"), ["transfer_syntax"]),
    "JPEG": (in_syntax("1.2.840.10008.1.2.4.50", b"\xff\xd8\xff\xd9"), []),
    "RLE that is not encapsulated": (not_encapsulated(), ["no_frames"]),
}
"""A file, and the codes of what is foretold of it."""


def foretold(file: bytes) -> list[str]:
    """What the edge says of it."""
    stream = io.BytesIO(file)
    stream.seek(140)
    stream.seek(144 + int.from_bytes(stream.read(4), "little"))
    syntax = str(p10.read(io.BytesIO(file)).transfer_syntax) if readable(file) else "1.2.840.10008.1.2.1"
    return [about.code for about in read_header(stream, syntax).foretold]


def readable(file: bytes) -> bool:
    try:
        p10.read(io.BytesIO(file))
    except p10.Refused:
        return False
    return True


@pytest.fixture(scope="module")
def said(make_shared_stand: MakeStand) -> dict[str, Any]:
    """What the import of all of them said, by case: an exception, or the codes of its warnings."""
    stand: Stand = make_shared_stand()
    keys = {name: f"preflight/{number}.dcm" for number, name in enumerate(CASES)}
    for name, key in keys.items():
        stand.put(key, CASES[name][0])
    job = stand.run("preflight/")
    found: dict[str, Any] = {}
    for line in stand.lines(job, "FAILURE/failure.ndjson"):
        found[line["inputFile"]] = "refused"
    for line in stand.lines(job, "WARNING/warning.ndjson"):
        found[line["inputFile"]] = {
            FRAMES_EXTRACTION_FAILURE if code == TRANSCODING_EXCEPTION else code
            for code in (each["warning_reason_code"] for each in line["importResponse"]["warnings"])
        }
    return {name: found.get(key, set()) for name, key in keys.items()}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", CASES)
def test_what_is_foretold_of_an_instance_is_what_its_import_says(name: str, said: dict[str, Any]) -> None:
    file, codes = CASES[name]
    assert foretold(file) == codes
    rules = [preflight.RULES[code] for code in codes]
    if any(rule.consequence == "refused" for rule in rules):
        assert said[name] == "refused"
    else:
        assert said[name] == {rule.warning for rule in rules}


def test_every_rule_but_the_size_of_a_file_has_a_case() -> None:
    cased = {code for _, codes in CASES.values() for code in codes}
    assert preflight.RULES.keys() - cased == {"file_too_large"}


def test_the_edge_and_the_emulator_know_the_same_limits() -> None:
    assert preflight.CHARACTERS == lengths.CHARACTERS
    assert preflight.BYTES == lengths.BYTES
    assert all(lengths.describes_pixels(tag) for tag in preflight.DESCRIBES_PIXELS)
    maxima = {tag_for_keyword(keyword): most for keyword, most in p10.MAX_LENGTHS.items()}
    uids = {tag_for_keyword(keyword) for keyword in NOT_FOUND_OUT}
    assert maxima.keys() - uids == preflight.MAX_CHARACTERS.keys()
    assert all(maxima[tag] == most for tag, most in preflight.MAX_CHARACTERS.items())
    numbers = {tag_for_keyword(keyword): most for keyword, most in p10.MAX_NUMBERS.items()}
    assert numbers == preflight.MAX_NUMBER
    assert preflight.SUPPORTED == transfer_syntaxes.SUPPORTED
    assert preflight.NATIVE == transfer_syntaxes.NATIVE


def test_the_edge_and_the_emulator_know_the_same_size_of_a_file() -> None:
    assert Settings().limits.bytes_per_file == preflight.MAX_FILE_BYTES
