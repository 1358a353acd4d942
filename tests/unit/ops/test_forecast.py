"""The forecast of a migration: arithmetic that the simulation agrees with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.starts.arrivals import CT_INSTANCE
from dicom_ingest.operators.forecast import Archive, Service, forecast
from ops.__main__ import main

MILLION = 1_000_000
CT = Archive(series=MILLION, instances=100 * MILLION, bytes=100 * MILLION * CT_INSTANCE)
STARTS = Path(__file__).parents[3] / "benchmarks" / "results" / "starts.json"


def test_one_import_a_series_is_one_series_a_start_and_one_start_in_five_is_left_to_live_series() -> None:
    alone = forecast(CT, 0.02, service=Service(bundles=False))
    assert (alone.series_per_start, alone.binds) == (1, "starts")
    assert alone.days(10 * MILLION) == pytest.approx(144.7, abs=0.1)


def test_series_share_a_start_up_to_what_an_import_takes() -> None:
    assert forecast(CT, 0.02).series_per_start == 45
    large = Archive(series=10, instances=10_000, bytes=10_000 * 15_000_000)
    assert forecast(large, 0.02).series_per_start == 1 / 2, "15 GB are two imports"


def test_a_narrow_line_binds_and_also_closes_transfers_early() -> None:
    found = forecast(CT, 0.02, mbit=8)
    assert found.binds == "line"
    assert found.series_per_second == pytest.approx(1e6 / (100 * CT_INSTANCE))
    assert found.series_per_start == 5


def test_slow_imports_bind_and_slots_are_kept_for_live_series() -> None:
    slow, fewer = forecast(CT, 0.5), forecast(CT, 0.5, service=Service(slots=50))
    assert slow.binds == fewer.binds == "imports"
    assert slow.series_per_second == 2 * fewer.series_per_second


def test_the_forecast_is_what_the_simulation_measured() -> None:
    measured = json.loads(STARTS.read_text(encoding="utf-8"))["migrations"].values()
    ct = [row for row in measured if "CT" in row["archive"]]
    assert len(ct) == 6
    for row in ct:
        said = forecast(CT, row["seconds_a_file"], service=Service(bundles=row["bundles"]))
        assert said.series_per_start == row["series_a_start"]
        assert said.series_per_second == pytest.approx(row["series_a_second"], rel=0.2), row


def test_the_verb_asks_no_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["forecast", "--series", "1000000", "--instances", "100000000", "--mbit", "1000"]
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["seconds_a_file"] for row in said["forecasts"]] == [0.02, 0.1, 0.5]
    assert main(asked) == 0
    assert "1,000,000 series" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--mbit", "0"], "--mbit must be above 0, not 0"),
        (["--instances", "10"], "--instances must be at least --series (1000000), not 10"),
        (["--seconds-a-file", "-1"], "--seconds-a-file must be above 0, not -1"),
    ],
)
def test_an_impossible_number_is_one_line(
    changed: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["forecast", "--series", "1000000", "--instances", "100000000", "--mbit", "1000", *changed]
    assert main(asked) == 2
    assert capsys.readouterr().err == f"error: {words}\n"
