"""A folder is sorted into what is sent and what is not: everything else is named, nothing is dropped."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, MediaStorageDirectoryStorage, generate_uid

from local.sending.dicom_folder import EmptyFolderError, read_folder, study_folders
from tests.support.local.dicom import instance, write_series


def reason(folder: Path, name: str) -> str:
    (found,) = [other.reason for other in read_folder(folder).others if other.path.name == name]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_series(tmp_path / "series", 2)
    return tmp_path


def test_instances_are_found_in_all_folders_below(folder: Path) -> None:
    write_series(folder / "a" / "b", 3)
    found = read_folder(folder)
    assert len(found.instances) == 5
    assert len({file.series_instance_uid for file in found.instances}) == 2


def test_each_file_keeps_its_own_transfer_syntax(folder: Path) -> None:
    assert len({file.transfer_syntax_uid for file in read_folder(folder).instances}) == 2


def test_one_file_may_be_named_instead_of_a_folder(folder: Path) -> None:
    assert len(read_folder(folder / "series" / "IM0001.dcm").instances) == 1


def test_what_is_not_dicom_is_named(folder: Path) -> None:
    (folder / "README.md").write_text("notes")
    assert reason(folder, "README.md") == "not DICOM"


def test_what_is_not_sent_is_counted_and_named_by_reason(folder: Path) -> None:
    (folder / "README.md").write_text("notes")
    (folder / "list.csv").write_text("a,b")
    assert read_folder(folder).others_by_reason() == ["2 not sent, not DICOM: README.md, list.csv"]


def test_a_file_that_ends_in_its_pixel_data_is_truncated(folder: Path) -> None:
    whole = (folder / "series" / "IM0001.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:-100])
    assert reason(folder, "cut.dcm") == "truncated"


def test_a_file_that_ends_in_its_header_is_truncated(folder: Path) -> None:
    whole = (folder / "series" / "IM0001.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:400])
    assert reason(folder, "cut.dcm").startswith("truncated")


def test_a_compressed_file_without_the_end_of_its_last_frame_is_truncated(folder: Path) -> None:
    ds = instance(1, generate_uid(), generate_uid(), syntax=JPEGBaseline8Bit)
    ds.PixelData = encapsulate([b"\xff\xd8" + b"\x00" * 500 + b"\xff\xd9"])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.save_as(folder / "whole.dcm", enforce_file_format=True)
    (folder / "cut.dcm").write_bytes((folder / "whole.dcm").read_bytes()[:-50])
    assert reason(folder, "cut.dcm") == "truncated"
    assert len(read_folder(folder).instances) == 3


def test_a_dicomdir_is_not_an_instance(folder: Path) -> None:
    directory = pydicom.Dataset()
    directory.FileSetID = "TEST"
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    assert reason(folder, "DICOMDIR") == "a DICOMDIR, not an instance"


def test_a_folder_without_dicom_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(
        EmptyFolderError, match=f"{tmp_path} has no DICOM instance: 1 not sent, not DICOM: notes.txt"
    ):
        read_folder(tmp_path)


def test_a_folder_that_does_not_exist_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolderError, match="nowhere does not exist"):
        read_folder(tmp_path / "nowhere")


def test_study_folders_leave_out_what_has_no_dicom_file(tmp_path: Path) -> None:
    for name in ("ct/1", "mr", "generate"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("ct/1/a.dcm", "mr/b.dcm", "generate/c.py", "README.md"):
        (tmp_path / name).touch()
    assert [folder.name for folder in study_folders(tmp_path)] == ["ct", "mr"]


def test_a_long_list_of_files_that_are_not_sent_is_shortened(folder: Path) -> None:
    for number in range(9):
        (folder / f"{number}.txt").write_text("text")
    (line,) = read_folder(folder).others_by_reason()
    assert line == "9 not sent, not DICOM: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4 more"
