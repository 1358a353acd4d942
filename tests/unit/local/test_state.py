"""One owner per run folder; other terminals find it, and only while it runs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.run.options import Options
from local.run.state import (
    MARK,
    STATE,
    AlreadyRunningError,
    ForeignFolderError,
    NotRunningError,
    RunState,
    find_run,
    own_folder,
)


@pytest.fixture
def owned() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def publish(owned: ExitStack, runs: Path, name: str) -> RunState:
    folder = owned.enter_context(own_folder(Options(name=name, runs=runs)))
    state = RunState(
        name=name,
        pid=os.getpid(),
        started_at=datetime.now(UTC),
        folder=folder,
        stack="s",
        edge="s-edge1",
        bucket="b",
        aws_url="http://127.0.0.1:1",
        healthimaging_url="http://127.0.0.1:2",
        datastore_id="0" * 32,
        database_url="postgresql://u:secret@h/d",
        state_machine_arn="arn",
        dead_letters_url="http://127.0.0.1:1/q",
    )
    state.write()
    return state


def test_the_only_run_is_found_without_its_name(owned: ExitStack, tmp_path: Path) -> None:
    state = publish(owned, tmp_path, "up")
    assert find_run(tmp_path) == state


def test_of_several_runs_one_must_be_named(owned: ExitStack, tmp_path: Path) -> None:
    publish(owned, tmp_path, "up")
    demo = publish(owned, tmp_path, "demo")
    with pytest.raises(NotRunningError, match=r"demo, up.*--run"):
        find_run(tmp_path)
    assert find_run(tmp_path, "demo") == demo


def test_the_state_file_is_for_its_user_only(owned: ExitStack, tmp_path: Path) -> None:
    publish(owned, tmp_path, "up")
    assert stat.S_IMODE((tmp_path / "up" / STATE).stat().st_mode) == 0o600


def test_the_state_file_of_a_run_that_crashed_is_not_believed(owned: ExitStack, tmp_path: Path) -> None:
    state = publish(owned, tmp_path, "up")
    owned.close()
    state.write()  # left behind: nobody holds the lock
    with pytest.raises(NotRunningError, match="start one with `make up`"):
        find_run(tmp_path)


def test_two_runs_of_one_name_are_refused_and_the_first_keeps_its_files(
    owned: ExitStack, tmp_path: Path
) -> None:
    publish(owned, tmp_path, "up")
    with pytest.raises(AlreadyRunningError, match="another --run"), own_folder(Options(runs=tmp_path)):
        pass
    assert (tmp_path / "up" / STATE).exists()


def test_a_run_starts_with_an_empty_folder_and_leaves_what_it_wrote(tmp_path: Path) -> None:
    options = Options(runs=tmp_path)
    with own_folder(options) as folder:
        (folder / "report").touch()
    assert (folder / "report").exists()
    with own_folder(options) as folder:
        assert [path.name for path in folder.iterdir()] == [MARK]


def test_a_folder_that_is_not_a_runs_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "thesis.txt").touch()
    with (
        pytest.raises(ForeignFolderError, match="another --run"),
        own_folder(Options(name="up", runs=tmp_path)),
    ):
        pass
    assert (tmp_path / "up" / "thesis.txt").exists()
