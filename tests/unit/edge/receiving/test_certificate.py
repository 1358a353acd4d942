"""The certificate of the TLS port: what its expiry is, and what is said while a renewal is half done."""

from __future__ import annotations

import shutil
from pathlib import Path

from edge_component.watching.certificate import LOOK_SECONDS, Certificate
from tests.support.edge.network.certificates import Certificates, make_certificates
from tests.support.edge.stand_ins import Clock, settings


def made_in(folder: Path) -> Certificates:
    folder.mkdir()
    return make_certificates(folder)


def test_a_renewal_counts_when_certificate_and_key_are_both_there(tmp_path: Path) -> None:
    old, new, clock = made_in(tmp_path / "old"), made_in(tmp_path / "new"), Clock()
    given = settings(tmp_path, tls_port=0, tls_certificate=old.certificate, tls_key=old.key)
    clock.now = old.expires.timestamp() - 1000
    shown = Certificate(given, clock, clock.monotonic)
    assert (shown.expires_at, shown.problem()) == (old.expires.timestamp(), None)

    shutil.copy(new.certificate, old.certificate)
    clock.now += LOOK_SECONDS
    problem = shown.problem()
    assert problem is not None
    assert str(old.certificate) in problem.reason
    assert problem.reason.endswith("the one before is shown")
    assert shown.expires_at == old.expires.timestamp()

    shutil.copy(new.key, old.key)
    clock.now += LOOK_SECONDS
    assert (shown.problem(), shown.expires_at) == (None, new.expires.timestamp())


def test_one_that_is_gone_or_expired_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    made, clock = made_in(tmp_path / "made"), Clock()
    given = settings(tmp_path, tls_port=0, tls_certificate=made.certificate, tls_key=made.key)
    clock.now = made.expires.timestamp() - 1000
    shown = Certificate(given, clock, clock.monotonic)
    assert shown.problem() is None
    made.certificate.unlink()
    clock.now += LOOK_SECONDS
    problem = shown.problem()
    assert problem is not None
    assert "No such file" in problem.reason
    clock.now += 1000
    problem = shown.problem()
    assert problem is not None
    assert "has expired at" in problem.reason


def test_without_tls_there_is_nothing_to_say(tmp_path: Path) -> None:
    shown = Certificate(settings(tmp_path))
    assert (shown.expires_at, shown.problem()) == (None, None)
