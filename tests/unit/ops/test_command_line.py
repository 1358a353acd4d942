"""The command line without a pipeline: errors in one line, the target chosen, completion in a real bash."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.__main__ import VERBS, build_parser, main
from ops.errors import OperatorError
from ops.targets.local_run import find_run
from ops.verbs.completion import script


@contextmanager
def run_of(runs: Path, name: str) -> Iterator[None]:
    """As a run leaves it: a state file, and its lock while the run is under way."""
    (runs / name).mkdir()
    (runs / name / "state.json").write_text(json.dumps({"name": name}))
    with (runs / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["where", " "], "an empty term would mean everything"),
        (["cancel", "", "--reason", "x"], "an empty term would mean everything"),
        (["reprocess", ""], "an empty term would mean everything"),
        (["acknowledge", "", "--reason", "x"], "an empty term would mean everything"),
        (["status", "--limit", "0"], "must be from 1 to 10,000, not 0"),
        (["where", "A1", "--limit", "-1"], "must be from 1 to 10,000, not -1"),
        (["ledger", "--limit", "9" * 5000], "must be from 1 to 10,000"),
    ],
)
def test_a_term_or_a_limit_that_means_nothing_is_refused_before_anything_is_asked(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_no_run_and_no_stack_say_how_to_get_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--runs", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "make up" in said
    assert "--stack NAME" in said


def test_the_only_run_that_is_under_way_is_found(tmp_path: Path) -> None:
    with run_of(tmp_path, "killed"):
        pass  # its state file stays, its lock went with it
    with run_of(tmp_path, "up"):
        assert find_run(tmp_path)["name"] == "up"
        with run_of(tmp_path, "other"):
            assert find_run(tmp_path, "other")["name"] == "other"
            with pytest.raises(
                OperatorError, match=r"several runs are active .*\(other, up\): choose one with --run"
            ):
                find_run(tmp_path)
    with pytest.raises(OperatorError, match="no local run is active"):
        find_run(tmp_path)


def test_a_region_needs_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--region", "eu-west-1"]) == 2
    assert "--region and --profile go with --stack" in capsys.readouterr().err


def test_a_wrong_word_names_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["slots", "explode"])
    assert caught.value.code == 2
    assert "'raise', 'cancel', 'move', 'pause', 'resume', 'capacity'" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_every_verb(shell: str) -> None:
    printed = script(build_parser(), shell)
    for verb in VERBS:
        assert f"        {verb}) words=" in printed
    assert ("bashcompinit" in printed) == (shell == "zsh")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ops", "led"], ["ledger"]),
        (["ops", "slots", "pa"], ["pause"]),
        (["ops", "status", "--place", "wai"], ["waiting"]),
        (["ops", "where", "--js"], ["--json"]),
        (["ops", "completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes_verbs_options_and_values(words: list[str], expected: list[str]) -> None:
    typed = " ".join(words)
    asked = f"{script(build_parser(), 'bash')}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _ops\n"
    asked += 'echo "${COMPREPLY[@]}"'
    answer = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == expected
