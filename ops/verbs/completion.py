"""Print a shell script that defines the command ops, with completion.

example:
  eval "$(.venv/bin/python -m ops completion bash)"
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

HELP = "print a shell script that defines the command ops, with completion"
REPOSITORY = Path(__file__).resolve().parents[2]

_SCRIPT = """{zsh}ops() {{ PYTHONPATH={repository} {python} -m ops "$@"; }}
_ops() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
  local verb="${{COMP_WORDS[1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then words={verbs}; else
    case "$verb $before" in
{values}
      *) case "$verb" in
{options}
      esac ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _ops ops
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("shell", choices=("bash", "zsh"))


def run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """The script, on standard output."""
    sys.stdout.write(script(parser, arguments.shell))
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for one shell; zsh understands bash's once it is asked to."""
    verbs = dict(_verbs(parser))
    return _SCRIPT.format(
        zsh="autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "",
        repository=shlex.quote(str(REPOSITORY)),
        python=shlex.quote(sys.executable),
        verbs=shlex.quote(" ".join(verbs)),
        values="\n".join(line for name, verb in verbs.items() for line in _values(name, verb)),
        options="\n".join(
            f"        {name}) words={shlex.quote(_words(verb))} ;;" for name, verb in verbs.items()
        ),
    )


def _verbs(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _words(verb: argparse.ArgumentParser) -> str:
    options = [
        option for action in verb._actions for option in action.option_strings if option.startswith("--")
    ]
    words = [
        str(choice)
        for action in verb._actions
        if not action.option_strings
        for choice in action.choices or ()
    ]
    return " ".join(words + options)


def _values(name: str, verb: argparse.ArgumentParser) -> Iterator[str]:
    for action in verb._actions:
        if action.option_strings and action.choices:
            pattern = "|".join(f'"{name} {option}"' for option in action.option_strings)
            yield f"      {pattern}) words={shlex.quote(' '.join(map(str, action.choices)))} ;;"
