"""Start an edge of the run again. EDGE_ variables that are set here replace its settings.

example:
  EDGE_BUCKET=no-such-bucket python -m local restart edge
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from local.cli.common import add_run_name, edge_settings, the_run
from local.demo.tables import console
from local.parts.edges import ANSWER, REQUEST, RestartAnswer, RestartRequest
from local.parts.part import READY_SECONDS, PartFailedError
from local.run.state import RunState

HELP = "restart an edge of the run, even one that was killed; EDGE_ variables replace its settings"
LOOK_SECONDS = 0.1
FIRST = "edge"
"""The first edge, whatever config.yaml calls it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_run_name(parser)
    parser.add_argument("edge", metavar="EDGE", help="`edge` (the first), or its name in config.yaml")


def run(arguments: argparse.Namespace) -> int:
    """0: it runs again. Raises PartFailedError: it does not, or the run has no such edge."""
    state = the_run(arguments)
    name = state.edges[0].name if arguments.edge == FIRST and state.edges else arguments.edge
    answer = _ask(state, RestartRequest(edge=name, settings=edge_settings()))
    if answer.error is not None:
        raise PartFailedError(answer.error)
    console().print(f"{name} was started again", highlight=False)
    return 0


def _ask(state: RunState, request: RestartRequest) -> RestartAnswer:
    """The run itself starts it: the edge is to end with its run."""
    answer = state.folder / ANSWER
    answer.unlink(missing_ok=True)
    _write(state.folder / REQUEST, request.model_dump_json())
    deadline = time.monotonic() + READY_SECONDS
    while not answer.exists():
        if time.monotonic() > deadline:
            raise PartFailedError(f"the run in {state.folder} does not answer")
        time.sleep(LOOK_SECONDS)
    return RestartAnswer.model_validate_json(answer.read_text(encoding="utf-8"))


def _write(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
