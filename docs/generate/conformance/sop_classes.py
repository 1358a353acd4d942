"""Which SOP classes and transfer syntaxes the edge accepts, asked of the rule that negotiates them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import sop_class

from edge_component.dimse.negotiation import STORAGE_COMMITMENT, is_storage


@dataclass(frozen=True)
class SopClass:
    """`retired`: the standard does not use it any more."""

    uid: str
    name: str
    retired: bool


def storage_classes() -> list[SopClass]:
    """The storage SOP classes with a name that the edge accepts; it accepts private and unknown ones, too."""
    return [known for known in _with_storage_in_their_name() if is_storage(known.uid)]


def refused_classes() -> list[SopClass]:
    """Those that have storage in their name only."""
    return [known for known in _with_storage_in_their_name() if not is_storage(known.uid)]


def transfer_syntaxes() -> list[tuple[str, str, bool]]:
    """UID, name and whether it is retired, of every transfer syntax that the data dictionary knows."""
    return sorted(
        (
            (uid, words[0], bool(words[3]))
            for uid, words in UID_dictionary.items()
            if words[1] == "Transfer Syntax"
        ),
        key=lambda known: _numbers(known[0]),
    )


def _with_storage_in_their_name() -> list[SopClass]:
    found = {uid: SopClass(uid, _name(uid), _retired(uid)) for uid in _storage_uids()}
    return sorted(found.values(), key=lambda known: _numbers(known.uid))


def _storage_uids() -> Iterable[str]:
    yield from sop_class._STORAGE_CLASSES.values()
    for uid, (name, kind, *_) in UID_dictionary.items():
        if kind == "SOP Class" and "Storage" in name and uid != STORAGE_COMMITMENT:
            yield uid


def _name(uid: str) -> str:
    if uid in UID_dictionary:
        return UID_dictionary[uid][0]
    keyword = next(keyword for keyword, known in sop_class._STORAGE_CLASSES.items() if known == uid)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword)


def _retired(uid: str) -> bool:
    return UID(uid).is_retired if uid in UID_dictionary else False


def _numbers(uid: str) -> list[int]:
    return [int(component) for component in uid.split(".")]
