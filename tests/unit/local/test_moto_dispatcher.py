"""moto is asked once which service a host belongs to, and its answers are moto's own."""

from __future__ import annotations

import pytest
from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.aws.moto_dispatcher import RememberingDispatcher

HOSTS = ("s3.us-east-1.amazonaws.com", "states.us-east-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com", "s3")


@pytest.mark.parametrize("host", [*HOSTS, "moto_api", None])
def test_a_host_belongs_to_the_service_that_moto_says(host: str | None) -> None:
    ours = RememberingDispatcher(create_backend_app)
    theirs = DomainDispatcherApplication(create_backend_app)
    assert ours.get_backend_for_host(host) == theirs.get_backend_for_host(host)


def test_folders_are_listed_once_for_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher = RememberingDispatcher(create_backend_app)
    first = [dispatcher.get_backend_for_host(host) for host in HOSTS]

    def listed_again() -> list[str]:
        raise AssertionError("moto lists its folders again")

    monkeypatch.setattr(backends, "list_of_moto_modules", listed_again)
    assert [dispatcher.get_backend_for_host(host) for host in HOSTS] == first
