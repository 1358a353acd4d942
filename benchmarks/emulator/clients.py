"""Clients that ask for frames at the same time, each on a connection of its own."""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit


def one_client(url: str, found: dict[str, Any], numbers: range) -> list[float]:
    """Ask for these of the frames, one after the other; the seconds that each took."""
    connection = http.client.HTTPConnection(str(urlsplit(url).netloc))
    path = f"/datastore/{found['datastoreId']}/imageSet/{found['imageSetId']}/getImageFrame"
    frames, took = found["frame_ids"], []
    for number in numbers:
        body = json.dumps({"imageFrameId": frames[number % len(frames)]})
        began = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {content[:200]!r}")
    connection.close()
    return took


def main(url: str, clients: int, requests: int) -> None:
    """Print how many frames a second, and how long one takes."""
    found = json.load(sys.stdin)
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = [range(n, requests, clients) for n in range(clients)]
        took = [each for many in pool.map(lambda part: one_client(url, found, part), parts) for each in many]
    seconds = time.perf_counter() - began
    figures = {
        "clients": clients,
        "requests": len(took),
        "frames_per_second": round(len(took) / seconds),
        "median_ms": round(statistics.median(took) * 1000, 1),
        "p99_ms": round(statistics.quantiles(took, n=100)[98] * 1000, 1),
    }
    print(json.dumps(figures))  # noqa: T201 - the process's answer


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
