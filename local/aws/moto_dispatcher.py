"""Which of moto's services a request is for, remembered.

moto lists its own folders for every request, holding the one lock that all requests wait for (5.2.5): with
a few executions at a time that took more of its time than anything else. The answer for a host never changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication


class RememberingDispatcher(DomainDispatcherApplication):  # type: ignore[misc, unused-ignore]
    """Asks moto once per host."""

    def __init__(self, create_app: Callable[[Any], Any]) -> None:
        super().__init__(create_app)
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """The service's name, None where there is none."""
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]
