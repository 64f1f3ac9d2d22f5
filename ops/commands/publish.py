"""``scheduler-ops publish``: puts an event on the broker."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ops import options
from ops.body import assignments, check, fill_in
from ops.errors import InvalidInputError
from ops.publishing import message_ids, publish


def command(  # noqa: PLR0913 - each is an option
    event: Annotated[str, typer.Argument(metavar="EVENT", help="E.g. device.failed.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="Fields of the body; nested: newQuota.maxDevices=5."
        ),
    ] = None,
    *,
    file: Annotated[
        typer.FileText | None,
        typer.Option(metavar="FILE", help="Start from this JSON body; - is stdin."),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(metavar="ISO8601", help="When it happened, with zone. Default: now."),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="Publish it so often, each with its own id.")
    ] = 1,
    message_id: Annotated[
        str | None, typer.Option("--id", help="Message id. Default: a random one.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Send it even if no function accepts it.")
    ] = False,
    broker: options.BrokerUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Publish an event to cloudphone.events and wait until the broker has confirmed it.

    Exit code 1: not published, 2: the event is not valid.
    """
    now = datetime.now(UTC)
    with options.outcome(as_json=as_json):
        text = file.read() if file else None
        body = _body(event, values or [], text, timestamp or (None if raw else now.isoformat()))
        if not raw:
            check(event, body, now)
        ids = message_ids(count, message_id)
        publish(options.broker_url(broker), event, body, ids, now)
        said = f"Published {event}, message id {ids[0]}" + (f" … {ids[-1]}" if count > 1 else "")
        options.say(said, {"eventType": event, "messageIds": ids}, as_json=as_json)


def _body(event: str, values: list[str], text: str | None, timestamp: str | None) -> bytes:
    if text is not None and not values and timestamp is None:
        return text.encode("utf-8", "surrogateescape")
    body = {} if text is None else _json_object(text)
    fill_in(body, event, assignments(values))
    if timestamp:
        body.setdefault("timestamp", timestamp)
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"the file is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidInputError("the file holds no JSON object")
    return body
