"""Long answers come in parts that the RDS Data API can give, each row once."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_ingest.db.server.connection import Database
from dicom_ingest.db.server.parts import PART, in_parts
from dicom_ingest.operators.bulk import matching
from dicom_ingest.operators.read.series.places import Filter
from dicom_ingest.operators.reprocess import Selection, select
from tests.support.workflow.series import Announced
from tests.support.workflow.workers import index_series


@pytest.mark.parametrize(
    ("rows", "whole", "asked", "found"),
    [
        (0, None, [(2, 0)], 0),
        (3, None, [(2, 0), (2, 2)], 3),
        (4, None, [(2, 0), (2, 2), (2, 4)], 4),
        (9, 5, [(2, 0), (2, 2), (1, 4)], 5),
        (9, 4, [(2, 0), (2, 2)], 4),
    ],
)
def test_parts_are_asked_for_until_one_is_not_full(
    rows: int, whole: int | None, asked: list[tuple[int, int]], found: int
) -> None:
    questions: list[tuple[int, int]] = []

    def ask(most: int, skip: int) -> list[dict[str, Any]]:
        questions.append((most, skip))
        return [{"pk": pk} for pk in range(rows)][skip : skip + most]

    assert [row["pk"] for row in in_parts(ask, whole, part=2)] == [*range(found)]
    assert questions == asked


def test_a_row_that_moves_on_meanwhile_is_in_the_answer_once() -> None:
    parts = iter([[{"pk": 1}, {"pk": 2}], [{"pk": 2}]])
    assert in_parts(lambda _most, _skip: next(parts), part=2) == [{"pk": 1}, {"pk": 2}]


def test_what_a_change_of_many_reads_is_never_one_long_answer(database: Database) -> None:
    for _ in range(2):
        index_series(database, Announced())
    with database.transaction() as connection:
        asked: list[int] = []

        class Counting:
            def run(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
                if "most" in parameters:
                    asked.append(parameters["most"])
                return connection.run(sql, **parameters)

        index: Any = Counting()
        assert len(matching(index, Filter())) == len(matching(index, Filter(), "CT1")) == 2
        assert len(select(index, Selection(modality="CT"))) == 2
    assert len(asked) == 3
    assert max(asked) <= PART
