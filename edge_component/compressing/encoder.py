"""The process that compresses, at the lowest priority: one instance a line, proved before it is reported.

A request names an instance in the spool and the file that its copy goes to; the reply is what the copy is, or
why there is none. A fault of the encoder ends this process and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TextIO

from edge_component.compressing import available
from edge_component.spool.folder import Spool

LOWEST = 19
NO_ENCODER = {"refused": "no_encoder", "reason": "imagecodecs is not installed, or has no HTJ2K"}


def main() -> int:
    """Requests on standard input, a reply for each on standard output; the end of input is ours."""
    channel = _channel()
    if hasattr(os, "nice"):
        os.nice(LOWEST)
    spool = Spool(Path(sys.argv[1]))
    usable = available()
    for line in sys.stdin:
        if usable:
            from edge_component.compressing.copying import answer

            reply = answer(spool, json.loads(line))
        else:
            reply = NO_ENCODER
        channel.write(f"{json.dumps(reply)}\n")
        channel.flush()
    return 0


def _channel() -> TextIO:
    """Standard output, for replies alone: what a library prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


if __name__ == "__main__":
    sys.exit(main())
