"""What a peer may ask beside C-STORE: C-ECHO and storage commitment; everything else is refused."""

from __future__ import annotations

from edge_component.dimse import commands
from edge_component.dimse.association import Association
from edge_component.dimse.errors import message_error
from edge_component.dimse.events import MessageReceived
from edge_component.dimse.negotiation import STORAGE_COMMITMENT, VERIFICATION
from edge_component.dimse.statuses import SUCCESS, UNRECOGNIZED_OPERATION, class_not_supported
from edge_component.receiving.readers.interfaces import Desk
from edge_component.receiving.readers.messages import Action
from edge_component.receiving.readers.reports import Reports


def answer(
    message: MessageReceived, name: str, association: Association, desk: Desk, reports: Reports
) -> str | None:
    """Answer a message. `name`: the association's. Returns why it is aborted instead; None: it is not."""
    context, command = message.context, message.command
    if command.field == commands.N_EVENT_REPORT_RQ | commands.RESPONSE:
        desk.reported(command.number(commands.STATUS))
    elif command.field == commands.C_ECHO_RQ and context.abstract_syntax == VERIFICATION:
        association.respond(context, command, SUCCESS.code)
    elif command.field == commands.N_ACTION_RQ and context.abstract_syntax == STORAGE_COMMITMENT:
        reports.expect()
        association.respond(context, command, desk.act(_action(message, name)))
    elif command.field in commands.REQUESTS:
        echo = command.field == commands.C_ECHO_RQ
        status = class_not_supported("").code if echo else UNRECOGNIZED_OPERATION
        association.respond(context, command, status)
    elif command.field != commands.C_CANCEL_RQ:
        error = message_error(f"a command 0x{command.field:04X}")
        association.abort(error.source, error.reason)
        return str(error)
    return None


def _action(message: MessageReceived, name: str) -> Action:
    context, command = message.context, message.command
    return Action(
        name,
        context.number,
        context.transfer_syntax,
        command.number(commands.ACTION_TYPE),
        command.uid(commands.REQUESTED_INSTANCE).decode("latin-1"),
        message.data,
    )
