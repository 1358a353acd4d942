"""Credentials that may come late: the edge starts without them and finds them when AWS is in reach."""

from __future__ import annotations

import threading
from collections.abc import Callable

import botocore.session
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError

Find = Callable[[], Credentials | None]


def by_the_chain() -> Credentials | None:
    """What AWS's usual chain of providers finds now. A new session reads its files again."""
    found: Credentials | None = botocore.session.get_session().get_credentials()
    return found


class LateCredentials(Credentials):
    """Looked up when a request is signed, until they are found. Used by many threads.

    botocore's session looks once, when a client is made, and keeps `None`. An edge may start while the token
    exchange service is down, and its profile may be written after it.
    """

    def __init__(self, find: Find = by_the_chain) -> None:
        super().__init__("", "", method="late")
        self._find = find
        self._found: Credentials | None = None
        self._lock = threading.Lock()

    def load_credentials(self) -> Credentials:
        """A botocore session's `credential_provider` answers with these, unasked."""
        return self

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What signs one request.

        Raises:
            NoCredentialsError, CredentialRetrievalError: there are none yet. Try again later.
        """
        try:
            with self._lock:
                self._found = self._found or self._find()
            if self._found is not None:
                return self._found.get_frozen_credentials()
        except BotoCoreError:
            raise
        except Exception as error:  # providers also raise what their files and programs make of it
            reason = type(error).__name__
            raise CredentialRetrievalError(provider="chain", error_msg=reason) from error
        raise NoCredentialsError
