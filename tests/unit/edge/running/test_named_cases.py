"""Every failure seen at the edge of another system has a test that names it; what we lean on is pinned."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from pynetdicom import _config
from pynetdicom.acse import ACSE
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket, RequestHandler

TESTS = Path(__file__).parents[3]


def test_each_case_from_e1_to_e17_has_a_test() -> None:
    folders = (TESTS / "unit" / "edge", TESTS / "e2e" / "edge")
    text = "".join(path.read_text() for folder in folders for path in folder.rglob("test_*.py"))
    named = {int(number) for number in re.findall(r"(?:\b|_)[Ee](\d+)[:.,_ ]", text)}
    assert [number for number in range(1, 18) if number not in named] == []


def test_the_names_of_pynetdicom_that_we_replace_are_where_we_found_them() -> None:
    assert version("pynetdicom") == "3.0.4"
    for owner, names in {
        DULServiceProvider: ("_decode_pdu", "_read_pdu_data"),
        DIMSEServiceProvider: ("receive_primitive", "get_msg"),
        AssociationSocket: ("recv",),
        RequestHandler: ("_create_association",),
        ACSE: ("send_reject",),
        Association: ("set_socket", "kill", "abort"),
    }.items():
        assert [name for name in names if not callable(getattr(owner, name, None))] == []
    assoc = Association(ApplicationEntity("X"), "acceptor")
    assert {"dul", "dimse", "_accepted_cx", "_server"} <= set(vars(assoc))
    assert hasattr(_config, "UNRESTRICTED_STORAGE_SERVICE")
    assert hasattr(_config, "LOG_HANDLER_LEVEL")
