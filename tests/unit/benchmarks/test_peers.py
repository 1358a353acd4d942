"""make bench installs what it compares with where it may, and says what is missing where it may not."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers import install


class Apt:
    """Answers with these exit codes, one a command, and remembers the commands."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.ran: list[str] = []

    def __call__(self, command: Sequence[str]) -> int:
        self.ran.append(" ".join(command))
        return self.codes.pop(0)


INSTALL = "apt-get install --yes --no-install-recommends dcmtk"


def test_nothing_is_asked_for_when_all_is_there() -> None:
    apt = Apt()
    assert install([], apt, may_install=True) == []
    assert apt.ran == []


def test_a_missing_peer_is_installed_from_debian() -> None:
    apt = Apt(0)
    assert install(["storescp"], apt, may_install=True) == []
    assert apt.ran == [INSTALL]


def test_old_package_lists_are_renewed_once() -> None:
    apt = Apt(100, 0, 0)
    assert install(["storescp"], apt, may_install=True) == []
    assert apt.ran == [INSTALL, "apt-get update", INSTALL]


def test_who_may_not_install_is_told_the_package() -> None:
    apt = Apt()
    assert install(["storescp"], apt, may_install=False) == [
        "Not installed: storescp. On Debian or Ubuntu: sudo apt install dcmtk"
    ]
    assert apt.ran == []


def test_a_machine_without_a_network_is_told_the_package_and_goes_on() -> None:
    (words,) = install(["storescp"], Apt(100, 100), may_install=True)
    assert words.endswith("apt install dcmtk")
