"""The container's health check: 0 while /health answers 200; a file that imports nothing of the edge."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

SECONDS = 8


def main() -> int:
    """1, with what /health says or why it does not answer."""
    url = f"http://127.0.0.1:{os.environ.get('EDGE_HEALTH_PORT', '8042')}/health"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            sys.stdout.write(error.read().decode())
        return 1
    except OSError as error:
        sys.stdout.write(f"{url}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
