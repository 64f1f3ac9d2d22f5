"""``scheduler-ops publish``: publishes an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ops import options
from ops.errors import InvalidInputError
from ops.event_bodies import fill_in, parse_assignments, validate
from ops.publishing import message_ids, publish_event
from ops.terminal import handled_errors, print_result


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
    broker: options.BrokerUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Publish an event and wait for the broker's confirm.

    The event is published to the exchange cloudphone.events. Exit codes: 1 not published, 2 invalid
    event.
    """
    now = datetime.now(UTC)
    with handled_errors(as_json=as_json):
        text = file.read() if file else None
        body = _body(event, values or [], text, timestamp or (None if raw else now.isoformat()))
        if not raw:
            validate(event, body, now)
        ids = message_ids(count, message_id)
        publish_event(options.broker_url(broker), event, body, ids, now)
        summary = f"Published {event}, message id {ids[0]}" + (f" … {ids[-1]}" if count > 1 else "")
        print_result(summary, {"eventType": event, "messageIds": ids}, as_json=as_json)


def _body(event: str, values: list[str], text: str | None, timestamp: str | None) -> bytes:
    if text is not None and not values and timestamp is None:
        return text.encode("utf-8", "surrogateescape")
    body = {} if text is None else _json_object(text)
    fill_in(body, event, parse_assignments(values))
    if timestamp:
        body.setdefault("timestamp", timestamp)
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"the file is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidInputError("the file must contain a JSON object")
    return body
