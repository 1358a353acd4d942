"""What a walk does with an element, by its first eight bytes: learned once, remembered afterwards."""

from __future__ import annotations

import struct

from edge_component.receiving.datasets.preflight import doubtful

LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"),
        *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
VRS = LONG_VRS | SHORT_VRS
UNDEFINED = 0xFFFFFFFF
MOST_KINDS = 8192
"""Elements of different tag, VR and length that are remembered."""
REPORT_CONTENT = 0x00400000
"""From here on sequences of undefined length hold a report's content: long, and nothing in it is wanted."""

SHORT_LENGTH, KEPT_WHOLE, ONLY_NOTED, ODD, DOUBTFUL, SHORT = 1, 2, 4, 8, 16, 32
"""Of an element: its length has two bytes; it is kept whole; its presence is; it needs a closer look; it may
be longer than its VR allows; it is kept whole and no more is to be known of it."""
SHORT_BYTES = 1024
"""The longest element that is short."""
LOOKED_AT = KEPT_WHOLE | ONLY_NOTED | DOUBTFUL
TAG_BITS = 6
"""So many bits to the left of these: its tag."""


class Elements:
    """Which elements a walk looks for, and what was learned about others of the same encoding.

    `wanted`: kept whole. `noted`: only their presence counts. `vital`: wanted, and kept whatever else is.
    """

    def __init__(
        self,
        *,
        implicit: bool,
        big: bool,
        wanted: frozenset[int],
        noted: frozenset[int],
        vital: frozenset[int],
    ) -> None:
        order = ">" if big else "<"
        self.implicit = implicit
        self.big = big
        self.vital = vital
        self.low, self.high = (7, 6) if big else (6, 7)
        """Where the bytes of a short length are."""
        self.kinds: dict[bytes, tuple[int, int]] = {}
        self.halves = struct.Struct(f"{order}HH")
        self.long = struct.Struct(f"{order}L")
        self.short = struct.Struct(f"{order}H")
        self._wanted = wanted
        self._noted = noted
        self.late = [
            self.halves.pack(tag >> 16, tag & 0xFFFF) for tag in wanted | noted if tag > REPORT_CONTENT
        ]

    def tag(self, data: bytes, at: int) -> int:
        """The tag that is there."""
        group, element = self.halves.unpack_from(data, at)
        return int(group) << 16 | int(element)

    def vr(self, data: bytes) -> str:
        """The VR of an element that begins like this; empty: it has none, or an unknown one."""
        return data[4:6].decode("ascii") if not self.implicit and data[4:6] in VRS else ""

    def value(self, element: bytes) -> bytes:
        """Of an element as it is encoded."""
        return element[12 if not self.implicit and element[4:6] in LONG_VRS else 8 :]

    def kind(self, key: bytes) -> tuple[int, int]:
        """What is to be done with an element whose first eight bytes are these; and its bytes.

        0: these eight do not say how many.
        """
        tag = self.tag(key, 0)
        kind = tag << TAG_BITS | KEPT_WHOLE * (tag in self._wanted) | ONLY_NOTED * (tag in self._noted)
        kind |= ODD * (tag >> 16 in (0xFFFE, 0x0002) or tag == 0)
        if not self.implicit:
            # A VR that the standard does not know has a length of two bytes in practice.
            kind |= SHORT_LENGTH * (key[4:6] not in LONG_VRS)
        size = 0
        if self.implicit or kind & SHORT_LENGTH:
            length = self.long.unpack_from(key, 4)[0] if self.implicit else self.short.unpack_from(key, 6)[0]
            kind |= DOUBTFUL * (length != UNDEFINED and doubtful(tag, self.vr(key), length))
            if length != UNDEFINED and not kind & ODD:
                size = 8 + length
                kind |= SHORT * (kind & (KEPT_WHOLE | DOUBTFUL) == KEPT_WHOLE and size <= SHORT_BYTES)
        if len(self.kinds) >= MOST_KINDS:  # somebody sends nonsense
            self.kinds.clear()
        self.kinds[key] = kind, size
        return kind, size
