"""``python -m local COMMAND``: the pipeline on one machine."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command. Ctrl-C before everything is imported ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from local.cli import program

    return program.main()


if __name__ == "__main__":
    sys.exit(main())
