"""Mutated conversations, from the first byte of the association request: ``python -m tests.e2e.edge.fuzz``.

Each is played whole and cut anywhere. Prints progress; ends with 1 and the stream at the first fault.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import warnings

from tests.support.edge.paths import fault, mutated, seeds

REPORT = 50_000


def main() -> int:
    """0: no fault and no exception."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.edge.fuzz", description=__doc__)
    parser.add_argument("--streams", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # pydicom says so of each tag that does not exist
    sys.stdout.write(f"seed {options.seed}\n")
    random_, corpus = random.Random(options.seed), seeds()
    for number in range(1, options.streams + 1):
        if found := fault(mutated(random_.choice(corpus), random_), random_):
            sys.stdout.write(f"stream {number}: {found}\n")
            return 1
        if number % REPORT == 0:
            sys.stdout.write(f"{number} streams\n")
            sys.stdout.flush()
    sys.stdout.write(f"{options.streams} streams, no fault\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
