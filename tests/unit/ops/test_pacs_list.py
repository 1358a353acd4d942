"""A PACS's list of studies: every form that is understood, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.pacs_list import Listed, read_list

EXPECTED = [Listed("1.2.3", 2, 40), Listed("1.2.4", 1, 7)]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "pacs.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3,2,40\n1.2.4,1,7\n",
        "StudyInstanceUID,NumberOfStudyRelatedSeries,NumberOfStudyRelatedInstances\n1.2.3,2,40\n1.2.4,1,7",
        "Study Instance UID;Number of Series;Number of Images\r\n1.2.3;2;40\r\n\r\n1.2.4;1;7\r\n",
        'Patient\tInstances\tStudy UID\tSeries\n"Doe, A"\t40\t1.2.3\t2\n"Roe"\t7\t1.2.4\t1\n',
        "(0020,000D)|(0020,1206)|(0020,1208)\n 1.2.3 | 2 | 40 \n1.2.4|1|7\n",
        '"study_instance_uid";"series";"instances"\n"1.2.3";"2";"40"\n"1.2.4";"1";"7"\n',
        "1.2.3,2,40\n1.2.3,2,40\n1.2.4,1,7\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_header_delimiter_and_encoding_are_recognised(tmp_path: Path, text: str, encoding: str) -> None:
    assert read_list(written(tmp_path, text.encode(encoding))) == EXPECTED


def test_a_name_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    content = "Hôpital;Study;Series;Images\nÉvry;1.2.3;2;40\nÉvry;1.2.4;1;7\n".encode("cp1252")
    assert read_list(written(tmp_path, content)) == EXPECTED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no study is in it"),
        ("study,series,instances\n", "a header and no study"),
        (
            "study,series,pictures\n1.2.3,2,40\n",
            "line 1: no column for instances among study, ",
        ),
        ("1.2.3,2,40\n1.2.4,one,7\n", "line 2, column 2 (series): a whole number is allowed, not 'one'"),
        ("1.2.3,2,40\n1.2.4,1,-7\n", "line 2, column 3 (instances): a whole number is allowed, not '-7'"),
        ("1.2.3,2,40\n1.2.4,1\n", "line 2, column 3 (instances): nothing is there"),
        ("study,series,instances\n1.2.3,2,40\nDOE,1,7\n", "line 3, column 1 (study UID): "),
        (
            "1.2.3,2,40\n1.2.3,2,41\n",
            "study 1.2.3 was listed with other numbers: 2 series, 40 instances",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text.encode())
    with pytest.raises(OperatorError) as error:
        read_list(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.csv: No such file"):
        read_list(tmp_path / "none.csv")
