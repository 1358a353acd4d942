"""The committed studies are valid, invented, small, and exactly what their program writes."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import JPEG2000Lossless

from dcmdata.generate import write_ct_series, write_small_series, write_studies
from dicom_ingest.contracts.attributes import ATTRIBUTES

DCMDATA = Path(__file__).parents[2] / "dcmdata"
FILES = sorted(DCMDATA.glob("*/*/*.dcm"))
_ROW = re.compile(
    r"^\| `(?P<path>[^`]+)` \| (?P<modality>\w+) \| (?P<instances>\d+) \| (?P<syntax>[^|]+) \|", re.M
)


@pytest.fixture(scope="module")
def instances() -> dict[Path, FileDataset]:
    return {path: pydicom.dcmread(path) for path in FILES}


def _series(instances: dict[Path, FileDataset]) -> Iterator[tuple[str, list[FileDataset]]]:
    for folder in sorted({path.parent for path in instances}):
        members = [ds for path, ds in instances.items() if path.parent == folder]
        yield folder.relative_to(DCMDATA).as_posix(), members


def test_the_readme_names_every_series_with_its_modality_count_and_transfer_syntax(
    instances: dict[Path, FileDataset],
) -> None:
    rows = [match.groups() for match in _ROW.finditer((DCMDATA / "README.md").read_text(encoding="utf-8"))]
    found = [
        (path, ds[0].Modality, str(len(ds)), ds[0].file_meta.TransferSyntaxUID.name)
        for path, ds in _series(instances)
    ]
    assert sorted((*row[:3], row[3].strip()) for row in rows) == sorted(found)


def test_a_folder_holds_one_series_and_a_study_folder_one_study_of_one_patient(
    instances: dict[Path, FileDataset],
) -> None:
    for path, members in _series(instances):
        for keyword in ("SeriesInstanceUID", "Modality", "SeriesNumber", "SOPClassUID"):
            assert len({str(ds[keyword].value) for ds in members}) == 1, (path, keyword)
        assert sorted(ds.InstanceNumber for ds in members) == list(range(1, len(members) + 1)), path
    studies = {(path.parts[-3], ds.StudyInstanceUID, ds.PatientID) for path, ds in instances.items()}
    assert len(studies) == len({folder for folder, _, _ in studies}) == 3
    assert len({ds.SeriesInstanceUID for ds in instances.values()}) == 7


def test_sop_instance_uids_are_unique_valid_and_agree_with_the_file_meta_information(
    instances: dict[Path, FileDataset],
) -> None:
    counts = Counter(ds.SOPInstanceUID for ds in instances.values())
    assert set(counts.values()) == {1}
    for path, ds in instances.items():
        assert ds.SOPInstanceUID.is_valid, path
        assert ds.SOPInstanceUID.startswith("2.25."), path
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID, path
        assert ds.file_meta.MediaStorageSOPClassUID == ds.SOPClassUID, path


def test_every_indexed_attribute_occurs_in_some_file(instances: dict[Path, FileDataset]) -> None:
    single_frame_only = {"NumberOfFrames"}
    present = {element.keyword for ds in instances.values() for element in ds if not element.is_empty}
    assert {attribute.keyword for attribute in ATTRIBUTES} - present == single_frame_only


def test_every_image_says_where_it_lies_in_the_patient(instances: dict[Path, FileDataset]) -> None:
    for path, members in _series(instances):
        if members[0].Modality not in ("CT", "MR"):
            continue
        assert len({ds.FrameOfReferenceUID for ds in members}) == 1, path
        normals = [np.cross(*np.reshape(ds.ImageOrientationPatient, (2, 3)).astype(float)) for ds in members]
        places = [
            float(normal @ np.array(ds.ImagePositionPatient, float))
            for normal, ds in zip(normals, members, strict=True)
        ]
        steps = {round(b - a, 3) for a, b in pairwise(places)}
        assert len(steps) <= 1, (path, steps)
        assert 0.0 not in steps, path


def test_the_pixels_of_every_image_decode_and_show_something(instances: dict[Path, FileDataset]) -> None:
    images = [ds for ds in instances.values() if ds.Modality != "SR"]
    assert len(images) == 90
    for ds in images:
        pixels = ds.pixel_array
        assert pixels.shape == (ds.Rows, ds.Columns), ds.SOPInstanceUID
        assert pixels.std() > 20, ds.SOPInstanceUID


def test_the_report_has_no_pixels_and_refers_to_images_that_are_there(
    instances: dict[Path, FileDataset],
) -> None:
    (report,) = [ds for ds in instances.values() if ds.Modality == "SR"]
    assert "PixelData" not in report
    by_uid = {ds.SOPInstanceUID: ds for ds in instances.values()}
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    images = [by_uid[reference.ReferencedSOPInstanceUID] for reference in series.ReferencedSOPSequence]
    assert [ds.ViewPosition for ds in images] == ["PA", "LL"]
    assert {ds.SeriesInstanceUID for ds in images} == {series.SeriesInstanceUID}
    assert {ds.StudyInstanceUID for ds in images} == {evidence.StudyInstanceUID, report.StudyInstanceUID}


def test_nobody_was_examined(instances: dict[Path, FileDataset]) -> None:
    for path, ds in instances.items():
        people = [element for element in ds.iterall() if element.VR == "PN" and not element.is_empty]
        assert all(str(name.value).startswith("Phantom^") for name in people), path
        assert ds.PatientIdentityRemoved == "YES", path
        assert ds.PatientID.startswith("PHANTOM-"), path


def test_names_beyond_ascii_are_readable(instances: dict[Path, FileDataset]) -> None:
    names = {(str(ds.SpecificCharacterSet), str(ds.PatientName)) for ds in instances.values()}
    assert ("ISO_IR 100", "Phantom^Schädel") in names
    assert ("ISO_IR 192", "Phantom^Thorax=幻影^胸部") in names


def test_all_of_it_stays_below_eight_megabytes() -> None:
    files = [path for path in DCMDATA.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 8_000_000


def test_the_program_writes_the_committed_files_again(tmp_path: Path) -> None:
    written = write_studies(tmp_path)
    assert sorted(path.relative_to(tmp_path) for path in written) == [p.relative_to(DCMDATA) for p in FILES]
    for path in written:
        committed = DCMDATA / path.relative_to(tmp_path)
        if path.read_bytes() != committed.read_bytes():
            _assert_same_but_for_the_codec(path, committed)


def _assert_same_but_for_the_codec(path: Path, committed: Path) -> None:
    """Another version of OpenJPEG may write other bytes, never other pixels."""
    ours, theirs = pydicom.dcmread(path), pydicom.dcmread(committed)
    assert ours.file_meta.TransferSyntaxUID == JPEG2000Lossless, f"{path} is not {committed}"
    assert np.array_equal(ours.pixel_array, theirs.pixel_array), f"{path} is not {committed}"
    del ours.PixelData, theirs.PixelData
    assert ours == theirs, f"{path} is not {committed}"
    assert ours.file_meta == theirs.file_meta, f"{path} is not {committed}"


def test_a_large_ct_series_has_the_slices_and_the_matrix_asked_for(tmp_path: Path) -> None:
    slices = [pydicom.dcmread(path) for path in write_ct_series(tmp_path, slices=20, matrix=64)]
    assert [ds.InstanceNumber for ds in slices] == list(range(1, 21))
    assert {(ds.Rows, ds.Columns) for ds in slices} == {(64, 64)}
    assert len({ds.SeriesInstanceUID for ds in slices}) == 1
    assert len({ds.SOPInstanceUID for ds in slices}) == 20
    assert len({bytes(ds.PixelData) for ds in slices}) == 20
    heights = [float(ds.ImagePositionPatient[2]) for ds in slices]
    assert heights == sorted(set(heights), reverse=True)


def test_small_series_are_valid_and_distinct_for_every_seed(tmp_path: Path) -> None:
    paths = [p for seed in (0, 1) for p in write_small_series(tmp_path / str(seed), 3, 4, seed=seed)]
    found = [pydicom.dcmread(path) for path in paths]
    assert len(found) == 24
    for keyword, count in (
        ("SOPInstanceUID", 24),
        ("SeriesInstanceUID", 6),
        ("StudyInstanceUID", 6),
        ("FrameOfReferenceUID", 6),
        ("PatientID", 6),
        ("PatientName", 6),
        ("AccessionNumber", 6),
    ):
        assert len({str(ds[keyword].value) for ds in found}) == count, keyword
    for index, ds in enumerate(found):
        assert ds.InstanceNumber == index % 4 + 1
        assert float(ds.ImagePositionPatient[2]) == 5 * ds.InstanceNumber
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert ds.pixel_array.shape == (16, 16)


@pytest.mark.parametrize("seed", [-1, 999_999])
def test_a_seed_that_the_templates_have_no_room_for_is_refused(tmp_path: Path, seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}, allowed are 0 to 999998"):
        write_small_series(tmp_path, seed=seed)
