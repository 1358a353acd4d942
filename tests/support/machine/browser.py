"""A real headless Chromium, spoken to over a pipe (DevTools protocol): no driver, no port, no packages.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.machine.waiting import wait_until

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--remote-debugging-pipe",
)
DEADLINE_SECONDS = 30.0
BETWEEN_PAGES = ("Inspected target navigated or closed", "Cannot find default execution context")
"""What a question is answered while one page goes and the next comes."""


def missing() -> str | None:
    """Why there is no browser to test with; None where there is one."""
    return None if Path(CHROMIUM).exists() else f"{CHROMIUM} is not installed (Debian: apt install chromium)"


class Browser:
    """One page of one browser process."""

    def __init__(self, profile: Path, *more: str) -> None:
        commands_out, self._commands = _pipe()
        self._answers, answers_in = _pipe()
        null = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
        quiet = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        fds = [(os.POSIX_SPAWN_DUP2, commands_out, 3), (os.POSIX_SPAWN_DUP2, answers_in, 4)]
        arguments = [CHROMIUM, *ARGUMENTS, *more, f"--user-data-dir={profile}"]
        self._pid = os.posix_spawn(
            CHROMIUM, arguments, os.environ, file_actions=[null, quiet, *fds], setpgroup=0
        )
        os.close(commands_out)
        os.close(answers_in)
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if answer.get("error", {}).get("message") in BETWEEN_PAGES:
                    return {"result": {"value": None}}
                assert "error" not in answer, (method, answer)
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"the browser says nothing for {DEADLINE_SECONDS} s"
            piece = os.read(self._answers, 1 << 16)
            assert piece, "the browser has ended"
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        return answer

    def look(
        self, width: int = 1280, height: int = 900, *, dark: bool = False, reduced_motion: bool = False
    ) -> None:
        """The size of the window and what the reader prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str) -> None:
        """Go there and wait until everything is loaded."""
        self._events.clear()
        loader = self.call("Page.navigate", url=url)["loaderId"]
        while not any(_is_load(event, loader) for event in self._events):
            self._events.append(self._read())

    def follow(self, expression: str) -> None:
        """Do what leads to another page, and wait until that one is loaded."""
        self.ask("window.isBefore = true")
        self.ask(expression)
        self.until("!window.isBefore && document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, (expression, found["exceptionDetails"])
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until the expression is true; between two pages nothing is."""
        asked = f"(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()"
        wait_until(lambda: self.ask(asked), expression, DEADLINE_SECONDS)

    def press(self, key: str, code: int) -> None:
        """A key, as a person presses it."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def hover(self, selector: str) -> None:
        """The mouse, over the middle of an element."""
        x, y = self._middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def wheel(self, selector: str, down: int, *, control: bool = False) -> None:
        """The wheel, turned over an element."""
        x, y = self._middle(selector)
        self.call(
            "Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=down,
            modifiers=2 if control else 0,
        )  # fmt: skip

    def offline(self, *, away: bool) -> None:
        """Whether the browser's network is gone."""
        self.call(
            "Network.emulateNetworkConditions", offline=away, latency=0, downloadThroughput=-1,
            uploadThroughput=-1,
        )  # fmt: skip

    def _middle(self, selector: str) -> tuple[float, float]:
        x, y = self.ask(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect(); "
            "return [b.x + b.width / 2, b.y + b.height / 2] })"
            f"(document.querySelector({selector!r}))"
        )
        return x, y

    def drag(self, selector: str, right: int, down: int) -> None:
        """The mouse, pressed in the middle of an element, so far and released."""
        x, y = self._middle(selector)
        for kind, at, buttons in (
            ("mousePressed", (x, y), 1),
            ("mouseMoved", (x + right, y + down), 1),
            ("mouseReleased", (x + right, y + down), 0),
        ):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", buttons=buttons,
                clickCount=1,
            )  # fmt: skip

    def complaints(self) -> list[str]:
        """What the browser's console says: errors, refused content."""
        said = []
        for event in self._events:
            if event.get("method") == "Log.entryAdded":
                said.append(f"{event['params']['entry']['text']} {event['params']['entry'].get('url', '')}")
            elif event.get("method") == "Runtime.exceptionThrown":
                said.append(str(event["params"]["exceptionDetails"]))
        return said

    def requested(self) -> list[str]:
        """The addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """What is seen, as a PNG; `whole`: beyond the window, too."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """End the browser and wait for it."""
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._commands)
        os.close(self._answers)


def _is_load(event: dict[str, Any], loader: str) -> bool:
    """Whether this is the load event of this navigation: an earlier page's may come late."""
    if event.get("method") != "Page.lifecycleEvent":
        return False
    found = event["params"]["name"], event["params"]["loaderId"]
    return found == ("load", loader)


def _pipe() -> tuple[int, int]:
    """Reading end, writing end: above the numbers that the browser wants for itself."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


@contextmanager
def browser(*more: str) -> Iterator[Browser]:
    """A browser with an empty profile, and with more arguments, while the block runs."""
    profile = Path(tempfile.mkdtemp(prefix="browser-"))
    try:
        opened = Browser(profile, *more)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        shutil.rmtree(profile, ignore_errors=True)
