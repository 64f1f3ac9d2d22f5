"""The operations by name; docs/operations-interface.md describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operations import brake, following, listings, lookups, outbox, publishing, queues
from operations.context import NoArguments, checked
from operations.dead_letters import arguments as letters
from operations.dead_letters import calls
from operations.dead_letters.edit import check_edit, edit
from operations.dead_letters.preview import preview
from operations.errors import InvalidInputError
from operations.overview import overview
from operations.smoke import SmokeArguments, smoke
from operations.timeline import TimelineArguments, timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from operations.context import Arguments, OperationContext


class Operation(NamedTuple):
    """An operation: the model of its arguments, and what it does.

    Operations that change something are recorded in the audit table by the function.
    """

    arguments: type[Arguments]
    run: Callable[[OperationContext, Any], dict[str, Any]]
    changes: bool = False


OPERATIONS: Final[Mapping[str, Operation]] = {
    "overview": Operation(NoArguments, overview),
    "queues": Operation(queues.QueuesArguments, queues.read_queues),
    "brake.status": Operation(NoArguments, brake.status),
    "brake.engage": Operation(NoArguments, brake.engage, changes=True),
    "brake.release": Operation(brake.ReleaseArguments, brake.release, changes=True),
    "brake.arm": Operation(NoArguments, brake.arm, changes=True),
    "outbox": Operation(NoArguments, outbox.read_outbox),
    "user": Operation(lookups.UserArguments, lookups.read_user),
    "user.details": Operation(lookups.UserArguments, listings.read_user_details),
    "user.allocations": Operation(listings.AllocationsArguments, listings.read_allocations),
    "users": Operation(listings.UsersArguments, listings.read_users),
    "devices": Operation(listings.DevicesArguments, listings.read_devices),
    "device": Operation(lookups.DeviceArguments, lookups.read_device),
    "timeline": Operation(TimelineArguments, timeline),
    "message": Operation(following.MessageArguments, following.follow),
    "publish": Operation(publishing.PublishArguments, publishing.publish, changes=True),
    "smoke": Operation(SmokeArguments, smoke, changes=True),
    "dead-letters.list": Operation(letters.ListArguments, calls.list_groups),
    "dead-letters.show": Operation(letters.ShowArguments, calls.show),
    "dead-letters.check": Operation(letters.CheckArguments, calls.check),
    "dead-letters.preview": Operation(letters.PreviewArguments, preview),
    "dead-letters.replay": Operation(letters.ReplayArguments, calls.replay, changes=True),
    "dead-letters.restore": Operation(letters.RestoreArguments, calls.restore, changes=True),
    "dead-letters.discard": Operation(letters.DiscardArguments, calls.discard, changes=True),
    "dead-letters.check-edit": Operation(letters.CheckEditArguments, check_edit),
    "dead-letters.edit": Operation(letters.EditArguments, edit, changes=True),
}


def operation(name: str) -> Operation:
    """Return the operation with a name.

    Raises:
        InvalidInputError: there is none.
    """
    if name not in OPERATIONS:
        raise InvalidInputError(f"unknown operation {name}; there are {', '.join(OPERATIONS)}")
    return OPERATIONS[name]


def validated(name: str, arguments: Mapping[str, Any]) -> Arguments:
    """Return the arguments of an operation.

    Raises:
        InvalidInputError: there is no such operation, or its arguments are invalid.
    """
    return checked(operation(name).arguments, arguments, name)


def run(name: str, arguments: Mapping[str, Any], context: OperationContext) -> dict[str, Any]:
    """Run an operation, and return its result as JSON data.

    Raises:
        InvalidInputError: the name or the arguments are invalid; nothing was done.
        OpsError: it failed; the message names the fix.
    """
    return operation(name).run(context, validated(name, arguments))
