"""``python -m local.sam events/device-failed.json``: try one function with one event."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from local import endpoints
from local.errors import LocalError
from local.event_source_mapping.environment import FunctionError
from local.paths import StateDir
from local.sam.invoke import SamLocal, image, ports
from local.sam.network import ContainerNetwork


def main(
    event: Annotated[str, typer.Argument(help="File with the event, or - for standard input.")],
    function: Annotated[
        str | None, typer.Option(help="Logical id; by default the one that gets such events.")
    ] = None,
) -> None:
    """Run a built function by ``sam local invoke`` against the running local platform.

    LAMBDA_IMAGE names another image than the public one of AWS.
    """
    try:
        raw = _read(event)
        result = _invoke(function or receiver(raw), raw)
    except (LocalError, FunctionError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(json.dumps(result, ensure_ascii=False, indent=2))


def _read(event: str) -> bytes:
    if event == "-":  # typer's allow_dash would look for a file of that name
        return sys.stdin.buffer.read()
    try:
        return Path(event).read_bytes()
    except OSError as error:
        raise LocalError(f"{event} cannot be read: {error.strerror}") from None


def receiver(raw: bytes) -> str:
    """Return the logical id of the function that gets an event.

    Raises:
        LocalError: not a JSON object, or several functions could.
    """
    try:
        event: dict[str, Any] = dict(json.loads(raw))
    except (ValueError, TypeError):
        raise LocalError("the event is not a JSON object") from None
    for queue in event.get("rmqMessagesByQueue", ()):
        family = queue.removeprefix("scheduler.").partition("-")[0]
        return f"{family.capitalize()}EventsFunction"
    if "http" in event.get("requestContext", {}):
        return "AllocationApiFunction"
    if "requestContext" in event:
        return "RealtimeFunction"
    raise LocalError("this event does not tell who gets it: give --function")


def _invoke(function: str, event: bytes) -> Any:  # noqa: ANN401 - any JSON
    running = endpoints.read(StateDir.default().endpoints)
    if running is None:
        raise LocalError("the local platform is not running: start it (make up)")
    with (
        tempfile.TemporaryDirectory() as folder,
        ContainerNetwork(image(), ports(running)) as network,
    ):
        sam = SamLocal(running, network.name, Path(folder), tell=_tell)
        _tell(f"$ {' '.join(sam.command(function))}\n")
        return sam.invoke(function, event)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, end="")


if __name__ == "__main__":
    typer.run(main)
