"""Query and control a pipeline: the active local run, or a stack on AWS (--stack)."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from dicom_ingest.errors import DatabaseAwayError, IndexRefusedError
from dicom_ingest.operators.printable import printable
from ops.errors import FunctionFailedError, OperatorError
from ops.output import Output
from ops.targets.aws import aws_target
from ops.targets.local_run import RUNS, find_run, local_target
from ops.targets.target import Target
from ops.verbs import completion
from ops.verbs.changing import acknowledge, cancel, replay, reprocess, slots
from ops.verbs.checking import audit, custody, ledger, reconcile, verify
from ops.verbs.looking import console, edges, forecast, sql, status, tail, where
from ops.verbs.reporting import cost, modalities

VERBS = {
    "where": where,
    "status": status,
    "ledger": ledger,
    "reconcile": reconcile,
    "verify": verify,
    "slots": slots,
    "cancel": cancel,
    "acknowledge": acknowledge,
    "console": console,
    "edges": edges,
    "modalities": modalities,
    "cost": cost,
    "audit": audit,
    "custody": custody,
    "replay": replay,
    "reprocess": reprocess,
    "tail": tail,
    "sql": sql,
}
AS_WRITTEN = argparse.RawDescriptionHelpFormatter
"""Descriptions end with examples, a line each."""
EPILOG = """examples:
  ops status --needs-attention
  ops where PH26-0001
  ops edges --stack dicom-ingest
  ops VERB --help

exit codes: 0 done, or all is well; 1 something is wrong, differs or was not found; 2 wrong input; 130 Ctrl-C
"""
TROUBLE = (BotoCoreError, ClientError, DatabaseAwayError, FunctionFailedError)


def build_parser() -> argparse.ArgumentParser:
    """All verbs with their options; `completion` prints what a shell makes of it."""
    parser = argparse.ArgumentParser(
        prog="ops", description=__doc__, epilog=EPILOG, formatter_class=AS_WRITTEN
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        verb = verbs.add_parser(
            name, help=module.HELP, description=module.__doc__, formatter_class=AS_WRITTEN, allow_abbrev=False
        )
        module.add_arguments(verb)
        _add_target(verb)
    arithmetic = verbs.add_parser(
        "forecast", help=forecast.HELP, description=forecast.__doc__, formatter_class=AS_WRITTEN
    )
    forecast.add_arguments(arithmetic)
    arithmetic.add_argument("--json", action="store_true", help="print one JSON document")
    shells = verbs.add_parser(
        "completion", help=completion.HELP, description=completion.__doc__, formatter_class=AS_WRITTEN
    )
    completion.add_arguments(shells)
    return parser


def _add_target(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print one JSON document")
    group = verb.add_argument_group("which pipeline (default: the active local run)")
    group.add_argument("--run", metavar="NAME", help="name of a local run")
    group.add_argument("--runs", type=Path, default=RUNS, metavar="DIR", help="folder of the local runs")
    group.add_argument("--stack", help="a stack on AWS")
    group.add_argument("--region", help="its region; default: your AWS configuration's")
    group.add_argument("--profile", help="your AWS profile")


def open_target(chosen: argparse.Namespace) -> AbstractContextManager[Target]:
    """The pipeline that was chosen.

    Raises:
        OperatorError: there is none, or the choice is ambiguous.
    """
    if chosen.stack:
        return aws_target(chosen.stack, chosen.profile, chosen.region)
    if chosen.region or chosen.profile:
        raise OperatorError("--region and --profile go with --stack NAME: the name of the stack on AWS")
    return local_target(find_run(chosen.runs, chosen.run))


def main(arguments: list[str] | None = None) -> int:
    """0: done; 1: something is wrong or was not found; 2: wrong input. Errors are one line."""
    parser = build_parser()
    chosen = parser.parse_args(arguments)
    try:
        if chosen.verb == "completion":
            return completion.run(chosen, parser)
        if chosen.verb == "forecast":
            return forecast.run(chosen, Output(chosen.json))
        with open_target(chosen) as target:
            code: int = VERBS[chosen.verb].run(chosen, target, Output(chosen.json))
    except OperatorError as error:
        return _say(str(error), 2)
    except IndexRefusedError as error:
        return _say(error.server_words or str(error), 1)
    except TROUBLE as error:
        return _say(str(error), 1)
    except KeyboardInterrupt:
        return 130
    return code


def _say(words: str, code: int) -> int:
    sys.stderr.write(f"error: {printable(' '.join(words.split()))}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
