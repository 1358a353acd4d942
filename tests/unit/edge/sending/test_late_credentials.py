"""An edge that starts before its credentials exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError

from edge_component.sending.clients import Clients, make_clients
from edge_component.sending.credentials import LateCredentials
from edge_component.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for AWS's files; nothing else gives credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def clients(folder: Path) -> Clients:
    return make_clients(Settings(stack="s", name="e", bucket="dicom", event_bus="b", spool=folder))


def error_of(made: Clients) -> str:
    """Of a call. Nothing listens at its address: once it is signed it is an `EndpointConnectionError`."""
    entry = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": "b"}
    with pytest.raises(BotoCoreError) as raised:
        made.events.put_events(Entries=[entry])
    return type(raised.value).__name__


def test_credentials_written_after_the_start_are_found(home: Path) -> None:
    made = clients(home)
    assert error_of(made) == "NoCredentialsError"
    (home / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
    assert error_of(made) == "EndpointConnectionError"


def test_a_profile_written_after_the_start_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "edge")
    made = clients(home)
    assert error_of(made) == "ProfileNotFound"
    (home / "config").write_text("[profile edge]\naws_access_key_id = A\naws_secret_access_key = B\n")
    assert error_of(made) == "EndpointConnectionError"


def test_a_program_for_credentials_that_comes_late_is_found(home: Path) -> None:
    program = home / "helper"
    (home / "config").write_text(f"[default]\ncredential_process = {program}\n")
    made = clients(home)
    assert error_of(made) == "CredentialRetrievalError"
    program.write_text('#!/bin/sh\necho \'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "B"}\'\n')
    program.chmod(0o755)
    assert error_of(made) == "EndpointConnectionError"


def test_whatever_a_provider_raises_is_an_error_that_is_tried_again() -> None:
    answers: list[Credentials | Exception | None] = [ValueError("secret text"), None, Credentials("A", "B")]

    def find() -> Credentials | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    late = LateCredentials(find)
    with pytest.raises(CredentialRetrievalError) as raised:
        late.get_frozen_credentials()
    assert "secret text" not in str(raised.value)
    with pytest.raises(NoCredentialsError):
        late.get_frozen_credentials()
    assert [late.get_frozen_credentials().access_key for _ in range(2)] == ["A", "A"]


def test_in_us_east_1_the_bucket_has_its_regional_name(home: Path) -> None:
    assert clients(home).s3.meta.endpoint_url == "https://s3.us-east-1.amazonaws.com"
