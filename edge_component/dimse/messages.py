"""Puts fragments together into DIMSE messages (PS3.7 §6.3, PS3.8 Annex E); that of a C-STORE passes on."""

from __future__ import annotations

from edge_component.dimse import commands
from edge_component.dimse.codec import COMMAND, LAST
from edge_component.dimse.commands import C_STORE_RQ, Command
from edge_component.dimse.errors import RemoteError, message_error
from edge_component.dimse.events import (
    AcceptedContext,
    DataReceived,
    Event,
    MessageReceived,
    StoreEnded,
    StoreStarted,
)
from edge_component.dimse.limits import Limits

STORE_ENDED = StoreEnded()


class Messages:
    """Of one association: feed it presentation data values in their order."""

    def __init__(self, limits: Limits) -> None:
        self.contexts: dict[int, AcceptedContext] = {}
        self.to_answer: tuple[AcceptedContext, Command] | None = None
        """The C-STORE that has ended and is not answered."""
        self.pending: Event | None = None
        """Follows at once."""
        self._limits = limits
        self._context: AcceptedContext | None = None
        """Of the message that has begun: all of its fragments have it (PS3.8 E.2)."""
        self._encoded = bytearray()
        self._pieces = 0
        self._command: Command | None = None
        self._data: bytearray | None = None
        """Of a message that is no C-STORE."""

    @property
    def idle(self) -> bool:
        """Nothing has begun that is not answered."""
        return self._context is None and self.to_answer is None

    @property
    def gathered(self) -> int:
        """Bytes that are not a whole message yet, a C-STORE apart."""
        return len(self._encoded) + len(self._data or b"")

    def fragment(self, number: int, control: int, data: memoryview) -> Event | None:
        """A presentation data value of this presentation context, with this message control header.

        Raises:
            RemoteError: it does not belong here.
        """
        if self._context is None:
            self._begin(number, control)
        elif self._context.number != number:
            raise RemoteError(f"presentation context {number} inside a message of {self._context.number}")
        if control & COMMAND:
            return self._command_fragment(data, last=bool(control & LAST))
        return self._data_fragment(data, last=bool(control & LAST))

    def _begin(self, number: int, control: int) -> None:
        context = self.contexts.get(number)
        if context is None:
            raise RemoteError(f"presentation context {number}, which was not accepted")
        if not control & COMMAND:
            raise message_error("a data set without a command")
        self._context = context

    def _command_fragment(self, fragment: memoryview, *, last: bool) -> Event | None:
        if self._command is not None:
            raise message_error("a command inside a data set")
        self._encoded += fragment
        self._pieces += 1
        if len(self._encoded) > self._limits.command_bytes:
            raise message_error(f"a command set of more than {self._limits.command_bytes} bytes")
        if self._pieces > self._limits.command_fragments:
            raise message_error(f"a command set in more than {self._limits.command_fragments} fragments")
        if not last:
            return None
        command, self._pieces = commands.decode(bytes(self._encoded)), 0
        self._encoded.clear()
        return self._commanded(command)

    def _commanded(self, command: Command) -> Event | None:
        assert self._context is not None  # noqa: S101 - it has begun
        if command.field == C_STORE_RQ:
            _ = command.message_id  # a C-STORE that cannot be answered is not begun
            self._command = command
            started = StoreStarted(self._context, command)
            if not command.has_data_set:
                self._end()
                self.to_answer = (started.context, command)
                self.pending = STORE_ENDED
            return started
        if not command.has_data_set:
            return self._whole(command, b"")
        self._command, self._data = command, bytearray()
        return None

    def _data_fragment(self, fragment: memoryview, *, last: bool) -> Event | None:
        if self._command is None:
            raise message_error("a data set without a command")
        if self._data is not None:
            self._data += fragment
            if len(self._data) > self._limits.message_bytes:
                raise message_error(
                    f"a data set of more than {self._limits.message_bytes} bytes beside a C-STORE"
                )
            return self._whole(self._command, bytes(self._data)) if last else None
        if last:
            assert self._context is not None  # noqa: S101 - it has begun
            self.to_answer = (self._context, self._command)
            self._end()
            if fragment:
                self.pending = STORE_ENDED
                return DataReceived(fragment)
            return STORE_ENDED
        return DataReceived(fragment) if fragment else None

    def _whole(self, command: Command, data: bytes) -> Event:
        context = self._context
        assert context is not None  # noqa: S101 - it has begun
        self._end()
        return MessageReceived(context, command, data)

    def _end(self) -> None:
        self._context, self._command, self._data = None, None, None
