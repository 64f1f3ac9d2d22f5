"""``scheduler-ops publish``: publishes an event."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from operations.errors import InvalidInputError
from operations.event_bodies import fill_in, parse_assignments, to_bytes
from operations.publishing import MAX_IDS, message_ids
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.terminal import print_result
from scheduler.json_text import unique_object

_BYTE_ORDER_MARK: Final = "\ufeff"


@connects
def publish(  # noqa: PLR0913 - each is an option
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Event type, e.g. device.failed.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Fields of the body; for nested fields: newQuota.maxDevices=5.",
        ),
    ] = None,
    *,
    file: Annotated[
        typer.FileText | None,
        typer.Option(
            metavar="FILE",
            help="JSON file with the body, or - for standard input; KEY=VALUE overrides it.",
            errors="surrogateescape",
        ),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601", help="Time of the event with its UTC offset. Default: now."
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="Number of messages, each with its own id.")
    ] = 1,
    message_id: Annotated[
        str | None, typer.Option("--id", help="Message id. Default: random.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Publish the body without validating it.")
    ] = False,
    allow_unknown: Annotated[
        bool,
        typer.Option("--allow-unknown", help="Publish fields that consumers ignore."),
    ] = False,
    operations: Operations,
    as_json: bool,
) -> None:
    """Publish an event and wait for the broker's confirm.

    The event is published to the exchange cloudphone.events. Exit codes: 1 not published, 2 invalid
    event.
    """
    now = datetime.now(UTC)
    text = file.read() if file else None
    body = _body(event, values or [], text, timestamp or (None if raw else now.isoformat()))
    ids = message_ids(count, message_id)
    done = 0
    while done < count:
        arguments = {
            "eventType": event,
            "body": base64.b64encode(body).decode("ascii"),
            "ids": ids[done : done + MAX_IDS],
            "raw": raw,
            "allowUnknown": allow_unknown,
            "published": done,
        }
        done += operations.call("publish", arguments)["published"]
    summary = f"Published {event}, message id {ids[0]}" + (f" … {ids[-1]}" if count > 1 else "")
    print_result(summary, {"eventType": event, "messageIds": ids}, as_json=as_json)


def _body(event: str, values: list[str], text: str | None, timestamp: str | None) -> bytes:
    if text is not None and not values and timestamp is None:
        return text.encode("utf-8", "surrogateescape")
    body = {} if text is None else _json_object(text)
    fill_in(body, event, parse_assignments(values))
    if timestamp:
        body.setdefault("timestamp", timestamp)
    return to_bytes(body)


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text.removeprefix(_BYTE_ORDER_MARK), object_pairs_hook=unique_object)
    except ValueError as error:
        raise InvalidInputError(f"the file is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidInputError("the file must contain a JSON object")
    return body
